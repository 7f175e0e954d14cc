//! What a cache did for each function and each namespace.

use std::{convert::Infallible, time::Duration};

use larder::{CacheExt, FunctionStats, MemoryCache, Policy, Store, cached};

const TTL: Duration = Duration::from_secs(60);
const TAKES: Duration = Duration::from_millis(20);

#[cached(ttl = 60, key = "slow:<id>", cache = cache, skip(cache))]
async fn slow(cache: &MemoryCache, id: u64) -> u64 {
    tokio::time::sleep(TAKES).await;
    id
}

#[cached(ttl = 60, key = "quick:<id>", cache = cache, skip(cache))]
fn quick(cache: &MemoryCache, id: u64) -> u64 {
    id
}

struct Users(MemoryCache);

impl Users {
    #[cached(ttl = 60, key = "user:<id>", cache = self.0, skip(self))]
    async fn user(&self, id: u64) -> Result<u64, String> {
        if id == 0 { Err("there is no such user".to_owned()) } else { Ok(id) }
    }
}

fn of<'s>(stats: &'s [FunctionStats], function: &str, namespace: &str) -> &'s FunctionStats {
    let is_it = |stats: &&FunctionStats| stats.function.ends_with(function) && stats.namespace == namespace;
    let found: Vec<_> =
        stats.iter().filter(|stats| function.is_empty() == stats.function.is_empty()).collect();
    found.into_iter().find(is_it).unwrap_or_else(|| panic!("{function} in {namespace}: {stats:#?}"))
}

#[tokio::test]
async fn functions_are_counted_apart() {
    let cache = MemoryCache::new(100);
    let users = Users(cache.clone());
    for _ in 0..3 {
        slow(&cache, 1).await;
        quick(&cache, 1);
        users.user(1).await.unwrap();
        users.user(0).await.unwrap_err();
    }
    let stats = cache.function_stats();
    let slow = of(&stats, "function_stats::slow", "");
    assert_eq!((slow.stats.hits, slow.stats.misses, slow.stats.computations), (2, 1, 1));
    assert_eq!((slow.stats.stores, slow.computing.count()), (1, 1));
    assert!(slow.computing.sum() >= TAKES && slow.time_saved >= 2 * TAKES, "{slow:?}");
    let quick = of(&stats, "function_stats::quick", "");
    assert_eq!((quick.stats.hits, quick.stats.misses), (2, 1));
    assert!(quick.time_saved < TAKES, "{quick:?}");
    let user = of(&stats, "function_stats::Users::user", "");
    assert_eq!((user.stats.hits, user.stats.misses, user.stats.failures), (2, 4, 3));
    assert_eq!(stats.len(), 3, "{stats:#?}");
    let (total, sum) =
        (cache.stats(), |count: fn(&FunctionStats) -> u64| stats.iter().map(count).sum::<u64>());
    assert_eq!(total.hits, sum(|stats| stats.stats.hits));
    assert_eq!(total.misses, sum(|stats| stats.stats.misses));
}

#[tokio::test]
async fn namespaces_are_counted_apart_and_keys_never() {
    for store in [Store::Table, Store::Moka] {
        let cache = MemoryCache::builder().store(store).build().unwrap();
        let users = cache.namespace("users").schema(3);
        for id in 0..1_000 {
            users.insert(&id.to_string(), &id, Policy::ttl(TTL)).await.unwrap();
        }
        for _ in 0..5 {
            assert_eq!(users.get::<i32>("7").await.unwrap(), Some(7));
            assert_eq!(cache.get::<i32>("7").await.unwrap(), None);
        }
        let stats = cache.function_stats();
        let there = of(&stats, "", "users:v3");
        assert_eq!((there.stats.hits, there.stats.misses, there.stats.stores), (5, 0, 1_000));
        assert_eq!(of(&stats, "", "").stats.misses, 5);
        assert_eq!(stats.len(), 2, "{stats:#?}");
        assert_eq!(cache.kept().entries, 1_000);
    }
}

#[tokio::test]
async fn what_there_is_no_room_for_is_counted_together() {
    let cache = MemoryCache::new(10_000);
    let policy = Policy::ttl(TTL);
    for tenant in 0..1_000 {
        let tenant = cache.namespace(&tenant.to_string());
        let value = tenant.get_or_compute("a", &policy, || async { Ok::<_, Infallible>(1) }).await;
        assert_eq!(value, Ok(1));
        assert_eq!(tenant.get::<i32>("a").await.unwrap(), Some(1));
    }
    let stats = cache.function_stats();
    assert!(stats.len() <= 256, "{}", stats.len());
    let other = of(&stats, "other", "other");
    assert!((700..1_000).contains(&other.stats.computations), "{other:?}");
    assert_eq!(other.stats.hits, other.stats.computations);
    assert_eq!(cache.stats().hits, 1_000);
}

#[tokio::test]
async fn a_failed_computation_took_its_time_too() {
    let cache = MemoryCache::new(10);
    let policy = Policy::ttl(TTL);
    let failed = cache.get_or_compute("a", &policy, || async {
        tokio::time::sleep(TAKES).await;
        Err::<u32, _>("no")
    });
    failed.await.unwrap_err();
    let [stats] = &*cache.function_stats() else { panic!("there is one") };
    assert_eq!((stats.computing.count(), stats.stats.failures), (1, 1));
    assert!(stats.computing.quantile(1.0).unwrap() >= TAKES);
    assert_eq!(stats.time_saved, Duration::ZERO);
}

#[tokio::test]
async fn a_batch_shares_its_time_among_its_values() {
    let cache = MemoryCache::new(10);
    let compute = async |missing: Vec<u32>| {
        tokio::time::sleep(4 * TAKES).await;
        Ok::<_, Infallible>(missing.into_iter().map(|n| (n, n)).collect())
    };
    for _ in 0..2 {
        let key = |n: &u32| format!("n:{n}");
        let values = cache.get_or_compute_many([1, 2, 3, 4], key, Policy::ttl(TTL), compute).await;
        assert_eq!(values.unwrap().len(), 4);
    }
    let [stats] = &*cache.function_stats() else { panic!("there is one") };
    assert_eq!((stats.computing.count(), stats.stats.hits), (1, 4));
    assert!((4 * TAKES..=stats.computing.sum()).contains(&stats.time_saved), "{stats:?}");
}
