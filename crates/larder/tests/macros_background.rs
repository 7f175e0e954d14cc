//! Options with which a computation can outlive its caller: it works on owned copies.

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use larder::{MemoryCache, cached};
use tokio::sync::Notify;

/// Counts its copies and what is asked of it.
#[derive(Default)]
struct Db {
    copies: Arc<AtomicU32>,
    queries: Arc<AtomicU32>,
    gate: Arc<Notify>,
}

impl Clone for Db {
    fn clone(&self) -> Self {
        self.copies.fetch_add(1, Ordering::Relaxed);
        Self { copies: self.copies.clone(), queries: self.queries.clone(), gate: self.gate.clone() }
    }
}

impl Db {
    fn query(&self) -> u32 {
        self.queries.fetch_add(1, Ordering::Relaxed)
    }

    fn counts(&self) -> (u32, u32) {
        (self.queries.load(Ordering::Relaxed), self.copies.load(Ordering::Relaxed))
    }
}

async fn until(condition: impl Fn() -> bool) {
    let waiting = async {
        while !condition() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(10), waiting).await.expect("it takes too long");
}

#[cached(ttl = 60, stale_if_error = "1h", timeout = "1s", key = "<name>:<first>:<owned>:<label>:<number.to_string()>", skip(db, cache, bytes, shared), cache = cache)]
#[expect(
    clippy::needless_lifetimes,
    clippy::too_many_arguments,
    reason = "one argument of each shape, and a lifetime with a name"
)]
async fn borrowing<'a>(
    db: &'a Db,
    cache: &MemoryCache,
    mut name: &str,
    (first, _): &(u8, String),
    bytes: &[u8],
    mut owned: String,
    label: &'static str,
    shared: &Arc<Vec<u8>>,
    number: &(impl ToString + Copy + Send + 'static + Sync),
) -> Result<String, std::num::ParseIntError> {
    db.query();
    owned.push('!');
    name = name.trim();
    let parsed: u8 = name.parse()?;
    let _ = cache;
    let number = number.to_string();
    Ok(format!("{parsed}{first}{}{owned}{label}{}{number}", bytes.len(), shared.len()))
}

#[tokio::test]
async fn copies_are_taken_only_when_a_computation_starts() {
    let (db, cache, shared) = (Db::default(), MemoryCache::new(10), Arc::new(vec![1]));
    for _ in 0..3 {
        let pair = (7, String::new());
        let call = borrowing(&db, &cache, " 1 ", &pair, &[1, 2], "o".to_owned(), "l", &shared, &9_u8);
        assert_eq!(call.await.as_deref(), Ok("172o!l19"));
    }
    assert_eq!(db.counts(), (1, 1));
    let pair = (7, String::new());
    let call = borrowing(&db, &cache, "x", &pair, &[], String::new(), "l", &shared, &9_u8);
    assert!(call.await.is_err());
}

#[derive(Clone)]
struct Service {
    db: Db,
    cache: MemoryCache,
    name: String,
}

impl std::fmt::Display for Service {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.name)
    }
}

impl Service {
    #[cached(ttl = 60, key = "texts", skip(self), spawn)]
    async fn texts(&self) -> Vec<String> {
        let texts = vec!["{self}".to_owned(), format!("{{self}}"), format!("<{self}>{self:>4}{{self}}")];
        let mut all = texts;
        all.extend([concat!("{self", ":?}").to_owned(), format!("of {}", "{self}")]);
        all
    }

    fn new() -> Self {
        let (db, cache) = (Db::default(), MemoryCache::new(10));
        Self { db, cache, name: "s".to_owned() }
    }

    #[cached(
        ttl = "10ms",
        stale_while_revalidate = "1h",
        key = "<self.name>:<id>",
        cache = self.cache,
        companions
    )]
    async fn load(&self, id: u32) -> u32 {
        struct Inner(u32);
        impl Inner {
            fn get(&self) -> u32 {
                self.0
            }
        }
        assert_eq!(format!("{self}{}", self.name), "ss");
        if self.db.queries.load(Ordering::Relaxed) > 0 {
            self.db.gate.notified().await;
        }
        Inner(self.db.query() + id).get()
    }

    #[cached(ttl = 60, refresh_ahead = 0.5, key = "arc:<id>", cache = self.cache, skip(self))]
    async fn by_arc(self: Arc<Self>, id: u32) -> u32 {
        self.db.query() + id
    }

    #[cached(ttl = 60, refresh_ahead = 0.5, key = "arc-ref:<id>", cache = self.cache, skip(self))]
    async fn by_arc_ref(self: &Arc<Self>, id: u32) -> u32 {
        self.db.query() + id
    }

    #[cached(ttl = 60, stale_if_error = "1h", timeout = "1s", key = "value:<id>", cache = self.cache, skip(self))]
    async fn by_value(self, id: u32) -> u32 {
        self.db.query() + id
    }
}

