//! How long memory answers before Redis is asked again.

use std::time::Duration;

use larder::{Cache, CacheExt, MemoryCache, Policy, Source, TieredCache, cached};
use larder_servers::RedisServer;
use larder_tests::caches::{Process, calls, eventually, long, ms};

use super::{found, served};

const fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// Fresh for an hour, of which memory answers alone for a minute.
fn policy() -> Policy {
    Policy::builder().ttl(secs(3_600)).memory_ttl(secs(60)).build().unwrap()
}

async fn compute(cache: &TieredCache, value: u64) -> u64 {
    cache.get_or_compute("key", policy(), async || Ok::<_, String>(value)).await.unwrap()
}

/// What another process has stored since: the entry of a new computation, without an invalidation.
async fn store_elsewhere(server: &RedisServer, value: u64) {
    assert!(server.delete("larder:e:key"));
    let other = Process::C.tiered(server).await;
    assert_eq!(compute(&other, value).await, value);
}

#[tokio::test(flavor = "multi_thread")]
async fn then_it_is_asked_once_and_memory_has_what_is_there() {
    let server = RedisServer::start();
    let (a, b) = (Process::A.tiered(&server).await, Process::B.tiered(&server).await);
    assert_eq!((compute(&a, 1).await, compute(&b, 9).await), (1, 1));
    store_elsewhere(&server, 2).await;
    for cache in [&a, &b] {
        let before = calls(&server, "get");
        cache.core().advance(secs(58));
        assert_eq!(compute(cache, 9).await, 1, "memory answers");
        assert_eq!(calls(&server, "get"), before);
        cache.core().advance(secs(4));
        let asked = (0..20).map(|_| {
            let cache = cache.clone();
            tokio::spawn(async move { compute(&cache, 9).await })
        });
        for asked in asked.collect::<Vec<_>>() {
            assert_eq!(asked.await.unwrap(), 2);
        }
        assert_eq!(calls(&server, "get"), before + 1, "one asks for all");
        cache.core().advance(secs(58));
        assert_eq!(compute(cache, 9).await, 2);
        assert_eq!(calls(&server, "get"), before + 1, "memory answers again");
    }
}

