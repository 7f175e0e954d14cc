//! What stays in memory, and for how long.

use std::{
    convert::Infallible,
    time::{Duration, Instant},
};

use larder::{Cache, CacheExt, MemoryCache, Policy};
use larder_servers::RedisServer;
use larder_tests::caches::{Process, calls, eventually, long, ms, tiered};
use serde::{Deserialize, Serialize};

use super::{found, served};

fn asked(server: &RedisServer) -> u64 {
    ["get", "mget", "set", "eval", "evalsha", "exists"].iter().map(|command| calls(server, command)).sum()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hit_in_memory_asks_no_server() {
    let server = RedisServer::start();
    let (a, b) = (Process::A.tiered(&server).await, Process::B.tiered(&server).await);
    a.insert("key", &7_u64, long()).await.unwrap();
    let before = asked(&server);
    for _ in 0..1_000 {
        assert_eq!(found(&a, "key").await, Some(7_u64));
    }
    assert_eq!(served(&a, "key", &long()).await, Some(7_u64));
    assert_eq!(asked(&server), before);

    // What another process stored is fetched once.
    assert_eq!(found(&b, "key").await, Some(7_u64));
    assert!(asked(&server) > before, "the server counts what it is asked");
    let before = asked(&server);
    assert_eq!(found(&b, "key").await, Some(7_u64));
    assert_eq!(served(&b, "key", &long()).await, Some(7_u64));
    assert_eq!(asked(&server), before);
    assert_eq!(b.stats().shared_hits, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn without_memory_each_hit_asks() {
    let server = RedisServer::start();
    let cache = Process::A.bare(&server).await;
    cache.insert("key", &7_u64, long()).await.unwrap();
    let before = calls(&server, "get");
    for _ in 0..10 {
        assert_eq!(found(&cache, "key").await, Some(7_u64));
    }
    assert_eq!(calls(&server, "get"), before + 10);
}

#[tokio::test(flavor = "multi_thread")]
async fn memory_keeps_a_value_no_longer_than_what_is_left_of_it() {
    let server = RedisServer::start();
    let (a, b) = (Process::A.tiered(&server).await, Process::B.tiered(&server).await);
    let ttl = ms(1_500);
    let begun = Instant::now();
    a.insert("key", &7_u64, Policy::ttl(ttl)).await.unwrap();
    // Later, so that a lifetime that began again would show.
    eventually(async || begun.elapsed() > ms(900)).await;
    assert_eq!(found(&b, "key").await, Some(7_u64));
    let left = b.remaining_ttl("key").await.unwrap().expect("it is in memory");
    // The two clocks are read to a few milliseconds, and the server's is an estimate.
    assert!(left <= ttl.saturating_sub(ms(900)) + ms(50), "{left:?}");
    eventually(async || found::<u64>(&b, "key").await.is_none()).await;
    assert!(begun.elapsed() < ttl + ms(600), "{:?}", begun.elapsed());
    assert!(begun.elapsed() >= ttl - ms(50), "{:?}", begun.elapsed());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_too_large_to_be_shared_stays_in_memory() {
    let server = RedisServer::start();
    let (a, b) = (
        tiered(Process::A.builder(&server).largest_raw_value(10_000)).await,
        Process::B.tiered(&server).await,
    );
    let large = "x".repeat(20_000);
    a.insert("inserted", &large, long()).await.unwrap();
    let computed = a.get_or_compute("computed", long(), async || Ok::<_, Infallible>(large.clone())).await;
    assert_eq!(computed.as_ref(), Ok(&large));
    assert_eq!(a.stats().shared_too_large, 2);
    for key in ["inserted", "computed"] {
        assert_eq!(found(&a, key).await.as_ref(), Some(&large));
        assert_eq!(found::<String>(&b, key).await, None);
    }
    assert_eq!(a.stats().shared_stores, 0);
}

/// A map whose keys are no text, which JSON has no way to write.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
struct Point(u8, u8);

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_encoded_is_an_error_of_insert_alone() {
    let server = RedisServer::start();
    let cache = tiered(Process::A.builder(&server).codec(larder::codec::Json)).await;
    let map = std::collections::BTreeMap::from([(Point(1, 2), 3)]);
    let refused = cache.insert("inserted", &map, long()).await.unwrap_err();
    assert!(refused.is_unencodable(), "{refused}");
    assert!(refused.to_string().contains("inserted"), "{refused}");
    let computed = cache.get_or_compute("computed", long(), async || Ok::<_, Infallible>(map.clone())).await;
    assert_eq!(computed.as_ref(), Ok(&map));
    assert_eq!(found(&cache, "computed").await, Some(map));
    assert!(!server.command::<bool>(&["EXISTS", "larder:e:computed"]));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_version_of_the_schema_is_read_by_that_version() {
    let server = RedisServer::start();
    let (a, b) = (Process::A.tiered(&server).await, Process::B.tiered(&server).await);
    let version = |number| Policy::builder().ttl(Duration::from_secs(600)).schema(number).build().unwrap();
    a.insert("key", &1_u64, version(1)).await.unwrap();
    assert_eq!(served::<u64>(&b, "key", &version(2)).await, None);
    assert_eq!(b.stats().shared_rejected, 1 + 1, "by the look, and by the one that asks for the lease");
    assert_eq!(served(&b, "key", &version(1)).await, Some(1_u64));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_memory_is_empty_to_begin_with() {
    let server = RedisServer::start();
    let memory = MemoryCache::new(10);
    memory.insert("key", &1_u64, long()).await.unwrap();
    let cache = larder::TieredCache::new(memory.clone(), Process::A.bare(&server).await);
    assert_eq!(found::<u64>(&cache, "key").await, None);
    assert_eq!(found(&memory, "key").await, Some(1_u64));
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_stands_for_a_cache_tells_of_its_link() {
    let server = RedisServer::start();
    let cache: Box<dyn Cache> = Box::new(Process::A.tiered(&server).await);
    let namespace = cache.namespace("ns");
    assert!(namespace.link().is_some_and(|link| link.is_available()));
    server.kill();
    eventually(async || namespace.link().is_some_and(|link| !link.is_available())).await;
    assert_eq!(MemoryCache::new(10).link(), None);
}
