//! Calls that are answered by a deadline, and values in place of errors.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

mod support;

use std::{future::pending, time::Duration};

use larder::{Cache, CacheExt, MemoryCache, Policy, PolicyBuilder, TimedOut, cached};

use self::support::{Calls, Gate, eventually, in_time, secs};

const SOON: Duration = Duration::from_millis(20);

/// As long as no test takes.
const LATE: Duration = Duration::from_secs(60);

#[derive(Debug, Clone, PartialEq)]
enum Error {
    Failed,
    TimedOut(Duration),
}

impl From<TimedOut> for Error {
    fn from(error: TimedOut) -> Self {
        Self::TimedOut(error.deadline())
    }
}

type Answer = Result<usize, Error>;

const TIMED_OUT: Answer = Err(Error::TimedOut(SOON));

fn policy(more: impl FnOnce(PolicyBuilder) -> PolicyBuilder) -> Policy {
    more(Policy::builder().ttl(secs(100)).deadline(SOON)).build().unwrap()
}

async fn hang() -> Answer {
    pending().await
}

#[tokio::test]
async fn a_call_ends_at_its_deadline_and_leaves_nothing_behind() {
    let cache = MemoryCache::new(10);
    let policy = policy(|policy| policy);
    assert_eq!(in_time(cache.get_or_compute_within("key", &policy, hang)).await, TIMED_OUT);
    let next = cache.get_or_compute_within("key", &policy, async || Ok::<usize, Error>(2));
    assert_eq!(in_time(next).await, Ok(2), "the next caller computes");
    assert_eq!(in_time(cache.get_or_compute_within("key", &policy, hang)).await, Ok(2));
    let failed = cache.get_or_compute_within("other", &policy, async || Err::<usize, _>(Error::Failed));
    assert_eq!(failed.await, Err(Error::Failed), "what is in time is as ever");
}

#[test]
fn a_runtime_without_timers_is_enough() {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(async {
        let cache = MemoryCache::new(10);
        assert_eq!(cache.get_or_compute_within("key", &policy(|policy| policy), hang).await, TIMED_OUT);

        let policy = Policy::builder().ttl(secs(100)).stale_if_error(secs(50)).timeout(SOON).build().unwrap();
        cache.insert("old", &1_usize, &policy).await.unwrap();
        cache.core().advance(secs(120));
        let served = tokio::select! {
            biased;
            led = cache.get_or_compute("old", &policy, hang) => led,
            waited = cache.get_or_compute("old", &policy, hang) => waited,
        };
        assert_eq!(served, Ok(1), "another caller computes for too long");
    });
}

#[tokio::test]
async fn each_who_waits_has_a_deadline_of_its_own() {
    let cache = MemoryCache::new(10);
    let gate = Gate::closed();
    let slow = async || {
        gate.pass().await;
        Ok::<_, Error>(1)
    };
    let patient = Policy::builder().ttl(secs(100)).deadline(LATE).build().unwrap();
    let soon = policy(|policy| policy);
    let waiting = async {
        gate.until(1).await;
        let waited = cache.get_or_compute_within("key", &soon, hang).await;
        gate.open();
        waited
    };
    let leading = cache.get_or_compute_within("key", &patient, slow);
    let both = in_time(async { tokio::join!(leading, waiting) }).await;
    assert_eq!(both, (Ok(1), TIMED_OUT));
}

#[tokio::test]
async fn who_waits_goes_on_where_the_deadline_ended_a_computation() {
    let cache = MemoryCache::new(10);
    let (soon, begun) = (policy(|policy| policy), Gate::closed());
    let leading = cache.get_or_compute_within("key", &soon, async || {
        begun.open();
        hang().await
    });
    let waiting = async {
        begun.pass().await;
        cache.get_or_compute("key", Policy::ttl(secs(100)), async || Ok::<usize, Error>(2)).await
    };
    let both = in_time(async { tokio::join!(leading, waiting) }).await;
    assert_eq!(both, (TIMED_OUT, Ok(2)));
}

#[tokio::test]
async fn the_old_value_is_better_than_an_error() {
    let policy = policy(|policy| policy.stale_if_error(secs(50)));
    for leads in [true, false] {
        let cache = MemoryCache::new(10);
        cache.insert("key", &1_usize, &policy).await.unwrap();
        cache.core().advance(secs(120));
        let begun = Gate::closed();
        let other = cache.get_or_compute("key", &policy, async || {
            begun.open();
            hang().await
        });
        let ask = async {
            if !leads {
                begun.pass().await;
            }
            cache.get_or_compute_within("key", &policy, hang).await
        };
        let answer = match leads {
            true => in_time(ask).await,
            false => tokio::select! { answer = in_time(ask) => answer, answer = other => answer },
        };
        assert_eq!(answer, Ok(1), "leads: {leads}");
        cache.core().advance(secs(40));
        assert_eq!(
            in_time(cache.get_or_compute_within("key", &policy, hang)).await,
            TIMED_OUT,
            "its window is over"
        );
    }
}

/// The one rule.
#[tokio::test]
async fn an_invalidated_value_is_not_served_at_the_deadline() {
    for before in [true, false] {
        let cache = MemoryCache::new(10);
        let policy = policy(|policy| policy.stale_if_error(secs(50)));
        cache.insert("key", &1_usize, &policy).await.unwrap();
        cache.core().advance(secs(120));
        let invalidate = || drop(cache.invalidate("key"));
        if before {
            invalidate();
        }
        let hangs = async || {
            invalidate();
            hang().await
        };
        assert_eq!(in_time(cache.get_or_compute_within("key", &policy, hangs)).await, TIMED_OUT);
    }
}

