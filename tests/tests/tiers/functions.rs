//! Cached functions of lists, and functions that `#[invalidate]` names, where entries lie in Redis.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
};

use larder::{Cache, Source, Tier, cached, cached_many, invalidate};
use larder_servers::RedisServer;
use larder_tests::caches::{Process, eventually};
use tokio::sync::Semaphore;

/// What two processes have in common.
#[derive(Default)]
struct Db {
    asked: Mutex<Vec<Vec<u64>>>,
    version: AtomicU64,
}

impl Db {
    fn names(&self, ids: &[u64]) -> HashMap<u64, String> {
        self.asked.lock().unwrap().push(ids.to_vec());
        let version = self.version.load(Ordering::SeqCst);
        ids.iter().map(|id| (*id, format!("{id}.{version}"))).collect()
    }

    fn asked(&self) -> Vec<Vec<u64>> {
        std::mem::take(&mut self.asked.lock().unwrap())
    }
}

#[cached(ttl = 3600, key = "name:<id>", skip(cache, db), cache = cache)]
async fn name(cache: &dyn Cache, db: &Db, id: u64) -> String {
    db.names(&[id])[&id].clone()
}

#[cached_many(ttl = 3600, key = "name:<id>", each = id in ids, skip(cache, db), cache = cache)]
async fn names(cache: &dyn Cache, db: &Db, ids: &[u64]) -> Result<HashMap<u64, String>, String> {
    Ok(db.names(ids))
}

#[invalidate(name(cache, id))]
async fn rename(cache: &dyn Cache, db: &Db, id: u64) {
    db.version.fetch_add(1, Ordering::SeqCst);
}

#[invalidate(names(cache, ..))]
async fn rename_all(cache: &dyn Cache, db: &Db) {
    db.version.fetch_add(1, Ordering::SeqCst);
}

async fn both(server: &RedisServer, tiered: bool) -> [Arc<dyn Cache>; 2] {
    match tiered {
        true => [Process::A.tiered(server).await.share(), Process::B.tiered(server).await.share()],
        false => [Process::A.bare(server).await.share(), Process::B.bare(server).await.share()],
    }
}

fn versions(of: &[(u64, u64)]) -> HashMap<u64, String> {
    of.iter().map(|(id, version)| (*id, format!("{id}.{version}"))).collect()
}

/// A batch takes what other processes have computed, in batches or one by one, and an invalidation by a function's name
/// reaches them.
#[tokio::test(flavor = "multi_thread")]
async fn batches_and_invalidations_reach_other_processes() {
    for tiered in [true, false] {
        let server = RedisServer::start();
        let [a, b] = &both(&server, tiered).await;
        let db = Db::default();
        assert_eq!(names(a, &db, &[1, 2]).await.unwrap(), versions(&[(1, 0), (2, 0)]));
        assert_eq!(name(a, &db, 3).await, "3.0");
        assert_eq!(names(b, &db, &[1, 2, 3, 4]).await.unwrap(), versions(&[(1, 0), (2, 0), (3, 0), (4, 0)]));
        assert_eq!(name(b, &db, 2).await, "2.0");
        assert_eq!(db.asked(), [vec![1, 2], vec![3], vec![4]], "tiered: {tiered}");

        rename(a, &db, 1).await;
        assert_eq!(names(a, &db, &[1, 2]).await.unwrap(), versions(&[(1, 1), (2, 0)]));
        eventually(async || name(b, &db, 1).await == "1.1").await;
        assert_eq!(names(b, &db, &[1, 2]).await.unwrap(), versions(&[(1, 1), (2, 0)]));

        rename_all(b, &db).await;
        assert_eq!(names(b, &db, &[1, 2]).await.unwrap(), versions(&[(1, 2), (2, 2)]));
        eventually(async || names(a, &db, &[3, 1]).await.unwrap() == versions(&[(1, 2), (3, 2)])).await;
    }
}

#[cached_many(ttl = 3600, key = "slow:<id>", each = id in ids, skip(cache, db, gates), cache = cache)]
async fn slow(
    cache: &dyn Cache,
    db: &Db,
    gates: Option<&(Semaphore, Semaphore)>,
    ids: &[u64],
) -> HashMap<u64, String> {
    let names = db.names(ids);
    if let Some((reached, go_on)) = gates {
        reached.add_permits(1);
        go_on.acquire().await.unwrap().forget();
    }
    names
}

#[invalidate(slow(cache, 1))]
async fn change_slow(cache: &dyn Cache, db: &Db) {
    db.version.fetch_add(1, Ordering::SeqCst);
}

/// A batch that was begun before an invalidation in another process stores nothing over it, there or here.
#[tokio::test(flavor = "multi_thread")]
async fn a_batch_does_not_store_over_an_invalidation_of_another_process() {
    for tiered in [true, false] {
        let server = RedisServer::start();
        let [a, b] = &both(&server, tiered).await;
        let (db, gates) = (Db::default(), (Semaphore::new(0), Semaphore::new(0)));
        let (older, ()) = tokio::join!(slow(a, &db, Some(&gates), &[1, 2]), async {
            gates.0.acquire().await.unwrap().forget();
            change_slow(b, &db).await;
            assert_eq!(slow(b, &db, None, &[1]).await, versions(&[(1, 1)]));
            gates.1.add_permits(1);
        });
        assert_eq!(older, versions(&[(1, 0), (2, 0)]));
        assert_eq!(slow(b, &db, None, &[1, 2]).await, versions(&[(1, 1), (2, 0)]), "tiered: {tiered}");
        eventually(async || slow(a, &db, None, &[1, 2]).await == versions(&[(1, 1), (2, 0)])).await;
        assert_eq!(db.version.load(Ordering::SeqCst), 1);
    }
}

/// What another process has computed is a hit in the store that they share, then one in memory.
#[tokio::test(flavor = "multi_thread")]
async fn an_outcome_tells_the_tier() {
    let server = RedisServer::start();
    let [a, b] = &both(&server, true).await;
    let db = Db::default();
    let (_, outcome) = name::with_outcome(a, &db, 1).await;
    assert_eq!((outcome.source, outcome.tier), (Source::Computed, None));
    let (value, outcome) = name::with_outcome(b, &db, 1).await;
    assert_eq!((&*value, outcome.source, outcome.tier), ("1.0", Source::Hit, Some(Tier::Shared)));
    assert!(outcome.ttl.as_secs() > 3000, "{outcome:?}");
    let (_, outcome) = name::with_outcome(b, &db, 1).await;
    assert_eq!((outcome.source, outcome.tier), (Source::Hit, Some(Tier::Memory)));
    rename(a, &db, 1).await;
    eventually(async || name::with_outcome(b, &db, 1).await.0 == "1.1").await;
}
