//! A source that fails is left alone for a while, and callers have the old value meanwhile.

mod support;

use std::{
    collections::HashMap,
    time::{Duration, Instant},
};

use larder::{Cache, CacheExt, MemoryCache, Policy, PolicyBuilder, Scope, TimedOut, cached};

use self::support::{
    Calls, Gate, eventually, in_time,
    lab::{Answer, Lab},
    secs,
};

impl Lab {
    /// With a `ttl` of 100 s, and a value (1) that was stored 110 s ago.
    async fn new(policy: impl FnOnce(PolicyBuilder) -> PolicyBuilder) -> Self {
        let lab = Self::with(policy(Policy::builder().ttl(secs(100)).tag("tag")));
        assert_eq!(lab.ask().await, Ok(1));
        lab.advance(110);
        lab
    }

    /// How many of so many failing calls reached the source; all of them are to have the old value.
    async fn asked(&self, calls: usize) -> usize {
        let before = self.calls.made();
        for _ in 0..calls {
            assert_eq!(self.fail().await, Ok(1));
        }
        self.calls.made() - before
    }
}

#[tokio::test]
async fn a_failing_source_is_asked_once_in_each_pause() {
    let lab = Lab::new(|policy| policy.stale_if_error(secs(10_000))).await;
    assert_eq!(lab.asked(1_000).await, 1);
    // Each pause is twice as long as the one before, and begins with the call that fails.
    for pause in [1, 2, 4, 8, 16, 32, 32, 32] {
        if pause > 1 {
            lab.advance(pause - 1);
            assert_eq!(lab.asked(10).await, 0, "{pause} s");
        }
        lab.advance(1);
        assert_eq!(lab.asked(1_000).await, 1, "{pause} s");
    }
    let stats = lab.cache.stats();
    assert_eq!((stats.failures, stats.computations), (9, 10));
    assert_eq!(stats.stale_hits, 9 * 1_000 + 7 * 10);
}

#[tokio::test]
async fn a_pause_is_as_long_as_the_policy_says() {
    let lab = Lab::new(|policy| policy.stale_if_error(secs(10_000)).retry_after(secs(20))).await;
    assert_eq!(lab.asked(10).await, 1);
    for pause in [20, 40, 60, 60] {
        lab.advance(pause - 1);
        assert_eq!(lab.asked(10).await, 0);
        lab.advance(1);
        assert_eq!(lab.asked(10).await, 1);
    }
}

#[tokio::test]
async fn without_a_pause_each_caller_asks() {
    let lab = Lab::new(|policy| policy.stale_if_error(secs(1_000)).retry_after(Duration::ZERO)).await;
    assert_eq!(lab.asked(10).await, 10);
}

#[tokio::test]
async fn a_failed_refresh_is_not_repeated_by_each_caller() {
    let revalidating = Lab::new(|policy| policy.stale_while_revalidate(secs(1_000))).await;
    assert_eq!(revalidating.asked(10).await, 1);
    let ahead = Lab::new(|policy| policy.ttl(secs(1_000)).refresh_ahead(0.1)).await;
    assert_eq!(ahead.asked(10).await, 1);
    ahead.advance(1);
    assert_eq!(ahead.asked(10).await, 1);
    assert_eq!(ahead.cache.stats().stale_hits, 0, "it was fresh all the time");
}

#[tokio::test]
async fn a_value_ends_the_pause() {
    let lab = Lab::new(|policy| policy.stale_if_error(secs(1_000))).await;
    assert_eq!(lab.asked(1).await, 1);
    lab.advance(1);
    assert_eq!(lab.asked(1).await, 1, "the next pause is one of two seconds");
    lab.advance(2);
    assert_eq!(lab.ask().await, Ok(4));
    lab.advance(110);
    assert_eq!((lab.fail().await, lab.fail().await, lab.calls.made()), (Ok(4), Ok(4), 5));
    lab.advance(1);
    assert_eq!((lab.fail().await, lab.calls.made()), (Ok(4), 6), "it was one second again");
    lab.cache.insert("key", &9_usize, &lab.policy).await.unwrap();
    lab.advance(101);
    assert_eq!((lab.fail().await, lab.calls.made()), (Ok(9), 7), "one that is inserted does, too");
}

