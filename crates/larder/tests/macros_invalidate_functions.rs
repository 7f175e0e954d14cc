//! `#[invalidate(user(id))]`: cached functions are named themselves.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::{
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use larder::{CacheExt, MemoryCache, Policy, cache_put, cached, invalidate};
use tokio::sync::Notify;

mod users {
    use super::*;

    /// Counts its runs.
    #[cached(ttl = 60, key = "named-user:<id>", skip(runs))]
    pub(super) async fn user(runs: &AtomicU32, id: u64) -> u32 {
        runs.fetch_add(1, Ordering::Relaxed)
    }
}

#[cached(ttl = 60, key = "named-report:<year>:<month>", skip(runs))]
async fn report(runs: &AtomicU32, year: u32, month: u32) -> u32 {
    runs.fetch_add(1, Ordering::Relaxed)
}

/// Not async, and without a key of its own.
#[cached(ttl = 60, skip(runs))]
fn by_name(runs: &AtomicU32, name: &str) -> u32 {
    runs.fetch_add(1, Ordering::Relaxed)
}

#[cached(ttl = 60, key = "named-settings", skip(runs))]
async fn settings(runs: &AtomicU32) -> u32 {
    runs.fetch_add(1, Ordering::Relaxed)
}

#[invalidate(users::user(id), report(..), by_name(name), settings())]
async fn rename(id: u64, name: &str) -> Result<(), String> {
    if name.is_empty() { Err("a name is needed".to_owned()) } else { Ok(()) }
}

#[tokio::test]
async fn functions_are_dropped_by_their_arguments_and_whole() {
    let runs = AtomicU32::new(0);
    let read = async || {
        [
            users::user(&runs, 1).await,
            users::user(&runs, 2).await,
            report(&runs, 2025, 1).await,
            report(&runs, 2026, 2).await,
            by_name(&runs, "a"),
            by_name(&runs, "b"),
            settings(&runs).await,
        ]
    };
    assert_eq!(read().await, [0, 1, 2, 3, 4, 5, 6]);
    rename(1, "a").await.unwrap();
    assert_eq!(read().await, [7, 1, 8, 9, 10, 5, 11]);
    // Whatever the outcome.
    rename(2, "").await.unwrap_err();
    assert_eq!(read().await, [7, 12, 13, 14, 10, 5, 15]);
}

#[cached(ttl = 60, key = "named-order:<id>:<text>", skip(runs))]
async fn order(runs: &AtomicU32, id: u64, text: String) -> u32 {
    runs.fetch_add(1, Ordering::Relaxed)
}

struct Order {
    id: u64,
}

/// The body takes what the target names.
#[invalidate(order(result.id, text), order(id, text))]
async fn place(id: u64, text: String) -> Result<Order, String> {
    if text == "none" { Err(text) } else { Ok(Order { id: id + 1 }) }
}

#[invalidate(order(7, "x".to_owned()), if = really)]
fn on_a_condition(really: bool) {}

#[invalidate(order(7, "x".to_owned()), on = ok)]
fn on_ok(ok: bool) -> Option<()> {
    ok.then_some(())
}

#[tokio::test]
async fn arguments_are_expressions_and_may_name_the_result() {
    let runs = AtomicU32::new(0);
    let read =
        async |text: &str| [order(&runs, 7, text.to_owned()).await, order(&runs, 8, text.to_owned()).await];
    assert_eq!(read("x").await, [0, 1]);
    place(7, "x".to_owned()).await.map_err(drop).map(drop).unwrap();
    assert_eq!(read("x").await, [2, 3]);
    assert_eq!(read("none").await, [4, 5]);
    assert!(place(7, "none".to_owned()).await.is_err());
    assert_eq!(read("none").await, [6, 5], "what names the result needs one");
    on_a_condition(false);
    assert_eq!(on_ok(false), None);
    assert_eq!(read("x").await, [2, 3]);
    on_a_condition(true);
    assert_eq!(read("x").await, [7, 3]);
    assert_eq!(on_ok(true), Some(()));
    assert_eq!(read("x").await, [8, 3]);
}

struct Exam {
    result: u64,
}

/// What is called as the result is, and is not it.
#[invalidate(order(exam.result, "exam".to_owned()), order(exam.result + 1, "exam".to_owned()), if = exam.result > 0)]
fn fail(exam: &Exam) -> Result<(), String> {
    Err(format!("no {}", exam.result))
}

#[tokio::test]
async fn a_field_that_is_called_result_is_known_whatever_the_outcome() {
    let runs = AtomicU32::new(0);
    let read = async || [order(&runs, 7, "exam".to_owned()).await, order(&runs, 8, "exam".to_owned()).await];
    assert_eq!(read().await, [0, 1]);
    fail(&Exam { result: 7 }).unwrap_err();
    assert_eq!(read().await, [2, 3]);
    fail(&Exam { result: 0 }).unwrap_err();
    assert_eq!(read().await, [2, 3]);
}

