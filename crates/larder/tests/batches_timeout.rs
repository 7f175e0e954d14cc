//! How long a batch waits for what others compute.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

mod support;

use std::{
    collections::HashMap,
    convert::Infallible,
    time::{Duration, Instant},
};

use larder::{Cache, CacheExt, MemoryCache, Policy};

use self::support::{Gate, eventually, in_time, secs};

const KEYS: u64 = 20;
const TIMEOUT: Duration = Duration::from_millis(300);

fn key(item: &u64) -> String {
    format!("key:{item}")
}

/// A cache with a stale value for each key, and a batch that computes all of them once the gate is open.
async fn refreshing(policy: &Policy) -> (MemoryCache, Gate, tokio::task::JoinHandle<HashMap<u64, u64>>) {
    let cache = MemoryCache::new(1_000);
    for item in 0..KEYS {
        cache.insert(&key(&item), &0_u64, policy).await.unwrap();
    }
    cache.core().advance(secs(120));
    let gate = Gate::closed();
    let batch = tokio::spawn({
        let (cache, gate, policy) = (cache.clone(), gate.clone(), policy.clone());
        async move {
            let compute = async |missing: Vec<u64>| {
                gate.pass().await;
                Ok::<_, Infallible>(missing.into_iter().map(|item| (item, 1_u64)).collect())
            };
            cache.get_or_compute_many(0..KEYS, key, policy, compute).await.unwrap()
        }
    });
    gate.until(1).await;
    (cache, gate, batch)
}

async fn ask(cache: &MemoryCache, policy: &Policy) -> HashMap<u64, u64> {
    let none = async |missing: Vec<u64>| -> Result<HashMap<u64, u64>, Infallible> {
        panic!("others compute {missing:?}")
    };
    in_time(cache.get_or_compute_many(0..KEYS, key, policy, none)).await.unwrap()
}

#[tokio::test]
async fn after_the_timeout_it_takes_the_stale_values_all_at_once() {
    let policy = Policy::builder().ttl(secs(100)).stale_if_error(secs(50)).timeout(TIMEOUT).build().unwrap();
    let (cache, gate, batch) = refreshing(&policy).await;
    let start = Instant::now();
    let found = ask(&cache, &policy).await;
    let took = start.elapsed();
    assert!(found.len() == 20 && found.values().all(|&value| value == 0), "{found:?}");
    assert!(took >= TIMEOUT && took < TIMEOUT * 10, "{took:?}: one wait, not one for each key");
    gate.open();
    assert!(in_time(batch).await.unwrap().values().all(|&value| value == 1));
    assert!(ask(&cache, &policy).await.values().all(|&value| value == 1));
}

#[tokio::test]
async fn without_a_servable_value_the_timeout_is_no_limit() {
    let policy =
        Policy::builder().ttl(secs(100)).stale_if_error(secs(50)).timeout(TIMEOUT / 10).build().unwrap();
    let (cache, gate, batch) = refreshing(&policy).await;
    let opener = async {
        eventually(|| cache.stats().misses == 2 * KEYS).await;
        cache.core().advance(secs(60));
        tokio::time::sleep(TIMEOUT).await;
        gate.open();
    };
    let (found, ()) = tokio::join!(ask(&cache, &policy), opener);
    assert!(found.values().all(|&value| value == 1), "{found:?}");
    in_time(batch).await.unwrap();
}
