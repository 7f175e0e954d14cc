//! What a caller sees at each age of a value, when computations run in tasks of their own.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

mod support;

use std::{
    future::Future,
    pin::pin,
    task::{Context, Poll, Waker},
    time::Duration,
};

use larder::{Cache, CacheExt, MemoryCache, Policy, PolicyBuilder, context};

use self::support::{Calls, Gate, eventually, in_time, long, secs};

type Answer = Result<usize, &'static str>;

/// A cache, one key, and a computation that gives its number once a gate is open.
struct Lab {
    cache: MemoryCache,
    policy: Policy,
    calls: Calls,
    gate: Gate,
}

impl Lab {
    /// With a `ttl` of 100 s, and a value (1) that was just stored.
    async fn new(policy: impl FnOnce(PolicyBuilder) -> PolicyBuilder) -> Self {
        let lab = Self::empty(policy);
        let (calls, open) = (lab.calls.clone(), async move || Ok::<_, &str>(lab.calls.call()));
        lab.cache.get_or_compute("key", &lab.policy, open).await.unwrap();
        Self { calls, ..lab }
    }

    fn empty(policy: impl FnOnce(PolicyBuilder) -> PolicyBuilder) -> Self {
        let policy = policy(Policy::builder().ttl(secs(100))).build().unwrap();
        Self { cache: MemoryCache::new(10), policy, calls: Calls::default(), gate: Gate::closed() }
    }

    fn advance(&self, to: u64) {
        self.cache.core().advance(secs(to));
    }

    fn ask_for(&self, outcome: fn(usize) -> Answer) -> impl Future<Output = Answer> {
        let (calls, gate) = (self.calls.clone(), self.gate.clone());
        let compute = move || async move {
            let number = calls.call();
            gate.pass().await;
            outcome(number)
        };
        self.cache.get_or_compute_background("key", &self.policy, compute)
    }

    fn ask(&self) -> impl Future<Output = Answer> {
        self.ask_for(Ok)
    }

    fn ask_failing(&self) -> impl Future<Output = Answer> {
        self.ask_for(|_| Err("failed"))
    }

    async fn get(&self) -> Option<usize> {
        self.cache.get("key").await.unwrap()
    }

    /// Waits until the computations that began have ended.
    async fn settled(&self, failures: u64) {
        eventually(|| {
            let stats = self.cache.stats();
            stats.computations == stats.stores + stats.stores_outdated + stats.failures
                && stats.failures == failures
        })
        .await;
    }
}

#[tokio::test]
async fn a_miss_is_waited_for() {
    let lab = Lab::empty(|policy| policy);
    let opener = async {
        eventually(|| lab.cache.stats().misses == 2).await;
        lab.gate.open();
    };
    let (one, two, ()) = in_time(async { tokio::join!(lab.ask(), lab.ask(), opener) }).await;
    assert_eq!((one, two, lab.get().await), (Ok(1), Ok(1), Some(1)));
}

#[tokio::test]
async fn stale_while_revalidate_keeps_no_caller_waiting() {
    let lab = Lab::new(|policy| policy.stale_while_revalidate(secs(50))).await;
    lab.advance(120);
    for _ in 0..5 {
        assert_eq!(in_time(lab.ask()).await, Ok(1));
    }
    lab.gate.until(1).await;
    assert_eq!((lab.get().await, lab.gate.came()), (None, 1));
    lab.gate.open();
    lab.settled(0).await;
    assert_eq!((lab.get().await, in_time(lab.ask()).await), (Some(2), Ok(2)));
    let stats = lab.cache.stats();
    assert_eq!((stats.stale_hits, stats.refreshes, stats.computations), (5, 1, 2));
}

#[tokio::test]
async fn refresh_ahead_keeps_no_caller_waiting() {
    let lab = Lab::new(|policy| policy.refresh_ahead(0.5)).await;
    lab.advance(40);
    assert_eq!(in_time(lab.ask()).await, Ok(1));
    lab.advance(20);
    for _ in 0..5 {
        assert_eq!(in_time(lab.ask()).await, Ok(1));
    }
    lab.gate.open();
    eventually(|| lab.cache.stats().stores == 2).await;
    assert_eq!((lab.get().await, lab.calls.made()), (Some(2), 2));
    assert_eq!(lab.cache.stats().stale_hits, 0);
}

