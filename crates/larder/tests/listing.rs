//! What is listed of a cache's memory.
#![expect(clippy::unwrap_used, reason = "what fails in a helper fails the test")]

mod support;

use std::time::Duration;

use larder::{Cache, CacheExt, EntryInfo, MemoryCache, Policy, Scope, Store};

use self::support::long;

fn keys(listed: &[EntryInfo]) -> Vec<&str> {
    listed.iter().map(|entry| &*entry.key).collect()
}

fn both() -> [MemoryCache; 2] {
    [Store::Table, Store::Moka].map(|store| MemoryCache::builder().store(store).build().unwrap())
}

#[tokio::test]
async fn what_an_invalidation_would_drop_is_listed() {
    for cache in both() {
        let tagged = Policy::builder().ttl(Duration::from_secs(60)).tag("even").build().unwrap();
        for id in 0..4 {
            let policy = if id % 2 == 0 { tagged.clone() } else { long() };
            cache.insert(&format!("user:{id}"), &id, policy).await.unwrap();
        }
        let page = cache.get_or_compute("page", long(), async || cache.get::<i32>("user:3").await);
        assert_eq!(page.await.unwrap(), Some(3));
        let listed = |scope: Scope| cache.entries_in_memory(scope);
        assert_eq!(keys(&listed(Scope::prefix("user"))), ["page", "user:0", "user:1", "user:2", "user:3"]);
        assert_eq!(keys(&listed(Scope::key("user:3"))), ["page", "user:3"], "and what was made of it");
        assert_eq!(keys(&listed(Scope::tag("even"))), ["user:0", "user:2"]);
        assert_eq!(keys(&cache.namespace("user").entries_in_memory("2")), ["user:2"]);
        assert_eq!(cache.namespace("user").entries_in_memory(Scope::all()).len(), 5);
        assert!(listed(Scope::key("user:9")).is_empty());
        cache.invalidate("user:*");
        assert!(listed(Scope::all()).iter().all(|entry| !entry.is_servable));
    }
}

#[tokio::test]
async fn an_entry_says_how_old_it_is_and_for_how_long_it_is_fresh() {
    for cache in both() {
        let policy = Policy::builder().ttl(Duration::from_secs(60)).stale_if_error(Duration::from_secs(60));
        cache.insert("key", &1, policy.build().unwrap()).await.unwrap();
        cache.local().insert("local", &1, long()).await.unwrap();
        cache.core().advance(Duration::from_secs(20));
        let about = |duration: Duration, seconds: u64| duration.as_secs_f64().round() == seconds as f64;
        let listed = cache.entries_in_memory("key");
        let [entry] = &listed[..] else { panic!("{listed:?}") };
        assert!(about(entry.age, 20) && about(entry.remaining_ttl, 40), "{entry:?}");
        assert!(entry.is_servable && !entry.is_unshared, "{entry:?}");
        cache.core().advance(Duration::from_secs(50));
        let listed = cache.entries_in_memory("key");
        assert!(
            listed[0].remaining_ttl.is_zero() && listed[0].is_servable,
            "stale, but not of no use: {listed:?}"
        );
        assert!(cache.entries_in_memory("local")[0].is_unshared);
    }
}

/// Each entry that stays is listed once, whatever comes, goes and moves meanwhile.
#[tokio::test(flavor = "multi_thread")]
async fn it_can_be_listed_while_it_grows() {
    let cache = MemoryCache::new(1_000_000);
    for id in 0..1_000 {
        cache.insert(&format!("there:{id}"), &id, long()).await.unwrap();
    }
    let growing = tokio::spawn({
        let cache = cache.clone();
        async move {
            for id in 0..30_000 {
                cache.insert(&format!("new:{id}"), &id, long()).await.unwrap();
            }
        }
    });
    loop {
        let done = growing.is_finished();
        let listed = cache.entries_in_memory(Scope::all());
        assert!(keys(&listed).is_sorted_by(|one, next| one < next));
        if done {
            // Seldom a set is full before the cache is.
            assert_eq!(listed.len() as u64 + cache.stats().evictions, 31_000);
            return growing.await.unwrap();
        }
    }
}