struct Repository {
    cache: MemoryCache,
    runs: AtomicU32,
}

impl Repository {
    fn new() -> Self {
        Self { cache: MemoryCache::new(100), runs: AtomicU32::new(0) }
    }

    #[cached(ttl = 60, key = "user:<id>", cache = self.cache, skip(self), companions)]
    async fn user(&self, id: u64) -> u32 {
        self.runs.fetch_add(1, Ordering::Relaxed)
    }

    #[cached(ttl = 60, key = "named-length:<text>", companions)]
    fn length(text: &str) -> usize {
        RUNS.fetch_add(1, Ordering::Relaxed);
        text.len()
    }

    #[cached(ttl = 60, key = "named-fixed:<id>", skip(self), companions)]
    async fn fixed(self: Arc<Self>, id: u64) -> u32 {
        self.runs.fetch_add(1, Ordering::Relaxed)
    }

    #[invalidate(self.user(id), Self::length(name), "texts:*", cache = self.cache)]
    async fn rename(&mut self, id: u64, name: &str) -> usize {
        name.len()
    }

    #[invalidate(self.user(..))]
    fn clear(self) -> u32 {
        self.runs.into_inner()
    }
}

static RUNS: AtomicU32 = AtomicU32::new(0);

struct Service {
    repository: Arc<Repository>,
}

impl Service {
    #[invalidate(self.repository.user(id), self.repository.clone().fixed(id), Repository::length(..))]
    async fn change(&self, id: u64) {}
}

#[async_trait::async_trait]
trait Change {
    async fn change(&mut self, id: u64);
}

#[async_trait::async_trait]
impl Change for Repository {
    #[invalidate(self.user(id))]
    async fn change(&mut self, id: u64) {}
}

#[tokio::test]
async fn methods_and_functions_of_types_are_named_as_they_are_called() {
    let mut repository = Repository::new();
    let cache = repository.cache.clone();
    assert_eq!((repository.user(1).await, repository.user(2).await), (0, 1));
    assert_eq!((Repository::length("a"), Repository::length("bc")), (1, 2));
    cache.insert("texts:1", &1_u8, Policy::ttl(Duration::from_secs(60))).await.unwrap();
    assert_eq!(repository.rename(1, "a").await, 1);
    assert!(!cache.contains("texts:1").await.unwrap());
    assert_eq!((repository.user(1).await, repository.user(2).await), (2, 1));
    assert_eq!((Repository::length("a"), Repository::length("bc")), (1, 2));
    assert_eq!(RUNS.load(Ordering::Relaxed), 3);

    Change::change(&mut repository, 1).await;
    assert_eq!((repository.user(1).await, repository.user(2).await), (3, 1));

    let repository = Arc::new(repository);
    assert_eq!(repository.clone().fixed(1).await, 4);
    Service { repository: repository.clone() }.change(1).await;
    assert_eq!((repository.user(1).await, repository.user(2).await), (5, 1));
    assert_eq!(repository.clone().fixed(1).await, 6);
    assert_eq!((Repository::length("a"), RUNS.load(Ordering::Relaxed)), (1, 4));

    assert!(cache.contains("user:2").await.unwrap());
    Arc::into_inner(repository).unwrap().clear();
    assert!(!cache.contains("user:2").await.unwrap());
}

#[cached(ttl = 60, key = "of:<id>", cache = cache, skip(cache, runs))]
async fn of_cache(cache: &MemoryCache, runs: &AtomicU32, id: u64) -> u32 {
    runs.fetch_add(1, Ordering::Relaxed)
}

#[invalidate(of_cache(first, 1), of_cache(second, ..))]
async fn change_both(first: &MemoryCache, second: &MemoryCache) {}

#[tokio::test]
async fn each_function_is_dropped_from_its_own_cache() {
    let (first, second, runs) = (MemoryCache::new(10), MemoryCache::new(10), AtomicU32::new(0));
    let read = async || {
        let first = [of_cache(&first, &runs, 1).await, of_cache(&first, &runs, 2).await];
        let second = [of_cache(&second, &runs, 1).await, of_cache(&second, &runs, 2).await];
        [first, second]
    };
    assert_eq!(read().await, [[0, 1], [2, 3]]);
    change_both(&first, &second).await;
    assert_eq!(read().await, [[4, 1], [5, 6]]);
    assert_eq!((first.stats().invalidations, second.stats().invalidations), (1, 1));
}

