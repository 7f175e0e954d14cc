//! Code that is not larder's, and panics: whatever it is, nothing is lost, and nothing hangs.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

mod errors;
#[path = "../support/mod.rs"]
mod support;
mod values;

use std::{
    collections::HashMap,
    convert::Infallible,
    fmt,
    future::Future,
    hash::{Hash, Hasher},
    panic::AssertUnwindSafe,
    pin::{Pin, pin},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    task::{Context, Poll, Wake, Waker},
};

use larder::{CacheExt, MemoryCache, Scope, SharedError, cached, context};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use tokio::task::{JoinHandle, JoinSet};

use self::support::{Calls, Gate, eventually, in_time, long};

/// What panics on purpose, for as long as it is armed.
static ARMED: AtomicBool = AtomicBool::new(true);

fn panics() {
    assert!(!ARMED.load(Ordering::SeqCst), "on purpose");
}

/// Whether a task ended in a panic.
async fn panicked<T>(task: JoinHandle<T>) -> bool {
    in_time(task).await.is_err_and(|ended| ended.is_panic())
}

/// The cache computes and keeps this key as if nothing had happened.
async fn is_well(cache: &MemoryCache, key: &str) {
    for _ in 0..2 {
        let computed = cache.get_or_compute(key, long(), async || Ok::<_, Infallible>(7_u64));
        assert_eq!(in_time(computed).await, Ok(7));
    }
    assert_eq!(cache.get::<u64>(key).await.unwrap(), Some(7));
    cache.invalidate(key).await;
    assert_eq!(cache.get::<u64>(key).await.unwrap(), None);
}

#[tokio::test]
async fn a_weigher_that_panics_loses_no_value() {
    let weigher =
        |key: &str, _: &larder::Entry| if key.starts_with("heavy") { panic!("on purpose") } else { 1 };
    let cache = MemoryCache::builder().capacity(10).weigher(weigher).build().unwrap();
    let (calls, gate) = (Calls::default(), Gate::closed());
    let mut callers = JoinSet::new();
    for _ in 0..5 {
        let (cache, calls, gate) = (cache.clone(), calls.clone(), gate.clone());
        callers.spawn(async move {
            let compute = async || {
                gate.pass().await;
                Ok::<_, Infallible>(calls.call())
            };
            cache.get_or_compute("heavy", long(), compute).await
        });
    }
    eventually(|| cache.stats().misses == 5).await;
    gate.open();
    assert_eq!(in_time(callers.join_all()).await, [Ok(1); 5], "those who wait have it too");
    let inserting = cache.clone();
    assert!(
        panicked(tokio::spawn(async move { inserting.insert("heavy", &1, long()).await.unwrap() })).await
    );
    is_well(&cache, "light").await;
}

#[tokio::test]
async fn what_panics_before_a_call_begins_leaves_nothing() {
    struct Id;
    impl fmt::Display for Id {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            panics();
            f.write_str("1")
        }
    }
    #[cached(ttl = 60, key = "displayed:<id>", cache = cache, skip(cache))]
    async fn displayed(cache: &MemoryCache, id: Id) -> u64 {
        let _ = id;
        7
    }
    fn decides() -> bool {
        panics();
        true
    }
    #[cached(ttl = 60, key = "decided", cache = cache, skip(cache), when = decides())]
    async fn decided(cache: &MemoryCache) -> u64 {
        7
    }
    fn lives() -> std::time::Duration {
        panics();
        support::secs(60)
    }
    #[cached(ttl = lives(), key = "timed", cache = cache, skip(cache))]
    async fn timed(cache: &MemoryCache) -> u64 {
        7
    }
    let cache = MemoryCache::new(10);
    for _ in 0..2 {
        let asked = cache.clone();
        assert!(panicked(tokio::spawn(async move { displayed(&asked, Id).await })).await);
        let asked = cache.clone();
        assert!(panicked(tokio::spawn(async move { decided(&asked).await })).await);
        let asked = cache.clone();
        assert!(panicked(tokio::spawn(async move { timed(&asked).await })).await);
    }
    ARMED.store(false, Ordering::SeqCst);
    assert_eq!((displayed(&cache, Id).await, decided(&cache).await, timed(&cache).await), (7, 7, 7));
    is_well(&cache, "key").await;
}