#[tokio::test]
async fn a_failed_refresh_is_an_error_of_no_caller() {
    let windows = |policy: PolicyBuilder| policy.stale_while_revalidate(secs(50)).retry_after(Duration::ZERO);
    let lab = Lab::new(windows).await;
    lab.gate.open();
    lab.advance(120);
    assert_eq!(in_time(lab.ask_failing()).await, Ok(1));
    lab.settled(1).await;
    assert_eq!(in_time(lab.ask_failing()).await, Ok(1), "the value is as it was, and tried again");
    lab.settled(2).await;
    lab.advance(40);
    assert_eq!(in_time(lab.ask_failing()).await, Err("failed"));
}

#[tokio::test]
async fn a_panicking_refresh_is_a_panic_of_no_caller() {
    let lab = Lab::new(|policy| policy.stale_while_revalidate(secs(50))).await;
    lab.gate.open();
    lab.advance(120);
    assert_eq!(in_time(lab.ask_for(|_| panic!("on purpose"))).await, Ok(1));
    eventually(|| lab.calls.made() == 2).await;
    assert_eq!(in_time(lab.ask()).await, Ok(1), "and the next caller starts another one");
    eventually(|| lab.calls.made() == 3).await;
    lab.cache.invalidate("key");
    assert_eq!(in_time(lab.ask()).await, Ok(4));
}

#[tokio::test]
async fn a_computation_outlives_its_caller() {
    let lab = Lab::empty(|policy| policy);
    let asked = tokio::time::timeout(Duration::from_millis(1), lab.ask()).await;
    assert!(asked.is_err());
    lab.gate.until(1).await;
    let joined = lab.ask();
    lab.gate.open();
    assert_eq!(in_time(joined).await, Ok(1));
    assert_eq!((lab.get().await, lab.calls.made()), (Some(1), 1));
}

#[tokio::test]
async fn a_caller_that_is_never_polled_starts_nothing() {
    let lab = Lab::empty(|policy| policy);
    drop(lab.ask());
    assert_eq!((lab.calls.made(), lab.cache.stats().misses), (0, 0));
}

#[tokio::test]
async fn a_panic_is_the_callers_who_started_it() {
    let lab = Lab::empty(|policy| policy);
    let (cache, gate, calls) = (lab.cache.clone(), lab.gate.clone(), lab.calls.clone());
    let panicking = tokio::spawn(async move {
        let compute = move || async move {
            calls.call();
            gate.pass().await;
            panic!("on purpose")
        };
        cache.get_or_compute_background::<usize, &str, _>("key", long(), compute).await
    });
    lab.gate.until(1).await;
    let waiter = lab.ask();
    let opener = async {
        eventually(|| lab.cache.stats().misses == 2).await;
        lab.gate.open();
    };
    let (waited, ()) = in_time(async { tokio::join!(waiter, opener) }).await;
    assert_eq!(waited, Ok(2));
    let panic = in_time(panicking).await.unwrap_err().into_panic();
    assert_eq!(*panic.downcast::<&str>().unwrap(), "on purpose", "with what it had to say");
}

#[tokio::test]
async fn failures_are_shared() {
    let lab = Lab::empty(|policy| policy);
    let opener = async {
        eventually(|| lab.cache.stats().misses == 2).await;
        lab.gate.open();
    };
    let (one, two, ()) = in_time(async { tokio::join!(lab.ask_failing(), lab.ask_failing(), opener) }).await;
    assert_eq!((one, two, lab.calls.made()), (Err("failed"), Err("failed"), 1));
}

#[tokio::test]
async fn stale_if_error_stands_in_for_a_failure() {
    let lab = Lab::new(|policy| policy.stale_if_error(secs(50))).await;
    lab.gate.open();
    lab.advance(120);
    assert_eq!(in_time(lab.ask_failing()).await, Ok(1));
    lab.advance(40);
    assert_eq!(in_time(lab.ask_failing()).await, Err("failed"));
    assert_eq!(lab.calls.made(), 3);
}

