//! larder's caches.

use std::{
    collections::HashMap,
    convert::Infallible,
    time::{Duration, Instant},
};

use larder::{CacheExt, Eviction, Invalidation, Lock, MemoryCache, Policy, RedisCache, TieredCache};
use larder_benches::{IDS, key};

use crate::work::{Account, LIFETIME, Run, batch, run};

/// How long anything may take that has to come about.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// A cache that finds what was stored.
pub(crate) async fn shared(url: &str) -> RedisCache {
    let cache = connect(url).await;
    let begun = Instant::now();
    while !finds(&cache).await {
        assert!(begun.elapsed() < PATIENCE, "the cache does not find what was stored");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    cache
}

/// A cache for what is stored only.
pub(crate) async fn connect(url: &str) -> RedisCache {
    RedisCache::connect(url).await.expect("the server is there")
}

async fn finds(cache: &RedisCache) -> bool {
    matches!(cache.get::<Account>(&key(IDS - 1)).await, Ok(Some(_)))
}

/// The same, with a memory that keeps each value, but never until it is asked for again.
pub(crate) async fn tiered(url: &str) -> TieredCache {
    with_memory(shared(url).await)
}

pub(crate) fn with_memory(shared: RedisCache) -> TieredCache {
    let memory = MemoryCache::builder().capacity(IDS / 10).eviction(Eviction::Lru).build();
    TieredCache::new(memory.expect("the settings are valid"), shared)
}

fn policy() -> Policy {
    Policy::ttl(Duration::from_secs(LIFETIME))
}

/// Puts values there that are to be found.
pub(crate) async fn fill(url: &str) {
    let cache = connect(url).await;
    let begun = Instant::now();
    while !finds(&cache).await {
        assert!(begun.elapsed() < PATIENCE, "the cache does not keep what is computed");
        let compute = async |ids: Vec<u64>| {
            Ok::<HashMap<_, _>, Infallible>(ids.into_iter().map(|id| (id, Account::new(id))).collect())
        };
        let Ok(_) = cache.get_or_compute_many(0..IDS, |&id| key(id), policy(), compute).await;
    }
}

pub(crate) fn get(cache: impl CacheExt + Clone + 'static) -> Run {
    run(move |numbers| {
        let cache = cache.clone();
        async move {
            for number in numbers {
                let id = number % IDS;
                let found = cache.get::<Account>(&key(id)).await.expect("the key is short");
                assert!(found.expect("it was stored").has(id));
            }
            let stats = cache.stats();
            assert!(stats.shared_hits * 100 > stats.hits * 99, "it is read from Redis each time");
        }
    })
}

pub(crate) fn get_many(cache: impl CacheExt + Clone + 'static) -> Run {
    run(move |numbers| {
        let cache = cache.clone();
        async move {
            for number in numbers {
                let keys: Vec<_> = batch(number).map(key).collect();
                let found = cache.get_many::<Account>(&keys).await.expect("the keys are short");
                for (id, account) in batch(number).zip(found) {
                    assert!(account.expect("it was stored").has(id));
                }
            }
        }
    })
}

pub(crate) fn insert_many(cache: impl CacheExt + Clone + 'static) -> Run {
    run(move |numbers| {
        let cache = cache.clone();
        async move {
            for number in numbers {
                let values: Vec<_> = batch(number).map(|id| (key(id), Account::new(id))).collect();
                cache.insert_many(&values, policy()).await.expect("the values can be encoded");
            }
            let stats = cache.stats();
            assert!(stats.shared_failures * 100 <= stats.shared_stores, "the values are stored in Redis");
        }
    })
}

pub(crate) fn miss(cache: RedisCache, lock: Lock) -> Run {
    let policy = Policy::builder().ttl(Duration::from_secs(LIFETIME)).lock(lock).build();
    let policy = policy.expect("the settings are valid");
    // Not those of another lock.
    let first = IDS * if lock == Lock::Process { 1_000 } else { 1_000_000 };
    run(move |numbers| {
        let (cache, policy) = (cache.clone(), policy.clone());
        async move {
            for number in numbers {
                let id = first + number;
                let compute = async || Ok::<_, Infallible>(Account::new(id));
                let Ok(account) = cache.get_or_compute(&key(id), &policy, compute).await;
                assert!(account.has(id));
            }
        }
    })
}

pub(crate) fn invalidate(cache: RedisCache) -> Run {
    run(move |numbers| {
        let cache = cache.clone();
        async move {
            for number in numbers {
                let outcome = cache.invalidate(key(2 * IDS + number)).await;
                assert!(matches!(outcome, Invalidation::Delivered(_)));
            }
        }
    })
}
