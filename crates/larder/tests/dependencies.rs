//! What a computation reads from caches covers its value too.

mod support;

use std::{collections::HashMap, future::Future, pin::Pin};

use larder::{CacheExt, MemoryCache, Scope};

use self::support::{
    Gate,
    dashboard::{Done, dropped_by, scopes_of_user, user},
    in_time, long,
};

#[tokio::test]
async fn what_was_computed_meanwhile_counts() {
    let cache = MemoryCache::new(100);
    for scope in scopes_of_user() {
        cache.invalidate("user:7");
        let body = || async {
            user(&cache).await.unwrap();
        };
        assert!(dropped_by(&cache, body, scope.clone()).await, "{scope:?}");
    }
    assert!(
        !dropped_by(
            &cache,
            || async {
                user(&cache).await.unwrap();
            },
            Scope::key("user:8")
        )
        .await
    );
}

#[tokio::test]
async fn a_hit_counts_by_whichever_verb() {
    let cache = MemoryCache::new(100);
    for verb in 0..8 {
        for scope in scopes_of_user() {
            user(&cache).await.unwrap();
            // So that the entry lies in the front cache as well.
            user(&cache).await.unwrap();
            let read = || async {
                match verb {
                    0 => assert_eq!(cache.get("user:7").await.unwrap(), Some(7_u32)),
                    1 => assert_eq!(cache.get_many(&["user:7"]).await.unwrap(), [Some(7_u32)]),
                    2 => assert!(cache.contains("user:7").await.unwrap()),
                    3 => assert!(cache.remaining_ttl("user:7").await.unwrap().is_some()),
                    4 => assert_eq!(user(&cache).await, Ok(7)),
                    5 => {
                        let none = async |_| Done::<HashMap<_, u32>>::Ok([].into());
                        let key = |key: &&str| (*key).to_owned();
                        let found = cache.get_or_compute_many(["user:7"], key, long(), none).await.unwrap();
                        assert_eq!(found["user:7"], 7_u32);
                    }
                    6 => {
                        let namespace = cache.namespace("user");
                        assert_eq!(namespace.get("7").await.unwrap(), Some(7_u32));
                    }
                    _ => {
                        let compute = || async { Done::Ok(1_u32) };
                        cache.get_or_compute_background("user:7", long(), compute).await.unwrap();
                    }
                }
            };
            assert!(dropped_by(&cache, read, scope.clone()).await, "verb {verb}, {scope:?}");
        }
    }
}

#[tokio::test]
async fn a_read_that_found_nothing_counts() {
    let cache = MemoryCache::new(100);
    for verb in 0..4 {
        for scope in [Scope::key("user:7"), Scope::prefix("user")] {
            cache.invalidate("user:7");
            let read = || async {
                match verb {
                    0 => assert_eq!(cache.get::<u32>("user:7").await.unwrap(), None),
                    1 => assert_eq!(cache.get_many::<u32>(&["user:7"]).await.unwrap(), [None]),
                    2 => assert!(!cache.contains("user:7").await.unwrap()),
                    _ => {
                        let none = async |_| Done::<HashMap<_, u32>>::Ok([].into());
                        let key = |key: &&str| (*key).to_owned();
                        cache.get_or_compute_many(["user:7"], key, long(), none).await.unwrap();
                    }
                }
            };
            assert!(dropped_by(&cache, read, scope.clone()).await, "verb {verb}, {scope:?}");
        }
    }
}

#[tokio::test]
async fn an_insert_is_such_a_change() {
    let cache = MemoryCache::new(100);
    let compute = || async { Done::Ok(cache.get::<u32>("user:7").await.unwrap()) };
    assert_eq!(cache.get_or_compute("copy", long(), compute).await, Ok(None));
    cache.insert("user:7", &1_u32, long()).await.unwrap();
    assert_eq!(cache.get_or_compute("copy", long(), compute).await, Ok(Some(1)));
}

#[tokio::test]
async fn an_entry_of_another_type_counts() {
    let cache = MemoryCache::new(100);
    user(&cache).await.unwrap();
    let read = || async { assert_eq!(cache.get::<String>("user:7").await.unwrap(), None) };
    assert!(dropped_by(&cache, read, Scope::key("user:7")).await);
}

#[tokio::test]
async fn nested_computations_pass_on_what_they_read() {
    fn level(cache: &MemoryCache, depth: u32) -> Pin<Box<dyn Future<Output = Done<u32>> + Send + '_>> {
        Box::pin(async move {
            let compute = || async {
                match depth {
                    0 => user(cache).await,
                    _ => level(cache, depth - 1).await.map(|value| value + 1),
                }
            };
            cache.get_or_compute(&format!("level:{depth}"), long(), compute).await
        })
    }
    let cache = MemoryCache::new(100);
    for scope in scopes_of_user() {
        assert_eq!(level(&cache, 5).await, Ok(12));
        let before = cache.stats().computations;
        assert_eq!(level(&cache, 5).await, Ok(12));
        assert_eq!(cache.stats().computations, before, "a hit, as yet");
        cache.invalidate(scope);
        assert_eq!(level(&cache, 5).await, Ok(12));
        assert_eq!(cache.stats().computations, before + 7, "all of them were computed from the user");
    }
}

