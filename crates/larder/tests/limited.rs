//! `#[limited]`: functions that are called no faster than they may be.

mod support;

use std::{
    net::{IpAddr, Ipv4Addr},
    sync::{
        Arc, LazyLock,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    time::Duration,
};

use async_trait::async_trait;
use larder::{
    Cache, CacheExt, MemoryCache, cached,
    limit::{FailureMode, Limited, Rate},
    limited, testing,
};

#[derive(Debug, Clone, PartialEq)]
enum Error {
    Limited(Duration),
    Failed,
}

impl From<Limited> for Error {
    fn from(limited: Limited) -> Self {
        Self::Limited(limited.retry_after())
    }
}

const IP: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
const OTHER: IpAddr = IpAddr::V4(Ipv4Addr::UNSPECIFIED);

/// How many of so many calls are admitted.
async fn admitted<T, E>(times: usize, mut call: impl AsyncFnMut() -> Result<T, E>) -> usize {
    let mut admitted = 0;
    for _ in 0..times {
        admitted += usize::from(call().await.is_ok());
    }
    admitted
}

#[limited(per = "ip:<ip>", rate = "3/h")]
async fn search(ip: IpAddr, words: &str, runs: &AtomicUsize) -> Result<String, Error> {
    runs.fetch_add(1, Relaxed);
    if words.is_empty() {
        return Err(Error::Failed);
    }
    Ok(words.to_uppercase())
}

#[tokio::test]
async fn a_call_too_many_does_not_run() {
    let _own = testing::isolate();
    let runs = AtomicUsize::new(0);
    assert_eq!(search(IP, "tea", &runs).await, Ok("TEA".to_owned()));
    assert_eq!(search(IP, "", &runs).await, Err(Error::Failed), "it ran, and counts");
    assert!(search(IP, "tea", &runs).await.is_ok());
    let Err(Error::Limited(wait)) = search(IP, "tea", &runs).await else { panic!("the fourth") };
    assert!(wait <= Duration::from_secs(1_200) && wait > Duration::from_secs(1_100));
    assert_eq!(runs.load(Relaxed), 3);
    assert!(search(OTHER, "tea", &runs).await.is_ok(), "another key");
    larder::global().core().advance(wait);
    assert!(search(IP, "tea", &runs).await.is_ok(), "when it said");
}

/// An argument's text cannot make another key of itself.
#[tokio::test]
async fn keys_are_escaped() {
    #[limited(per = "<a>:<b>", rate = "1/h")]
    async fn pair(a: &str, b: &str) -> Result<(), Limited> {
        Ok(())
    }

    let _own = testing::isolate();
    assert!(pair("x:y", "z").await.is_ok());
    assert!(pair("x", "y:z").await.is_ok());
    assert!(pair("x:y", "z").await.is_err());
}

#[derive(Debug, Clone)]
struct Plan {
    calls: u32,
}

impl Plan {
    fn rate(&self) -> Rate {
        Rate::per_hour(self.calls)
    }
}

/// Rates, bursts and costs can be computed; each rate is a limit of its own.
#[tokio::test]
async fn options_are_expressions() {
    static CACHE: LazyLock<MemoryCache> = LazyLock::new(|| MemoryCache::new(1));

    #[limited(per = "all", rate = plan.rate(), burst = plan.calls + 1, cost = pages, cache = *CACHE, local,
              failure = FailureMode::Closed)]
    async fn read(plan: &Plan, pages: u32) -> Result<u32, Limited> {
        Ok(pages)
    }

    let plan = Plan { calls: 4 };
    assert!(read(&plan, 3).await.is_ok());
    assert_eq!(read(&plan, 3).await.unwrap_err().rate(), Rate::per_hour(4).burst(5));
    assert!(read(&plan, 2).await.is_ok());
    assert!(read(&Plan { calls: 9 }, 10).await.is_ok());
    assert_eq!((CACHE.stats().limit_allowed, CACHE.stats().limit_refused), (3, 1));

    #[limited(per = "text", rate = "4/h burst 1")]
    async fn text() -> Result<(), Limited> {
        Ok(())
    }

    let _own = testing::isolate();
    assert_eq!(admitted(4, text).await, 1);
}

struct Service {
    tenant: String,
    cache: MemoryCache,
}

#[async_trait]
trait Answers {
    async fn answer(&self, question: String) -> Result<String, Box<dyn std::error::Error + Send + Sync>>;
}

