//! What a `MemoryCache` keeps, and that it lets go of the rest.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

mod support;

use std::{
    convert::Infallible,
    sync::{Arc, Weak},
    time::Duration,
};

use larder::{Cache, CacheExt, Eviction, MemoryCache, MemoryCacheBuilder, Policy, Store};
use serde::{Deserialize, Serialize};

use self::support::{eventually, long};

/// A value whose memory can be watched.
#[derive(Clone, Serialize, Deserialize)]
struct Watched {
    #[serde(skip)]
    _body: Arc<()>,
}

/// Stores a value and keeps nothing of it but a way to tell whether it is still somewhere.
async fn watch(cache: &MemoryCache, key: &str, policy: Policy) -> Weak<()> {
    let body = Arc::new(());
    let watch = Arc::downgrade(&body);
    cache.insert(key, &Watched { _body: body }, policy).await.unwrap();
    watch
}

/// With each store, to be set further.
fn each() -> impl Iterator<Item = MemoryCacheBuilder> {
    [Store::Table, Store::Moka].into_iter().map(|store| MemoryCache::builder().store(store))
}

/// With each store, and room for so many entries.
fn each_of(capacity: u64) -> impl Iterator<Item = MemoryCache> {
    each().map(move |builder| builder.capacity(capacity).build().unwrap())
}

/// Lets the store do what it put off.
fn tidy(cache: &MemoryCache) {
    let _about = cache.entry_count();
}

/// Waits until no more than so many values are in memory: the store frees what it dropped a little later,
/// when no thread can be reading it any more.
async fn until_alive(cache: &MemoryCache, watched: &[Weak<()>], most: usize) {
    eventually(|| {
        tidy(cache);
        watched.iter().filter(|value| value.strong_count() > 0).count() <= most
    })
    .await;
}

#[tokio::test]
async fn the_number_of_entries_is_bounded() {
    let evictions = [Eviction::TinyLfu, Eviction::Lru];
    for (builder, eviction) in
        evictions.into_iter().flat_map(|eviction| each().map(move |builder| (builder, eviction)))
    {
        let cache = builder.capacity(100).eviction(eviction).build().unwrap();
        let mut watched = Vec::new();
        for n in 0..5_000 {
            watched.push(watch(&cache, &format!("key{n}"), long()).await);
        }
        until_alive(&cache, &watched, 100).await;
        assert!(cache.entry_count() <= 100);
        // Some had gone before, since scopes that share a slot look changed.
        assert!(cache.stats().evictions >= 4_850);
    }
}

#[tokio::test]
async fn the_weight_is_bounded() {
    for builder in each() {
        let cache = builder
            .capacity(10_000)
            .weigher(|key, entry| {
                let text = entry.value::<String>().map_or(0, String::len);
                u32::try_from(key.len() + text).unwrap()
            })
            .build()
            .unwrap();
        for n in 0..1_000 {
            cache.insert(&format!("key{n:04}"), &"x".repeat(93), long()).await.unwrap();
        }
        eventually(|| cache.weighted_size() <= 10_000).await;
        assert!((98..=100).contains(&cache.entry_count()));
        cache.insert("key", &"x".repeat(20_000), long()).await.unwrap();
        tidy(&cache);
        assert!(!cache.contains("key").await.unwrap(), "heavier than all the cache");
        let computed =
            cache.get_or_compute("key", long(), async || Ok::<_, Infallible>("x".repeat(20_000))).await;
        assert_eq!(computed.unwrap().len(), 20_000, "but computed all the same");
    }
}

#[tokio::test]
async fn what_weighs_nothing_is_bounded_too() {
    for builder in each() {
        let weigher = |_: &str, entry: &larder::Entry| entry.value::<String>().map_or(0, String::len) as u32;
        let cache = builder.capacity(100).weigher(weigher).build().unwrap();
        for n in 0..2_000 {
            cache.insert(&format!("key{n}"), &String::new(), long()).await.unwrap();
        }
        eventually(|| cache.entry_count() <= 100).await;
        assert!(cache.weighted_size() <= 100 && cache.entry_count() >= 90);
    }
}

