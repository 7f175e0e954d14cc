//! From one byte to 64 MiB, from one key to 100,000, and from one scope to 4,097.

#![expect(clippy::unwrap_used, reason = "what fails in a helper fails the test")]

use std::{convert::Infallible, time::Duration};

use larder::{CacheExt, Policy, RedisCache, TieredCache};
use larder_servers::RedisServer;
use larder_tests::caches::{Process, eventually, long, tiered};

const MIB: usize = 1 << 20;

/// A text that no compression makes much smaller.
fn text(bytes: usize, seed: u64) -> String {
    let mut state = seed | 1;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        char::from(b' ' + u8::try_from(state % 95).unwrap())
    };
    (0..bytes).map(|_| next()).collect()
}

fn with_deadline(process: Process, server: &RedisServer, seconds: u64) -> larder::RedisCacheBuilder {
    process.builder(server).deadline(Duration::from_secs(seconds))
}

#[tokio::test(flavor = "multi_thread")]
async fn values_from_a_byte_to_64_mib() {
    let server = RedisServer::start();
    let a = tiered(with_deadline(Process::A, &server, 30)).await;
    let b = tiered(with_deadline(Process::B, &server, 30)).await;
    // Around each limit at which something else is done: compression, another command, another thread.
    let sizes = [1, 1_023, 1_024, 1_025, 65_535, 65_536, 65_537, MIB - 1, MIB, 16 * MIB, 64 * MIB];
    for size in sizes {
        for (kind, value) in [("noise", text(size, size as u64)), ("the same", "x".repeat(size))] {
            let key = format!("{kind}:{size}");
            a.insert(&key, &value, long()).await.unwrap();
            assert!(b.get::<String>(&key).await.unwrap().is_some_and(|found| found == value), "{key}");
            server.command::<()>(&["DEL", &format!("larder:e:{key}")]);
        }
    }
    assert_eq!(a.stats().shared_failures + b.stats().shared_failures, 0);
    assert_eq!(a.stats().shared_stores, 2 * sizes.len() as u64);
}

