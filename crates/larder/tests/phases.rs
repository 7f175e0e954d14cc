//! What a caller sees at each age of a value, when computations run as a part of their callers.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

mod support;

use std::{
    future::Future,
    pin::pin,
    task::{Context, Poll, Waker},
    time::Duration,
};

use larder::{Cache, CacheExt, MemoryCache, Policy, PolicyBuilder, context};

use self::support::{
    Calls, Gate, eventually, in_time,
    lab::{Answer, Lab},
    long, secs,
};

impl Lab {
    /// With a `ttl` of 100 s, and a value (1) that was just stored.
    async fn new(policy: impl FnOnce(PolicyBuilder) -> PolicyBuilder) -> Self {
        let lab = Self::with(policy(Policy::builder().ttl(secs(100))));
        assert_eq!(lab.ask().await, Ok(1));
        lab
    }

    async fn ask_slowly(&self, gate: &Gate, answer: Answer) -> Answer {
        let slow = async || {
            gate.pass().await;
            answer
        };
        self.cache.get_or_compute("key", &self.policy, slow).await
    }

    async fn get(&self) -> Option<usize> {
        self.cache.get("key").await.unwrap()
    }
}

#[tokio::test]
async fn a_value_is_fresh_until_the_end_of_its_ttl() {
    let lab = Lab::new(|policy| policy).await;
    lab.advance(99);
    assert_eq!((lab.get().await, lab.ask().await), (Some(1), Ok(1)));
    let remaining = lab.cache.remaining_ttl("key").await.unwrap().unwrap();
    assert!(remaining <= secs(1) && remaining > Duration::from_millis(1), "{remaining:?}");
    lab.advance(1);
    assert_eq!((lab.get().await, lab.cache.contains("key").await.unwrap()), (None, false));
    assert_eq!(lab.cache.remaining_ttl("key").await.unwrap(), None);
    assert_eq!(lab.fail().await, Err("failed"), "an expired value is no fallback by itself");
    assert_eq!(lab.ask().await, Ok(3));
    lab.advance(99);
    assert_eq!(lab.ask().await, Ok(3), "and its life began anew");
}

#[tokio::test]
async fn a_ttl_of_zero_stores_nothing() {
    let cache = MemoryCache::new(10);
    let policy = Policy::ttl(Duration::ZERO);
    assert_eq!(cache.get_or_compute("key", &policy, async || Ok::<_, &str>(1)).await, Ok(1));
    assert_eq!(cache.get::<i32>("key").await.unwrap(), None);
    cache.insert("key", &1, long()).await.unwrap();
    cache.insert("key", &2, &policy).await.unwrap();
    assert_eq!(cache.get::<i32>("key").await.unwrap(), None, "but what was there is replaced");
    assert_eq!(cache.stats().stores, 1);
}

#[tokio::test]
async fn the_longest_times_do_no_harm() {
    let most = Duration::MAX;
    let jittered = Policy::builder().ttl(most).negative_ttl(most).jitter(1e-18);
    let all = Policy::builder()
        .ttl(most)
        .stale_while_revalidate(most)
        .stale_if_error(most)
        .refresh_ahead(1.0)
        .negative_ttl(most)
        .timeout(most);
    let cache = MemoryCache::new(10);
    for policy in [Policy::ttl(most), jittered.build().unwrap(), all.build().unwrap()] {
        cache.insert("key", &1, &policy).await.unwrap();
        cache.insert("none", &None::<u8>, &policy).await.unwrap();
        assert_eq!(cache.get("key").await.unwrap(), Some(1));
        let decided = async || {
            context().ttl(Duration::MAX);
            Ok::<_, &str>(1)
        };
        assert_eq!(cache.get_or_compute("decided", &policy, decided).await, Ok(1));
        cache.core().advance(secs(100_000_000));
        assert_eq!(cache.get("key").await.unwrap(), Some(1));
        assert_eq!(cache.get("decided").await.unwrap(), Some(1));
    }
}

#[tokio::test]
async fn jitter_only_shortens_and_only_so_far() {
    let cache = MemoryCache::new(1_000);
    let policy = Policy::builder().ttl(secs(100)).jitter(0.4).build().unwrap();
    let mut all = Vec::new();
    for n in 0..200 {
        let key = format!("key{n}");
        cache.insert(&key, &n, &policy).await.unwrap();
        all.push(cache.remaining_ttl(&key).await.unwrap().unwrap());
    }
    let (least, most) = (*all.iter().min().unwrap(), *all.iter().max().unwrap());
    assert!(least > Duration::from_secs_f64(59.5) && most <= secs(100), "{least:?} to {most:?}");
    assert!(most - least > secs(20), "{least:?} to {most:?}");
}

