//! Values from Redis at the end of their time: as in the process that made them.

use std::time::{Duration, Instant};

use larder::{CacheExt, Policy, PolicyBuilder};
use larder_servers::RedisServer;
use larder_tests::caches::{Process, eventually, ms};

use super::{found, served};

const LONG: Duration = Duration::from_secs(600);

fn short() -> PolicyBuilder {
    Policy::builder().ttl(ms(100))
}

/// A value past its `ttl` in Redis, and a process that has never seen it.
async fn stale_in_redis(policy: &Policy) -> (RedisServer, larder::TieredCache) {
    let server = RedisServer::start();
    let a = Process::A.tiered(&server).await;
    a.insert("key", &1_u64, policy).await.unwrap();
    eventually(async || found::<u64>(&a, "key").await.is_none()).await;
    // The other process' idea of the server's time may be some milliseconds behind.
    let end = Instant::now() + ms(50);
    eventually(async || Instant::now() > end).await;
    let b = Process::B.tiered(&server).await;
    (server, b)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stale_value_is_served_while_it_is_refreshed() {
    let policy = short().stale_while_revalidate(LONG).build().unwrap();
    let (_server, b) = stale_in_redis(&policy).await;
    assert_eq!(found::<u64>(&b, "key").await, None, "`get` gives what is fresh");
    let compute = || async { Ok::<_, String>(2_u64) };
    let first = b.get_or_compute_background("key", &policy, compute).await;
    assert_eq!(first, Ok(1), "no caller waits for the refresh");
    eventually(async || b.get_or_compute_background("key", &policy, compute).await == Ok(2)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stale_value_is_served_if_the_computation_fails() {
    let policy = short().stale_if_error(LONG).build().unwrap();
    let (_server, b) = stale_in_redis(&policy).await;
    assert_eq!(served(&b, "key", &policy).await, Some(1_u64));
    assert_eq!(b.stats().failures, 1, "it was tried");
    // And is tried again a second later.
    eventually(async || b.get_or_compute("key", &policy, async || Ok::<_, String>(2_u64)).await == Ok(2))
        .await;
}

/// With a memory of its own or without: where there is none, the old value is read from Redis each time.
#[tokio::test(flavor = "multi_thread")]
async fn a_failing_source_is_asked_once_in_a_pause() {
    let policy = short().stale_if_error(LONG).retry_after(LONG).build().unwrap();
    let (server, tiered) = stale_in_redis(&policy).await;
    let bare = Process::C.bare(&server).await;
    for cache in [&tiered as &dyn larder::Cache, &bare] {
        for _ in 0..20 {
            assert_eq!(served(&cache, "key", &policy).await, Some(1_u64));
        }
        let stats = cache.stats();
        assert_eq!((stats.failures, stats.computations), (1, 1));
    }
    let larder::Invalidation::Delivered(epoch) = tiered.invalidate("key").await else {
        panic!("the server is there")
    };
    assert!(larder::CacheExt::wait_for(&bare, epoch).await);
    for cache in [&tiered as &dyn larder::Cache, &bare] {
        assert_eq!(served::<u64>(&cache, "key", &policy).await, None, "no pause serves what was invalidated");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn without_such_a_window_it_is_gone() {
    let (_server, b) = stale_in_redis(&short().build().unwrap()).await;
    assert_eq!(served::<u64>(&b, "key", &short().build().unwrap()).await, None);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_invalidated_value_is_no_fallback() {
    let policy = short().stale_if_error(LONG).stale_while_revalidate(LONG).build().unwrap();
    let (server, b) = stale_in_redis(&policy).await;
    assert_eq!(served(&b, "key", &policy).await, Some(1_u64));
    let c = Process::C.tiered(&server).await;
    let larder::Invalidation::Delivered(epoch) = c.invalidate("key").await else {
        panic!("the server is there")
    };
    assert!(larder::CacheExt::wait_for(&b, epoch).await);
    assert_eq!(served::<u64>(&b, "key", &policy).await, None);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_value_is_refreshed_ahead_of_its_end() {
    let server = RedisServer::start();
    let a = Process::A.tiered(&server).await;
    // At once ahead of its end, which never comes.
    let policy = Policy::builder().ttl(LONG).refresh_ahead(0.0).build().unwrap();
    a.insert("key", &1_u64, &policy).await.unwrap();
    let b = Process::B.tiered(&server).await;
    assert_eq!(found(&b, "key").await, Some(1_u64), "it is fresh");
    let compute = || async { Ok::<_, String>(2_u64) };
    assert_eq!(b.get_or_compute_background("key", &policy, compute).await, Ok(1));
    eventually(async || b.get_or_compute_background("key", &policy, compute).await == Ok(2)).await;
    assert!(b.stats().refreshes >= 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn that_there_is_nothing_is_shared_for_its_own_time() {
    let server = RedisServer::start();
    let (a, b) = (Process::A.tiered(&server).await, Process::B.tiered(&server).await);
    let none = || async { Ok::<_, String>(None::<u64>) };
    let without = Policy::ttl(LONG);
    assert_eq!(a.get_or_compute("forgotten", &without, none).await, Ok(None));
    assert_eq!(found::<Option<u64>>(&b, "forgotten").await, None);
    let with = Policy::builder().ttl(LONG).negative_ttl(ms(1_000)).build().unwrap();
    assert_eq!(a.get_or_compute("known", &with, none).await, Ok(None));
    assert_eq!(found::<Option<u64>>(&b, "known").await, Some(None));
    eventually(async || found::<Option<u64>>(&b, "known").await.is_none()).await;
}

/// A value that is made from another one, past its `ttl` in Redis, and two processes that have never seen it.
async fn dependent_in_redis() -> (RedisServer, [larder::TieredCache; 3]) {
    let server = RedisServer::start();
    let caches = [
        Process::A.tiered(&server).await,
        Process::B.tiered(&server).await,
        Process::C.tiered(&server).await,
    ];
    let policy = short().stale_if_error(LONG).build().unwrap();
    let (a, inner) = (&caches[0], Policy::ttl(LONG));
    let made = a.get_or_compute("key", &policy, || async {
        a.get_or_compute("part", &inner, async || Ok::<u64, String>(1)).await
    });
    assert_eq!(made.await, Ok(1));
    eventually(async || found::<u64>(a, "key").await.is_none()).await;
    let end = Instant::now() + ms(50);
    eventually(async || Instant::now() > end).await;
    (server, caches)
}

/// A computation whose source says that nothing has changed.
async fn keep(cache: &larder::TieredCache) -> Result<u64, String> {
    let policy = Policy::ttl(LONG);
    let kept =
        || async { larder::context().previous::<u64>().map(larder::Previous::keep).ok_or("none".to_owned()) };
    cache.get_or_compute("key", &policy, kept).await
}

async fn invalidate(cache: &larder::TieredCache, key: &str, others: &[larder::TieredCache]) {
    let larder::Invalidation::Delivered(epoch) = cache.invalidate(key).await else {
        panic!("the server is there")
    };
    for other in others {
        assert!(larder::CacheExt::wait_for(other, epoch).await);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_old_value_from_redis_can_be_kept() {
    let (_server, caches) = dependent_in_redis().await;
    let [a, b, c] = &caches;
    assert_eq!(keep(b).await, Ok(1));
    assert_eq!(
        (found(b, "key").await, found(c, "key").await),
        (Some(1_u64), Some(1_u64)),
        "in memory and in Redis"
    );
    invalidate(a, "part", &caches).await;
    assert_eq!(
        (found::<u64>(b, "key").await, found::<u64>(c, "key").await),
        (None, None),
        "it is made from that"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn an_old_value_from_redis_that_was_invalidated_is_handed_out_to_no_computation() {
    let (_server, caches) = dependent_in_redis().await;
    let [_, b, c] = &caches;
    invalidate(c, "part", &caches).await;
    assert_eq!(keep(b).await, Err("none".to_owned()));
}
