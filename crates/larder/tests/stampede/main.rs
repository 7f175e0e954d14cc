//! Many callers of one key: one of them computes.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

mod failures;
mod invalidated;
mod leaders;
#[path = "../support/mod.rs"]
mod support;

use std::{
    convert::Infallible,
    future::Future,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use larder::{CacheExt, MemoryCache, Policy, context};
use tokio::task::{JoinHandle, JoinSet};

use self::support::{Calls, Gate, eventually, in_time, long, secs};

type Done = Result<usize, Infallible>;

#[derive(Debug, Clone, PartialEq)]
struct Failed(usize);

/// A caller in a task of its own: its computation counts itself, passes the gate, and gives its number.
fn caller(cache: &MemoryCache, calls: &Calls, gate: &Gate) -> JoinHandle<Done> {
    let (cache, calls, gate) = (cache.clone(), calls.clone(), gate.clone());
    tokio::spawn(async move {
        let compute = || async {
            let number = calls.call();
            gate.pass().await;
            Ok(number)
        };
        cache.get_or_compute("key", long(), compute).await
    })
}

async fn all<T: 'static>(callers: impl IntoIterator<Item = JoinHandle<T>>) -> Vec<T> {
    let mut results = Vec::new();
    for caller in callers {
        results.push(in_time(caller).await.unwrap());
    }
    results
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_thousand_callers_are_one_computation() {
    let cache = MemoryCache::new(10);
    let (calls, gate) = (Calls::default(), Gate::closed());
    let callers: Vec<_> = (0..1_000).map(|_| caller(&cache, &calls, &gate)).collect();
    eventually(|| cache.stats().misses == 1_000).await;
    gate.open();
    assert_eq!(all(callers).await, vec![Ok(1); 1_000]);
    assert_eq!((calls.made(), cache.stats().computations, cache.stats().stores), (1, 1, 1));
}

#[tokio::test]
async fn waiters_are_counted_as_joined() {
    let cache = MemoryCache::new(10);
    let (calls, gate) = (Calls::default(), Gate::closed());
    let callers: Vec<_> = (0..10).map(|_| caller(&cache, &calls, &gate)).collect();
    eventually(|| cache.stats().misses == 10).await;
    gate.open();
    all(callers).await;
    let stats = cache.stats();
    assert_eq!((stats.joined, stats.unjoined, stats.hits), (9, 0, 0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn callers_that_keep_coming_see_one_computation() {
    for _ in 0..50 {
        let cache = MemoryCache::new(10);
        let calls = Calls::default();
        let mut callers = JoinSet::new();
        for _ in 0..100 {
            let (cache, calls) = (cache.clone(), calls.clone());
            callers.spawn(async move {
                cache.get_or_compute("key", long(), async || Ok::<_, Infallible>(calls.call())).await
            });
        }
        assert_eq!(in_time(callers.join_all()).await, vec![Ok(1); 100]);
        assert_eq!(calls.made(), 1);
    }
}

#[tokio::test]
async fn value_types_do_not_wait_for_each_other() {
    let cache = MemoryCache::new(10);
    let (calls, gate) = (Calls::default(), Gate::closed());
    let number = caller(&cache, &calls, &gate);
    gate.until(1).await;
    let text = cache.get_or_compute("key", long(), async || Ok::<_, Infallible>("text".to_owned()));
    assert_eq!(in_time(text).await.unwrap(), "text");
    gate.open();
    assert_eq!(in_time(number).await.unwrap(), Ok(1));
}

/// Ten callers at once, whose computation decides something about its own entry.
async fn deciding(decide: impl Fn() + Copy + Send + Sync + 'static) -> (Vec<Done>, MemoryCache) {
    let cache = MemoryCache::new(10);
    let (calls, gate) = (Calls::default(), Gate::closed());
    let callers: Vec<_> = (0..10)
        .map(|_| {
            let (cache, calls, gate) = (cache.clone(), calls.clone(), gate.clone());
            tokio::spawn(async move {
                let compute = || async {
                    let number = calls.call();
                    decide();
                    gate.pass().await;
                    Ok(number)
                };
                cache.get_or_compute("key", long(), compute).await
            })
        })
        .collect();
    eventually(|| cache.stats().misses == 10).await;
    gate.open();
    (all(callers).await, cache)
}

#[tokio::test]
async fn an_unshared_value_is_its_computers_alone() {
    let decide = || {
        context().unshared();
    };
    let (results, cache) = deciding(decide).await;
    let mut numbers: Vec<_> = results.into_iter().map(Result::unwrap).collect();
    numbers.sort_unstable();
    assert_eq!(numbers, (1..=10).collect::<Vec<_>>());
    assert_eq!(cache.get::<usize>("key").await.unwrap(), None, "nor is it stored");
}

#[tokio::test]
async fn a_value_that_is_not_stored_is_still_shared() {
    let decide = || {
        context().no_store();
    };
    let (results, cache) = deciding(decide).await;
    assert_eq!(results, vec![Ok(1); 10]);
    assert_eq!(cache.get::<usize>("key").await.unwrap(), None);
    assert_eq!(cache.stats().stores, 0);
}

#[tokio::test]
async fn a_ttl_of_zero_still_shares_the_computation() {
    let cache = MemoryCache::new(10);
    let (calls, gate) = (Calls::default(), Gate::closed());
    let mut callers = JoinSet::new();
    for _ in 0..10 {
        let (cache, calls, gate) = (cache.clone(), calls.clone(), gate.clone());
        callers.spawn(async move {
            let compute = || async {
                gate.pass().await;
                Ok::<_, Infallible>(calls.call())
            };
            cache.get_or_compute("key", Policy::ttl(Duration::ZERO), compute).await
        });
    }
    eventually(|| cache.stats().misses == 10).await;
    gate.open();
    assert_eq!(in_time(callers.join_all()).await, vec![Ok(1); 10]);
    assert!(!cache.contains("key").await.unwrap());
}

/// By a clock that only goes on when no task has anything to do: how busy the machine is does not matter.
#[tokio::test(start_paused = true)]
async fn distinct_cold_keys_do_not_wait_for_each_other() {
    let cache = MemoryCache::new(10_000);
    let start = tokio::time::Instant::now();
    let mut callers = JoinSet::new();
    for key in 0..1_000 {
        let cache = cache.clone();
        callers.spawn(async move {
            let compute = async || {
                tokio::time::sleep(Duration::from_millis(50)).await;
                Ok::<_, Infallible>(key)
            };
            cache.get_or_compute(&format!("key:{key}"), long(), compute).await
        });
    }
    assert_eq!(in_time(callers.join_all()).await.len(), 1_000);
    assert!(start.elapsed() < Duration::from_millis(500), "took {:?}", start.elapsed());
}

#[derive(Clone, serde::Serialize, serde::Deserialize)]
struct Alive {
    #[serde(skip)]
    made: Arc<AtomicUsize>,
}

impl Alive {
    fn new(made: &Arc<AtomicUsize>) -> Self {
        made.fetch_add(1, Ordering::SeqCst);
        Self { made: made.clone() }
    }
}

#[tokio::test]
async fn a_computation_that_ended_keeps_no_value() {
    let cache = MemoryCache::new(10);
    let made = Arc::new(AtomicUsize::new(0));
    let gate = Gate::closed();
    let mut callers = JoinSet::new();
    for _ in 0..10 {
        let (cache, made, gate) = (cache.clone(), made.clone(), gate.clone());
        callers.spawn(async move {
            let compute = || async {
                context().no_store();
                gate.pass().await;
                Ok::<_, Infallible>(Alive::new(&made))
            };
            let value = cache.get_or_compute("key", long(), compute).await.unwrap();
            assert!(Arc::ptr_eq(&value.made, &made));
        });
    }
    eventually(|| cache.stats().misses == 10).await;
    gate.open();
    in_time(callers.join_all()).await;
    assert_eq!(made.load(Ordering::SeqCst), 1, "one computation ran");
    assert_eq!(Arc::strong_count(&made), 1, "and its value is held no more");
}