#[tokio::test]
async fn stale_while_revalidate_lets_one_caller_refresh_and_serves_the_others() {
    let lab = Lab::new(|policy| policy.stale_while_revalidate(secs(50))).await;
    lab.advance(120);
    assert_eq!(lab.get().await, None, "a read is not served what is stale");
    let gate = Gate::closed();
    let others = async {
        gate.until(1).await;
        for _ in 0..5 {
            assert_eq!(lab.ask().await, Ok(1));
        }
        gate.open();
    };
    let (refreshed, ()) = in_time(async { tokio::join!(lab.ask_slowly(&gate, Ok(2)), others) }).await;
    assert_eq!((refreshed, lab.get().await, gate.came()), (Ok(2), Some(2), 1));
    let stats = lab.cache.stats();
    assert_eq!((stats.stale_hits, stats.refreshes, stats.computations), (5, 1, 2));
    lab.advance(160);
    assert_eq!(lab.ask().await, Ok(2), "the window is over");
    assert_eq!(lab.cache.stats().stale_hits, 5);
}

#[tokio::test]
async fn a_failed_refresh_leaves_the_stale_value_as_it_was() {
    let windows = |policy: PolicyBuilder| policy.stale_while_revalidate(secs(50)).retry_after(Duration::ZERO);
    let lab = Lab::new(windows).await;
    lab.advance(110);
    assert_eq!(lab.fail().await, Ok(1));
    assert_eq!(lab.fail().await, Ok(1), "the next caller tries again");
    assert_eq!(lab.calls.made(), 3);
    lab.advance(50);
    assert_eq!(lab.fail().await, Err("failed"));
}

#[tokio::test]
async fn stale_if_error_stands_in_for_a_failure() {
    let lab = Lab::new(|policy| policy.stale_if_error(secs(50))).await;
    lab.advance(120);
    assert_eq!((lab.get().await, lab.fail().await), (None, Ok(1)));
    assert_eq!(lab.calls.made(), 2, "it was tried, though");
    assert_eq!(lab.cache.stats().stale_hits, 1);
    lab.advance(20);
    assert_eq!(lab.fail().await, Ok(1), "the failure has not touched the value");
    lab.advance(20);
    assert_eq!(lab.fail().await, Err("failed"), "the window is over");
}

#[tokio::test]
async fn stale_if_error_gives_way_to_success() {
    let lab = Lab::new(|policy| policy.stale_if_error(secs(50))).await;
    lab.advance(120);
    assert_eq!((lab.ask().await, lab.get().await), (Ok(2), Some(2)));
}

#[tokio::test]
async fn both_windows_count_from_the_end_of_ttl() {
    let lab = Lab::new(|policy| policy.stale_while_revalidate(secs(50)).stale_if_error(secs(80))).await;
    lab.advance(140);
    assert_eq!(lab.fail().await, Ok(1));
    lab.advance(30);
    assert_eq!(lab.fail().await, Ok(1));
    lab.advance(11);
    assert_eq!(lab.fail().await, Err("failed"));
}

#[tokio::test]
async fn stale_if_error_serves_those_who_waited_too() {
    let lab = Lab::new(|policy| policy.stale_if_error(secs(50))).await;
    lab.advance(120);
    let gate = Gate::closed();
    let opener = async {
        eventually(|| lab.cache.stats().misses == 4).await;
        gate.open();
    };
    let slow = || lab.ask_slowly(&gate, Err("failed"));
    let (one, two, three, ()) = in_time(async { tokio::join!(slow(), slow(), slow(), opener) }).await;
    assert_eq!((one, two, three, gate.came()), (Ok(1), Ok(1), Ok(1), 1));
}

#[tokio::test]
async fn refresh_ahead_refreshes_a_value_that_is_still_fresh() {
    let lab = Lab::new(|policy| policy.refresh_ahead(0.8).retry_after(Duration::ZERO)).await;
    lab.advance(79);
    assert_eq!(lab.ask().await, Ok(1));
    lab.advance(2);
    assert_eq!(lab.get().await, Some(1), "a read refreshes nothing");
    assert_eq!(lab.fail().await, Ok(1), "and a failed refresh does no harm");
    let gate = Gate::closed();
    let others = async {
        gate.until(1).await;
        assert_eq!((lab.ask().await, lab.get().await), (Ok(1), Some(1)));
        gate.open();
    };
    let (refreshed, ()) = in_time(async { tokio::join!(lab.ask_slowly(&gate, Ok(3)), others) }).await;
    assert_eq!((refreshed, lab.get().await), (Ok(3), Some(3)));
    let stats = lab.cache.stats();
    assert_eq!((stats.stale_hits, stats.refreshes, stats.misses), (0, 2, 1));
}

