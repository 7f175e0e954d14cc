//! One computation of a key in all processes that share a server, and no wait for one that does not come.

#![expect(clippy::unwrap_used, reason = "what fails in a helper fails the test")]

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use larder::{CacheExt, Policy, RedisCache, TieredCache};
use larder_servers::{RedisCluster, RedisServer};
use larder_tests::{
    caches::{self, Process, eventually, long, ms},
    workers::Worker,
};
use tokio::sync::Notify;

const PROGRAM: &str = env!("CARGO_BIN_EXE_worker");

/// Longer than a busy machine lets an answer wait.
const PATIENT: &str = "5000";

fn workers(server: &RedisServer, number: usize, lease: &str) -> Vec<Worker> {
    (0..number).map(|_| Worker::start(PROGRAM, &[&server.url(), lease, PATIENT])).collect()
}

/// What a process said of its callers.
#[derive(Debug)]
struct Said {
    computations: usize,
    ok: usize,
    errors: usize,
    took: Duration,
}

fn said(worker: &Worker) -> Said {
    let lines = worker.lines_to("done");
    let numbers: Vec<usize> =
        lines.last().unwrap().split(' ').skip(1).map(|word| word.parse().unwrap()).collect();
    let computations = lines.iter().filter(|line| *line == "computing").count();
    Said { computations, ok: numbers[0], errors: numbers[1], took: ms(numbers[2] as u64) }
}

fn computations(all: &[Said]) -> usize {
    all.iter().map(|said| said.computations).sum()
}

#[test]
fn four_processes_with_250_tasks_each_compute_a_cold_key_once() {
    let server = RedisServer::start();
    let mut workers = workers(&server, 4, "10000");
    for round in 0..5 {
        for worker in &mut workers {
            worker.order(&format!("compute cold:{round} 250 100 ok deployment"));
        }
        let all: Vec<_> = workers.iter().map(said).collect();
        assert_eq!(computations(&all), 1, "{all:?}");
        assert!(all.iter().all(|said| said.ok == 250 && said.errors == 0), "{all:?}");
        // No process waits for the end of a lease: waiters are notified.
        assert!(all.iter().all(|said| said.took < ms(3_000)), "{all:?}");
    }
}

/// The bound: a lease that is not renewed ends after a third of its lifetime, and is looked for every 200 ms.
fn one_more_after_a_leader_was_killed(lease: Duration) {
    let server = RedisServer::start();
    let mut workers = workers(&server, 4, &lease.as_millis().to_string());
    let mut leader = workers.remove(0);
    leader.order("compute key 250 100000 ok deployment");
    assert_eq!(leader.wait_for("computing").len(), 0);
    for worker in &mut workers {
        worker.order("compute key 250 100 ok deployment");
    }
    // They wait when the lease says so.
    larder_servers::until("the others wait for the leader", || {
        let waits: Vec<u8> = server.command(&["GETRANGE", "larder:l:key", "24", "24"]);
        (waits == b"w").then_some(())
    });
    leader.kill();
    let all: Vec<_> = workers.iter().map(said).collect();
    assert_eq!(computations(&all), 1, "{all:?}");
    assert!(all.iter().all(|said| said.ok == 250 && said.errors == 0), "{all:?}");
    let bound = lease / 3 + ms(200) + ms(100) + ms(2_000);
    assert!(all.iter().all(|said| said.took < bound), "{all:?}: not within {bound:?}");
}

#[test]
fn a_killed_leader_costs_one_more_computation() {
    one_more_after_a_leader_was_killed(Duration::from_secs(10));
}

#[test]
fn a_killed_leader_with_a_short_lease_costs_one_more_computation() {
    one_more_after_a_leader_was_killed(Duration::from_secs(3));
}

#[test]
fn a_holder_that_hangs_is_waited_for_no_longer_than_a_lease_lives() {
    let server = RedisServer::start();
    let mut workers = workers(&server, 3, "1500");
    workers[0].order("compute key 1 0 hang deployment");
    workers[0].wait_for("computing");
    for worker in &mut workers[1..] {
        worker.order("compute key 100 50 ok deployment");
    }
    for worker in &workers[1..] {
        let said = said(worker);
        assert_eq!((said.ok, said.errors), (100, 0), "{said:?}");
        assert!(said.computations <= 1, "{said:?}");
        assert!(said.took >= ms(1_000), "{said:?}: the holder was not waited for");
        assert!(said.took < ms(1_500 + 2_000), "{said:?}");
    }
}

/// The one that led before it, and is gone, has used up its time.
#[tokio::test(flavor = "multi_thread")]
async fn a_caller_that_takes_over_waits_from_its_arrival() {
    let server = RedisServer::start();
    let lease = ms(2_000);
    let tiered =
        async |process: Process| caches::tiered(process.builder(&server).lease_lifetime(lease)).await;
    let (holder, cache) = (tiered(Process::A).await, tiered(Process::B).await);
    let ask = |cache: &TieredCache, begun: Arc<Notify>, hangs: bool| {
        let cache = cache.clone();
        tokio::spawn(async move {
            let compute = async || {
                begun.notify_one();
                if hangs {
                    std::future::pending::<()>().await;
                }
                Ok::<_, String>(1_u64)
            };
            cache.get_or_compute("key", long(), compute).await
        })
    };
    let begun = Arc::new(Notify::new());
    let hangs = ask(&holder, begun.clone(), true);
    begun.notified().await;
    let first = ask(&cache, begun.clone(), false);
    eventually(async || server.command::<Vec<u8>>(&["GETRANGE", "larder:l:key", "24", "24"]) == b"w").await;
    let arrived = Instant::now();
    let second = ask(&cache, begun, false);
    tokio::time::sleep(lease * 9 / 10).await;
    first.abort();
    assert_eq!(second.await.unwrap(), Ok(1));
    let took = arrived.elapsed();
    assert!(took < lease * 9 / 10 + lease * 3 / 4, "{took:?}");
    hangs.abort();
}

