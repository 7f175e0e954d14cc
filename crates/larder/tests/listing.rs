//! What is listed of a cache's memory.
#![expect(clippy::unwrap_used, reason = "what fails in a helper fails the test")]

mod support;

use std::time::Duration;

use larder::{
    Cache, CacheExt, EntryInfo, MemoryCache, Policy, Scope, Store,
    internal::{MemoryState, explain_in_memory, page_in_memory},
};

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

#[tokio::test]
async fn an_entry_says_why_it_is_served_or_not() {
    for cache in both() {
        let policy = Policy::builder().ttl(Duration::from_secs(60)).stale_if_error(Duration::from_secs(60));
        let policy = policy.build().unwrap();
        for key in ["a:dropped", "marked", "key"] {
            cache.insert(key, &1, &policy).await.unwrap();
        }
        let state = |key: &str| explain_in_memory(&cache, key).unwrap().0.state;
        assert_eq!(["a:dropped", "marked", "key"].map(state), [MemoryState::Valid; 3]);
        cache.invalidate("a:*");
        cache.mark_stale("marked");
        let (marked, _) = explain_in_memory(&cache, "marked").unwrap();
        assert_eq!((marked.state, marked.remaining_ttl), (MemoryState::Stale, Duration::ZERO));
        let (dropped, scopes) = explain_in_memory(&cache, "a:dropped").unwrap();
        assert_eq!(dropped.state, MemoryState::Invalidated);
        let changed: Vec<_> =
            scopes.into_iter().filter(|(_, since)| *since).map(|(scope, _)| scope).collect();
        assert_eq!(changed, [Scope::prefix("a").hash()]);
        assert_eq!(state("key"), MemoryState::Valid);
        cache.core().advance(Duration::from_secs(90));
        assert_eq!(state("key"), MemoryState::Stale);
        cache.core().advance(Duration::from_secs(90));
        if let Some((entry, _)) = explain_in_memory(&cache, "key") {
            assert_eq!(entry.state, MemoryState::Expired);
        }
        assert!(explain_in_memory(&cache, "nothing").is_none());
    }
}

#[tokio::test]
async fn a_page_has_the_first_keys_after_one() {
    for cache in both() {
        for id in (0..300).rev() {
            cache.insert(&format!("user:{id:03}"), &id, long()).await.unwrap();
        }
        cache.insert("other", &1, long()).await.unwrap();
        let users = cache.namespace("user");
        let all: Vec<_> = (0..300).map(|id| format!("user:{id:03}")).collect();
        let mut seen = Vec::new();
        loop {
            let page = page_in_memory(&cache, "user:", seen.last().map(String::as_str), 70);
            assert!(page.len() <= 70);
            if page.is_empty() {
                break;
            }
            seen.extend(page.into_iter().map(|entry| entry.key));
            assert!(seen.len() <= all.len(), "{seen:?}");
        }
        assert_eq!(seen, all);
        let keys = |page: Vec<_>| page.into_iter().map(|entry: larder::internal::MemoryEntry| entry.key);
        assert!(keys(page_in_memory(&users, "2", Some("297"), 10)).eq(["298", "299"]));
        assert!(page_in_memory(&cache, "", None, 0).is_empty());
        assert_eq!(page_in_memory(&cache, "", None, usize::MAX).len(), 301);
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