#[tokio::test]
async fn in_the_pause_the_source_is_not_asked_even_if_it_would_answer() {
    let lab = Lab::new(|policy| policy.stale_if_error(secs(1_000))).await;
    assert_eq!((lab.fail().await, lab.ask().await), (Ok(1), Ok(1)));
    lab.advance(1);
    assert_eq!(lab.ask().await, Ok(3));
}

/// The one rule: what was invalidated is not served, failure or not.
#[tokio::test]
async fn an_invalidated_value_is_not_served_in_the_pause() {
    for scope in [Scope::key("key"), Scope::tag("tag"), Scope::all()] {
        let lab =
            Lab::new(|policy| policy.stale_if_error(secs(1_000)).stale_while_revalidate(secs(50))).await;
        assert_eq!(lab.asked(10).await, 1);
        lab.cache.invalidate(scope);
        assert_eq!(lab.fail().await, Err("failed"));
        assert_eq!(
            (lab.fail().await, lab.calls.made()),
            (Err("failed"), 4),
            "there is nothing to pause with"
        );
        assert_eq!(lab.ask().await, Ok(5), "nor does the pause hold up a value");
    }
}

#[tokio::test]
async fn a_value_that_is_gone_is_not_served_in_the_pause() {
    let lab = Lab::new(|policy| policy.stale_if_error(secs(50)).retry_after(secs(1_000))).await;
    assert_eq!(lab.asked(10).await, 1);
    lab.advance(41);
    assert_eq!(lab.fail().await, Err("failed"), "its window is over");
}

#[tokio::test]
async fn while_one_asks_again_the_others_have_the_old_value_at_once() {
    let lab = Lab::new(|policy| policy.stale_if_error(secs(1_000))).await;
    assert_eq!(lab.asked(1).await, 1);
    lab.advance(1);
    let gate = Gate::closed();
    let slow = async || {
        gate.pass().await;
        Ok(7_usize)
    };
    let others = async {
        gate.until(1).await;
        for _ in 0..5 {
            assert_eq!(lab.ask().await, Ok(1), "none of them waits");
        }
        gate.open();
    };
    let asking = lab.cache.get_or_compute::<_, &str, _>("key", &lab.policy, slow);
    let (asked, ()) = in_time(async { tokio::join!(asking, others) }).await;
    assert_eq!((asked, gate.came()), (Ok(7), 1));
}

#[tokio::test]
async fn one_who_asks_again_and_goes_away_holds_up_no_other() {
    let lab = Lab::new(|policy| policy.stale_if_error(secs(1_000))).await;
    assert_eq!(lab.asked(1).await, 1);
    lab.advance(1);
    let never = async || std::future::pending::<Answer>().await;
    let asked = lab.cache.get_or_compute("key", &lab.policy, never);
    assert!(tokio::time::timeout(Duration::from_millis(1), asked).await.is_err());
    assert_eq!(lab.asked(10).await, 0, "it had this pause to itself");
    lab.advance(1);
    assert_eq!(lab.ask().await, Ok(3));
}

#[tokio::test]
async fn each_key_of_a_batch_has_a_pause_of_its_own() {
    let cache = MemoryCache::new(10);
    let policy = Policy::builder().ttl(secs(100)).stale_if_error(secs(1_000)).build().unwrap();
    cache.insert_many(&[("1", 10), ("2", 20), ("3", 30)], &policy).await.unwrap();
    cache.core().advance(secs(110));
    let calls = Calls::default();
    let ask = async |items: &[u32]| {
        let failing = async |missing: Vec<u32>| {
            calls.call();
            Err::<HashMap<u32, i32>, _>(missing)
        };
        cache.get_or_compute_many(items.to_vec(), u32::to_string, &policy, failing).await
    };
    let both = Ok(HashMap::from([(1, 10), (2, 20)]));
    assert_eq!((ask(&[1, 2]).await, calls.made()), (both.clone(), 1));
    assert_eq!((ask(&[1, 2]).await, calls.made()), (both, 1));
    let all = Ok(HashMap::from([(1, 10), (2, 20), (3, 30)]));
    assert_eq!((ask(&[1, 2, 3]).await, calls.made()), (all, 2));
    cache.invalidate("1");
    assert_eq!(ask(&[1, 2, 3]).await, Err(vec![1]), "and what is invalidated is asked for");
}

