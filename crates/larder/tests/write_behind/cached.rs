//! The cache shows what is written, and stays right.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use larder::{Cache, CacheExt, MemoryCache, Policy};

use crate::database::{Database, LONG, Mood, builder, eventually};

const POLICY: Policy = Policy::ttl(Duration::from_secs(600));

async fn get(cache: &impl Cache, key: &str) -> Option<u64> {
    cache.get(key).await.unwrap()
}

async fn read(cache: &impl Cache, database: &Database) -> u64 {
    cache.get_or_compute("row:a", POLICY, async || Ok::<_, ()>(database.row("a").unwrap_or(0))).await.unwrap()
}

#[tokio::test]
async fn a_write_shows_at_once_and_is_read_anew_when_it_is_committed() {
    let (database, cache) = (Database::default(), MemoryCache::new(100));
    let queue = builder().cache(&cache).max_delay(LONG).start(database.clone()).unwrap();
    assert_eq!(read(&cache, &database).await, 0);
    queue.write_cached("a", &1, "row:a", POLICY).await.unwrap();
    assert_eq!((read(&cache, &database).await, database.row("a")), (1, None));
    assert!(queue.flush(LONG).await.unwrap());
    assert_eq!(get(&cache, "row:a").await, None);
    assert_eq!(read(&cache, &database).await, 1);
}

/// A reader for whom the entry is gone computes from the old row, and what it computes goes with the commit.
#[tokio::test]
async fn what_was_computed_from_the_old_row_is_dropped_by_the_commit() {
    let (database, cache) = (Database::default(), MemoryCache::new(100));
    let queue = builder().cache(&cache).max_delay(LONG).start(database.clone()).unwrap();
    queue.write_cached("a", &1, "row:a", POLICY).await.unwrap();
    // It was evicted, say.
    cache.invalidate("row:a").await;
    assert_eq!(read(&cache, &database).await, 0, "from the old row");
    // And one whose computation ends after the commit.
    let slow = cache.get_or_compute("row:a:doubled", POLICY, async || {
        let row = read(&cache, &database).await;
        assert!(queue.flush(LONG).await.unwrap());
        Ok::<_, ()>(row * 2)
    });
    assert_eq!(slow.await.unwrap(), 0);
    assert_eq!(get(&cache, "row:a:doubled").await, None, "it was computed from the old row");
    assert_eq!(read(&cache, &database).await, 1);
}

#[tokio::test]
async fn a_write_that_is_given_up_is_no_longer_shown() {
    let (database, cache) = (Database::default(), MemoryCache::new(100));
    let queue = builder().cache(&cache).max_delay(LONG).start(database.clone()).unwrap();
    database.fails("a", true);
    queue.write_cached("a", &1, "row:a", POLICY).await.unwrap();
    assert_eq!(get(&cache, "row:a").await, Some(1));
    assert!(queue.flush(LONG).await.unwrap());
    assert_eq!(queue.stats().dead, 1);
    assert_eq!((get(&cache, "row:a").await, read(&cache, &database).await), (None, 0));
    // Replayed, it drops what was computed meanwhile.
    database.heal();
    let letters = queue.dead_letters(1).await.unwrap();
    queue.replay(&[letters[0].id]).await.unwrap();
    assert!(queue.flush(LONG).await.unwrap());
    assert_eq!(read(&cache, &database).await, 1);
}

/// The commit of an earlier write leaves it alone.
#[tokio::test]
async fn a_later_write_is_still_shown() {
    let (database, cache) = (Database::default(), MemoryCache::new(100));
    let queue = builder().cache(&cache).keep_all().max_batch(1).start(database.clone()).unwrap();
    database.is(Mood::Away);
    for value in [1, 2] {
        queue.write_cached("a", &value, "row:a", POLICY).await.unwrap();
    }
    database.takes(1);
    eventually(|| queue.stats().written == 1).await;
    assert_eq!((database.row("a"), get(&cache, "row:a").await), (Some(1), Some(2)));
    database.heal();
    assert!(queue.flush(LONG).await.unwrap());
    assert_eq!((get(&cache, "row:a").await, read(&cache, &database).await), (None, 2));
}