#[tokio::test]
async fn what_was_made_of_an_error_depends_on_what_the_value_would_have_been() {
    let cache = MemoryCache::new(10);
    let (policy, calls) = (policy(|policy| policy), Calls::default());
    let outer = async || {
        let compute = async || {
            let part = cache.get_or_compute_within("part", &policy, hang).await;
            Ok::<_, Error>(part.map_or(calls.call(), |part| part))
        };
        cache.get_or_compute("outer", Policy::ttl(secs(100)), compute).await
    };
    assert_eq!((in_time(outer()).await, in_time(outer()).await), (Ok(1), Ok(1)));
    cache.invalidate("part");
    assert_eq!(in_time(outer()).await, Ok(2));
}

#[cached(ttl = 100, deadline = "20ms", key = "slow:<id>", cache = cache, skip(gate, cache))]
async fn slow(id: u64, gate: &Gate, cache: &MemoryCache) -> Answer {
    gate.pass().await;
    Ok(1)
}

/// Goes on when its callers have gone.
#[cached(ttl = 100, deadline = "20ms", key = "task:<id>", cache = cache, skip(gate, cache), spawn)]
async fn task(
    id: u64,
    gate: &Gate,
    cache: &MemoryCache,
) -> Result<usize, Box<dyn std::error::Error + Send + Sync>> {
    gate.pass().await;
    Ok(1)
}

#[tokio::test]
async fn a_function_has_the_option() {
    let (cache, gate) = (MemoryCache::new(10), Gate::closed());
    assert_eq!(in_time(slow(1, &gate, &cache)).await, TIMED_OUT);
    for _ in 0..2 {
        let error = in_time(task(1, &gate, &cache)).await.unwrap_err();
        assert_eq!(error.downcast_ref::<TimedOut>().unwrap().deadline(), SOON);
    }
    assert_eq!(gate.came(), 2, "the second call of `task` waited for the first one's computation");
    gate.open();
    eventually(|| cache.stats().stores == 1).await;
    assert_eq!(in_time(task(1, &gate, &cache)).await.unwrap(), 1);
    assert_eq!(in_time(slow(1, &gate, &cache)).await, Ok(1));
}

#[cached(
    ttl = 100, deadline = "20ms", stale_if_error = "50s", cache_err = 10, cache_err_if = |error| *error == Failure::NotFound,
    or = vec![id, 7], key = "list:<id>", cache = cache, skip(calls, cache)
)]
async fn list(id: u64, calls: &Calls, cache: &MemoryCache) -> Result<Vec<u64>, Failure> {
    match calls.call() {
        1 => Err(Failure::Failed),
        2 => pending().await,
        3 => Ok(vec![3]),
        5 => Err(Failure::NotFound),
        _ => Err(Failure::Failed),
    }
}

#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
enum Failure {
    Failed,
    NotFound,
}

#[tokio::test]
async fn a_default_stands_in_for_what_nothing_else_does() {
    let (cache, calls) = (MemoryCache::new(10), Calls::default());
    let ask = async || in_time(list(1, &calls, &cache)).await;
    assert_eq!(ask().await, Ok(vec![1, 7]), "for a failure");
    assert_eq!(ask().await, Ok(vec![1, 7]), "for what takes too long");
    assert_eq!(cache.stats().stores, 0, "it is not stored");
    assert_eq!((ask().await, ask().await), (Ok(vec![3]), Ok(vec![3])));
    cache.core().advance(secs(110));
    assert_eq!(ask().await, Ok(vec![3]), "not where there is an old value");
    drop(list::invalidate(1, &cache));
    assert_eq!(ask().await, Err(Failure::NotFound), "nor for an error that is an answer");
    assert_eq!((ask().await, calls.made()), (Err(Failure::NotFound), 5));
    drop(list::invalidate(1, &cache));
    assert_eq!(ask().await, Ok(vec![1, 7]), "what was invalidated is no default");
}

#[cached(ttl = 100, or = 0, when = uses_cache, key = "parsed:<text>", cache = cache, skip(uses_cache, cache))]
fn parsed(text: &str, uses_cache: bool, cache: &MemoryCache) -> Result<u64, std::num::ParseIntError> {
    text.parse()
}

#[test]
fn threads_and_calls_that_pass_by_the_cache_have_it_too() {
    let cache = MemoryCache::new(10);
    for uses_cache in [true, false] {
        assert_eq!((parsed("7", uses_cache, &cache), parsed("x", uses_cache, &cache)), (Ok(7), Ok(0)));
    }
    assert_eq!(cache.stats().stores, 1);
}

#[cached(ttl = 100, deadline = "20ms", or = 7, spawn, key = "hanging:<text>", skip(gate, cache), cache = cache)]
async fn hanging(text: &str, gate: &Gate, cache: &MemoryCache) -> Result<u64, std::num::ParseIntError> {
    gate.pass().await;
    text.parse()
}

/// An error that cannot say that it took too long.
#[tokio::test]
async fn no_error_is_made_where_there_is_a_default() {
    let (cache, gate) = (MemoryCache::new(10), Gate::closed());
    assert_eq!(in_time(hanging("1", &gate, &cache)).await, Ok(7));
    assert_eq!(in_time(hanging("1", &gate, &cache)).await, Ok(7), "the wait for another one ends too");
    gate.open();
    eventually(|| cache.stats().stores == 1).await;
    assert_eq!(in_time(hanging("1", &gate, &cache)).await, Ok(1), "the task went on");
    assert_eq!(in_time(hanging("x", &gate, &cache)).await, Ok(7));
}