#[tokio::test]
async fn a_stale_value_is_served_while_a_copy_refreshes_it() {
    let service = Service::new();
    assert_eq!(service.load(100).await, 100);
    tokio::time::sleep(Duration::from_millis(30)).await;
    // The refresh waits at the gate, and its callers do not.
    assert_eq!(service.load(100).await, 100);
    assert_eq!(service.load(100).await, 100);
    assert_eq!(service.db.counts().0, 1);
    service.db.gate.notify_one();
    until(|| service.db.counts().0 == 2).await;
    service.db.gate.notify_one();
    assert_eq!(service.load_refresh(100).await, 102);
}

#[tokio::test]
async fn a_caller_who_leaves_does_not_end_the_computation() {
    let service = Service::new();
    service.db.query();
    let left = tokio::time::timeout(Duration::from_millis(10), service.load(0)).await;
    assert!(left.is_err());
    service.db.gate.notify_one();
    until(|| service.db.counts().0 == 2).await;
}

#[tokio::test]
async fn receivers_are_moved_or_copied() {
    let service = Arc::new(Service::new());
    for _ in 0..2 {
        assert_eq!(service.clone().by_arc(0).await, 0);
        assert_eq!(service.by_arc_ref(0).await, 1);
        assert_eq!(Service::clone(&service).by_value(0).await, 2);
    }
}

#[async_trait::async_trait]
trait Store {
    async fn load(&self, label: &str, pair: (u8, u8)) -> anyhow::Result<String>;
    async fn pattern(&self, pair: &(u8, u8)) -> u8;
}

#[async_trait::async_trait]
impl Store for Service {
    #[cached(ttl = 60, stale_if_error = "1h", timeout = "1s", key = "store:<self.name>:<label>:<a>:<b>", cache = self.cache)]
    async fn load(&self, label: &str, (a, mut b): (u8, u8)) -> anyhow::Result<String> {
        self.db.query();
        b += 1;
        Ok(format!("{label}{a}{b}{}", self.name))
    }

    #[cached(ttl = 60, stale_if_error = "1h", timeout = "1s", key = "pattern:<a>:<b>", cache = self.cache, skip(self))]
    async fn pattern(&self, (a, b): &(u8, u8)) -> u8 {
        self.db.query();
        a + b
    }
}

#[tokio::test]
async fn async_trait_methods_have_copies_too() {
    let service = Service::new();
    for _ in 0..2 {
        assert_eq!(Store::load(&service, "l", (1, 2)).await.unwrap(), "l13s");
        assert_eq!(service.pattern(&(1, 2)).await, 3);
    }
    assert_eq!(service.db.counts(), (2, 2));
}

#[cached(ttl = 60, stale_if_error = "1h", timeout = "1s", key = "when:<id>", skip(db, used), when = *used)]
async fn when(db: &Db, id: u8, used: &bool) -> Option<u8> {
    db.query();
    Some(id)
}

#[cached(ttl = 60, stale_if_error = "1h", timeout = "1s", skip(T))]
async fn generic<T>(text: &T) -> String
where
    T: ToOwned<Owned: std::fmt::Display + Send> + std::fmt::Display + ?Sized + Sync + 'static,
{
    text.to_string()
}

#[tokio::test]
async fn it_goes_with_when_and_generics() {
    let db = Db::default();
    for used in [true, true, false] {
        assert_eq!(when(&db, 1, &used).await, Some(1));
    }
    assert_eq!(db.counts().0, 2);
    assert_eq!(generic("text").await, "text");
    assert_eq!(generic(&1).await, "1");
}

fn _the_future_is_send_and_static(service: Arc<Service>) -> impl Future<Output = u32> + Send + 'static {
    service.by_arc(1)
}

#[tokio::test]
async fn texts_stay_as_they_are_and_those_that_are_formatted_name_self() {
    let service = Service::new();
    let expected = ["{self}", "{self}", &format!("<{service}>{service:>4}{{self}}"), "{self:?}", "of {self}"];
    assert_eq!(service.texts().await, expected);
}