/// The items of a batch, its keys, and what it decides.
#[tokio::test]
async fn what_panics_in_a_batch_leaves_nothing() {
    #[derive(Clone)]
    struct Item(Arc<AtomicUsize>);
    impl Hash for Item {
        fn hash<H: Hasher>(&self, state: &mut H) {
            // Not the first time, but when there is something under way.
            assert_ne!(self.0.fetch_add(1, Ordering::SeqCst), 1, "on purpose");
            state.write_u8(1);
        }
    }
    impl PartialEq for Item {
        fn eq(&self, _: &Self) -> bool {
            true
        }
    }
    impl Eq for Item {}
    let cache = MemoryCache::new(10);
    for key_panics in [true, false] {
        let asked = cache.clone();
        let task = tokio::spawn(async move {
            let key = |_: &Item| if key_panics { panic!("on purpose") } else { "key".to_owned() };
            let compute = async |missing: Vec<Item>| {
                Ok::<HashMap<_, _>, Infallible>(missing.into_iter().map(|item| (item, 7_u64)).collect())
            };
            let item = Item(Arc::new(AtomicUsize::new(0)));
            asked.get_or_compute_many([item], key, long(), compute).await.unwrap().len()
        });
        assert!(panicked(task).await);
        is_well(&cache, "key").await;
    }
}

/// An executor's waker: those who wait behind it are woken all the same.
#[tokio::test]
async fn a_waker_that_panics_harms_no_other_caller() {
    struct Bomb;
    impl Wake for Bomb {
        fn wake(self: Arc<Self>) {
            panic!("on purpose");
        }
    }
    let cache = MemoryCache::new(10);
    let gate = Gate::closed();
    let ask = || -> Pin<Box<dyn Future<Output = Result<u64, Infallible>> + Send>> {
        let (cache, gate) = (cache.clone(), gate.clone());
        Box::pin(async move {
            let compute = async || {
                gate.pass().await;
                Ok(7)
            };
            cache.get_or_compute("key", long(), compute).await
        })
    };
    let leader = tokio::spawn(ask());
    gate.until(1).await;
    let bomb = Waker::from(Arc::new(Bomb));
    let mut first = ask();
    assert!(first.as_mut().poll(&mut Context::from_waker(&bomb)).is_pending());
    let other = tokio::spawn(ask());
    eventually(|| cache.stats().misses == 3).await;
    gate.open();
    assert_eq!((in_time(leader).await.unwrap(), in_time(other).await.unwrap()), (Ok(7), Ok(7)));
    assert_eq!(first.as_mut().poll(&mut Context::from_waker(Waker::noop())), Poll::Ready(Ok(7)));
    is_well(&cache, "another").await;
}

/// A name that becomes text only when it is asked to, in the middle of a computation.
#[tokio::test]
async fn a_tag_that_panics_leaves_the_computation_usable() {
    struct Tag;
    impl From<Tag> for String {
        fn from(_: Tag) -> Self {
            panic!("on purpose")
        }
    }
    let cache = MemoryCache::new(10);
    let compute = async || {
        let context = context();
        let tagging = std::panic::catch_unwind(AssertUnwindSafe(|| drop(context.tag(Tag).clone())));
        assert!(tagging.is_err());
        context.tag("tag");
        Ok::<_, Infallible>(7_u64)
    };
    assert_eq!(cache.get_or_compute("key", long(), compute).await, Ok(7));
    cache.invalidate(Scope::tag("tag")).await;
    assert_eq!(cache.get::<u64>("key").await.unwrap(), None);
}

/// Outside of any runtime too.
#[test]
fn a_computation_that_panics_leaves_nothing_under_way() {
    let cache = MemoryCache::new(10);
    for _ in 0..3 {
        let compute = async || -> Result<u64, Infallible> { panic!("on purpose") };
        let asked = std::panic::catch_unwind(AssertUnwindSafe(|| {
            let mut asked = pin!(cache.get_or_compute("key", long(), compute));
            let _ = asked.as_mut().poll(&mut Context::from_waker(Waker::noop()));
        }));
        assert!(asked.is_err());
    }
    let mut asked = pin!(cache.get_or_compute("key", long(), async || Ok::<_, Infallible>(7_u64)));
    assert_eq!(asked.as_mut().poll(&mut Context::from_waker(Waker::noop())), Poll::Ready(Ok(7)));
}
