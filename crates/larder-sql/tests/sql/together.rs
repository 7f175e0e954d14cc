//! What processes do together: one of them computes, and one holds a lock.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::SeqCst},
    },
    time::{Duration, Instant},
};

use larder::{CacheExt, MemoryCache, Policy};
use larder_sql::TieredSqlCache;
use tokio::sync::Notify;

use crate::places::{Place, eventually, policy};

const LONG: Duration = Duration::from_secs(60);

async fn caches(place: &Place, count: usize) -> Vec<TieredSqlCache> {
    let mut caches = Vec::new();
    for _ in 0..count {
        caches.push(place.tiered().await);
    }
    // What one computes from before another one has begun is not proved to that one at first.
    let position = |cache: &TieredSqlCache| cache.link().position;
    let is_one = async || caches.iter().all(|cache| position(cache) == position(&caches[0]));
    eventually("all are equally far", is_one).await;
    caches
}

/// Each has a pool and a log of its own, as processes have.
#[tokio::test(flavor = "multi_thread")]
async fn a_stampede_over_several_processes_computes_once() {
    for place in Place::all() {
        let (computed, mut tasks) = (Arc::new(AtomicU64::new(0)), Vec::new());
        for cache in caches(&place, 4).await {
            for _ in 0..8 {
                let (cache, computed) = (cache.clone(), computed.clone());
                tasks.push(tokio::spawn(async move {
                    let compute = async || {
                        computed.fetch_add(1, SeqCst);
                        tokio::time::sleep(Duration::from_millis(100)).await;
                        Ok::<u64, String>(7)
                    };
                    cache.get_or_compute("k", policy(), compute).await
                }));
            }
        }
        for task in tasks {
            assert_eq!(task.await.unwrap(), Ok(7));
        }
        assert_eq!(computed.load(SeqCst), 1, "{}", place.url);
        let leases = async || place.count("SELECT count(*) FROM {}_leases").await == 0;
        eventually("the lease is given back", leases).await;
    }
}

/// It is told when there is a value, and does not only look again from time to time.
#[tokio::test(flavor = "multi_thread")]
async fn a_caller_that_waits_is_woken_and_finds_the_value_in_memory() {
    for place in Place::all() {
        let (all, begun, goes_on) =
            (caches(&place, 2).await, Arc::new(Notify::new()), Arc::new(Notify::new()));
        let holder = tokio::spawn({
            let (cache, begun, goes_on) = (all[0].clone(), begun.clone(), goes_on.clone());
            async move {
                let compute = async || {
                    begun.notify_one();
                    goes_on.notified().await;
                    Ok::<u64, String>(7)
                };
                cache.get_or_compute("k", policy(), compute).await
            }
        });
        begun.notified().await;
        let waiter = tokio::spawn({
            let cache = all[1].clone();
            async move {
                cache.get_or_compute("k", policy(), async || Err::<u64, _>("it computed".to_owned())).await
            }
        });
        let waits = if place.is_sqlite() { "waited" } else { "waited::int::bigint" };
        let waits = format!("SELECT coalesce(max({waits}), 0) FROM {{}}_leases");
        let is_marked = async || place.count(&waits).await == 1;
        eventually("it says that it waits", is_marked).await;
        let records = all[1].link().records;
        goes_on.notify_one();
        assert_eq!((holder.await.unwrap(), waiter.await.unwrap()), (Ok(7), Ok(7)));
        eventually("it was woken through the log", async || all[1].link().records > records).await;
        place.execute("DELETE FROM {}_entries").await;
        assert_eq!(all[1].get::<u64>("k").await.unwrap(), Some(7), "it is in memory");
    }
}