#[test]
fn two_processes_that_wait_for_each_other_go_on() {
    let server = RedisServer::start();
    let mut workers = workers(&server, 2, "1500");
    workers[0].order("nest left right");
    workers[1].order("nest right left");
    for worker in &workers {
        let said = said(worker);
        assert_eq!((said.ok, said.errors), (1, 0), "{said:?}");
        assert!(said.took < ms(500 + 1_500 + 2_000), "{said:?}");
    }
}

#[test]
fn a_failure_is_not_shared_and_all_compute_at_once() {
    let server = RedisServer::start();
    let mut workers = workers(&server, 4, "10000");
    for worker in &mut workers {
        worker.order("compute key 50 1000 fail deployment");
    }
    let all: Vec<_> = workers.iter().map(said).collect();
    assert!(all.iter().all(|said| said.ok == 0 && said.errors == 50), "{all:?}");
    // One after the other they would take four seconds.
    assert!(all.iter().all(|said| said.took < ms(3_000)), "{all:?}");
    assert!(computations(&all) <= 4, "{all:?}");
}

#[test]
fn where_the_policy_says_so_each_process_computes() {
    let server = RedisServer::start();
    let mut workers = workers(&server, 3, "10000");
    for worker in &mut workers {
        worker.order("compute key 100 1000 ok process");
    }
    let all: Vec<_> = workers.iter().map(said).collect();
    assert!(all.iter().all(|said| said.computations == 1 && said.ok == 100), "{all:?}");
    assert_eq!(larder_tests::caches::calls(&server, "setrange"), 0, "no process asked for a lease");
}

/// A computation that an invalidation has made worthless holds up no caller.
#[test]
fn what_is_invalidated_is_computed_again_at_once() {
    let server = RedisServer::start();
    let mut workers = workers(&server, 2, "10000");
    workers[0].order("compute key 1 100000 ok deployment");
    workers[0].wait_for("computing");
    workers[1].order("invalidate key");
    workers[1].wait_for("invalidated");
    workers[1].order("compute key 1 100 ok deployment");
    let said = said(&workers[1]);
    assert_eq!(said.computations, 1);
    assert!(said.took < ms(2_000), "{said:?}");
}

/// A value that is stale, but served, is refreshed by one process.
#[tokio::test(flavor = "multi_thread")]
async fn one_process_refreshes_for_all() {
    let server = RedisServer::start();
    let caches = [Process::A.tiered(&server).await, Process::B.tiered(&server).await];
    let policy = Policy::builder().ttl(ms(1_000)).stale_while_revalidate(Duration::from_secs(600));
    let policy = policy.build().unwrap();
    caches[0].insert("key", &0_u64, &policy).await.unwrap();
    let computed = caches[1].get_or_compute("key", &policy, async || Ok::<_, String>(9_u64)).await;
    assert_eq!(computed, Ok(0), "it is shared");
    for cache in &caches {
        larder_tests::caches::eventually(async || cache.remaining_ttl("key").await.unwrap().is_none()).await;
    }

    let (begun, go_on) = (tokio::sync::Notify::new(), tokio::sync::Notify::new());
    let refresh = caches[0].get_or_compute("key", &policy, async || {
        begun.notify_one();
        go_on.notified().await;
        Ok::<_, String>(1_u64)
    });
    let other = async {
        begun.notified().await;
        let served = caches[1].get_or_compute("key", &policy, async || Ok::<_, String>(2_u64)).await;
        go_on.notify_one();
        served
    };
    let (refreshed, served) = tokio::join!(refresh, other);
    assert_eq!(served, Ok(0), "the other one is at it: the stale value is served");
    assert_eq!(refreshed, Ok(1));
}

/// So that both lie on one node, of which both are asked in one round trip.
#[tokio::test(flavor = "multi_thread")]
async fn in_a_cluster_the_lease_lies_beside_its_entry() {
    let cluster = RedisCluster::start();
    let nodes: Vec<_> = cluster.servers().iter().map(|server| server.address().to_string()).collect();
    let builder = RedisCache::builder().cluster(nodes).lease_lifetime(Duration::from_secs(60));
    let cache = caches::tiered(caches::patient(builder)).await;
    let (begun, end) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    for key in ["user:7", "user:8", "{user:9}:posts", "ключ"] {
        let computing = tokio::spawn({
            let (cache, begun, end) = (cache.clone(), begun.clone(), end.clone());
            async move {
                let compute = async || {
                    begun.notify_one();
                    end.notified().await;
                    Ok::<_, String>(1)
                };
                cache.get_or_compute(key, long(), compute).await
            }
        });
        begun.notified().await;
        let entry = format!("larder:e:{key}");
        let owner = cluster.server(cluster.master_of(cluster.slot_of(&entry)));
        let names: Vec<String> = owner.command(&["KEYS", "larder:l*"]);
        let leases: Vec<_> = names.iter().filter(|name| name.contains(key)).collect();
        assert_eq!(leases.len(), 1, "{key}: {names:?}");
        assert_eq!(cluster.slot_of(leases[0]), cluster.slot_of(&entry), "{leases:?}");
        end.notify_one();
        assert_eq!(computing.await.unwrap(), Ok(1));
        eventually(async || owner.command::<bool>(&["EXISTS", &entry])).await;
        eventually(async || owner.command::<Vec<String>>(&["KEYS", "larder:l*"]).is_empty()).await;
    }
}