#[tokio::test]
async fn joined_reads_count_whatever_order_they_end_in() {
    let cache = MemoryCache::new(100);
    let part = |key: &'static str, turns: usize| {
        let cache = &cache;
        async move {
            let compute = async || {
                for _ in 0..turns {
                    tokio::task::yield_now().await;
                }
                Done::Ok(1_u32)
            };
            cache.get_or_compute(key, long(), compute).await.unwrap()
        }
    };
    let body = || async {
        tokio::join!(part("part:a", 9), part("part:b", 3), part("other", 0));
    };
    for scope in [Scope::key("part:a"), Scope::key("part:b"), Scope::prefix("part"), Scope::key("other")] {
        assert!(dropped_by(&cache, body, scope).await);
    }
    cache.invalidate("part:*");
    let before = cache.stats().computations;
    let alone = cache.get_or_compute("alone", long(), async || Done::Ok(part("part:b", 1).await));
    alone.await.unwrap();
    cache.invalidate("part:a");
    assert!(cache.contains("alone").await.unwrap(), "siblings do not record for each other");
    assert_eq!(cache.stats().computations, before + 2);
}

#[tokio::test]
async fn a_batch_counts_and_is_counted() {
    let cache = MemoryCache::new(100);
    let key = |n: &u32| format!("square:{n}");
    let squares = || async {
        let compute = async |missing: Vec<u32>| {
            user(&cache).await.unwrap();
            Done::Ok(missing.into_iter().map(|n| (n, n * n)).collect())
        };
        cache.get_or_compute_many([1, 2, 3], key, long(), compute).await.unwrap();
    };
    for scope in [Scope::key("square:2"), Scope::key("user:7"), Scope::tag("late")] {
        cache.invalidate("square:*");
        assert!(dropped_by(&cache, squares, scope).await);
    }
    squares().await;
    cache.invalidate("user:7");
    let found = cache.get_many::<u32>(&["square:1", "square:2", "square:3"]).await.unwrap();
    assert_eq!(found, [None; 3], "what a batch reads covers all of its items");
}

#[tokio::test]
async fn waiting_for_another_callers_computation_counts() {
    let cache = MemoryCache::new(100);
    let gate = Gate::closed();
    let body = || async {
        let compute = || async {
            gate.pass().await;
            user(&cache).await
        };
        let leader = cache.get_or_compute("shared", long(), compute);
        let waiter =
            cache.get_or_compute("waiter", long(), || cache.get_or_compute("shared", long(), compute));
        let opener = async {
            gate.until(1).await;
            gate.open();
        };
        let (leader, waiter, ()) = tokio::join!(leader, waiter, opener);
        assert_eq!((leader, waiter), (Ok(7), Ok(7)));
    };
    in_time(body()).await;
    assert_eq!(cache.stats().joined, 1);
    cache.invalidate("user:7");
    assert!(!cache.contains("waiter").await.unwrap());
}

#[tokio::test]
async fn waiting_for_another_callers_failure_counts() {
    let cache = MemoryCache::new(100);
    let gate = Gate::closed();
    let failing = || async {
        user(&cache).await.unwrap();
        gate.pass().await;
        Err::<u32, _>("failed")
    };
    let leader = cache.get_or_compute_shared("shared", long(), failing);
    let waiter = cache.get_or_compute("waiter", long(), || async {
        let failed = cache.get_or_compute_shared("shared", long(), failing).await;
        Done::Ok(failed.is_err())
    });
    let opener = async {
        gate.until(1).await;
        gate.open();
    };
    let (leader, waiter, ()) = in_time(async { tokio::join!(leader, waiter, opener) }).await;
    assert_eq!((leader, waiter, gate.came()), (Err("failed"), Ok(true), 1));
    assert!(cache.contains("waiter").await.unwrap());
    cache.invalidate(Scope::tag("late"));
    assert!(!cache.contains("waiter").await.unwrap());
}

#[tokio::test]
async fn what_a_failed_computation_read_counts() {
    let cache = MemoryCache::new(100);
    let failing = || async { user(&cache).await.map_err(|_| "never").and(Err::<u8, _>("failed")) };
    for form in 0..4 {
        for scope in [Scope::key("failing:1"), Scope::key("user:7"), Scope::tag("late")] {
            let body = || async {
                let failed = match form {
                    0 => cache.get_or_compute("failing:1", long(), failing).await,
                    1 => cache.get_or_compute_shared("failing:1", long(), failing).await,
                    2 => {
                        let cache = cache.clone();
                        let failing = {
                            let cache = cache.clone();
                            move || async move {
                                user(&cache).await.map_err(|_| "never").and(Err::<u8, _>("failed"))
                            }
                        };
                        cache.get_or_compute_background("failing:1", long(), failing).await
                    }
                    _ => {
                        let compute = async |_: Vec<u8>| {
                            user(&cache).await.unwrap();
                            Err::<HashMap<u8, u8>, _>("failed")
                        };
                        let batch =
                            cache.get_or_compute_many([1], |n| format!("failing:{n}"), long(), compute);
                        batch.await.map(|_| 0)
                    }
                };
                assert_eq!(failed, Err("failed"));
            };
            assert!(dropped_by(&cache, body, scope.clone()).await, "form {form}, {scope:?}");
        }
    }
}

#[tokio::test]
async fn the_background_form_records_and_is_recorded() {
    let cache = MemoryCache::new(100);
    let inner = {
        let cache = cache.clone();
        move || {
            let cache = cache.clone();
            async move { user(&cache).await }
        }
    };
    for scope in scopes_of_user() {
        cache.invalidate("inner");
        let body = || async {
            cache.get_or_compute_background("inner", long(), inner.clone()).await.unwrap();
        };
        assert!(dropped_by(&cache, body, scope).await);
        assert!(!cache.contains("inner").await.unwrap());
    }
}

#[tokio::test]
async fn a_counter_that_was_read_counts() {
    let cache = MemoryCache::new(100);
    cache.increment("count", 5, None).await.unwrap();
    let read = || async { assert_eq!(cache.counter("count").await.unwrap(), 5) };
    assert!(dropped_by(&cache, read, Scope::key("count")).await);
}
