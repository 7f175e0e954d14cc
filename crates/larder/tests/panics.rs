//! Code that is not larder's, and panics: whatever it is, nothing is lost, and nothing hangs.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

mod support;

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

/// A value of which some part panics.
#[derive(Debug)]
struct Value {
    number: u64,
    clone_panics: bool,
    drop_panics: bool,
}

impl Value {
    fn new(number: u64) -> Self {
        Self { number, clone_panics: false, drop_panics: false }
    }
}

impl Clone for Value {
    fn clone(&self) -> Self {
        assert!(!self.clone_panics, "on purpose, when cloned");
        Self { ..*self }
    }
}

impl Drop for Value {
    fn drop(&mut self) {
        assert!(!self.drop_panics || std::thread::panicking(), "on purpose, when dropped");
    }
}

impl Serialize for Value {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.number.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Value {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        u64::deserialize(deserializer).map(Self::new)
    }
}

/// It is its caller's all the same, and those who wait compute for themselves, at once.
#[tokio::test]
async fn a_value_that_cannot_be_cloned_is_not_lost() {
    let cache = MemoryCache::new(10);
    let (calls, gate) = (Calls::default(), Gate::closed());
    let mut callers = JoinSet::new();
    for _ in 0..5 {
        let (cache, calls, gate) = (cache.clone(), calls.clone(), gate.clone());
        callers.spawn(async move {
            let compute = async || {
                let number = calls.call() as u64;
                gate.pass().await;
                Ok::<_, Infallible>(Value { clone_panics: true, ..Value::new(number) })
            };
            cache.get_or_compute("key", long(), compute).await.unwrap().number
        });
    }
    eventually(|| cache.stats().misses == 5).await;
    gate.open();
    let mut numbers = in_time(callers.join_all()).await;
    numbers.sort_unstable();
    assert_eq!(numbers, [1, 2, 3, 4, 5]);
    is_well(&cache, "key").await;
}

#[cached(ttl = 300, key = "refreshed", cache = cache, skip(cache, clone_panics))]
async fn refreshed(cache: &MemoryCache, clone_panics: bool) -> Value {
    Value { clone_panics, ..Value::new(u64::from(clone_panics)) }
}

/// Its caller has it, and what is there is older.
#[tokio::test]
async fn a_refresh_whose_value_cannot_be_cloned_leaves_no_older_one() {
    let cache = MemoryCache::new(10);
    refreshed(&cache, false).await;
    assert_eq!(refreshed::refresh(&cache, true).await.number, 1);
    assert!(cache.get::<Value>("refreshed").await.unwrap().is_none());
}

/// A hit that cannot be cloned is its caller's panic, and no other's.
#[tokio::test]
async fn a_hit_that_cannot_be_cloned_harms_no_other() {
    static BROKEN: AtomicBool = AtomicBool::new(false);
    #[derive(Serialize, Deserialize)]
    struct Sometimes(u64);
    impl Clone for Sometimes {
        fn clone(&self) -> Self {
            assert!(!BROKEN.load(Ordering::SeqCst), "on purpose");
            Self(self.0)
        }
    }
    let cache = MemoryCache::new(10);
    cache.insert("key", &Sometimes(1), long()).await.unwrap();
    BROKEN.store(true, Ordering::SeqCst);
    for _ in 0..3 {
        let cache = cache.clone();
        assert!(
            panicked(tokio::spawn(async move { cache.get::<Sometimes>("key").await.unwrap().map(|_| ()) }))
                .await
        );
    }
    BROKEN.store(false, Ordering::SeqCst);
    assert_eq!(cache.get::<Sometimes>("key").await.unwrap().unwrap().0, 1);
    is_well(&cache, "another").await;
}

#[tokio::test]
async fn a_value_whose_drop_panics_harms_no_caller() {
    let cache = MemoryCache::new(2);
    let bomb = || Value { drop_panics: true, ..Value::new(1) };
    for number in 0..100 {
        let made = bomb();
        cache.insert(&format!("key:{number}"), &made, long()).await.unwrap();
        std::mem::forget(made);
    }
    cache.invalidate(Scope::all()).await;
    assert!(cache.entry_count() <= 100);
    // The last one who has it is one who waits.
    let gate = Gate::closed();
    let mut callers = JoinSet::new();
    for _ in 0..5 {
        let (cache, gate) = (cache.clone(), gate.clone());
        callers.spawn(async move {
            let compute = async || {
                context().no_store();
                gate.pass().await;
                Ok::<_, Infallible>(bomb())
            };
            std::mem::forget(cache.get_or_compute("key", long(), compute).await.unwrap());
        });
    }
    eventually(|| cache.stats().misses == 5).await;
    gate.open();
    in_time(callers.join_all()).await;
    is_well(&cache, "key").await;
}

