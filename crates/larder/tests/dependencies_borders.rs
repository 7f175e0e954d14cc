//! How far the recording of dependencies goes: into tasks and other caches, up to a number, and not further.

mod support;

use std::{convert::Infallible, time::Duration};

use larder::{CacheExt, MemoryCache, Policy, Scope, context, in_current_computation};

use self::support::{
    Calls,
    dashboard::{Done, dropped_by, scopes_of_user, user},
    long, secs,
};

#[tokio::test]
async fn tasks_are_followed_only_where_they_are_wrapped() {
    let cache = MemoryCache::new(100);
    let spawned = |wrapped: bool| {
        let cache = &cache;
        move || {
            let task = {
                let cache = cache.clone();
                async move {
                    user(&cache).await.unwrap();
                }
            };
            async move {
                match wrapped {
                    true => tokio::spawn(in_current_computation(task)).await.unwrap(),
                    false => tokio::spawn(task).await.unwrap(),
                }
            }
        }
    };
    assert!(dropped_by(&cache, spawned(true), Scope::key("user:7")).await);
    cache.invalidate("user:7");
    assert!(!dropped_by(&cache, spawned(false), Scope::key("user:7")).await);
}

/// What a wrapped future belongs to is settled where it is polled, if it was made where nothing computes.
#[tokio::test]
async fn what_is_wrapped_outside_counts_where_it_runs() {
    let cache = MemoryCache::new(100);
    let body = in_current_computation(cache.get::<u32>("user:7"));
    let compute = || async { Done::Ok(body.await.unwrap()) };
    assert_eq!(cache.get_or_compute("copy", long(), compute).await, Ok(None));
    cache.insert("user:7", &7_u32, long()).await.unwrap();
    assert!(!cache.contains("copy").await.unwrap());
}

#[tokio::test]
async fn a_computation_under_a_refused_key_decides_nothing_for_the_outer_one() {
    let cache = MemoryCache::new(100);
    let too_long = "k".repeat(100_000);
    let inner = async || {
        context().ttl(secs(86_400)).no_store();
        Done::Ok(1_u8)
    };
    let outer = || cache.get_or_compute(&too_long, long(), inner);
    cache.get_or_compute("outer", Policy::ttl(secs(60)), outer).await.unwrap();
    assert!(cache.remaining_ttl("outer").await.unwrap().unwrap() <= secs(60));
}

#[tokio::test]
async fn a_detached_computation_records_nothing_and_is_recorded_itself() {
    let cache = MemoryCache::new(100);
    let policy = Policy::builder().ttl(secs(60)).detached().build().unwrap();
    let detached = || cache.get_or_compute("detached", &policy, || user(&cache));
    let body = || async {
        detached().await.unwrap();
    };
    assert!(dropped_by(&cache, body, Scope::key("detached")).await);
    assert!(!dropped_by(&cache, body, Scope::key("user:7")).await);
    assert!(cache.contains("detached").await.unwrap());
}

#[tokio::test]
async fn a_value_with_more_than_4096_scopes_is_not_stored() {
    let cache = MemoryCache::new(1_000);
    let compute = |reads: usize| {
        let cache = &cache;
        async move || {
            for n in 0..reads {
                cache.get::<u8>(&format!("key{n}")).await.unwrap();
            }
            Done::Ok(reads)
        }
    };
    // The value's own key is the 4,096th scope.
    cache.get_or_compute("fits", long(), compute(4_095)).await.unwrap();
    assert!(cache.contains("fits").await.unwrap());
    assert_eq!(cache.get_or_compute("too wide", long(), compute(4_096)).await, Ok(4_096));
    assert!(!cache.contains("too wide").await.unwrap());
    assert_eq!(cache.stats().stores_too_wide, 1);

    let outer = || async { cache.get_or_compute("too wide", long(), compute(4_096)).await };
    cache.get_or_compute("outer", long(), outer).await.unwrap();
    assert!(!cache.contains("outer").await.unwrap(), "nor is what was computed from it");
    assert_eq!(cache.stats().stores_too_wide, 3);
}

#[tokio::test]
async fn the_same_scope_counts_once() {
    let cache = MemoryCache::new(1_000);
    let compute = async || {
        for _ in 0..1_000 {
            cache.get::<u8>("a:b:c").await.unwrap();
        }
        Done::Ok(1)
    };
    cache.get_or_compute("a:b:d", long(), compute).await.unwrap();
    assert!(cache.contains("a:b:d").await.unwrap());
}

#[tokio::test]
async fn reads_in_another_cache_count() {
    let (here, there) = (MemoryCache::new(100), MemoryCache::new(100));
    for scope in scopes_of_user() {
        here.invalidate("dashboard");
        here.get_or_compute("dashboard", long(), || user(&there)).await.unwrap();
        here.invalidate("user:7");
        assert!(here.contains("dashboard").await.unwrap(), "a key of the other cache, not of this one");
        // A value that is computed from the first one carries what that one carries.
        let copy = || async { Done::Ok(here.get::<u32>("dashboard").await.unwrap()) };
        there.get_or_compute("copy", long(), copy).await.unwrap();
        there.invalidate(scope);
        assert!(!here.contains("dashboard").await.unwrap());
        assert!(!there.contains("copy").await.unwrap());
    }
    let wide = async || {
        for n in 0..2_050 {
            here.get::<u8>(&format!("key{n}")).await.unwrap();
            there.get::<u8>(&format!("key{n}")).await.unwrap();
        }
        Done::Ok(())
    };
    here.get_or_compute("wide", long(), wide).await.unwrap();
    assert!(!here.contains("wide").await.unwrap(), "the limit is for both together");
}

#[tokio::test]
async fn an_invalidation_in_mid_computation_counts_for_what_was_read_before_and_after() {
    let cache = MemoryCache::new(100);
    for read_first in [true, false] {
        let compute = || async {
            if read_first {
                user(&cache).await?;
            }
            cache.invalidate("user:7");
            user(&cache).await
        };
        cache.get_or_compute("dashboard", long(), compute).await.unwrap();
        // Conservative in the second case: an entry has one stamp, that of its beginning.
        assert!(!cache.contains("dashboard").await.unwrap());
    }
}

#[tokio::test]
async fn an_insert_in_a_computation_carries_what_was_read() {
    let cache = MemoryCache::new(100);
    let calls = Calls::default();
    let compute = || async {
        let value = user(&cache).await?;
        calls.call();
        cache.insert("by the way", &value, long()).await.unwrap();
        Ok::<_, Infallible>(value)
    };
    cache.get_or_compute("main", long(), compute).await.unwrap();
    assert!(cache.contains("by the way").await.unwrap());
    cache.invalidate(Scope::tag("late"));
    assert!(!cache.contains("by the way").await.unwrap());

    let stale = || async {
        cache.invalidate("by the way");
        cache.insert("by the way", &1_u32, long()).await.unwrap();
        Done::Ok(())
    };
    cache.get_or_compute("other", long(), stale).await.unwrap();
    assert!(!cache.contains("by the way").await.unwrap(), "it counts as read when the computation began");
}

#[tokio::test]
async fn nothing_is_recorded_outside() {
    let cache = MemoryCache::new(100);
    assert!(!context().is_computing());
    let compute = async || {
        assert!(context().is_computing());
        Done::Ok(())
    };
    cache.get_or_compute("key", long(), compute).await.unwrap();
    assert!(!context().is_computing());
    context().no_store().ttl(Duration::ZERO).tag("nothing");
    cache.insert("key", &1_u8, long()).await.unwrap();
    assert!(cache.contains("key").await.unwrap());
}
