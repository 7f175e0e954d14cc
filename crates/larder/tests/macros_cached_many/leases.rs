//! Batches of several processes: with `lock`, one of them computes a key.

use std::{
    collections::{BTreeMap, HashMap},
    time::Duration,
};

use larder::{CacheExt, MemoryCache, RedisCache, TieredCache, cached_many};
use larder_servers::RedisServer;

use super::support::{Calls, Gate, in_time, processes::both, secs};

#[cached_many(
    ttl = 60,
    key = "leased:<id>",
    each = id in ids,
    lock = larder::Lock::Deployment,
    skip(cache, gate, calls),
    cache = cache
)]
async fn leased(cache: &TieredCache, gate: Option<&Gate>, calls: &Calls, ids: &[u64]) -> HashMap<u64, u64> {
    for _ in ids {
        calls.call();
    }
    if let Some(gate) = gate {
        gate.pass().await;
    }
    ids.iter().map(|id| (*id, *id)).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_waits_for_what_another_process_computes() {
    let server = RedisServer::start();
    let (one, other) = both(&server).await;
    let (gate, calls, others) = (Gate::closed(), Calls::default(), Calls::default());
    let first = leased(&one, Some(&gate), &calls, &[1, 2]);
    let second = async {
        gate.until(1).await;
        let second = leased(&other, None, &others, &[2, 3]);
        let open = async {
            // What no other process computes is computed at once.
            super::support::eventually(|| others.made() == 1).await;
            gate.open();
        };
        tokio::join!(second, open).0
    };
    let (first, second) = in_time(async { tokio::join!(first, second) }).await;
    assert_eq!(first, HashMap::from([(1, 1), (2, 2)]));
    assert_eq!(second, HashMap::from([(2, 2), (3, 3)]));
    assert_eq!((calls.made(), others.made()), (2, 1));
    assert_eq!(other.stats().misses_shared, 1);
}

/// Each needs what the other one has: neither waits while it has something to compute.
#[tokio::test(flavor = "multi_thread")]
async fn two_processes_that_need_the_same_keys_compute_each_once() {
    let server = RedisServer::start();
    let (one, other) = both(&server).await;
    let calls = Calls::default();
    for round in 0..10 {
        let up: Vec<u64> = (0..40).map(|id| round * 100 + id).collect();
        let down: Vec<u64> = up.iter().rev().copied().collect();
        let both =
            async { tokio::join!(leased(&one, None, &calls, &up), leased(&other, None, &calls, &down)) };
        let (first, second) = in_time(both).await;
        assert_eq!(first.into_iter().collect::<BTreeMap<_, _>>(), second.into_iter().collect());
    }
    assert_eq!(calls.made(), 400);
}

/// However many keys it holds: they are waited for together.
#[tokio::test(flavor = "multi_thread")]
async fn a_process_that_hangs_is_waited_for_once() {
    #[cached_many(
        ttl = 60,
        key = "leased:<id>",
        each = id in ids,
        lock = larder::Lock::Deployment,
        skip(cache, calls),
        cache = cache
    )]
    async fn counted(cache: &TieredCache, calls: &Calls, ids: &[u64]) -> HashMap<u64, u64> {
        calls.call();
        ids.iter().map(|id| (*id, 0)).collect()
    }

    let server = RedisServer::start();
    let hurried = async |host: &str| {
        let url = server.url().replace("127.0.0.1", host);
        let redis =
            RedisCache::builder().url(url).deadline(secs(5)).lease_lifetime(Duration::from_millis(600));
        TieredCache::new(MemoryCache::new(100), redis.connect().await.expect("the server runs"))
    };
    let (one, other) = (hurried("127.0.0.1").await, hurried("localhost").await);
    let (gate, calls, others) = (Gate::closed(), Calls::default(), Calls::default());
    let ids: Vec<u64> = (0..12).collect();
    let hangs = leased(&one, Some(&gate), &calls, &ids);
    let waits = async {
        gate.until(1).await;
        let found = counted(&other, &others, &ids).await;
        gate.open();
        found
    };
    let (_, found) = in_time(async { tokio::join!(hangs, waits) }).await;
    assert_eq!(found, ids.iter().map(|id| (*id, 0)).collect());
    // Once, unless a busy machine lets a lease end before the others.
    assert!(others.made() < ids.len() / 2, "{} calls", others.made());
}