#[tokio::test]
async fn lru_keeps_what_is_new_and_tiny_lfu_what_is_used() {
    let evictions = [Eviction::TinyLfu, Eviction::Lru];
    for (builder, eviction) in
        evictions.into_iter().flat_map(|eviction| each().map(move |builder| (builder, eviction)))
    {
        let cache = builder.capacity(100).front_cache_slots(0).eviction(eviction).build().unwrap();
        for n in 0..100 {
            cache.insert(&format!("used{n}"), &n, long()).await.unwrap();
        }
        for _ in 0..20 {
            for n in 0..100 {
                cache.get::<i32>(&format!("used{n}")).await.unwrap();
            }
            tidy(&cache);
        }
        for n in 0..1_000 {
            cache.insert(&format!("once{n}"), &n, long()).await.unwrap();
            tidy(&cache);
        }
        let mut used = 0;
        for n in 0..100 {
            used += usize::from(cache.contains(&format!("used{n}")).await.unwrap());
        }
        match eviction {
            Eviction::Lru => assert_eq!(used, 0),
            _ => assert!(used > 75, "{used} of 100 are left"),
        }
    }
}

#[tokio::test]
async fn hits_in_the_front_cache_keep_an_entry_in_the_store() {
    let cache =
        MemoryCache::builder().store(Store::Moka).capacity(100).front_cache_slots(1_024).build().unwrap();
    cache.insert("hot", &1, long()).await.unwrap();
    for n in 0..20_000 {
        for _ in 0..5 {
            assert_eq!(cache.get("hot").await.unwrap(), Some(1), "after {n} others");
        }
        cache.insert(&format!("cold{n}"), &n, long()).await.unwrap();
    }
    tidy(&cache);
    // This looks into the store, and not into the front cache.
    assert!(cache.contains("hot").await.unwrap());
}

#[tokio::test]
async fn an_eviction_clears_the_front_cache() {
    let builder = MemoryCache::builder().store(Store::Moka).capacity(10).front_cache_slots(1_024);
    let cache = builder.eviction(Eviction::Lru).build().unwrap();
    let mut watched = Vec::new();
    for n in 0..1_000 {
        let key = format!("key{n}");
        watched.push(watch(&cache, &key, long()).await);
        // Now it lies in the front cache.
        assert!(cache.get::<Watched>(&key).await.unwrap().is_some());
    }
    until_alive(&cache, &watched, 10).await;
}

/// It is as large as the cache until the first of them, and a tenth from then on.
#[tokio::test]
async fn the_first_eviction_narrows_the_front_cache() {
    for cache in each_of(1_000) {
        let mut watched = Vec::new();
        for n in 0..3_000 {
            let key = format!("key{n}");
            watched.push(watch(&cache, &key, long()).await);
            for _ in 0..3 {
                cache.get::<Watched>(&key).await.unwrap();
            }
        }
        // moka may evict an entry in the very call that finds it.
        until_alive(&cache, &watched, 1_000 + 128).await;
    }
}

#[tokio::test]
async fn what_is_replaced_is_freed() {
    for cache in each_of(10) {
        let mut watched = Vec::new();
        for _ in 0..10 {
            watched.push(watch(&cache, "key", long()).await);
            cache.get::<Watched>("key").await.unwrap();
        }
        until_alive(&cache, &watched, 1).await;
        assert!(watched[9].strong_count() > 0);
    }
}

#[tokio::test]
async fn what_is_invalidated_by_its_key_is_freed() {
    for cache in each_of(10) {
        let value = watch(&cache, "key", long()).await;
        cache.get::<Watched>("key").await.unwrap();
        cache.invalidate("key");
        until_alive(&cache, &[value], 0).await;
        assert_eq!(cache.entry_count(), 0);
    }
}

#[tokio::test]
async fn what_has_expired_is_freed() {
    for cache in each_of(10) {
        let short = Duration::from_millis(20);
        let fresh = watch(&cache, "fresh", long()).await;
        let brief = watch(&cache, "brief", Policy::ttl(short)).await;
        let window = Policy::builder().ttl(short).stale_if_error(Duration::from_secs(3_600)).build().unwrap();
        let stale = watch(&cache, "stale", window).await;
        // An entry that is replaced by one with a longer life has that one's.
        watch(&cache, "replaced", Policy::ttl(short)).await;
        let replaced = watch(&cache, "replaced", long()).await;
        for key in ["fresh", "brief", "stale", "replaced"] {
            cache.get::<Watched>(key).await.unwrap();
        }
        eventually(|| {
            tidy(&cache);
            brief.strong_count() == 0
        })
        .await;
        assert_eq!((fresh.strong_count(), stale.strong_count(), replaced.strong_count()), (1, 1, 1));
        assert_eq!(cache.entry_count(), 3);
    }
}

