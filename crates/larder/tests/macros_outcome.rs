//! `with_outcome`: where a value came from, and why one was not stored.

mod support;

use std::{
    convert::Infallible,
    sync::atomic::{AtomicU32, Ordering},
    time::Duration,
};

use larder::{
    Cache, CacheExt, MemoryCache, NotStored, Outcome, Policy, Source, Tier, cached, context, deferred,
};

use self::support::{Gate, in_time, long, secs};

fn stored(outcome: Outcome, source: Source, tier: Option<Tier>) {
    assert_eq!((outcome.source, outcome.tier, outcome.why_not_stored), (source, tier, None));
    assert!(outcome.ttl > Duration::ZERO, "{outcome:?}");
}

fn not_stored(outcome: Outcome, source: Source, why: NotStored) {
    assert_eq!((outcome.source, outcome.tier, outcome.why_not_stored), (source, None, Some(why)));
    assert_eq!((outcome.age, outcome.ttl), (Duration::ZERO, Duration::ZERO));
}

/// Fails for 0.
#[cached(
    ttl = 60,
    stale_if_error = 60,
    key = "one:<id>",
    skip(cache, fails),
    cache = cache,
    unless = |value| *value == 7
)]
async fn one(cache: &MemoryCache, id: u64, fails: bool) -> Result<u64, String> {
    if fails { Err("it failed".to_owned()) } else { Ok(id) }
}

#[tokio::test]
async fn a_value_is_computed_and_then_a_hit() {
    let cache = MemoryCache::new(10);
    let (value, outcome) = one::with_outcome(&cache, 1, false).await;
    assert_eq!(value, Ok(1));
    stored(outcome, Source::Computed, None);
    cache.core().advance(secs(20));
    let (value, outcome) = one::with_outcome(&cache, 1, true).await;
    assert_eq!(value, Ok(1));
    stored(outcome, Source::Hit, Some(Tier::Memory));
    assert!(outcome.age >= secs(20) && outcome.age < secs(40), "{outcome:?}");
    assert!(outcome.ttl <= secs(40) && outcome.ttl > secs(20), "{outcome:?}");
    assert_eq!(cache.stats().hits, 1, "it is counted as any other");
    assert_eq!(one(&cache, 1, true).await, Ok(1));
}

#[tokio::test]
async fn a_stale_value_and_a_failure_are_told() {
    let cache = MemoryCache::new(10);
    one(&cache, 1, false).await.unwrap();
    cache.core().advance(secs(70));
    let (value, outcome) = one::with_outcome(&cache, 1, true).await;
    assert_eq!(value, Ok(1));
    let told = (outcome.source, outcome.tier, outcome.why_not_stored);
    assert_eq!(told, (Source::Stale, Some(Tier::Memory), Some(NotStored::Failed)));
    assert_eq!(outcome.ttl, Duration::ZERO);
    assert!(outcome.age >= secs(70));

    let (value, outcome) = one::with_outcome(&cache, 2, true).await;
    assert_eq!(value.unwrap_err(), "it failed");
    not_stored(outcome, Source::Computed, NotStored::Failed);
}

#[tokio::test]
async fn an_invalidated_value_is_neither_a_hit_nor_stale() {
    let cache = MemoryCache::new(10);
    one(&cache, 1, false).await.unwrap();
    one::invalidate(&cache, 1).await;
    let (value, outcome) = one::with_outcome(&cache, 1, true).await;
    assert!(value.is_err());
    not_stored(outcome, Source::Computed, NotStored::Failed);
}

#[cached(ttl = 60, key = "why:<id>", skip(cache, gate), cache = cache, when = id != 9)]
async fn why(cache: &MemoryCache, id: u64, gate: &Gate) -> Option<u64> {
    match id {
        0 => return None,
        1 => drop(context().no_store()),
        2 => {
            why::invalidate(cache, id).await;
        }
        3 => gate.pass().await,
        _ => {}
    }
    Some(id)
}

