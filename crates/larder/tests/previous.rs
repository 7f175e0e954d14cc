//! Old values in the hands of the computations that replace them.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

mod support;

use std::{future::Future, sync::Mutex};

use larder::{Cache, CacheExt, MemoryCache, Policy, PolicyBuilder, Scope, cached, context};

use self::support::{Gate, eventually, in_time, long, secs};

type Answer = Result<u64, &'static str>;

/// A cache with one value (1) under `key`, of which the `ttl` is 100 s.
struct Lab {
    cache: MemoryCache,
    policy: Policy,
}

impl Lab {
    async fn new(policy: impl FnOnce(PolicyBuilder) -> PolicyBuilder) -> Self {
        let policy = policy(Policy::builder().ttl(secs(100)).tag("tag")).build().unwrap();
        let lab = Self { cache: MemoryCache::new(10), policy };
        assert_eq!(lab.ask(async || Ok(1)).await, Ok(1));
        lab
    }

    /// Kept for an hour after its `ttl`, which is over.
    async fn expired() -> Self {
        let lab = Self::new(|policy| policy.stale_if_error(secs(3_600))).await;
        lab.advance(150);
        lab
    }

    fn advance(&self, by: u64) {
        self.cache.core().advance(secs(by));
    }

    async fn ask<Fut>(&self, compute: impl FnOnce() -> Fut + Send) -> Answer
    where
        Fut: Future<Output = Answer> + Send,
    {
        self.cache.get_or_compute("key", &self.policy, compute).await
    }

    async fn ask_keeping(&self) -> Answer {
        self.ask(async || kept()).await
    }

    async fn get(&self) -> Option<u64> {
        self.cache.get("key").await.unwrap()
    }
}

/// What a computation gives whose source says that nothing has changed.
fn kept() -> Answer {
    context().previous::<u64>().map(larder::Previous::keep).ok_or("there is none")
}

/// Whether the computation that is running has an old value.
fn has_previous() -> bool {
    context().previous::<u64>().is_some()
}

#[tokio::test]
async fn a_value_that_is_kept_is_as_good_as_a_new_one() {
    let lab = Lab::expired().await;
    let seen = lab.ask(async || {
        let old = context().previous::<u64>().unwrap();
        assert_eq!((*old, old.age().as_secs()), (1, 150));
        Ok(old.keep())
    });
    assert_eq!(seen.await, Ok(1));
    assert_eq!(lab.get().await, Some(1));
    let left = lab.cache.remaining_ttl("key").await.unwrap().unwrap();
    assert!(left > secs(98) && left <= secs(100), "{left:?}");
    let stats = lab.cache.stats();
    assert_eq!((stats.computations, stats.kept, stats.stores, stats.stale_hits), (2, 1, 2, 0));
}

#[tokio::test]
async fn a_value_can_be_made_from_the_old_one() {
    let lab = Lab::expired().await;
    let more = lab.ask(async || Ok(context().previous::<u64>().map_or(0, |old| *old) + 10));
    assert_eq!((more.await, lab.get().await), (Ok(11), Some(11)));
    assert_eq!(lab.cache.stats().kept, 0);
}

#[tokio::test]
async fn a_kept_value_has_the_time_that_its_computation_says() {
    let lab = Lab::expired().await;
    let short = lab.ask(async || {
        context().ttl(secs(5));
        kept()
    });
    assert_eq!(short.await, Ok(1));
    lab.advance(6);
    assert_eq!(lab.get().await, None);
}

#[tokio::test]
async fn there_is_none_where_there_is_nothing_old() {
    assert!(!has_previous(), "there is no computation");
    let lab = Lab::new(|policy| policy).await;
    lab.advance(150);
    assert_eq!(lab.ask_keeping().await, Err("there is none"), "it is not kept past its time");
    let lab = Lab::new(|policy| policy.stale_if_error(secs(10))).await;
    lab.advance(150);
    assert_eq!(lab.ask_keeping().await, Err("there is none"), "its window is closed");
    let first = lab.cache.get_or_compute("other", &lab.policy, async || kept()).await;
    assert_eq!(first, Err("there is none"), "it is the first");
}