#[tokio::test]
async fn functions_in_functions_are_found() {
    #[cached(ttl = 60, key = "named-inner:<id>")]
    async fn inner(id: u64) -> u64 {
        INNER.fetch_add(1, Ordering::Relaxed);
        id
    }

    #[invalidate(inner(1), by_name("inner"))]
    async fn change() {}

    static INNER: AtomicU32 = AtomicU32::new(0);
    inner(1).await;
    change().await;
    inner(1).await;
    assert_eq!(INNER.load(Ordering::Relaxed), 2);
}

static READ: Notify = Notify::const_new();
static GO_ON: Notify = Notify::const_new();
static SOURCE: AtomicU32 = AtomicU32::new(1);

#[cached(ttl = 60, key = "named-slow:<id>", skip(slow))]
async fn slow(id: u64, slow: bool) -> u32 {
    let value = SOURCE.load(Ordering::SeqCst);
    if slow {
        READ.notify_one();
        GO_ON.notified().await;
    }
    value
}

#[invalidate(slow(id))]
async fn set(id: u64, value: u32) {
    SOURCE.store(value, Ordering::SeqCst);
}

#[tokio::test]
async fn what_was_computed_from_before_the_change_is_not_kept() {
    let older = tokio::spawn(slow(1, true));
    READ.notified().await;
    set(1, 2).await;
    assert_eq!(slow(1, false).await, 2);
    GO_ON.notify_one();
    assert_eq!(older.await.unwrap(), 1);
    assert_eq!(slow(1, false).await, 2);
}

#[cached(ttl = 60, key = "named-ended:<id>")]
async fn ended(id: u64) -> u64 {
    id
}

#[invalidate(ended(..))]
async fn panics() {
    panic!("on purpose");
}

#[invalidate(ended(1))]
async fn hangs() {
    std::future::pending().await
}

#[tokio::test]
async fn a_panic_and_a_cancellation_drop_them_too() {
    let kept = async || larder::global().contains(&ended::key(1)).await.unwrap();
    ended(1).await;
    assert!(kept().await);
    assert!(tokio::spawn(panics()).await.unwrap_err().is_panic());
    assert!(!kept().await);

    ended(1).await;
    assert!(tokio::time::timeout(Duration::from_millis(10), hangs()).await.is_err());
    assert!(!kept().await);
}

#[cached(ttl = 60, key = "named-deferred:<id>", skip(runs))]
async fn in_transaction(runs: &AtomicU32, id: u64) -> u32 {
    runs.fetch_add(1, Ordering::Relaxed)
}

#[invalidate(in_transaction(id))]
async fn change_in_transaction(id: u64) {}

#[tokio::test]
async fn they_wait_for_the_end_of_a_transaction() {
    let runs = AtomicU32::new(0);
    assert_eq!(in_transaction(&runs, 1).await, 0);
    let scope = larder::deferred();
    scope.run(change_in_transaction(1)).await;
    assert_eq!(in_transaction(&runs, 1).await, 0, "for others it is not changed yet");
    scope.commit().await;
    assert_eq!(in_transaction(&runs, 1).await, 1);
}

#[cached(ttl = 60, key = "named-generic:<T>:<id>", skip(value))]
async fn generic<T: Clone + Send + Sync + 'static + Into<u64>>(id: u64, value: T) -> u64 {
    id + value.into()
}

#[invalidate(generic::<u8>(id), r#type(id))]
async fn change_generic(id: u64) {}

#[cached(ttl = 60, key = "named-raw:<id>")]
async fn r#type(id: u64) -> u64 {
    id
}

#[tokio::test]
async fn types_and_raw_names_are_as_in_a_call() {
    generic(1, 1_u8).await;
    generic(1, 1_u16).await;
    r#type(1).await;
    let cache = larder::global();
    let kept = async |key: String| cache.contains(&key).await.unwrap();
    change_generic(1).await;
    assert!(!kept(generic::key::<u8>(1)).await);
    assert!(kept(generic::key::<u16>(1)).await);
    assert!(!kept(r#type::key(1)).await);
}

#[cached(ttl = 60, key = "named-total:<id>", skip(runs))]
async fn total(runs: &AtomicU32, id: u64) -> u32 {
    runs.fetch_add(1, Ordering::Relaxed)
}

#[cache_put(ttl = 60, key = "named-user:<id>")]
#[invalidate(total(..))]
async fn put(id: u64) -> u32 {
    u32::try_from(id).unwrap()
}

#[tokio::test]
async fn it_stands_beside_other_attributes() {
    let runs = AtomicU32::new(50);
    assert_eq!(total(&runs, 1).await, 50);
    put(70).await;
    assert_eq!(users::user(&runs, 70).await, 70);
    assert_eq!(total(&runs, 1).await, 51);
}