#[test]
fn threads_leave_it_alone_too() {
    let cache = MemoryCache::new(10);
    let policy = Policy::builder().ttl(secs(100)).stale_if_error(secs(1_000)).build().unwrap();
    cache.blocking().insert("key", &1, &policy).unwrap();
    cache.core().advance(secs(110));
    let calls = Calls::default();
    for _ in 0..10 {
        let failing = || {
            calls.call();
            Err::<i32, _>("failed")
        };
        assert_eq!(cache.blocking().get_or_compute("key", &policy, failing), Ok(1));
    }
    assert_eq!(calls.made(), 1);
}

#[cached(
    ttl = 100, stale_if_error = "1h", retry_after = "20s", key = "rates:<id>", skip(calls, cache), cache = cache
)]
async fn rates(id: u64, calls: &Calls, cache: &MemoryCache) -> Answer {
    match calls.call() {
        1 => Ok(100),
        _ => Err("down"),
    }
}

#[tokio::test]
async fn a_function_has_the_option() {
    let (cache, calls) = (MemoryCache::new(10), Calls::default());
    assert_eq!(rates(1, &calls, &cache).await, Ok(100));
    cache.core().advance(secs(110));
    for seconds in [0, 19, 1] {
        cache.core().advance(secs(seconds));
        for _ in 0..10 {
            assert_eq!(rates(1, &calls, &cache).await, Ok(100));
        }
    }
    assert_eq!(calls.made(), 3);
    drop(rates::invalidate(1, &cache));
    assert_eq!(rates(1, &calls, &cache).await, Err("down"));
}

#[derive(Debug, Clone, PartialEq)]
struct TooLong;

impl From<TimedOut> for TooLong {
    fn from(_: TimedOut) -> Self {
        Self
    }
}

/// What a call waits for at most in these tests, in which nothing else answers.
const PATIENCE: Duration = Duration::from_millis(20);

#[tokio::test]
async fn a_source_that_a_deadline_left_is_left_alone() {
    let lab =
        Lab::new(|policy| policy.stale_if_error(secs(10_000)).retry_after(secs(20)).deadline(PATIENCE)).await;
    let hang = async || {
        let hangs = async || {
            lab.calls.call();
            std::future::pending::<Result<usize, TooLong>>().await
        };
        in_time(lab.cache.get_or_compute_within("key", &lab.policy, hangs)).await
    };
    let before = lab.calls.made();
    for _ in 0..100 {
        assert_eq!(hang().await, Ok(1));
    }
    assert_eq!(lab.calls.made() - before, 1, "one call waited for it, the others were served at once");
    lab.advance(21);
    assert_eq!(lab.ask().await, Ok(before + 2), "one asks again");
}

#[tokio::test]
async fn while_a_slow_source_computes_no_other_caller_waits_for_it() {
    let lab =
        Lab::new(|policy| policy.stale_if_error(secs(10_000)).retry_after(secs(20)).timeout(PATIENCE)).await;
    let gate = Gate::closed();
    let ask = async || {
        let (gate, calls) = (gate.clone(), lab.calls.clone());
        let slow = move || async move {
            gate.pass().await;
            Ok::<_, &str>(calls.call())
        };
        in_time(lab.cache.get_or_compute_background("key", &lab.policy, slow)).await
    };
    let start = Instant::now();
    for _ in 0..2_000 {
        assert_eq!(ask().await, Ok(1));
    }
    assert!(start.elapsed() < PATIENCE * 1_000, "each of them waited: {:?}", start.elapsed());
    // What it comes to ends the pause at once.
    gate.open();
    eventually(|| lab.cache.stats().stores == 2).await;
    assert_eq!(ask().await, Ok(2));
    assert_eq!(gate.came(), 1);
}