#[tokio::test]
async fn a_dropped_cache_frees_everything() {
    for cache in each_of(10) {
        let (value, inside) = (watch(&cache, "key", long()).await, cache.namespace("a"));
        cache.get::<Watched>("key").await.unwrap();
        drop(cache);
        assert_eq!(value.strong_count(), 1, "a namespace is the cache");
        drop(inside);
        // The garbage of all stores is collected together: others have to go on.
        let other = MemoryCache::new(10);
        eventually(|| {
            tidy(&other);
            value.strong_count() == 0
        })
        .await;
    }
}

#[test]
fn a_capacity_of_zero_is_refused() {
    let error = MemoryCache::builder().capacity(0).build().unwrap_err();
    assert!(error.is_invalid_configuration());
    assert!(error.to_string().contains("`capacity` is 0"), "{error}");
    let panic = std::panic::catch_unwind(|| MemoryCache::new(0)).unwrap_err();
    assert_eq!(*panic.downcast::<String>().unwrap(), error.to_string(), "and by `new` in the same words");
}

#[tokio::test]
async fn the_smallest_tables_still_work() {
    let builder = MemoryCache::builder().store(Store::Moka).capacity(10).front_cache_slots(1);
    let cache = builder.scope_slots(1).build().unwrap();
    cache.insert("a", &1, long()).await.unwrap();
    assert_eq!(cache.get("a").await.unwrap(), Some(1));
    cache.insert("b", &2, long()).await.unwrap();
    assert_eq!(cache.get("b").await.unwrap(), Some(2));
    assert_eq!(cache.get("a").await.unwrap(), Some(1));
}

#[tokio::test]
async fn a_scope_table_larger_than_any_memory_is_made_smaller() {
    let cache = MemoryCache::builder().scope_slots(usize::MAX).build().unwrap();
    cache.insert("key", &1, long()).await.unwrap();
    assert_eq!(cache.get("key").await.unwrap(), Some(1));
    cache.invalidate("key");
    assert!(!cache.contains("key").await.unwrap());
}

/// Whatever the calls are: no thread does it.
#[tokio::test]
async fn what_can_no_longer_be_served_is_freed_by_other_calls() {
    const MANY: usize = 2_000;
    for hits in [true, false] {
        let cache = MemoryCache::new(10_000);
        cache.insert("other", &1, long()).await.unwrap();
        let (mut expired, mut invalidated) = (Vec::new(), Vec::new());
        for n in 0..MANY {
            expired.push(watch(&cache, &format!("a:{n}"), Policy::ttl(Duration::from_secs(60))).await);
            invalidated.push(watch(&cache, &format!("b:{n}"), long()).await);
        }
        let alive = |watched: &[Weak<()>]| watched.iter().filter(|value| value.strong_count() > 0).count();
        assert!(alive(&expired) + alive(&invalidated) > MANY * 2 - 20);
        cache.core().advance(Duration::from_secs(61));
        cache.invalidate("b:*");
        for n in 0..20_000 {
            if hits {
                assert_eq!(cache.get("other").await.unwrap(), Some(1));
            } else {
                cache.insert(&format!("new:{}", n % 10), &n, long()).await.unwrap();
            }
        }
        assert_eq!((alive(&expired), alive(&invalidated)), (0, 0), "hits: {hits}");
    }
}

/// `apart` is for what is not to compete with the rest.
#[tokio::test]
async fn a_memory_of_its_own_has_bounds_of_its_own() {
    for of in [Store::Table, Store::Moka] {
        for builder in each() {
            let cache = builder.capacity(100).build().unwrap();
            for n in 0..100 {
                cache.insert(&format!("here:{n}"), &n, long()).await.unwrap();
            }
            let apart = cache.with_memory(MemoryCache::builder().store(of).capacity(10)).unwrap();
            for n in 0..1_000 {
                apart.insert(&format!("there:{n}"), &n, long()).await.unwrap();
                assert_eq!(apart.get(&format!("there:{n}")).await.unwrap(), Some(n));
            }
            assert_eq!(cache.entry_count(), 100);
            let mut there = 0;
            for n in 0..1_000 {
                there += usize::from(apart.contains(&format!("there:{n}")).await.unwrap());
            }
            assert!(there <= 10, "{there} are there");
            apart.insert("there", &1, long()).await.unwrap();
            cache.invalidate("there");
            assert_eq!(apart.get::<i32>("there").await.unwrap(), None);
        }
    }
}

#[tokio::test]
async fn a_table_that_is_empty_is_small() {
    let caches: Vec<_> = (0..100).map(|_| MemoryCache::new(u64::MAX)).collect();
    for cache in &caches {
        cache.insert("key", &1, long()).await.unwrap();
        assert_eq!(cache.entry_count(), 1);
    }
}
