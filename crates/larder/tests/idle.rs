//! Sliding lifetimes, and values whose time begins anew.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

mod support;

use std::collections::HashMap;

use larder::{Cache, CacheExt, MemoryCache, Policy, PolicyBuilder, Scope, cached, context};

use self::support::{
    Calls,
    lab::{Answer, Lab},
    secs,
};

impl Lab {
    /// Values for 1,000 s, that end when they were not asked for 100 s.
    fn new(more: impl FnOnce(PolicyBuilder) -> PolicyBuilder) -> Self {
        Self::with(more(Policy::builder().ttl(secs(1_000)).idle(secs(100)).tag("tag")))
    }

    fn plain() -> Self {
        Self::new(|policy| policy)
    }

    async fn remaining(&self) -> u64 {
        self.cache.remaining_ttl("key").await.unwrap().map_or(0, |left| left.as_secs_f64().round() as u64)
    }
}

#[tokio::test]
async fn a_value_lives_for_as_long_as_it_is_asked_for() {
    let lab = Lab::plain();
    for _ in 0..10 {
        assert_eq!(lab.ask().await, Ok(1));
        lab.advance(75);
    }
    assert_eq!((lab.ask().await, lab.remaining().await), (Ok(1), 100));
    lab.advance(101);
    assert_eq!(lab.ask().await, Ok(2), "it was not asked for");
    let stats = lab.cache.stats();
    assert_eq!((stats.computations, stats.stores, stats.stale_hits, stats.refreshes), (2, 2, 0, 0));
}

#[tokio::test]
async fn it_ends_at_the_end_of_its_ttl_at_the_latest() {
    let lab = Lab::plain();
    assert_eq!(lab.ask().await, Ok(1));
    for _ in 0..19 {
        lab.advance(50);
        assert_eq!(lab.ask().await, Ok(1));
    }
    assert_eq!(lab.remaining().await, 50, "after 950 s of 1,000");
    lab.advance(51);
    assert_eq!(lab.ask().await, Ok(2));
}

#[tokio::test]
async fn a_hit_in_the_first_quarter_is_nothing_but_a_hit() {
    let lab = Lab::plain();
    assert_eq!(lab.ask().await, Ok(1));
    lab.advance(20);
    assert_eq!((lab.ask().await, lab.remaining().await), (Ok(1), 80));
    lab.advance(10);
    assert_eq!((lab.ask().await, lab.remaining().await), (Ok(1), 100));
    assert_eq!(lab.cache.get::<usize>("key").await.unwrap(), Some(1));
    lab.advance(30);
    assert_eq!(lab.cache.get::<usize>("key").await.unwrap(), Some(1));
    assert_eq!(lab.remaining().await, 70, "a `get` knows of no policy");
}

/// The one rule.
#[tokio::test]
async fn what_was_prolonged_is_invalidated_as_ever() {
    for scope in [Scope::key("key"), Scope::key("part"), Scope::tag("tag"), Scope::all()] {
        for touched in [false, true] {
            let lab = Lab::plain();
            let ask = async || {
                let compute = async || {
                    let _: Option<u8> = lab.cache.get("part").await.unwrap();
                    Ok::<_, &str>(lab.calls.call())
                };
                lab.cache.get_or_compute("key", &lab.policy, compute).await
            };
            assert_eq!(ask().await, Ok(1));
            lab.advance(50);
            match touched {
                true => assert!(lab.cache.touch::<usize>("key", &lab.policy).await.unwrap()),
                false => assert_eq!(ask().await, Ok(1)),
            }
            assert_eq!(lab.remaining().await, 100);
            lab.cache.invalidate(scope.clone());
            assert!(!lab.cache.touch::<usize>("key", &lab.policy).await.unwrap(), "{scope:?}");
            assert_eq!(ask().await, Ok(2), "{scope:?}");
        }
    }
}

#[tokio::test]
async fn a_computation_that_decides_its_ttl_is_not_prolonged() {
    let lab = Lab::plain();
    let ask = async || {
        let compute = async || {
            context().ttl(secs(60));
            Ok::<_, &str>(lab.calls.call())
        };
        lab.cache.get_or_compute("key", &lab.policy, compute).await
    };
    assert_eq!(ask().await, Ok(1));
    lab.advance(50);
    assert_eq!((ask().await, lab.remaining().await), (Ok(1), 10));
    lab.advance(11);
    assert_eq!(ask().await, Ok(2));
}

