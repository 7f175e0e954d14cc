//! `warm`: calls for many items, some at a time.

use std::sync::atomic::{AtomicUsize, Ordering};

use larder::{CacheExt, MemoryCache, Warmed, cached, warm};
use larder_servers::RedisServer;

use crate::support::{Gate, in_time, processes::both, secs};

/// A database that counts how many ask at once, and how often it was asked.
#[derive(Default)]
struct Db {
    asked: AtomicUsize,
    at_once: AtomicUsize,
    most_at_once: AtomicUsize,
}

impl Db {
    async fn load(&self, id: u64) -> Result<u64, String> {
        self.asked.fetch_add(1, Ordering::SeqCst);
        let at_once = self.at_once.fetch_add(1, Ordering::SeqCst) + 1;
        self.most_at_once.fetch_max(at_once, Ordering::SeqCst);
        for _ in 0..3 {
            tokio::task::yield_now().await;
        }
        self.at_once.fetch_sub(1, Ordering::SeqCst);
        match id {
            13 => Err("thirteen".to_owned()),
            14 => panic!("on purpose: fourteen"),
            _ => Ok(id * 2),
        }
    }
}

#[cached(ttl = 60, key = "warmed:<id>", cache = cache, skip(cache, db), unless = |value| *value == 0)]
async fn doubled(cache: &dyn larder::Cache, db: &Db, id: u64) -> Result<u64, String> {
    db.load(id).await
}

async fn warmed(
    cache: &dyn larder::Cache,
    db: &Db,
    ids: impl IntoIterator<Item = u64>,
) -> Warmed<Result<u64, String>> {
    in_time(warm(ids, 4, |id| doubled::with_outcome(cache, db, id))).await
}

#[tokio::test]
async fn missing_keys_are_computed_some_at_a_time_and_fresh_ones_are_not() {
    let (cache, db) = (MemoryCache::new(1_000), Db::default());
    for id in 1..=5 {
        doubled(&cache, &db, id).await.unwrap();
    }
    let warmed = warmed(&cache, &db, (0..=200).filter(|id| *id != 13 && *id != 14)).await;
    assert_eq!((warmed.fresh, warmed.computed, warmed.not_stored), (5, 194, 1), "{warmed:?}");
    assert_eq!((warmed.failed.len(), warmed.panicked, warmed.stale, warmed.fetched), (0, 0, 0, 0));
    assert_eq!(db.most_at_once.load(Ordering::SeqCst), 4);
    assert_eq!(cache.get::<u64>("warmed:200").await.unwrap(), Some(400));
}

#[tokio::test]
async fn errors_are_collected_with_their_positions_and_panics_counted() {
    let (cache, db) = (MemoryCache::new(1_000), Db::default());
    let warmed = warmed(&cache, &db, 10..20).await;
    assert_eq!(warmed.errors().collect::<Vec<_>>(), [(3, &"thirteen".to_owned())]);
    assert_eq!((warmed.computed, warmed.panicked), (8, 1), "{warmed:?}");
}

#[tokio::test]
async fn a_refresh_computes_all_of_them_anew() {
    let (cache, db) = (MemoryCache::new(1_000), Db::default());
    warmed(&cache, &db, 1..=3).await;
    let warmed = in_time(warm([1, 2, 13], 2, |id| doubled::refresh(&cache, &db, id))).await;
    assert_eq!((warmed.computed, warmed.failed), (2, vec![(2, Err("thirteen".to_owned()))]));
    assert_eq!(db.asked.load(Ordering::SeqCst), 6);
}

#[cached(ttl = 60, key = "gated:<id>", cache = cache, skip(cache, gate))]
async fn gated(cache: &MemoryCache, gate: &Gate, id: u64) -> u64 {
    gate.pass().await;
    id
}

/// Valid by the one rule: what is invalidated while it is computed for a warm-up is not stored.
#[tokio::test]
async fn an_invalidation_meanwhile_counts() {
    let (cache, gate) = (MemoryCache::new(10), Gate::closed());
    let warming = warm([1, 2], 2, |id| gated::with_outcome(&cache, &gate, id));
    let invalidating = async {
        gate.until(2).await;
        gated::invalidate(&cache, 1).await;
        gate.open();
    };
    let (warmed, ()) = in_time(async { tokio::join!(warming, invalidating) }).await;
    assert_eq!((warmed.computed, warmed.not_stored), (2, 1));
    assert_eq!(cache.get::<u64>("gated:1").await.unwrap(), None);
    assert_eq!(gated(&cache, &gate, 2).await, 2);
    assert_eq!(gate.came(), 2);
}

#[tokio::test]
async fn a_closure_that_panics_counts_as_its_call() {
    let (cache, db) = (MemoryCache::new(10), Db::default());
    let calls = |id| {
        assert_ne!(id, 2, "on purpose: two");
        doubled::with_outcome(&cache, &db, id)
    };
    let warmed = in_time(warm(1..=3, 1, calls)).await;
    assert_eq!((warmed.computed, warmed.panicked), (2, 1), "{warmed:?}");
}

/// A list without an end, of hits alone, does not keep its thread.
#[tokio::test]
async fn hits_leave_room_for_others() {
    let (cache, db) = (MemoryCache::new(10), Db::default());
    doubled(&cache, &db, 1).await.unwrap();
    let endless = warm(std::iter::repeat(1), 4, |id| doubled::with_outcome(&cache, &db, id));
    in_time(async {
        tokio::select! {
            biased;
            _ = endless => unreachable!("it has no end"),
            () = tokio::time::sleep(secs(0)) => {}
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_another_process_has_is_fetched() {
    let server = RedisServer::start();
    let (one, other) = both(&server).await;
    let db = Db::default();
    let first = warmed(&one, &db, 1..=10).await;
    assert_eq!(first.computed, 10, "{first:?}");
    let second = warmed(&other, &db, 1..=12).await;
    assert_eq!((second.fetched, second.computed), (10, 2), "{second:?}");
    assert_eq!(warmed(&other, &db, 1..=12).await.fresh, 12);
}