#[tokio::test]
async fn why_a_value_is_not_stored_is_told() {
    let (cache, gate) = (MemoryCache::new(10), Gate::closed());
    let ask = async |id: u64| why::with_outcome(&cache, id, &gate).await.1;
    not_stored(ask(0).await, Source::Computed, NotStored::NoLifetime);
    not_stored(ask(1).await, Source::Computed, NotStored::Declined);
    not_stored(ask(2).await, Source::Computed, NotStored::Invalidated);
    not_stored(ask(9).await, Source::Computed, NotStored::PassedBy);
    not_stored(one::with_outcome(&cache, 7, false).await.1, Source::Computed, NotStored::Declined);
    let scope = deferred();
    not_stored(scope.run(ask(4)).await, Source::Computed, NotStored::InTransaction);
    scope.rollback();
    stored(ask(4).await, Source::Computed, None);
    cache.disable();
    not_stored(ask(4).await, Source::Computed, NotStored::Disabled);
    cache.enable();
    stored(ask(4).await, Source::Hit, Some(Tier::Memory));
    let compute = async || Ok::<_, Infallible>(1_u8);
    let (_, outcome) = cache.get_or_compute_with_outcome("", long(), compute).await;
    not_stored(outcome, Source::Computed, NotStored::KeyRefused);
}

#[tokio::test]
async fn who_waits_is_told_so() {
    let (cache, gate) = (MemoryCache::new(10), Gate::closed());
    let (first, second, third) = in_time(async {
        tokio::join!(why::with_outcome(&cache, 3, &gate), why::with_outcome(&cache, 3, &gate), async {
            gate.until(1).await;
            let third = why(&cache, 3, &gate);
            gate.open();
            third.await
        })
    })
    .await;
    assert_eq!((first.0, second.0, third), (Some(3), Some(3), Some(3)));
    stored(first.1, Source::Computed, None);
    stored(second.1, Source::Joined, None);
}

#[cached(ttl = 60, key = "failing:<id>", skip(cache, gate), cache = cache)]
async fn failing(cache: &MemoryCache, id: u64, gate: &Gate) -> Result<u64, String> {
    gate.pass().await;
    Err(format!("{id} failed"))
}

#[tokio::test]
async fn a_shared_failure_is_joined() {
    let (cache, gate) = (MemoryCache::new(10), Gate::closed());
    let (first, second, ()) = in_time(async {
        tokio::join!(
            failing::with_outcome(&cache, 3, &gate),
            failing::with_outcome(&cache, 3, &gate),
            async {
                gate.until(1).await;
                gate.open();
            }
        )
    })
    .await;
    assert_eq!((first.0.unwrap_err(), second.0.unwrap_err()), ("3 failed".to_owned(), "3 failed".to_owned()));
    not_stored(first.1, Source::Computed, NotStored::Failed);
    not_stored(second.1, Source::Joined, NotStored::Failed);
    assert!(failing(&cache, 4, &gate).await.is_err());
}

static RUNS: AtomicU32 = AtomicU32::new(0);

#[cached(ttl = 60, stale_while_revalidate = 60, key = "behind:<id>", skip(cache), cache = cache)]
async fn behind(cache: MemoryCache, id: u64) -> u64 {
    RUNS.fetch_add(1, Ordering::SeqCst);
    id
}

#[tokio::test]
async fn what_is_refreshed_in_the_background_is_stale() {
    let cache = MemoryCache::new(10);
    assert_eq!(behind(cache.clone(), 1).await, 1);
    cache.core().advance(secs(70));
    let (_, outcome) = behind::with_outcome(cache.clone(), 1).await;
    assert_eq!((outcome.source, outcome.tier), (Source::Stale, Some(Tier::Memory)));
    support::eventually(|| RUNS.load(Ordering::SeqCst) == 2 && cache.stats().stores == 2).await;
    stored(behind::with_outcome(cache.clone(), 1).await.1, Source::Hit, Some(Tier::Memory));
}

#[cached(ttl = 60, key = "inner:<id>", skip(cache), cache = cache)]
async fn inner(cache: &MemoryCache, id: u64) -> u64 {
    id
}

#[cached(ttl = 60, key = "outer:<id>", skip(cache), cache = cache)]
async fn outer(cache: &MemoryCache, id: u64) -> (u64, bool) {
    let plain = inner(cache, id).await;
    let (asked, outcome) = inner::with_outcome(cache, id).await;
    (plain + asked, outcome.source == Source::Hit)
}

#[tokio::test]
async fn calls_within_calls_have_outcomes_of_their_own() {
    let cache = MemoryCache::new(10);
    let (value, outcome) = outer::with_outcome(&cache, 1).await;
    assert_eq!(value, (2, true));
    stored(outcome, Source::Computed, None);
    // What is read with its outcome is a dependency as any other.
    inner::invalidate(&cache, 1).await;
    stored(outer::with_outcome(&cache, 1).await.1, Source::Computed, None);
    assert_eq!(outer(&cache, 1).await, (2, true));
}

#[cached(ttl = 60, key = "here:<id>", skip(cache), cache = cache)]
fn here(cache: &MemoryCache, id: u64) -> u64 {
    id
}