#[tokio::test]
async fn a_none_ends_with_its_negative_ttl() {
    let cache = MemoryCache::new(10);
    let policy = Policy::builder().ttl(secs(1_000)).idle(secs(40)).negative_ttl(secs(100)).build().unwrap();
    let calls = Calls::default();
    let ask = async || {
        let none = async || {
            calls.call();
            Ok::<_, &str>(None::<u8>)
        };
        assert_eq!(cache.get_or_compute("key", &policy, none).await, Ok(None));
        calls.made()
    };
    for _ in 0..4 {
        assert_eq!(ask().await, 1);
        cache.core().advance(secs(24));
    }
    assert_eq!(ask().await, 1, "after 96 s");
    cache.core().advance(secs(5));
    assert_eq!(ask().await, 2);
}

#[tokio::test]
async fn past_its_time_the_old_value_is_as_any_other() {
    let lab = Lab::new(|policy| policy.stale_if_error(secs(50)));
    assert_eq!(lab.ask().await, Ok(1));
    lab.advance(110);
    let failing = async || Err::<usize, _>("failed");
    assert_eq!(lab.cache.get_or_compute("key", &lab.policy, failing).await, Ok(1));
    lab.advance(50);
    assert_eq!(lab.cache.get_or_compute("key", &lab.policy, failing).await, Err("failed"));
}

#[tokio::test]
async fn batches_and_threads_prolong_too() {
    let lab = Lab::plain();
    let compute = async |missing: Vec<u8>| {
        Ok::<HashMap<u8, usize>, &str>(missing.into_iter().map(|item| (item, lab.calls.call())).collect())
    };
    for round in 0..5 {
        let all = lab.cache.get_or_compute_many([1], |_| "key".to_owned(), &lab.policy, compute).await;
        assert_eq!((all, lab.remaining().await), (Ok(HashMap::from([(1, 1)])), 100), "{round}");
        lab.advance(75);
    }
    for _ in 0..5 {
        let value: Answer = lab.cache.blocking().get_or_compute("key", &lab.policy, || Ok(0));
        assert_eq!((value, lab.remaining().await), (Ok(1), 100));
        lab.advance(75);
    }
}

#[tokio::test]
async fn touch_begins_a_value_anew() {
    let cache = MemoryCache::new(10);
    let long = |seconds| Policy::ttl(secs(seconds));
    cache.insert("key", &"value".to_owned(), long(100)).await.unwrap();
    cache.core().advance(secs(90));
    assert!(cache.touch::<String>("key", long(50)).await.unwrap());
    assert!(!cache.touch::<u8>("key", long(50)).await.unwrap(), "of another type");
    assert!(!cache.touch::<String>("other", long(50)).await.unwrap());
    assert!(cache.touch::<String>("", long(50)).await.is_err());
    cache.core().advance(secs(40));
    assert_eq!(cache.get::<String>("key").await.unwrap().as_deref(), Some("value"));
    assert!(cache.namespace("ns").touch::<String>("key", long(50)).await.is_ok_and(|touched| !touched));
    assert!(!cache.touch::<String>("key", long(0)).await.unwrap(), "for no time at all");
    cache.core().advance(secs(11));
    assert!(!cache.touch::<String>("key", long(50)).await.unwrap(), "its time is over");
    cache.local().insert("key", &1, long(10)).await.unwrap();
    assert!(cache.local().touch::<i32>("key", long(50)).await.unwrap());
    assert!(cache.blocking().touch::<i32>("key", long(100)).unwrap());
    cache.core().advance(secs(90));
    assert_eq!(cache.local().get("key").unwrap(), Some(1));
}

#[test]
fn a_policy_that_contradicts_itself_is_refused() {
    let policy = Policy::builder().ttl(secs(10)).idle(secs(1)).refresh_ahead(0.5).build();
    assert!(policy.unwrap_err().to_string().contains("choose one of them"));
}

#[cached(ttl = "1h", idle = "20m", key = "session:<id>", skip(calls, cache), cache = cache)]
async fn session(id: u64, calls: &Calls, cache: &MemoryCache) -> usize {
    calls.call()
}

#[tokio::test]
async fn a_function_has_the_option() {
    let (cache, calls) = (MemoryCache::new(10), Calls::default());
    for _ in 0..4 {
        assert_eq!(session(7, &calls, &cache).await, 1);
        cache.core().advance(secs(14 * 60));
    }
    assert_eq!(session(7, &calls, &cache).await, 1);
    cache.core().advance(secs(5 * 60));
    assert_eq!(session(7, &calls, &cache).await, 2, "an hour has passed");
    cache.core().advance(secs(21 * 60));
    assert_eq!(session(7, &calls, &cache).await, 3, "20 minutes have passed");
}