/// However often commits of the key are under way: what was acknowledged is shown, to the writer and to a reader beside it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_acknowledged_is_shown() {
    const LAST: u64 = 3_000;
    let (database, cache) = (Database::default(), MemoryCache::new(100));
    let queue = builder().cache(&cache).max_delay(Duration::ZERO).start(database.clone()).unwrap();
    let acknowledged = Arc::new(AtomicU64::new(0));
    let reader = tokio::spawn({
        let (acknowledged, cache, database) = (acknowledged.clone(), cache.clone(), database.clone());
        async move {
            loop {
                let known = acknowledged.load(Ordering::SeqCst);
                let shown = read(&cache, &database).await;
                assert!(shown >= known, "{shown} is shown after {known}");
                if known == LAST {
                    break;
                }
                tokio::task::yield_now().await;
            }
        }
    });
    for value in 1..=LAST {
        queue.write_cached("a", &value, "row:a", POLICY).await.unwrap();
        acknowledged.store(value, Ordering::SeqCst);
        let shown = read(&cache, &database).await;
        assert!(shown >= value, "{shown} is shown after {value}");
    }
    reader.await.unwrap();
    assert!(queue.flush(LONG).await.unwrap());
    assert_eq!(read(&cache, &database).await, LAST);
}

/// A namespace's own name is a full key, but a queue takes an empty one for none.
#[tokio::test]
async fn an_empty_cache_key_is_refused() {
    let (database, cache) = (Database::default(), MemoryCache::new(100));
    let queue = builder().cache(&cache.namespace("rows")).start(database).unwrap();
    let error = queue.write_cached("a", &1, "", POLICY).await.unwrap_err();
    assert!(error.is_invalid_key(), "{error}");
    assert_eq!(queue.stats().acknowledged, 0);
}

/// What the reply of a write is late for.
#[cfg(feature = "redis")]
mod late_replies {
    use larder::write_behind::WriteBehind;
    use larder_servers::{Direction, Fault, Proxy, RedisServer};

    use super::*;
    use crate::processes::{self, cache as connect};

    /// A queue whose replies can be held up, and one that consumes; both show in the same cache.
    async fn two(shown: &MemoryCache, database: &Database) -> (RedisServer, Proxy, [WriteBehind<u64>; 2]) {
        let server = RedisServer::start();
        let proxy = Proxy::start(server.address());
        let late = processes::builder(&connect(&proxy.url()).await).cache(shown).producer().unwrap();
        let near = processes::builder(&connect(&server.url()).await).cache(shown);
        let near = near.start(database.clone()).unwrap();
        (server, proxy, [late, near])
    }

    fn hold(proxy: &Proxy, late: &WriteBehind<u64>, value: u64) -> Writing {
        proxy.set(Direction::ToClient, Fault::Hold);
        let late = late.clone();
        tokio::spawn(async move { late.write_cached("a", &value, "row:a", POLICY).await })
    }

    type Writing = tokio::task::JoinHandle<larder::Result<larder::write_behind::WriteId>>;

    #[tokio::test(flavor = "multi_thread")]
    async fn one_that_was_overtaken_is_not_shown() {
        let (shown, database) = (MemoryCache::new(100), Database::default());
        let (_server, proxy, [late, near]) = two(&shown, &database).await;
        late.write("warm", &0).await.unwrap();
        let writing = hold(&proxy, &late, 1);
        eventually(|| database.row("a") == Some(1)).await;
        near.write_cached("a", &2, "row:a", POLICY).await.unwrap();
        assert!(near.flush(LONG).await.unwrap());
        assert_eq!((database.row("a"), get(&shown, "row:a").await), (Some(2), None));
        proxy.heal();
        writing.await.unwrap().unwrap();
        assert_eq!(get(&shown, "row:a").await, None, "a newer one is committed");
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn one_that_is_the_last_is_shown_whatever_came_between() {
        let (shown, database) = (MemoryCache::new(100), Database::default());
        database.is(Mood::Away);
        let (_server, proxy, [late, near]) = two(&shown, &database).await;
        late.write("warm", &0).await.unwrap();
        let writing = hold(&proxy, &late, 1);
        let start = std::time::Instant::now();
        while near.depth().await.unwrap().waiting < 2 {
            assert!(start.elapsed() < LONG);
        }
        shown.invalidate("row:a").await;
        proxy.heal();
        writing.await.unwrap().unwrap();
        assert_eq!(get(&shown, "row:a").await, Some(1));
    }
}
