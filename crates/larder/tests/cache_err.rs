//! Chosen errors are kept for a time, in place of a value.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

mod support;

use std::time::Duration;

use async_trait::async_trait;
use larder::{
    Cache, CacheExt, Entry, Invalidating, Lookup, MemoryCache, Policy, PolicyBuilder, Scope, Storage, cached,
    context,
};
use serde::{Deserialize, Serialize};

use self::support::{Calls, Gate, eventually, in_time, secs};

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
enum Error {
    NotFound(usize),
    NoConnection,
}

impl Error {
    fn is_not_found(&self) -> bool {
        matches!(self, Self::NotFound(_))
    }
}

type Answer = Result<usize, Error>;

/// A cache, one key, and a source that is asked.
struct Lab {
    cache: MemoryCache,
    policy: Policy,
    calls: Calls,
}

impl Lab {
    /// Values for 100 s, errors for 10 s.
    fn new(policy: impl FnOnce(PolicyBuilder) -> PolicyBuilder) -> Self {
        let policy = policy(Policy::builder().ttl(secs(100)).cache_err(secs(10)).tag("tag")).build().unwrap();
        Self { cache: MemoryCache::new(10), policy, calls: Calls::default() }
    }

    fn plain() -> Self {
        Self::new(|policy| policy)
    }

    fn advance(&self, seconds: u64) {
        self.cache.core().advance(secs(seconds));
    }

    /// The answer to a call of which the source makes `outcome`, if it is asked.
    async fn ask(&self, outcome: impl FnOnce(usize) -> Answer + Send) -> Answer {
        let compute = async || outcome(self.calls.call());
        self.cache.get_or_compute_keeping("key", &self.policy, Error::is_not_found, compute).await
    }

    async fn find_nothing(&self) -> Answer {
        self.ask(|call| Err(Error::NotFound(call))).await
    }
}

#[tokio::test]
async fn a_chosen_error_is_kept_for_its_time() {
    let lab = Lab::plain();
    for _ in 0..10 {
        assert_eq!(lab.find_nothing().await, Err(Error::NotFound(1)));
    }
    lab.advance(9);
    assert_eq!(lab.ask(Ok).await, Err(Error::NotFound(1)));
    lab.advance(1);
    assert_eq!(lab.ask(Ok).await, Ok(2), "its time is over");
    assert_eq!(lab.find_nothing().await, Ok(2));
    let stats = lab.cache.stats();
    assert_eq!((stats.computations, stats.failures, stats.stores), (2, 1, 2));
    assert_eq!((stats.hits, stats.misses, stats.type_mismatches), (11, 2, 0));
}

#[tokio::test]
async fn an_error_that_is_not_chosen_is_not_kept() {
    let lab = Lab::plain();
    assert_eq!(lab.ask(|_| Err(Error::NoConnection)).await, Err(Error::NoConnection));
    assert_eq!(lab.ask(Ok).await, Ok(2));
}

#[tokio::test]
async fn without_a_time_none_is_kept() {
    let lab = Lab::new(|policy| policy.cache_err(Duration::ZERO));
    assert_eq!(lab.find_nothing().await, Err(Error::NotFound(1)));
    assert_eq!(lab.find_nothing().await, Err(Error::NotFound(2)));
}

#[tokio::test]
async fn a_computation_that_is_not_to_be_stored_keeps_no_error() {
    let lab = Lab::plain();
    let unstored = |call| {
        context().no_store();
        Err(Error::NotFound(call))
    };
    assert_eq!(lab.ask(unstored).await, Err(Error::NotFound(1)));
    assert_eq!(lab.ask(Ok).await, Ok(2));
}

/// The one rule.
#[tokio::test]
async fn an_invalidated_error_is_not_served() {
    for scope in [Scope::key("key"), Scope::tag("tag"), Scope::all()] {
        let lab = Lab::new(|policy| policy.stale_if_error(secs(1_000)));
        assert_eq!(lab.find_nothing().await, Err(Error::NotFound(1)));
        lab.cache.invalidate(scope);
        assert_eq!(lab.ask(Ok).await, Ok(2));
        // Nor the one that was kept before the value.
        assert_eq!(lab.find_nothing().await, Ok(2));
    }
}

#[tokio::test]
async fn an_error_that_was_found_before_an_invalidation_is_not_kept() {
    let lab = Lab::plain();
    let outdated = |call| {
        drop(lab.cache.invalidate("key"));
        Err(Error::NotFound(call))
    };
    assert_eq!(lab.ask(outdated).await, Err(Error::NotFound(1)));
    assert_eq!(lab.ask(Ok).await, Ok(2));
    assert_eq!(lab.cache.stats().stores_outdated, 1);
}

