//! `events`: what happens, as a stream.

use std::{convert::Infallible, pin::Pin, time::Duration};

use larder::{
    CacheEvent, CacheEvents, CacheExt, MemoryCache, NotStored, Policy, Scope, Store, Tier, cached, context,
};
use larder_servers::{Data, RedisServer};

use crate::support::{in_time, long, processes::both};

#[cached(ttl = 60, key = "watched:<id>", cache = cache, skip(cache), unless = |value| *value == 0)]
async fn watched(cache: &MemoryCache, id: u64) -> Result<u64, String> {
    if id == 13 { Err("thirteen".to_owned()) } else { Ok(id) }
}

/// What there is so far, in words.
fn told(events: &mut CacheEvents) -> Vec<String> {
    std::iter::from_fn(|| events.try_recv()).map(|event| words(&event)).collect()
}

fn words(event: &CacheEvent) -> String {
    let name = |function: &str| function.rsplit("::").next().unwrap().to_owned();
    match event {
        CacheEvent::Hit { key, function, tier, stale, .. } => {
            format!("hit {key} {} {tier:?}{}", name(function), if *stale { " stale" } else { "" })
        }
        CacheEvent::Miss { key, function, .. } => format!("miss {key} {}", name(function)),
        CacheEvent::Computed { key, succeeded, .. } => {
            format!("computed {} {succeeded}", key.as_deref().unwrap_or("many"))
        }
        CacheEvent::Stored { key, shared, .. } => format!("stored {key} {shared}"),
        CacheEvent::NotStored { key, why, .. } => format!("not stored {key} {why:?}"),
        CacheEvent::Invalidated { scopes, soft, .. } => format!("invalidated {} {soft}", scopes[0]),
        CacheEvent::InvalidatedElsewhere { scopes, .. } => format!("elsewhere {}", scopes.len()),
        CacheEvent::Evicted { key, .. } => format!("evicted {key}"),
        CacheEvent::Link { up, .. } => format!("link {up}"),
        CacheEvent::Lagged(lost) => format!("lagged {lost}"),
        other => format!("{other:?}"),
    }
}

#[tokio::test]
async fn calls_tell_what_became_of_them() {
    let cache = MemoryCache::new(100);
    watched(&cache, 1).await.unwrap();
    let mut events = cache.events();
    watched(&cache, 1).await.unwrap();
    assert_eq!(told(&mut events), ["hit watched:1 watched Memory"], "one before is not told");

    watched(&cache, 2).await.unwrap();
    assert_eq!(
        told(&mut events),
        ["miss watched:2 watched", "computed watched:2 true", "stored watched:2 true"]
    );

    watched(&cache, 13).await.unwrap_err();
    let failed = ["miss watched:13 watched", "computed watched:13 false", "not stored watched:13 Failed"];
    assert_eq!(told(&mut events), failed);

    watched(&cache, 0).await.unwrap();
    assert_eq!(told(&mut events).last().unwrap(), &format!("not stored watched:0 {:?}", NotStored::Declined));

    cache.invalidate(Scope::tag("t")).await;
    cache.mark_stale("watched:*").await;
    assert_eq!(
        told(&mut events),
        [format!("invalidated {} false", Scope::tag("t")), "invalidated watched:* true".into()]
    );

    cache.insert("by hand", &1, long()).await.unwrap();
    cache.get::<i32>("by hand").await.unwrap();
    cache.get::<i32>("nothing").await.unwrap();
    assert_eq!(told(&mut events), ["stored by hand true", "hit by hand  Memory", "miss nothing "]);
}

#[tokio::test]
async fn what_is_invalidated_meanwhile_and_what_is_stale_are_told() {
    let cache = MemoryCache::new(100);
    let mut events = cache.events();
    let policy = Policy::builder().ttl(Duration::from_secs(60)).stale_if_error(Duration::from_secs(60));
    let policy = policy.build().unwrap();
    let compute = async || {
        cache.invalidate("k").await;
        Ok::<_, Infallible>(1)
    };
    cache.get_or_compute("k", &policy, compute).await.unwrap();
    let invalidated = ["miss k ", "invalidated k false", "computed k true", "not stored k Invalidated"];
    assert_eq!(told(&mut events), invalidated);

    cache.insert("k", &2, &policy).await.unwrap();
    cache.mark_stale("k").await;
    told(&mut events);
    assert_eq!(cache.get_or_compute("k", &policy, async || Err::<i32, _>("no")).await, Ok(2));
    let told = told(&mut events);
    assert!(told.contains(&"hit k  Memory stale".to_owned()), "{told:?}");
}