#[tokio::test]
async fn refresh_ahead_at_both_ends_of_its_range() {
    let at_once = Lab::new(|policy| policy.refresh_ahead(0.0)).await;
    assert_eq!((at_once.ask().await, at_once.ask().await), (Ok(2), Ok(3)));
    let never = Lab::new(|policy| policy.refresh_ahead(1.0)).await;
    never.advance(99);
    assert_eq!(never.ask().await, Ok(1));
}

#[tokio::test]
async fn a_none_is_kept_for_negative_ttl_alone() {
    let cache = MemoryCache::new(10);
    let calls = Calls::default();
    let ask = async |policy: &Policy| {
        let compute = async || {
            calls.call();
            Ok::<_, &str>(None::<u32>)
        };
        assert_eq!(cache.get_or_compute("key", policy, compute).await, Ok(None));
        calls.made()
    };
    assert_eq!((ask(&long()).await, ask(&long()).await), (1, 2), "not stored");
    let policy = Policy::builder().ttl(secs(100)).negative_ttl(secs(10)).build().unwrap();
    assert_eq!((ask(&policy).await, ask(&policy).await), (3, 3));
    assert_eq!(cache.get::<Option<u32>>("key").await.unwrap(), Some(None));
    cache.core().advance(secs(11));
    assert_eq!(ask(&policy).await, 4);

    cache.insert("some", &Some(1_u32), &policy).await.unwrap();
    cache.insert("none", &None::<u32>, &policy).await.unwrap();
    cache.core().advance(secs(11));
    assert_eq!(cache.get::<Option<u32>>("some").await.unwrap(), Some(Some(1)));
    assert_eq!(cache.get::<Option<u32>>("none").await.unwrap(), None);
    cache.insert("some", &None::<u32>, long()).await.unwrap();
    assert!(!cache.contains("some").await.unwrap(), "what is not stored still replaces");
}

const SOON: Duration = Duration::from_millis(5);

#[tokio::test]
async fn after_the_timeout_a_waiter_takes_the_stale_value() {
    let lab = Lab::new(|policy| policy.stale_if_error(secs(50)).timeout(SOON)).await;
    lab.advance(120);
    let gate = Gate::closed();
    let waiter = async {
        gate.until(1).await;
        assert_eq!(lab.ask().await, Ok(1));
        gate.open();
    };
    let (leader, ()) = in_time(async { tokio::join!(lab.ask_slowly(&gate, Ok(2)), waiter) }).await;
    assert_eq!((leader, lab.get().await), (Ok(2), Some(2)), "who computes goes on");
    assert_eq!(lab.cache.stats().stale_hits, 1);
}

#[tokio::test]
async fn without_a_servable_value_the_timeout_is_no_limit() {
    for invalidate in [false, true] {
        let lab = Lab::new(|policy| policy.stale_if_error(secs(50)).timeout(SOON)).await;
        lab.advance(120);
        let gate = Gate::closed();
        let waiter = async {
            gate.until(1).await;
            let waiting = lab.ask();
            let change = async {
                eventually(|| lab.cache.stats().misses == 3).await;
                match invalidate {
                    true => drop(lab.cache.invalidate("key")),
                    false => lab.advance(60),
                }
                tokio::time::sleep(SOON * 4).await;
                gate.open();
            };
            tokio::join!(waiting, change).0
        };
        let (_, waited) = in_time(async { tokio::join!(lab.ask_slowly(&gate, Ok(2)), waiter) }).await;
        assert_eq!(waited, Ok(2), "invalidated: {invalidate}");
    }
}

/// A caller that waits for another one, and computes after it, waits once.
#[tokio::test]
async fn the_timeout_is_for_all_that_a_call_waits_for() {
    const MOST: Duration = Duration::from_millis(200);
    let cache = MemoryCache::new(10);
    let policy = Policy::builder().ttl(secs(100)).stale_if_error(secs(50)).timeout(MOST).build().unwrap();
    cache.insert("key", &1, &policy).await.unwrap();
    cache.core().advance(secs(120));
    let gone = async {
        let forever = cache.get_or_compute("key", &policy, std::future::pending::<Result<i32, &str>>);
        assert!(tokio::time::timeout(MOST * 3 / 4, forever).await.is_err());
    };
    let slow = || async {
        tokio::time::sleep(MOST * 3 / 4).await;
        Ok::<_, &str>(2)
    };
    let ((), waited) =
        in_time(async { tokio::join!(gone, cache.get_or_compute_background("key", &policy, slow)) }).await;
    assert_eq!(waited, Ok(1));
    eventually(|| cache.stats().stores == 2).await;
    assert_eq!(cache.get("key").await.unwrap(), Some(2));
}

