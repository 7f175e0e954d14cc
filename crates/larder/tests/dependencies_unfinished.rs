//! What a nested computation read covers the outer value, also when the nested one left no value behind.

mod support;

use std::{
    collections::HashMap,
    future::{self, Future},
    panic::{self, AssertUnwindSafe},
    pin::pin,
    task::Poll,
    time::Duration,
};

use larder::{Cache, CacheExt, MemoryCache, Policy, Scope};

use self::support::{
    dashboard::{Done, dropped_by, user},
    in_time, long, secs,
};

/// Polls `future` once.
async fn poll_once<F: Future>(future: F) -> Poll<F::Output> {
    let mut future = pin!(future);
    future::poll_fn(|context| Poll::Ready(future.as_mut().poll(context))).await
}

#[tokio::test]
async fn of_a_batch_that_had_no_value_for_an_item() {
    let cache = MemoryCache::new(100);
    let body = || async {
        let none = async |_: Vec<u8>| {
            user(&cache).await?;
            Done::<HashMap<u8, u8>>::Ok(HashMap::new())
        };
        let found = cache.get_or_compute_many([1], |n| format!("item:{n}"), long(), none).await.unwrap();
        assert!(found.is_empty());
    };
    for scope in [Scope::key("user:7"), Scope::tag("late")] {
        assert!(dropped_by(&cache, body, scope).await);
    }
}

#[tokio::test]
async fn of_computations_under_refused_keys() {
    let cache = MemoryCache::new(100);
    let too_long = "k".repeat(100_000);
    for form in 0..3 {
        let body = || async {
            match form {
                0 => drop(cache.get_or_compute(&too_long, long(), || user(&cache)).await),
                1 => {
                    let key = |_: &u8| too_long.clone();
                    let compute = async |_: Vec<u8>| Done::Ok(HashMap::from([(1, user(&cache).await?)]));
                    cache.get_or_compute_many([1], key, long(), compute).await.unwrap();
                }
                _ => {
                    let cache = cache.clone();
                    let compute = {
                        let cache = cache.clone();
                        move || async move { user(&cache).await }
                    };
                    cache.get_or_compute_background(&too_long, long(), compute).await.unwrap();
                }
            }
        };
        for scope in [Scope::key("user:7"), Scope::tag("late")] {
            assert!(dropped_by(&cache, body, scope).await, "form {form}");
        }
    }
}

/// As a timeout does it.
#[tokio::test]
async fn of_a_computation_that_was_dropped() {
    let cache = MemoryCache::new(100);
    let body = || async {
        let compute = || async {
            user(&cache).await?;
            future::pending::<Done<u8>>().await
        };
        assert!(poll_once(cache.get_or_compute("inner", long(), compute)).await.is_pending());
    };
    for scope in [Scope::key("user:7"), Scope::tag("late"), Scope::key("inner")] {
        assert!(dropped_by(&cache, body, scope).await);
    }
}

#[tokio::test]
async fn of_a_computation_that_panicked() {
    let cache = MemoryCache::new(100);
    let body = || async {
        let compute = || async {
            user(&cache).await?;
            panic!("on purpose");
            #[expect(unreachable_code, reason = "it gives the type")]
            Done::Ok(1_u8)
        };
        let mut inner = pin!(cache.get_or_compute("inner", long(), compute));
        let caught = future::poll_fn(|context| {
            let polled = panic::catch_unwind(AssertUnwindSafe(|| inner.as_mut().poll(context)));
            Poll::Ready(polled.is_err())
        });
        assert!(caught.await);
    };
    for scope in [Scope::key("user:7"), Scope::tag("late"), Scope::key("inner")] {
        assert!(dropped_by(&cache, body, scope).await);
    }
}

/// The stale value hides the failure, but it was served because of what the computation read.
#[tokio::test]
async fn of_a_failed_computation_that_a_stale_value_stood_in_for() {
    let cache = MemoryCache::new(100);
    let policy = Policy::builder().ttl(Duration::from_millis(1)).stale_if_error(secs(1_000));
    // Each call computes.
    let policy = policy.retry_after(Duration::ZERO).build().unwrap();
    let body = || async {
        let failing = || async {
            user(&cache).await.unwrap();
            Err::<u8, _>("failed")
        };
        assert_eq!(in_time(cache.get_or_compute("inner", &policy, failing)).await, Ok(1));
    };
    cache.insert("inner", &1_u8, &policy).await.unwrap();
    cache.core().advance(secs(1));
    for scope in [Scope::key("user:7"), Scope::tag("late")] {
        assert!(dropped_by(&cache, body, scope).await);
    }
}