const SOON: Duration = Duration::from_millis(5);

#[tokio::test]
async fn after_the_timeout_the_caller_has_the_stale_value_and_the_computation_goes_on() {
    let lab = Lab::new(|policy| policy.stale_if_error(secs(50)).timeout(SOON)).await;
    lab.advance(120);
    assert_eq!(in_time(lab.ask()).await, Ok(1), "the caller who started it");
    assert_eq!(in_time(lab.ask()).await, Ok(1), "and one who joins");
    assert_eq!(lab.gate.came(), 1);
    lab.gate.open();
    lab.settled(0).await;
    assert_eq!(lab.get().await, Some(2));
    assert_eq!(lab.cache.stats().stale_hits, 2);
}

#[tokio::test]
async fn without_a_servable_value_the_timeout_is_no_limit() {
    for age in [None, Some(120), Some(160)] {
        let lab = Lab::new(|policy| policy.stale_if_error(secs(50)).timeout(SOON)).await;
        match age {
            Some(age) => lab.advance(age),
            None => drop(lab.cache.invalidate("key")),
        }
        let opener = async {
            lab.gate.until(1).await;
            if age == Some(120) {
                lab.cache.invalidate("key");
            }
            tokio::time::sleep(SOON * 4).await;
            lab.gate.open();
        };
        let (answer, ()) = in_time(async { tokio::join!(lab.ask(), opener) }).await;
        assert_eq!(answer, Ok(2), "at {age:?}");
    }
}

#[tokio::test]
async fn a_refresh_that_began_before_an_invalidation_is_not_kept() {
    let lab = Lab::new(|policy| policy.stale_while_revalidate(secs(50))).await;
    lab.advance(120);
    assert_eq!(in_time(lab.ask()).await, Ok(1));
    lab.gate.until(1).await;
    lab.cache.invalidate("key");
    let opener = async {
        lab.gate.until(2).await;
        lab.gate.open();
    };
    let (answer, ()) = in_time(async { tokio::join!(lab.ask(), opener) }).await;
    assert_eq!(answer, Ok(3), "neither the stale value nor the outdated refresh");
    lab.settled(0).await;
    assert_eq!((lab.get().await, lab.cache.stats().stores_outdated), (Some(3), 1));
}

#[tokio::test]
async fn what_the_closure_decides_before_its_future_counts() {
    let cache = MemoryCache::new(10);
    let compute = || {
        context().ttl(secs(5));
        async { Ok::<_, &str>(1) }
    };
    cache.get_or_compute_background("key", long(), compute).await.unwrap();
    assert!(cache.remaining_ttl("key").await.unwrap().unwrap() <= secs(5));
}

/// The closure may read before its task runs, so the computation begins before the closure does.
#[tokio::test]
async fn who_computes_alone_begins_before_the_closure_reads() {
    let cache = MemoryCache::new(10);
    let gate = Gate::closed();
    let leader = {
        let gate = gate.clone();
        let unshared = move || async move {
            context().unshared();
            gate.pass().await;
            Ok::<_, &str>(0)
        };
        cache.get_or_compute_background("key", long(), unshared)
    };
    let alone = async {
        gate.until(1).await;
        let writer = cache.clone();
        let reads_first = move || {
            let read = 1;
            // Another caller writes after the read.
            drop(writer.invalidate("key"));
            async move { Ok::<_, &str>(read) }
        };
        cache.get_or_compute_background("key", long(), reads_first).await
    };
    let opener = async {
        eventually(|| cache.stats().misses == 2).await;
        gate.open();
    };
    let answers = in_time(async { tokio::join!(leader, alone, opener) }).await;
    assert_eq!(answers, (Ok(0), Ok(1), ()));
    assert_eq!(cache.get::<i32>("key").await.unwrap(), None);
}

#[test]
fn outside_of_a_runtime_the_caller_computes() {
    let cache = MemoryCache::new(10);
    let compute = || async { Ok::<_, &str>(1) };
    let mut asked = pin!(cache.get_or_compute_background("key", long(), compute));
    let answer = asked.as_mut().poll(&mut Context::from_waker(Waker::noop()));
    assert_eq!(answer, Poll::Ready(Ok(1)));
}