#[tokio::test]
async fn an_error_goes_with_what_it_was_made_from_and_what_was_made_from_it_goes_with_it() {
    let lab = Lab::plain();
    let (calls, sums) = (Calls::default(), Calls::default());
    let outer = async || {
        let compute = async || {
            sums.call();
            let inner = async || {
                let _: Option<u8> = lab.cache.get("part").await.unwrap();
                Err(Error::NotFound(calls.call()))
            };
            let found =
                lab.cache.get_or_compute_keeping("inner", &lab.policy, Error::is_not_found, inner).await;
            Ok::<_, Error>(usize::from(found.map_or(true, |found: usize| found > 0)))
        };
        lab.cache.get_or_compute("outer", Policy::ttl(secs(100)), compute).await.unwrap()
    };
    assert_eq!((outer().await, outer().await, calls.made(), sums.made()), (1, 1, 1, 1));
    lab.cache.invalidate("outer");
    assert_eq!((outer().await, calls.made(), sums.made()), (1, 1, 2), "from the error that is kept");
    lab.cache.invalidate("inner");
    assert_eq!((outer().await, calls.made(), sums.made()), (1, 2, 3));
    lab.cache.invalidate("part");
    assert_eq!((outer().await, calls.made(), sums.made()), (1, 3, 4));
}

#[tokio::test]
async fn an_error_that_is_kept_is_an_answer_and_no_old_value_hides_it() {
    let lab = Lab::new(|policy| policy.stale_if_error(secs(1_000)));
    assert_eq!(lab.ask(Ok).await, Ok(1));
    lab.advance(110);
    assert_eq!(lab.ask(|_| Err(Error::NoConnection)).await, Ok(1), "this one says nothing of the value");
    lab.advance(1);
    assert_eq!(lab.find_nothing().await, Err(Error::NotFound(3)));
    lab.advance(11);
    assert_eq!(
        lab.ask(|_| Err(Error::NoConnection)).await,
        Err(Error::NoConnection),
        "the old value is gone"
    );
}

#[tokio::test]
async fn who_waits_for_an_error_that_is_kept_has_it_too() {
    let lab = Lab::plain();
    let gate = Gate::closed();
    let slow = async || {
        gate.pass().await;
        Err::<usize, _>(Error::NotFound(lab.calls.call()))
    };
    let ask = || lab.cache.get_or_compute_keeping("key", &lab.policy, Error::is_not_found, slow);
    // One who keeps no errors is given none that is kept: it computes for itself.
    let keeps_none = lab.cache.get_or_compute("key", &lab.policy, async || Ok::<_, Error>(7_usize));
    let open = async {
        eventually(|| lab.cache.stats().misses == 4).await;
        gate.open();
    };
    let answers = in_time(async { tokio::join!(ask(), ask(), ask(), keeps_none, open) }).await;
    let not_found = || Err(Error::NotFound(1));
    assert_eq!(answers, (not_found(), not_found(), not_found(), Ok(7), ()));
}

#[tokio::test]
async fn other_readers_of_the_key_see_nothing_of_it() {
    let lab = Lab::plain();
    assert_eq!(lab.find_nothing().await, Err(Error::NotFound(1)));
    assert_eq!(lab.cache.get::<usize>("key").await.unwrap(), None);
    assert_eq!(lab.cache.get::<Error>("key").await.unwrap(), None);
    let other = lab.cache.get_or_compute("key", &lab.policy, async || Ok::<_, Error>(7_usize)).await;
    assert_eq!((other, lab.find_nothing().await), (Ok(7), Ok(7)), "a value takes its place");
    lab.cache.insert("key", &8_usize, &lab.policy).await.unwrap();
    assert_eq!(lab.find_nothing().await, Ok(8));
}

#[tokio::test]
async fn while_the_cache_is_disabled_it_serves_no_error() {
    let lab = Lab::plain();
    assert_eq!(lab.find_nothing().await, Err(Error::NotFound(1)));
    lab.cache.disable();
    assert_eq!(lab.ask(Ok).await, Ok(2));
    lab.cache.enable();
    assert_eq!(lab.ask(Ok).await, Err(Error::NotFound(1)));
}