#[tokio::test]
async fn there_is_none_of_another_type() {
    let lab = Lab::expired().await;
    let other = lab.ask(async || {
        assert!(context().previous::<u32>().is_none() && context().previous::<Option<u64>>().is_none());
        Ok(2)
    });
    assert_eq!(other.await, Ok(2));
}

#[tokio::test]
async fn what_was_invalidated_is_handed_out_to_no_computation() {
    for scope in [Scope::key("key"), Scope::tag("tag"), Scope::all()] {
        let lab = Lab::expired().await;
        drop(lab.cache.invalidate(scope.clone()));
        assert_eq!(lab.ask_keeping().await, Err("there is none"), "{scope:?}");

        // After it was found, and before it is asked for.
        let lab = Lab::expired().await;
        let asked = lab.ask(async || {
            drop(lab.cache.invalidate(scope.clone()));
            kept()
        });
        assert_eq!(asked.await, Err("there is none"), "{scope:?}");
    }
}

#[tokio::test]
async fn what_was_marked_stale_is_handed_out_to_none_either() {
    let lab = Lab::new(|policy| policy.stale_if_error(secs(3_600))).await;
    drop(lab.cache.mark_stale(Scope::tag("tag")));
    let computed = lab.ask(async || if has_previous() { Err("it was marked") } else { Ok(2) });
    assert_eq!((computed.await, lab.get().await), (Ok(2), Some(2)));
}

#[tokio::test]
async fn what_is_invalidated_while_it_is_in_hand_is_not_stored() {
    let lab = Lab::expired().await;
    let asked = lab.ask(async || {
        let kept = kept();
        drop(lab.cache.invalidate(Scope::tag("tag")));
        kept
    });
    assert_eq!((asked.await, lab.get().await), (Ok(1), None));
    assert_eq!(lab.cache.stats().stores_outdated, 1);
}

/// A value that is made from `part:7`, of this cache or another one, and has a tag that only the computation knows of.
async fn made_from_a_part(parts: &MemoryCache, detached: bool) -> Lab {
    let cache = MemoryCache::new(10);
    let builder = Policy::builder().ttl(secs(100)).stale_if_error(secs(3_600));
    let policy = if detached { builder.detached() } else { builder }.build().unwrap();
    let lab = Lab { cache, policy };
    let first = lab.ask(async || {
        context().tag("seen only once");
        parts.get_or_compute("part:7", long(), async || Ok::<u64, &str>(1)).await
    });
    assert_eq!(first.await, Ok(1));
    lab.advance(150);
    lab
}

#[tokio::test]
async fn what_covered_the_old_value_covers_the_new_one() {
    for scope in [Scope::key("part:7"), Scope::prefix("part")] {
        let parts = MemoryCache::new(10);
        let lab = made_from_a_part(&parts, false).await;
        assert_eq!((lab.ask_keeping().await, lab.get().await), (Ok(1), Some(1)));
        lab.advance(150);
        assert_eq!(lab.ask_keeping().await, Ok(1), "once more");
        drop(parts.invalidate(scope));
        assert_eq!(lab.get().await, None, "it was made from a part that is another one");
    }
    for detached in [false, true] {
        let lab = made_from_a_part(&MemoryCache::new(10), detached).await;
        assert_eq!((lab.ask_keeping().await, lab.get().await), (Ok(1), Some(1)));
        drop(lab.cache.invalidate(Scope::tag("seen only once")));
        assert_eq!(lab.get().await, None, "detached: {detached}");
    }
}

/// The same for what is computed around it.
#[tokio::test]
async fn it_covers_what_is_made_from_the_new_one() {
    let parts = MemoryCache::new(10);
    let lab = made_from_a_part(&parts, false).await;
    let outer = lab.cache.get_or_compute("outer", long(), async || {
        assert!(!has_previous(), "the old value of another key");
        let inner = lab.ask_keeping().await;
        assert!(!has_previous());
        inner
    });
    assert_eq!(outer.await, Ok(1));
    drop(parts.invalidate("part:7"));
    assert_eq!(lab.cache.get::<u64>("outer").await.unwrap(), None);
}

