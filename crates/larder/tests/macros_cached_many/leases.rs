//! Batches of several processes: with `lock`, one of them computes a key.

use std::collections::{BTreeMap, HashMap};

use larder::{CacheExt, TieredCache, cached_many};
use larder_servers::RedisServer;

use super::support::{Calls, Gate, in_time, processes::both};

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