#[test]
fn threads_keep_errors_without_serde() {
    #[derive(Debug, Clone, PartialEq)]
    struct Gone(usize);

    let cache = MemoryCache::new(10);
    let policy = Policy::builder().ttl(secs(100)).cache_err(secs(10)).build().unwrap();
    let calls = Calls::default();
    let ask = || {
        let compute = || Err::<u8, _>(Gone(calls.call()));
        cache.blocking().get_or_compute_keeping("key", &policy, |_| true, compute)
    };
    assert_eq!((ask(), ask()), (Err(Gone(1)), Err(Gone(1))));
    cache.core().advance(secs(11));
    assert_eq!(ask(), Err(Gone(2)));
    drop(cache.invalidate("*"));
    assert_eq!(ask(), Err(Gone(3)));
}

#[cached(
    ttl = 100, cache_err = 10, cache_err_if = |error| error.is_not_found(), key = "user:<id>", cache = cache,
    skip(calls, cache)
)]
async fn user(id: u64, calls: &Calls, cache: &MemoryCache) -> Answer {
    match (id, calls.call()) {
        (0, call) => Err(Error::NotFound(call)),
        (1, _) => Err(Error::NoConnection),
        (_, call) => Ok(call),
    }
}

#[tokio::test]
async fn a_function_has_the_options() {
    let (cache, calls) = (MemoryCache::new(10), Calls::default());
    for _ in 0..5 {
        assert_eq!(user(0, &calls, &cache).await, Err(Error::NotFound(1)));
    }
    assert_eq!(user(1, &calls, &cache).await, Err(Error::NoConnection));
    assert_eq!(user(1, &calls, &cache).await, Err(Error::NoConnection));
    assert_eq!((user(2, &calls, &cache).await, user(2, &calls, &cache).await), (Ok(4), Ok(4)));
    drop(user::invalidate(0, &cache));
    assert_eq!(user(0, &calls, &cache).await, Err(Error::NotFound(5)));
    assert_eq!(user::refresh(0, &calls, &cache).await, Err(Error::NotFound(6)), "refreshed");
    assert_eq!(user(0, &calls, &cache).await, Err(Error::NotFound(6)));
}

/// No serde, and an error that is not `Clone` until it is shared.
#[cached(
    ttl = 100, cache_err = 10, key = "module:<id>", cache = cache, skip(calls, cache), local, spawn, detached
)]
async fn module(id: u64, calls: Calls, cache: &MemoryCache) -> Result<u64, std::sync::Arc<std::io::Error>> {
    tokio::task::yield_now().await;
    Err(std::sync::Arc::new(std::io::Error::other(format!("{id}: {}", calls.call()))))
}

#[cached(ttl = 100, cache_err = "10s", key = "file:<id>", cache = cache, skip(calls, cache))]
fn file(id: u64, calls: &Calls, cache: &MemoryCache) -> Result<u64, String> {
    Err(format!("{id}: {}", calls.call()))
}

#[tokio::test]
async fn so_have_local_ones_tasks_and_threads() {
    let (cache, calls) = (MemoryCache::new(10), Calls::default());
    for _ in 0..3 {
        assert_eq!(module(7, calls.clone(), &cache).await.unwrap_err().to_string(), "7: 1");
    }
    for _ in 0..3 {
        assert_eq!(file(7, &calls, &cache).unwrap_err(), "7: 2");
    }
    drop(cache.invalidate("*"));
    assert_eq!(module(7, calls.clone(), &cache).await.unwrap_err().to_string(), "7: 3");
    assert_eq!(file(7, &calls, &cache).unwrap_err(), "7: 4");
}

/// A memory that counts how often it is looked into.
#[derive(Clone)]
struct Counted(MemoryCache, Calls);

support::cache_around_memory!(Counted);

#[async_trait]
impl Storage for Counted {
    fn peek(&self, at: Lookup<'_>) -> Option<Entry> {
        self.1.call();
        self.0.storage().peek(at)
    }

    async fn write(&self, entries: &[Entry]) -> larder::Result<()> {
        self.0.storage().write(entries).await
    }

    fn apply(&self, scopes: &[Scope]) -> Invalidating {
        self.0.storage().apply(scopes)
    }
}

#[tokio::test]
async fn the_store_is_looked_into_once() {
    let (cache, lab) = (Counted(MemoryCache::new(10), Calls::default()), Lab::plain());
    let ask = async |key: &'static str| {
        let compute = async || Err::<usize, _>(Error::NotFound(lab.calls.call()));
        cache.get_or_compute_keeping(key, &lab.policy, Error::is_not_found, compute).await
    };
    assert_eq!(ask("key").await, Err(Error::NotFound(1)));
    assert_eq!(cache.1.made(), 1, "by a miss");
    assert_eq!(ask("key").await, Err(Error::NotFound(1)));
    assert_eq!(cache.1.made(), 2, "by a hit");
}