#[tokio::test]
async fn a_refresh_in_the_background_has_it() {
    let stale = |policy: PolicyBuilder| policy.stale_while_revalidate(secs(3_600));
    let ahead = |policy: PolicyBuilder| policy.refresh_ahead(0.5);
    let both: [fn(PolicyBuilder) -> PolicyBuilder; 2] = [stale, ahead];
    for (policy, age) in both.into_iter().zip([150, 75]) {
        let lab = Lab::new(policy).await;
        lab.advance(age);
        let asked = lab.cache.get_or_compute_background("key", &lab.policy, || async { kept() });
        assert_eq!(in_time(asked).await, Ok(1));
        eventually(|| lab.cache.stats().stores == 2).await;
        assert_eq!((lab.get().await, lab.cache.stats().kept), (Some(1), 1));
        lab.advance(45);
        assert_eq!(lab.get().await, Some(1), "its time began anew");
    }
}

#[tokio::test]
async fn a_task_of_its_own_has_it_too() {
    let lab = Lab::expired().await;
    let gate = Gate::closed();
    let inner = gate.clone();
    let slow = || async move {
        inner.pass().await;
        kept()
    };
    let (kept, ()) = in_time(async {
        tokio::join!(lab.cache.get_or_compute_background("key", &lab.policy, slow), async {
            gate.until(1).await;
            gate.open();
        })
    })
    .await;
    assert_eq!((kept, lab.get().await), (Ok(1), Some(1)));
}

/// The verb and a function, without a runtime: and one that carries its context to another thread.
#[test]
fn threads_have_it() {
    let cache = MemoryCache::new(10);
    let policy = Policy::builder().ttl(secs(100)).stale_if_error(secs(3_600)).build().unwrap();
    let first = cache.blocking().get_or_compute("key", &policy, || Ok::<u64, &str>(1));
    assert_eq!(first, Ok(1));
    cache.core().advance(secs(150));
    let again = cache.blocking().get_or_compute("key", &policy, || {
        let context = context();
        std::thread::scope(|scope| scope.spawn(|| context.previous::<u64>().map(|old| old.keep())).join())
            .unwrap()
            .ok_or("there is none")
    });
    assert_eq!((again, cache.stats().kept), (Ok(1), 1));
}

static SEEN: Mutex<Vec<Option<String>>> = Mutex::new(Vec::new());

#[cached(ttl = 100, stale_if_error = "1h", key = "settings:<name>", cache = cache, skip(cache))]
fn settings(cache: &MemoryCache, name: &str) -> Result<Option<String>, String> {
    let _ = cache;
    let old = context().previous::<Option<String>>();
    SEEN.lock().unwrap().push(old.as_ref().and_then(|old| (**old).clone()));
    Ok(old.map_or_else(|| Some(name.to_owned()), larder::Previous::keep))
}

#[test]
fn functions_have_it_unless_they_are_told_to_compute_anew() {
    let cache = MemoryCache::new(10);
    let name = || Some("a".to_owned());
    assert_eq!(settings(&cache, "a"), Ok(name()));
    cache.core().advance(secs(150));
    assert_eq!(settings(&cache, "a"), Ok(name()));
    cache.core().advance(secs(150));
    assert_eq!(settings::refresh(&cache, "a"), Ok(name()));
    assert_eq!(*SEEN.lock().unwrap(), [None, name(), None]);
    assert_eq!(cache.stats().kept, 1);
}

/// Nothing is made from it where a transaction has changed it, or the cache is off.
#[tokio::test]
async fn what_is_passed_by_is_not_handed_out() {
    let lab = Lab::expired().await;
    let asked = lab.ask(async || {
        let scope = larder::deferred();
        let kept = scope.run(async {
            drop(lab.cache.invalidate("key"));
            kept()
        });
        kept.await
    });
    assert_eq!(asked.await, Err("there is none"));
    let lab = Lab::expired().await;
    let asked = lab.ask(async || {
        lab.cache.disable();
        Ok(u64::from(has_previous()))
    });
    assert_eq!(asked.await, Ok(0));
}
