//! Values whose time begins anew: in Redis too, and never beyond what they are.

use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::{Duration, Instant},
};

use larder::{Cache, CacheExt, Invalidation, Policy, RedisCache, TieredCache};
use larder_servers::RedisServer;
use larder_tests::caches::{Process, eventually, ms};

use super::found;

async fn processes(server: &RedisServer) -> (TieredCache, TieredCache, RedisCache) {
    (Process::A.tiered(server).await, Process::B.tiered(server).await, Process::C.bare(server).await)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_touched_value_lives_longer_for_all() {
    let server = RedisServer::start();
    let (a, b, c) = processes(&server).await;
    a.insert("key", &1_u64, Policy::ttl(Duration::from_secs(20))).await.unwrap();
    let long = Policy::ttl(Duration::from_secs(600));
    assert!(b.touch::<u64>("key", &long).await.unwrap(), "it is in Redis");
    for cache in [&b as &dyn Cache, &c] {
        assert!(cache.remaining_ttl("key").await.unwrap() > Some(Duration::from_secs(500)));
    }
    // The one rule.
    let Invalidation::Delivered(epoch) = a.invalidate("key").await else { panic!("the server is there") };
    assert!(b.wait_for(epoch).await && c.wait_for(epoch).await);
    for cache in [&a as &dyn Cache, &b, &c] {
        assert_eq!(found::<u64>(&cache, "key").await, None);
        assert!(!cache.touch::<u64>("key", &long).await.unwrap());
    }
}

/// What is written again is as old as it was: an invalidation that was not heard of yet covers it all the same.
#[tokio::test(flavor = "multi_thread")]
async fn what_was_touched_is_no_newer_than_it_was() {
    let server = RedisServer::start();
    let (a, b, c) = processes(&server).await;
    let long = Policy::ttl(Duration::from_secs(600));
    for round in 0..50_u64 {
        a.insert("key", &round, &long).await.unwrap();
        eventually(async || found(&b, "key").await == Some(round)).await;
        let (delivered, _) = tokio::join!(a.invalidate("key"), b.touch::<u64>("key", &long));
        let Invalidation::Delivered(epoch) = delivered else { panic!("the server is there") };
        assert!(b.wait_for(epoch).await && c.wait_for(epoch).await);
        for cache in [&a as &dyn Cache, &b, &c] {
            assert_eq!(found::<u64>(&cache, "key").await, None, "in round {round}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_value_that_is_asked_for_lives_on_to_the_end_of_its_ttl() {
    let server = RedisServer::start();
    let (a, b, c) = processes(&server).await;
    let calls = AtomicU64::new(0);
    let ask = async |cache: &dyn Cache, policy: &Policy| {
        let compute = async || Ok::<_, String>(calls.fetch_add(1, Ordering::SeqCst) + 1);
        (&cache).get_or_compute("key", policy, compute).await.unwrap()
    };
    let sliding = Policy::builder().ttl(ms(4_000)).idle(ms(2_000)).build().unwrap();
    let begun = Instant::now();
    // By turns, so that each finds what another one has prolonged.
    while begun.elapsed() < ms(3_500) {
        for cache in [&a as &dyn Cache, &b, &c] {
            let value = ask(cache, &sliding).await;
            assert!(value == 1 || begun.elapsed() > ms(3_900), "{value} after {:?}", begun.elapsed());
        }
        tokio::time::sleep(ms(50)).await;
    }
    // Not beyond that, however often it is asked for.
    eventually(async || {
        for cache in [&a as &dyn Cache, &b, &c] {
            ask(cache, &sliding).await;
        }
        calls.load(Ordering::SeqCst) > 1
    })
    .await;
    assert!(begun.elapsed() < ms(8_000), "{:?}", begun.elapsed());
}