#[tokio::test]
async fn an_invalidated_value_is_not_served_in_any_phase() {
    let windows = |policy: PolicyBuilder| {
        policy.stale_while_revalidate(secs(50)).stale_if_error(secs(80)).refresh_ahead(0.5).timeout(SOON)
    };
    for age in [0, 60, 120, 170] {
        for scope in ["key", "*"] {
            let lab = Lab::new(windows).await;
            lab.advance(age);
            lab.cache.invalidate(scope);
            assert_eq!(lab.get().await, None);
            assert_eq!(lab.fail().await, Err("failed"), "at {age} s");
            assert_eq!(lab.ask().await, Ok(3));
        }
    }
}

#[tokio::test]
async fn what_is_invalidated_while_its_refresh_fails_is_not_served() {
    for age in [60, 120, 170] {
        let windows = |policy: PolicyBuilder| {
            policy.stale_while_revalidate(secs(50)).stale_if_error(secs(80)).refresh_ahead(0.5)
        };
        let lab = Lab::new(windows).await;
        lab.advance(age);
        let gate = Gate::closed();
        let change = async {
            gate.until(1).await;
            lab.cache.invalidate("key");
            gate.open();
        };
        let slow = lab.ask_slowly(&gate, Err("failed"));
        let (answer, ()) = in_time(async { tokio::join!(slow, change) }).await;
        assert_eq!(answer, Err("failed"), "at {age} s");
    }
}

#[tokio::test]
async fn the_computation_decides_about_its_own_entry() {
    let cache = MemoryCache::new(10);
    let ask = async |decide: fn()| {
        let compute = async || {
            decide();
            Ok::<_, &str>(1)
        };
        cache.invalidate("key");
        cache.get_or_compute("key", long(), compute).await.unwrap();
        cache.remaining_ttl("key").await.unwrap()
    };
    let shorter = ask(|| drop(context().ttl(secs(500)).ttl(secs(5)).clone())).await.unwrap();
    assert!(shorter <= secs(5) && shorter > secs(4), "the last decision counts: {shorter:?}");
    let longer = ask(|| drop(context().ttl(secs(50_000)).clone())).await.unwrap();
    assert!(longer > secs(40_000), "{longer:?}");
    assert_eq!(ask(|| drop(context().ttl(Duration::ZERO).clone())).await, None);
    assert_eq!(ask(|| drop(context().no_store().clone())).await, None);
    assert!(ask(|| drop(context().tag("one").tag("two").clone())).await.is_some());
    cache.invalidate(larder::Scope::tag("two"));
    assert!(!cache.contains("key").await.unwrap());
}

#[tokio::test]
async fn tags_of_the_policy_cover_the_value() {
    let cache = MemoryCache::new(10);
    let policy = Policy::builder().ttl(secs(10)).tag("a").tags(["b", "c"]).build().unwrap();
    for tag in ["a", "b", "c", "d"] {
        cache.insert("key", &1, &policy).await.unwrap();
        cache.invalidate(larder::Scope::tag(tag));
        assert_eq!(cache.contains("key").await.unwrap(), tag == "d");
    }
}

#[test]
fn outside_of_a_runtime_the_timeout_does_nothing() {
    fn poll<F: Future>(future: std::pin::Pin<&mut F>) -> Poll<F::Output> {
        future.poll(&mut Context::from_waker(Waker::noop()))
    }
    let cache = MemoryCache::new(10);
    let policy = Policy::builder().ttl(secs(100)).stale_if_error(secs(50)).timeout(SOON).build().unwrap();
    assert!(poll(pin!(cache.insert("key", &1, &policy))).is_ready());
    cache.core().advance(secs(120));
    let never = async || std::future::pending::<Result<i32, &str>>().await;
    let mut leader = pin!(cache.get_or_compute("key", &policy, never));
    assert!(poll(leader.as_mut()).is_pending());
    assert!(poll(pin!(cache.get_or_compute("key", &policy, never))).is_pending(), "there is no timer");
}
