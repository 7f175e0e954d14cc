//! Counters that all processes share.

use std::{error::Error as _, time::Duration};

use larder::{CacheExt, RedisCache};
use larder_servers::{Data, Direction, Fault, Proxy, RedisServer};
use larder_tests::caches::{Process, eventually, ms, tiered};

#[tokio::test(flavor = "multi_thread")]
async fn two_processes_count_together() {
    let server = RedisServer::start();
    let (a, b) = (Process::A.tiered(&server).await, Process::B.tiered(&server).await);
    let count = |cache: &larder::TieredCache| {
        let cache = cache.clone();
        tokio::spawn(async move {
            for _ in 0..200 {
                cache.increment("visits", 1, None).await.unwrap();
            }
        })
    };
    let tasks = [count(&a), count(&b), count(&a), count(&b)];
    for task in tasks {
        task.await.unwrap();
    }
    assert_eq!(a.counter("visits").await.unwrap(), 800);
    assert_eq!(b.increment("visits", -801, None).await.unwrap(), -1);
    a.invalidate("visits").await;
    eventually(async || b.counter("visits").await.unwrap() == 0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_counter_ends_with_the_time_of_the_call_that_made_it() {
    let server = RedisServer::start();
    let cache = Process::A.tiered(&server).await;
    let lifetime = || server.command::<i64>(&["PTTL", "larder:c:key"]);
    cache.increment("key", 1, Duration::from_secs(600)).await.unwrap();
    cache.increment("key", 1, Duration::from_secs(60_000)).await.unwrap();
    assert!((1..=600_000).contains(&lifetime()), "{}", lifetime());
    cache.invalidate("key").await;
    cache.increment("key", 1, None).await.unwrap();
    assert_eq!(lifetime(), -1);
    cache.invalidate("key").await;
    cache.increment("key", 1, ms(30)).await.unwrap();
    eventually(async || cache.counter("key").await.unwrap() == 0).await;
    // The longest time there is is one that Redis can count.
    assert_eq!(cache.increment("long", 1, Duration::MAX).await.unwrap(), 1);
    assert_eq!(cache.counter("none").await.unwrap(), 0);
    assert!(!server.command::<bool>(&["EXISTS", "larder:c:none"]), "reading makes none");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sum_out_of_range_is_an_error_and_changes_nothing() {
    let server = RedisServer::start();
    let cache = Process::A.tiered(&server).await;
    for (limit, by) in [(i64::MAX, 1), (i64::MIN, -1)] {
        cache.invalidate("key").await;
        assert_eq!(cache.increment("key", limit, None).await.unwrap(), limit);
        let refused = cache.increment("key", by, None).await.unwrap_err();
        assert!(refused.is_counter_overflow(), "{refused}");
        assert_eq!(cache.counter("key").await.unwrap(), limit, "to the last digit");
        assert_eq!(cache.increment("key", -by, None).await.unwrap(), limit - by);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_server_a_counter_is_an_error() {
    let server = RedisServer::start();
    let cache = Process::A.tiered(&server).await;
    server.kill();
    assert!(cache.increment("key", 1, None).await.unwrap_err().is_unavailable());
    assert!(cache.counter("key").await.unwrap_err().is_unavailable());
    // Down to what the system said of the last attempt to connect, or of the connection that broke.
    eventually(async || {
        let error = cache.counter("key").await.unwrap_err();
        let causes = std::iter::successors(error.source(), |&error| error.source());
        let last = causes.last().and_then(|cause| cause.downcast_ref::<std::io::Error>());
        last.is_some_and(|error| error.kind() == std::io::ErrorKind::ConnectionRefused)
    })
    .await;
    server.restart(Data::Lost);
    eventually(async || cache.increment("key", 1, None).await.is_ok()).await;
}

/// A script that the server does not know is sent once more.
#[tokio::test(flavor = "multi_thread")]
async fn a_call_has_one_deadline_however_often_it_is_sent() {
    let server = RedisServer::start();
    let proxy = Proxy::start(server.address());
    let cache = tiered(RedisCache::builder().url(proxy.url()).deadline(ms(1_500))).await;
    assert_eq!(cache.increment("key", 1, None).await.unwrap(), 1);
    server.command::<()>(&["SCRIPT", "FLUSH"]);
    // In time each, and not both of them.
    proxy.set(Direction::ToServer, Fault::Delay(ms(1_000)));
    let late = cache.increment("key", 1, None).await.unwrap_err();
    assert!(late.is_unavailable(), "{late}");
}