/// Also what is inserted, and what is read by `get` and its like.
#[tokio::test(flavor = "multi_thread")]
async fn get_asks_too() {
    let server = RedisServer::start();
    let a = Process::A.tiered(&server).await;
    a.insert("key", &1_u64, policy()).await.unwrap();
    store_elsewhere(&server, 2).await;
    assert_eq!(found(&a, "key").await, Some(1_u64));
    a.core().advance(secs(62));
    assert_eq!(found(&a, "key").await, Some(2_u64));
    a.core().advance(secs(62));
    let before = calls(&server, "get");
    assert_eq!(found(&a, "key").await, Some(2_u64), "what `get` reads is of no policy");
    assert_eq!(calls(&server, "get"), before);

    a.insert("key", &3_u64, policy()).await.unwrap();
    store_elsewhere(&server, 4).await;
    a.core().advance(secs(62));
    assert_eq!(a.get_many::<u64>(&["key", "other"]).await.unwrap(), [Some(4), None]);
    a.insert("key", &5_u64, policy()).await.unwrap();
    assert!(server.delete("larder:e:key"));
    a.core().advance(secs(62));
    assert_eq!(found(&a, "key").await, Some(5_u64), "there is nothing but what is in memory");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_longer_there_is_computed_unless_that_fails() {
    let server = RedisServer::start();
    let a = Process::A.tiered(&server).await;
    assert_eq!(compute(&a, 1).await, 1);
    assert!(server.delete("larder:e:key"));
    a.core().advance(secs(62));
    let (given, outcome) =
        a.get_or_compute_with_outcome("key", policy(), async || Err::<u64, _>("it fails")).await;
    assert_eq!((given, outcome.source), (Ok(1), Source::Hit), "it is fresh");
    a.core().advance(secs(2));
    assert_eq!(compute(&a, 2).await, 2);
    assert_eq!(compute(&Process::B.tiered(&server).await, 9).await, 2, "and stored");
    a.core().advance(secs(3_601));
    assert!(server.delete("larder:e:key"), "its clock is not turned");
    assert_eq!(served::<u64>(&a, "key", &policy()).await, None, "its time is over");
}

#[tokio::test(flavor = "multi_thread")]
async fn memory_answers_while_redis_is_gone() {
    let server = RedisServer::start();
    let a = Process::A.tiered(&server).await;
    assert_eq!(compute(&a, 1).await, 1);
    server.kill();
    eventually(async || !a.link().is_available()).await;
    a.core().advance(secs(62));
    for _ in 0..3 {
        assert_eq!(served(&a, "key", &policy()).await, Some(1_u64));
        assert_eq!(found(&a, "key").await, Some(1_u64));
    }
    assert_eq!(a.stats().computations, 1);
    a.core().advance(secs(3_600));
    assert_eq!(compute(&a, 2).await, 2, "its time is over");
}

/// An invalidation reaches memory at once, and what was invalidated is served from nowhere.
#[tokio::test(flavor = "multi_thread")]
async fn an_invalidation_does_not_wait_for_it() {
    let server = RedisServer::start();
    let (a, b) = (Process::A.tiered(&server).await, Process::B.tiered(&server).await);
    assert_eq!(compute(&a, 1).await, 1);
    a.core().advance(secs(62));
    let _ = b.invalidate("key").await;
    eventually(async || served::<u64>(&a, "key", &policy()).await.is_none()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn where_nothing_lies_behind_memory_it_does_nothing() {
    let server = RedisServer::start();
    let a = Process::A.tiered(&server).await;
    let memory = MemoryCache::new(10);
    let before = calls(&server, "get");
    for _ in 0..3 {
        let local = a.local().get_or_compute("local", policy(), async || Ok::<_, String>(1_u64)).await;
        let apart = memory.get_or_compute("key", policy(), async || Ok::<_, String>(1_u64)).await;
        assert_eq!((local, apart), (Ok(1), Ok(1)));
        a.core().advance(secs(62));
        memory.core().advance(secs(62));
    }
    assert_eq!((calls(&server, "get"), a.stats().computations), (before, 1));
    assert_eq!((memory.stats().computations, memory.stats().hits), (1, 2));

    // Nor for what cannot be shared.
    let large = tiered_for_small_values(&server).await;
    for _ in 0..3 {
        let text =
            large.get_or_compute("large", policy(), async || Ok::<_, String>("x".repeat(20_000))).await;
        assert_eq!(text.unwrap().len(), 20_000);
        large.core().advance(secs(62));
    }
    assert_eq!(large.stats().computations, 1);
}

async fn tiered_for_small_values(server: &RedisServer) -> TieredCache {
    larder_tests::caches::tiered(Process::B.builder(server).largest_raw_value(10_000)).await
}

/// One that is longer than `ttl`, and one that is shortened by `jitter`.
#[tokio::test(flavor = "multi_thread")]
async fn it_is_no_longer_than_it_says() {
    let server = RedisServer::start();
    let a = Process::A.tiered(&server).await;
    let longer = Policy::builder().ttl(secs(60)).memory_ttl(secs(3_600)).build().unwrap();
    a.insert("key", &1_u64, longer).await.unwrap();
    a.core().advance(secs(62));
    assert!(server.delete("larder:e:key"), "its clock is not turned");
    assert_eq!(found::<u64>(&a, "key").await, None);

    let shortened = Policy::builder().ttl(secs(36_000)).memory_ttl(secs(3_600)).jitter(1.0).build().unwrap();
    let keys: Vec<_> = (0..20).map(|number| format!("jitter:{number}")).collect();
    for key in &keys {
        a.insert(key, &1_u64, &shortened).await.unwrap();
    }
    let mut asked = Vec::new();
    for _ in 0..2 {
        a.core().advance(secs(1_790));
        let before = calls(&server, "get");
        for key in &keys {
            let _: Option<u64> = found(&a, key).await;
        }
        asked.push(calls(&server, "get") - before);
    }
    assert!(asked.iter().all(|asked| *asked > 0), "not all at once: {asked:?}");
    assert!(Policy::builder().ttl(secs(60)).memory_ttl(ms(0)).build().is_err());
}

#[cached(ttl = "1h", memory_ttl = 60, key = "key", cache = cache, skip(cache))]
async fn function(cache: &TieredCache) -> u64 {
    let _ = cache;
    1
}

#[tokio::test(flavor = "multi_thread")]
async fn functions_have_it_as_an_option() {
    let server = RedisServer::start();
    let a = Process::A.tiered(&server).await;
    assert_eq!(function(&a).await, 1);
    store_elsewhere(&server, 2).await;
    assert_eq!(function(&a).await, 1);
    a.core().advance(secs(62));
    assert_eq!(function(&a).await, 2);
    assert_eq!(served(&a, "key", &long()).await, Some(2_u64));
}