/// What takes longer than a caller should wait is not shared, or not read; and that is all.
#[tokio::test(flavor = "multi_thread")]
async fn with_the_default_deadline_nothing_fails() {
    let server = RedisServer::start();
    let connect = async |process: Process| {
        let redis =
            RedisCache::builder().url(process.url(&server)).connect().await.expect("the server is up");
        TieredCache::new(larder::MemoryCache::new(10), redis)
    };
    let (a, b) = (connect(Process::A).await, connect(Process::B).await);
    let value = text(64 * MIB, 7);
    for round in 0..2 {
        let key = format!("key:{round}");
        let computed = a.get_or_compute(&key, long(), async || Ok::<_, Infallible>(value.clone())).await;
        assert!(computed == Ok(value.clone()), "a computed value is returned");
        assert!(b.get::<String>(&key).await.unwrap().is_none_or(|found| found == value));
    }
    // And what is small is shared again, as soon as the way is free.
    eventually(async || {
        a.insert("small", &7_u64, long()).await.unwrap();
        b.get("small").await.unwrap() == Some(7_u64)
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hundred_thousand_keys_in_one_call() {
    const MANY: u64 = 100_000;
    let server = RedisServer::start();
    let a = tiered(with_deadline(Process::A, &server, 30)).await;
    let b = with_deadline(Process::B, &server, 30).connect().await.expect("the server is up");
    let values: Vec<_> = (0..MANY).map(|n| (format!("key:{n}"), n)).collect();
    let keys: Vec<_> = values.iter().map(|(key, _)| key.clone()).collect();
    a.insert_many(&values, long()).await.unwrap();
    assert_eq!(a.stats().shared_stores, MANY, "{:?}", a.stats());
    let found: Vec<Option<u64>> = b.get_many(&keys).await.unwrap();
    assert!(found.into_iter().enumerate().all(|(n, found)| found == Some(n as u64)));
    let none: Vec<Option<u64>> = b.get_many(&[""; 0]).await.unwrap();
    assert_eq!(none, []);
}

#[tokio::test(flavor = "multi_thread")]
async fn long_keys() {
    let server = RedisServer::start();
    let (a, b) = (Process::A.tiered(&server).await, Process::B.tiered(&server).await);
    for key in ["k".repeat(10_000), format!("a:{}", "\u{1f980} \r\n\0%*".repeat(800)), "k".repeat(64 << 10)] {
        a.insert(&key, &1_u64, long()).await.unwrap();
        eventually(async || b.get(&key).await.unwrap() == Some(1_u64)).await;
        assert_eq!(a.increment(&key, 5, None).await.unwrap(), 5);
        assert_eq!(b.counter(&key).await.unwrap(), 5);
        let held = a.try_lock(&key, Duration::from_secs(60)).await.unwrap().expect("it is free");
        assert!(b.try_lock(&key, Duration::from_secs(60)).await.unwrap().is_none());
        assert!(held.release().await.unwrap());
        let computed =
            b.get_or_compute(&format!("{key}!")[1..], long(), async || Ok::<_, Infallible>(2_u64)).await;
        assert_eq!(computed, Ok(2));
        a.invalidate(larder::Scope::key(&*key)).await;
        eventually(async || b.get::<u64>(&key).await.unwrap().is_none()).await;
    }
    let refused = a.insert(&"k".repeat((64 << 10) + 1), &1_u64, long()).await.unwrap_err();
    assert!(refused.is_invalid_key(), "{refused}");
}

#[tokio::test(flavor = "multi_thread")]
async fn so_many_scopes_and_one_more() {
    /// A key without a colon is one scope, and everything needs none.
    const TAGS: usize = 4_095;
    let server = RedisServer::start();
    let (a, b) = (Process::A.tiered(&server).await, Process::B.tiered(&server).await);
    let tagged = |tags: usize| {
        let tags = (0..tags).map(|n| format!("tag:{n}"));
        Policy::builder().ttl(Duration::from_secs(600)).tags(tags).build().unwrap()
    };
    for (round, tags) in [1, 15, 16, 17, 63, 64, 1_000, TAGS].into_iter().enumerate() {
        let key = format!("key {tags}");
        a.insert(&key, &1_u64, tagged(tags)).await.unwrap();
        eventually(async || b.get(&key).await.unwrap() == Some(1_u64)).await;
        a.invalidate("other").await;
        assert_eq!(a.get(&key).await.unwrap(), Some(1_u64), "{tags}");
        // In the other process too.
        a.invalidate(larder::Scope::tag(format!("tag:{}", round % tags))).await;
        eventually(async || b.get::<u64>(&key).await.unwrap().is_none()).await;
        assert_eq!(a.get::<u64>(&key).await.unwrap(), None, "{tags}");
    }
    assert_eq!(a.stats().stores_too_wide, 0);
    a.insert("too wide", &1_u64, tagged(TAGS + 1)).await.unwrap();
    assert_eq!(a.stats().stores_too_wide, 1);
    assert_eq!(a.get::<u64>("too wide").await.unwrap(), None);
    assert_eq!(b.get::<u64>("too wide").await.unwrap(), None);

    let computed = a.get_or_compute("too wide", tagged(TAGS + 1), async || Ok::<_, Infallible>(2_u64)).await;
    assert_eq!(computed, Ok(2), "a value that is not stored is returned");
}

/// Lists of cached users, each made by one process, and gone in the other one when a user is invalidated.
#[tokio::test(flavor = "multi_thread")]
async fn lists_of_cached_values() {
    let server = RedisServer::start();
    let (a, b) = (Process::A.tiered(&server).await, Process::B.tiered(&server).await);
    for length in [62_u64, 100, 2_000] {
        let key = format!("list:{length}");
        let keys: Vec<_> = (0..length).map(|id| format!("user:{length}:{id}")).collect();
        let values: Vec<_> = keys.iter().map(|key| (key, 7_u64)).collect();
        a.insert_many(&values, long()).await.unwrap();
        let list = async || {
            let users = a.get_many::<u64>(&keys).await.unwrap();
            Ok::<_, Infallible>(users.into_iter().flatten().sum::<u64>())
        };
        assert_eq!(a.get_or_compute(&key, long(), list).await, Ok(7 * length));
        eventually(async || b.get(&key).await.unwrap() == Some(7 * length)).await;
        a.invalidate("other").await;
        assert_eq!(b.get(&key).await.unwrap(), Some(7 * length));
        a.invalidate(&*keys[keys.len() / 2]).await;
        eventually(async || b.get::<u64>(&key).await.unwrap().is_none()).await;
        assert_eq!(a.get::<u64>(&key).await.unwrap(), None);
    }
    // Many invalidated in one call are one call still.
    let many: Vec<_> = (0..5_000).map(|n| format!("user:2000:{n}")).collect();
    b.insert("user:2000:7", &8_u64, long()).await.unwrap();
    assert!(matches!(a.invalidate(many).await, larder::Invalidation::Delivered(_)));
    eventually(async || b.get::<u64>("user:2000:7").await.unwrap().is_none()).await;
}
