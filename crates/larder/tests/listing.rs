//! What is listed of a cache's memory.
#![expect(clippy::unwrap_used, reason = "what fails in a helper fails the test")]

mod support;

use std::{collections::BTreeMap, time::Duration};

use larder::{
    Cache, CacheExt, EntryInfo, Invalidation, Keys, MemoryCache, Policy, RedisCache, Scope, Store, Tier,
    TieredCache,
    internal::{MemoryState, explain_in_memory, page_in_memory},
};
use larder_servers::{RedisCluster, RedisServer};

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

async fn all(mut keys: Keys) -> Vec<EntryInfo> {
    let mut all = Vec::new();
    while let Some(entry) = keys.next().await {
        all.push(entry.unwrap());
    }
    all
}

#[tokio::test]
async fn keys_are_listed_by_how_they_begin() {
    for cache in both() {
        for key in ["user:1", "user:2", "user:21", "order:1"] {
            cache.insert(key, &key.len(), long()).await.unwrap();
        }
        assert_eq!(keys(&all(cache.keys("user:*")).await), ["user:1", "user:2", "user:21"]);
        assert_eq!(keys(&all(cache.keys("user:2*")).await), ["user:2", "user:21"]);
        assert_eq!(keys(&all(cache.keys("user:2")).await), ["user:2"]);
        assert_eq!(all(cache.keys("*")).await.len(), 4);
        assert_eq!(keys(&all(cache.namespace("user").keys("*")).await), ["user:1", "user:2", "user:21"]);
        cache.invalidate("user:*");
        let listed = all(cache.keys("*")).await;
        assert!(listed.iter().all(|entry| entry.is_servable == (&*entry.key == "order:1")), "{listed:?}");
        assert!(listed.iter().all(|entry| entry.tier == Tier::Memory && entry.size.is_none()), "{listed:?}");
    }
}

/// A value in Redis, and what a cache in another process lists of it.
async fn lists_what_lies_on(url: &str) {
    const COUNT: usize = 700;
    let here = RedisCache::connect(url).await.unwrap();
    let there = TieredCache::connect(url).await.unwrap();
    let fleeting = Policy::builder().ttl(Duration::from_secs(60)).stale_if_error(Duration::from_secs(60));
    let fleeting = fleeting.build().unwrap();
    let ids: Vec<_> = (0..COUNT).map(|id| (format!("item:{id}"), "x".repeat(100))).collect();
    here.insert_many(&ids, fleeting).await.unwrap();
    here.insert("items:1", &1, long()).await.unwrap();
    let changed = here.invalidate("item:7").await;
    let Invalidation::Delivered(epoch) = changed else { panic!("{changed:?}") };
    assert!(there.wait_for(epoch).await);
    // One of them is in memory there.
    assert_eq!(there.get::<String>("item:8").await.unwrap().map(|text| text.len()), Some(100));

    let listed = all(there.keys("item:*")).await;
    let shared: BTreeMap<_, _> = listed
        .iter()
        .filter(|entry| entry.tier == Tier::Shared)
        .map(|entry| (entry.key.to_string(), entry))
        .collect();
    assert_eq!(keys(&listed)[0], "item:8", "of memory first");
    assert_eq!(listed.iter().filter(|entry| entry.tier == Tier::Memory).count(), 1);
    // That of the invalidated key was deleted.
    assert_eq!(shared.len(), COUNT - 1, "each entry on each master");
    for entry in shared.values() {
        assert!(entry.size.is_some_and(|size| size > 100 && size < 400), "{entry:?}");
        assert!(entry.is_servable && !entry.is_unshared, "{entry:?}");
        assert!(
            entry.remaining_ttl > Duration::from_secs(1) && entry.age < Duration::from_secs(59),
            "{entry:?}"
        );
    }

    // What is known to be invalid is told as such, though it lies there.
    let changed = there.invalidate("item:*").await;
    let Invalidation::Delivered(epoch) = changed else { panic!("{changed:?}") };
    assert!(here.wait_for(epoch).await);
    let listed = all(here.keys("item:*")).await;
    assert!(listed.len() >= COUNT - 1 && listed.iter().all(|entry| !entry.is_servable), "{}", listed.len());
    let one = all(here.keys("items:1")).await;
    assert!(matches!(&one[..], [one] if one.is_servable && one.tier == Tier::Shared), "{one:?}");
    assert!(all(here.keys("items:2")).await.is_empty());
    let dynamic: &dyn Cache = &here;
    assert_eq!(keys(&all(dynamic.namespace("items").keys("*")).await), ["items:1"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn keys_in_redis_are_listed() {
    let server = RedisServer::start();
    lists_what_lies_on(&server.url()).await;

    let cache = RedisCache::connect(server.url()).await.unwrap();
    let mut keys = cache.keys("*");
    server.kill();
    let error = loop {
        match keys.next().await.expect("an error comes before the end") {
            Ok(_) => {}
            Err(error) => break error,
        }
    };
    assert!(error.to_string().contains("SCAN"), "{error}");
    assert!(keys.next().await.is_none(), "it is the last item");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn keys_on_all_masters_of_a_cluster_are_listed() {
    let cluster = RedisCluster::start();
    let hosts: Vec<_> = cluster.urls().iter().map(|url| url.replace("redis://", "")).collect();
    lists_what_lies_on(&format!("redis+cluster://{}", hosts.join(","))).await;
}