struct Users(MemoryCache);

impl Users {
    #[cached(ttl = 60, key = "user:<id>", skip(self), cache = self.0, companions)]
    async fn user(&self, id: u64) -> u64 {
        id
    }
}

/// As many arguments as Clippy takes.
#[cached(ttl = 60, key = "many:<a>:<b>:<c>:<d>:<e>:<f>", skip(cache), cache = cache)]
async fn many(cache: &MemoryCache, a: u8, b: u8, c: u8, d: u8, e: u8, f: u8) -> u8 {
    a + b + c + d + e + f
}

#[tokio::test]
async fn functions_that_are_not_async_and_methods_have_it_too() {
    let cache = MemoryCache::new(10);
    let (value, outcome) = here::with_outcome(&cache, 1);
    assert_eq!(value, 1);
    stored(outcome, Source::Computed, None);
    stored(here::with_outcome(&cache, 1).1, Source::Hit, Some(Tier::Memory));
    assert_eq!(here(&cache, 1), 1);
    let users = Users(cache.clone());
    stored(users.user_with_outcome(1).await.1, Source::Computed, None);
    stored(users.user_with_outcome(1).await.1, Source::Hit, Some(Tier::Memory));
    assert_eq!(many(&cache, 0, 0, 0, 0, 0, 0).await, 0);
    let sums = [
        many::with_outcome(&cache, 1, 2, 3, 4, 5, 6).await,
        many::with_outcome(&cache, 1, 2, 3, 4, 5, 6).await,
    ];
    assert_eq!(sums.map(|(sum, outcome)| (sum, outcome.source)), [(21, Source::Computed), (21, Source::Hit)]);
}

#[tokio::test]
async fn the_typed_verbs_tell_it() {
    let cache = MemoryCache::new(10);
    let policy = Policy::ttl(secs(60));
    let two = async || Ok::<_, Infallible>(2_u8);
    let (value, outcome) = cache.get_or_compute_with_outcome("a", &policy, two).await;
    assert_eq!(value, Ok(2));
    stored(outcome, Source::Computed, None);
    stored(cache.get_or_compute_with_outcome("a", &policy, two).await.1, Source::Hit, Some(Tier::Memory));
    let local = async || cache.local().get_or_compute_with_outcome("b", &policy, two).await.1;
    stored(local().await, Source::Computed, None);
    stored(local().await, Source::Hit, Some(Tier::Memory));
    let blocking = || cache.blocking().get_or_compute_with_outcome("c", &policy, || Err::<u8, _>("no")).1;
    not_stored(blocking(), Source::Computed, NotStored::Failed);
    let namespace = cache.namespace("n");
    stored(namespace.get_or_compute_with_outcome("a", &policy, two).await.1, Source::Computed, None);
}

/// Fails, and keeps that for half a minute.
#[cached(ttl = 60, cache_err = 30, deadline = "50ms", key = "kept:<id>", skip(cache), cache = cache)]
async fn kept(cache: &MemoryCache, id: u64) -> Result<u64, Kept> {
    if id == 0 {
        std::future::pending::<()>().await;
    }
    Err(Kept::Failed)
}

#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
enum Kept {
    Failed,
    TimedOut,
}

impl From<larder::TimedOut> for Kept {
    fn from(_: larder::TimedOut) -> Self {
        Self::TimedOut
    }
}

#[tokio::test]
async fn an_error_that_is_kept_is_told_as_a_value_is() {
    let cache = MemoryCache::new(10);
    let (error, outcome) = kept::with_outcome(&cache, 1).await;
    assert_eq!(error, Err(Kept::Failed));
    stored(outcome, Source::Computed, None);
    cache.core().advance(secs(10));
    let (error, outcome) = kept::with_outcome(&cache, 1).await;
    assert_eq!(error, Err(Kept::Failed));
    stored(outcome, Source::Hit, Some(Tier::Memory));
    assert!(outcome.ttl <= secs(20) && outcome.age >= secs(10), "{outcome:?}");
    assert_eq!(kept(&cache, 1).await, Err(Kept::Failed), "it is a hit for those who do not ask, too");
}

#[tokio::test]
async fn a_call_that_meets_its_deadline_stored_nothing() {
    let cache = MemoryCache::new(10);
    let (error, outcome) = kept::with_outcome(&cache, 0).await;
    assert_eq!(error, Err(Kept::TimedOut));
    not_stored(outcome, Source::Computed, NotStored::Failed);
}