/// What a holder computes that began before a change is not waited for.
#[tokio::test(flavor = "multi_thread")]
async fn a_computation_that_is_out_of_date_is_not_waited_for() {
    for place in Place::all() {
        let (all, begun) = (caches(&place, 2).await, Arc::new(Notify::new()));
        let holder = tokio::spawn({
            let (cache, begun) = (all[0].clone(), begun.clone());
            async move {
                let compute = async || {
                    begun.notify_one();
                    std::future::pending::<Result<u64, String>>().await
                };
                cache.get_or_compute("k", policy(), compute).await
            }
        });
        begun.notified().await;
        all[1].invalidate("k").await;
        let begun = Instant::now();
        let value = all[1].get_or_compute("k", policy(), async || Ok::<u64, String>(8)).await;
        assert_eq!(value, Ok(8));
        assert!(begun.elapsed() < Duration::from_secs(9), "no lifetime of a lease: {:?}", begun.elapsed());
        holder.abort();
    }
}

/// A holder that died holds up others for a part of the time that they wait at most.
#[tokio::test(flavor = "multi_thread")]
async fn a_lease_ends_without_its_holder() {
    for place in Place::all() {
        let cache = place.builder().lease_lifetime(Duration::from_millis(600)).connect().await.unwrap();
        let cache = TieredSqlCache::new(&MemoryCache::new(100), cache);
        // For longer than others wait: a holder that goes on and on, or is none of this release.
        let key = if place.is_sqlite() {
            "CAST('kk' AS BLOB), zeroblob(24), 0"
        } else {
            "'kk'::bytea, '\\x00'::bytea || decode(repeat('00', 23), 'hex'), false"
        };
        place.execute(&format!("INSERT INTO {{}}_leases VALUES ({key}, 9000000000000)")).await;
        let begun = Instant::now();
        let value = cache.get_or_compute("k", policy(), async || Ok::<u64, String>(8)).await;
        assert_eq!(value, Ok(8));
        assert!(begun.elapsed() < LONG);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lock_has_one_holder_and_its_numbers_grow() {
    for place in Place::all() {
        let all = caches(&place, 2).await;
        let mut last = 0;
        for round in 0..4 {
            let (one, other) = (&all[round % 2], &all[(round + 1) % 2]);
            let held = one.try_lock("l", LONG).await.unwrap().expect("it is free");
            assert!(held.is_held() && held.fencing_token() > last);
            last = held.fencing_token();
            assert!(other.try_lock("l", LONG).await.unwrap().is_none(), "it is held");
            assert!(other.try_lock(&format!("other:{round}"), LONG).await.unwrap().is_some());
            assert!(held.release().await.unwrap());
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lock_is_renewed_while_its_guard_lives_and_ends_without() {
    let ttl = Duration::from_millis(900);
    for place in Place::all() {
        let all = caches(&place, 2).await;
        let mut held = all[0].try_lock("l", LONG).await.unwrap().expect("it is free");
        assert!(held.renew(ttl).await.unwrap());
        drop(held);
        let free = async || all[1].try_lock("l", ttl).await.unwrap().is_some();
        eventually("a dropped guard releases", free).await;
        // As if its holder were gone: it is no longer the one in the table.
        let mut held = all[0].lock("m", LONG).await.unwrap();
        place.execute("UPDATE {}_locks SET ends = 0").await;
        let taken = all[1].try_lock("m", LONG).await.unwrap().expect("its time is over");
        assert!(taken.fencing_token() > held.fencing_token());
        assert!(!held.renew(LONG).await.unwrap(), "it was lost");
        assert!(!held.release().await.unwrap());
        assert!(taken.release().await.unwrap(), "which is not that of the other one");
    }
}

/// A policy that wants no more than its process takes no lease.
#[tokio::test(flavor = "multi_thread")]
async fn a_process_may_compute_for_itself() {
    for place in Place::all() {
        let cache = place.tiered().await;
        let own = Policy::builder().ttl(LONG).lock(larder::Lock::Process).build().unwrap();
        let compute = async || Ok::<i64, String>(place.count("SELECT count(*) FROM {}_leases").await);
        assert_eq!(cache.get_or_compute("k", own, compute).await, Ok(0));
        assert_eq!(cache.get_or_compute("l", policy(), compute).await, Ok(1));
    }
}