/// The caller's data has changed, whatever becomes of the value: what is there is old.
#[tokio::test]
async fn an_insert_that_panics_invalidates() {
    let weigher =
        |key: &str, _: &larder::Entry| if key.starts_with("heavy") { panic!("on purpose") } else { 1 };
    let cache = MemoryCache::builder().capacity(10).weigher(weigher).build().unwrap();
    for key in ["a", "b"] {
        cache.insert(key, &Value::new(1), long()).await.unwrap();
    }
    let inserting = cache.clone();
    let insert = async move {
        let broken = Value { clone_panics: true, ..Value::new(2) };
        inserting.insert_many(&[("a", Value::new(2)), ("b", broken)], long()).await.unwrap();
    };
    assert!(panicked(tokio::spawn(insert)).await);
    for key in ["a", "b"] {
        assert!(cache.get::<Value>(key).await.unwrap().is_none(), "{key}");
    }
    // What was made from something of that key too.
    let compute = async || {
        assert!(cache.get::<Value>("heavy").await.unwrap().is_none());
        Ok::<_, Infallible>(1)
    };
    assert_eq!(cache.get_or_compute("made", long(), compute).await, Ok(1));
    let inserting = cache.clone();
    let insert = async move { inserting.insert("heavy", &Value::new(2), long()).await.unwrap() };
    assert!(panicked(tokio::spawn(insert)).await);
    assert_eq!(cache.get::<i32>("made").await.unwrap(), None);
    is_well(&cache, "a").await;
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

/// An error whose text, source, or copy panics. Its caller has it, the others compute for themselves.
struct Failure {
    number: usize,
}

impl fmt::Debug for Failure {
    fn fmt(&self, _: &mut fmt::Formatter<'_>) -> fmt::Result {
        panic!("on purpose, by `Debug`")
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, _: &mut fmt::Formatter<'_>) -> fmt::Result {
        panic!("on purpose, by `Display`")
    }
}

impl std::error::Error for Failure {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        panic!("on purpose, by `source`")
    }
}

impl Clone for Failure {
    fn clone(&self) -> Self {
        panic!("on purpose, by `Clone`")
    }
}

impl From<SharedError> for Rendered {
    fn from(_: SharedError) -> Self {
        panic!("on purpose, by `From<SharedError>`")
    }
}

/// Shared as its text.
struct Rendered(usize, bool);

impl fmt::Display for Rendered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        assert!(!self.1, "on purpose, by `Display`");
        f.write_str("failed")
    }
}

/// Five callers at once; the numbers of those who were told of a failure, and how many panicked.
async fn failing<F>(cache: &MemoryCache, gate: &Gate, ask: impl Fn() -> F) -> (Vec<usize>, usize)
where
    F: Future<Output = usize> + Send + 'static,
{
    let mut callers = JoinSet::new();
    for _ in 0..5 {
        callers.spawn(ask());
    }
    eventually(|| cache.stats().misses == 5).await;
    gate.open();
    let (mut numbers, mut panics) = (Vec::new(), 0);
    while let Some(ended) = in_time(callers.join_next()).await {
        match ended {
            Ok(number) => numbers.push(number),
            Err(_) => panics += 1,
        }
    }
    numbers.sort_unstable();
    (numbers, panics)
}

#[tokio::test]
async fn an_error_that_cannot_be_cloned_is_its_own_callers() {
    let cache = MemoryCache::new(10);
    let (calls, gate) = (Calls::default(), Gate::closed());
    let ask = || {
        let (cache, calls, gate) = (cache.clone(), calls.clone(), gate.clone());
        async move {
            let compute = async || {
                let number = calls.call();
                gate.pass().await;
                Err::<u64, _>(Failure { number })
            };
            cache.get_or_compute_shared("key", long(), compute).await.err().unwrap().number
        }
    };
    assert_eq!(failing(&cache, &gate, ask).await, (vec![1, 2, 3, 4, 5], 0));
    is_well(&cache, "key").await;
}

#[tokio::test]
async fn an_error_without_a_text_is_its_own_callers() {
    #[cached(ttl = 60, key = "key", skip(cache, calls, gate, breaks), cache = cache)]
    async fn fails(cache: &MemoryCache, calls: &Calls, gate: &Gate, breaks: bool) -> Result<u64, Rendered> {
        let number = calls.call();
        gate.pass().await;
        Err(Rendered(number, breaks))
    }
    // Without a text no other caller has it; with one, it cannot be made from that.
    for (breaks, expected) in [(true, (vec![1, 2, 3, 4, 5], 0)), (false, (vec![1], 4))] {
        let cache = MemoryCache::new(10);
        let (calls, gate) = (Calls::default(), Gate::closed());
        let ask = || {
            let (cache, calls, gate) = (cache.clone(), calls.clone(), gate.clone());
            async move { fails(&cache, &calls, &gate, breaks).await.err().unwrap().0 }
        };
        assert_eq!(failing(&cache, &gate, ask).await, expected);
        is_well(&cache, "key").await;
    }
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