#[async_trait]
impl Answers for Service {
    #[limited(per = "answers:<self.tenant>", rate = "2/h", cache = self.cache)]
    async fn answer(&self, question: String) -> Result<String, Box<dyn std::error::Error + Send + Sync>> {
        tokio::task::yield_now().await;
        Ok(question)
    }
}

impl Service {
    #[limited(per = "count:<self.tenant>:<T>", rate = "1/h", cache = &self.cache)]
    async fn count<T: Default + Send>(&mut self) -> Result<T, Limited> {
        self.tenant.push(' ');
        self.tenant.pop();
        Ok(T::default())
    }

    #[limited(per = "stream", rate = "1/h", cache = self.cache)]
    async fn stream(&self) -> Result<impl Iterator<Item = u32> + use<>, Limited> {
        Ok(0..3)
    }
}

#[tokio::test]
async fn methods_of_all_kinds() {
    let mut service = Service { tenant: "acme".to_owned(), cache: MemoryCache::new(1) };
    let task = async |service: &Service| service.answer("why".to_owned()).await;
    assert_eq!(task(&service).await.unwrap(), "why");
    assert!(task(&service).await.is_ok());
    let error = task(&service).await.unwrap_err();
    assert!(
        error.downcast_ref::<Limited>().is_some_and(|limited| limited.rate() == Rate::per_hour(2)),
        "{error}"
    );
    assert!(service.count::<u8>().await.is_ok());
    assert!(service.count::<u16>().await.is_ok(), "another type");
    assert!(service.count::<u8>().await.is_err());
    assert_eq!(service.stream().await.unwrap().count(), 3);
    assert!(service.stream().await.is_err());
}

/// Above `#[cached]`: what is computed is limited, and a hit counts for nothing.
#[tokio::test]
async fn above_cached_computations_are_limited() {
    #[limited(per = "weather", rate = "2/h")]
    #[cached(ttl = 60, key = "weather:<city>")]
    async fn weather(city: u32) -> Result<u32, Error> {
        Ok(city)
    }

    let _own = testing::isolate();
    assert_eq!(admitted(100, async || weather(1).await).await, 100);
    assert!(weather(2).await.is_ok());
    assert!(matches!(weather(3).await, Err(Error::Limited(_))));
    assert_eq!(admitted(100, async || weather(1).await).await, 100);
    let stats = larder::global().stats();
    assert_eq!((stats.limit_allowed, stats.limit_refused, stats.stores), (2, 1, 2));
}

/// Below `#[cached]`: every call counts.
#[tokio::test]
async fn below_cached_calls_are_limited() {
    #[cached(ttl = 60, key = "forecast:<city>", skip(user))]
    #[limited(per = "forecasts:<user>", rate = "3/h")]
    async fn forecast(user: u64, city: u32) -> Result<u32, Error> {
        let _ = user;
        Ok(city)
    }

    let _own = testing::isolate();
    assert_eq!(admitted(10, async || forecast(7, 1).await).await, 3);
    assert_eq!(admitted(10, async || forecast(8, 1).await).await, 3);
    assert_eq!(larder::global().stats().computations, 1);
}

/// Many at once, on several threads: no more than there are.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn calls_at_once_are_limited_together() {
    static CACHE: LazyLock<MemoryCache> = LazyLock::new(|| MemoryCache::new(1));

    #[limited(per = "once", rate = "50/h", cache = *CACHE)]
    async fn once(runs: &AtomicUsize) -> Result<(), Limited> {
        runs.fetch_add(1, Relaxed);
        tokio::task::yield_now().await;
        Ok(())
    }

    let runs = Arc::new(AtomicUsize::new(0));
    let calls: Vec<_> = (0..1_000)
        .map(|_| {
            let runs = runs.clone();
            tokio::spawn(async move { once(&runs).await.is_ok() })
        })
        .collect();
    let mut admitted = 0;
    for call in calls {
        admitted += usize::from(call.await.unwrap());
    }
    assert_eq!((admitted, runs.load(Relaxed)), (50, 50));
}

/// On a thread, without a runtime.
#[test]
fn a_function_that_is_not_async_counts_here() {
    static CACHE: LazyLock<MemoryCache> = LazyLock::new(|| MemoryCache::new(1));

    #[limited(per = "thread:<id>", rate = "2/h", local, cache = *CACHE)]
    fn answer(id: u64) -> Result<u64, Limited> {
        Ok(id * 6)
    }
    let admitted: Vec<_> = (0..3).map(|_| answer(7).is_ok()).collect();
    assert_eq!(admitted, [true, true, false]);
    assert_eq!(answer(8).unwrap(), 48);
    assert_eq!(CACHE.stats().limit_refused, 1);
}