#[tokio::test]
async fn batches_and_evictions_are_told() {
    for store in [Store::Table, Store::Moka] {
        let cache = MemoryCache::builder().capacity(64).store(store).build().unwrap();
        let mut events = cache.events();
        let key = |id: &u64| format!("b:{id}");
        let all = async |ids: Vec<u64>| Ok::<_, Infallible>(ids.into_iter().map(|id| (id, id)).collect());
        cache.get_or_compute_many(0..500, key, long(), all).await.unwrap();
        in_time(async {
            // Moka evicts when it next does its upkeep.
            while !told(&mut events).iter().any(|event| event.starts_with("evicted b:")) {
                cache.insert("another", &1, long()).await.unwrap();
                tokio::task::yield_now().await;
            }
        })
        .await;
        let evictions = cache.function_stats().iter().map(|of| of.stats.evictions).sum::<u64>();
        assert!(evictions > 0 && evictions == cache.stats().evictions);
    }
}

#[tokio::test]
async fn a_slow_reader_loses_the_oldest_and_is_told_how_many() {
    let cache = MemoryCache::new(100);
    let (mut slow, mut other) = (cache.events(), cache.events());
    for id in 0..5_000 {
        cache.invalidate(format!("k:{id}").as_str());
    }
    assert_eq!(slow.try_recv(), Some(CacheEvent::Lagged(5_000 - 4_096)));
    assert_eq!(words(&slow.try_recv().unwrap()), "invalidated k:904 false");
    assert_eq!(told(&mut other).len(), 4_097, "each has its own");

    drop((slow, other));
    let before = cache.stats();
    cache.invalidate("k:1");
    assert_eq!(cache.stats().since(&before).invalidations, 1);
}

#[tokio::test]
async fn a_reader_that_waits_is_woken_and_reads_a_stream() {
    let cache = MemoryCache::new(100);
    let mut events = cache.events();
    let told = in_time(async {
        let reading = async {
            let stream = Pin::new(&mut events);
            let mut stream: Pin<&mut dyn futures_core::Stream<Item = CacheEvent>> = stream;
            std::future::poll_fn(|context| stream.as_mut().poll_next(context)).await.unwrap()
        };
        let writing = async {
            tokio::task::yield_now().await;
            cache.invalidate("k").await
        };
        tokio::join!(reading, writing).0
    })
    .await;
    assert_eq!(words(&told), "invalidated k false");
}

/// A computation's own decision is told with its reason.
#[tokio::test]
async fn a_context_that_stores_nothing_is_told() {
    let cache = MemoryCache::new(100);
    let mut events = cache.events();
    let compute = async || {
        context().no_store();
        Ok::<_, Infallible>(1)
    };
    cache.get_or_compute("k", long(), compute).await.unwrap();
    assert_eq!(told(&mut events).last().unwrap(), "not stored k Declined");
}

#[tokio::test(flavor = "multi_thread")]
async fn other_processes_tiers_and_servers_are_told() {
    let server = RedisServer::start();
    let (one, other) = both(&server).await;
    one.insert("k", &1, long()).await.unwrap();
    let mut events = other.events();
    assert_eq!(other.get::<i32>("k").await.unwrap(), Some(1));
    other.get::<i32>("k").await.unwrap();
    let tier = |tier: Tier| format!("hit k  {tier:?}");
    let hits: Vec<_> = told(&mut events).into_iter().filter(|event| event.starts_with("hit")).collect();
    assert_eq!(hits, [tier(Tier::Shared), tier(Tier::Memory)]);

    async fn until(events: &mut CacheEvents, what: &str) {
        in_time(async { while words(&events.recv().await) != what {} }).await;
    }
    one.invalidate(["a", "b"]).await;
    let by = in_time(async {
        loop {
            if let CacheEvent::InvalidatedElsewhere { scopes, process, .. } = events.recv().await
                && scopes.len() == 2
            {
                return process;
            }
        }
    })
    .await;
    assert_ne!(by, 0, "it says which process");
    server.kill();
    until(&mut events, "link false").await;
    server.restart(Data::Kept);
    until(&mut events, "link true").await;
}
