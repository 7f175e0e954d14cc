//! Disks that hang, and runtimes that have no timers.

use std::{
    sync::{
        Condvar, Mutex,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
    time::{Duration, Instant},
};

use larder::{CacheExt, RedisCache, Scope};
use larder_servers::RedisServer;
use serde::{Deserialize, Deserializer, Serialize};

use crate::{LONG, folder, get, on, open, support, support::long, written};

/// While it is closed, what is read from disk or written to it hangs where a [`Slow`] is in it.
static CLOSED: Mutex<bool> = Mutex::new(false);
static OPENED: Condvar = Condvar::new();
/// How many came there.
static PASSED: AtomicUsize = AtomicUsize::new(0);
/// One test at a time.
static ONE: tokio::sync::Mutex<()> = tokio::sync::Mutex::const_new(());

/// Opens it when dropped.
struct Closed;

impl Closed {
    fn new() -> Self {
        *CLOSED.lock().unwrap() = true;
        Self
    }
}

impl Drop for Closed {
    fn drop(&mut self) {
        *CLOSED.lock().unwrap() = false;
        OPENED.notify_all();
    }
}

fn pass() {
    PASSED.fetch_add(1, SeqCst);
    let closed = CLOSED.lock().unwrap();
    drop(OPENED.wait_while(closed, |closed| *closed).unwrap());
}

#[derive(Clone, Debug, PartialEq)]
struct Slow(String);

impl Serialize for Slow {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        pass();
        self.0.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Slow {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        pass();
        String::deserialize(deserializer).map(Self)
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_read_that_hangs_is_a_miss_and_the_only_one() {
    let _one = ONE.lock().await;
    let folder = folder();
    let cache = open(&folder);
    let slow = Slow("slow".to_owned());
    cache.insert("slow", &slow, long()).await.unwrap();
    cache.insert("n", &1_u64, long()).await.unwrap();
    cache.insert("m", &2_u64, long()).await.unwrap();
    drop(cache);

    let cache = open(&folder);
    assert_eq!(get(&cache, "m").await, Some(2));
    let closed = Closed::new();
    let read = tokio::time::timeout(LONG / 4, cache.get::<Slow>("slow")).await;
    assert_eq!(read.expect("it hangs").unwrap(), None);
    assert_eq!(cache.stats().disk_failures, 1);
    // While it does, the disk is not read; what is in memory is served.
    let begun = Instant::now();
    for _ in 0..100 {
        assert_eq!((get(&cache, "n").await, get(&cache, "m").await), (None, Some(2)));
    }
    assert!(begun.elapsed() < Duration::from_secs(10), "{:?}", begun.elapsed());
    assert_eq!(cache.stats().disk_failures, 1);
    drop(closed);
    let start = Instant::now();
    while get(&cache, "n").await != Some(1) {
        assert!(start.elapsed() < LONG, "the disk is never read again");
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    assert_eq!(cache.get("slow").await.unwrap(), Some(slow));
}

/// However few they are.
#[tokio::test(flavor = "multi_thread")]
async fn what_waits_for_a_disk_that_hangs_takes_a_bounded_part_of_memory() {
    const MIB: usize = 1 << 20;
    let _one = ONE.lock().await;
    let folder = folder();
    let cache = on(&folder).capacity(10).build().unwrap();
    let large: String = std::iter::repeat_with(fastrand::alphanumeric).take(MIB).collect();
    cache.insert("first", &Slow(large.clone()), long()).await.unwrap();
    written(&cache, 1).await;
    // A write that changes nothing on disk does not wait for it.
    let store = async |n: u64| {
        let value = async || Ok::<_, larder::Error>(Slow(large.clone()));
        cache.get_or_compute(&format!("large:{n}"), long(), value).await.unwrap();
    };
    // What was taken makes room.
    for round in 0..2 {
        let (closed, passed) = (Closed::new(), PASSED.load(SeqCst));
        store(0).await;
        support::eventually(|| PASSED.load(SeqCst) > passed).await;
        let before = cache.stats().disk_dropped;
        for n in 1..=90 {
            store(n).await;
        }
        let dropped = cache.stats().disk_dropped - before;
        // What is invalid is not written: that takes less time.
        let invalidating = cache.invalidate(Scope::all());
        drop(closed);
        invalidating.await;
        written(&cache, 92 + round * 91).await;
        assert!((26..=28).contains(&dropped), "{dropped} were dropped");
    }
}

#[test]
fn a_runtime_without_timers_is_enough() {
    let folder = folder();
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(async {
        let cache = open(&folder);
        for n in 0..20_u64 {
            cache.insert("n", &n, long()).await.unwrap();
        }
        cache.invalidate("m").await;
        assert!(cache.flush(LONG).await);
        drop(cache);
        assert_eq!(get(&open(&folder), "n").await, Some(19));
    });
}

#[tokio::test]
async fn a_limit_may_be_as_long_as_can_be() {
    let folder = folder();
    let cache = open(&folder);
    cache.insert("n", &1_u64, long()).await.unwrap();
    assert!(support::in_time(cache.flush(Duration::MAX)).await);
    let server = RedisServer::start();
    let cache = RedisCache::connect(server.url()).await.unwrap();
    cache.insert("n", &1_u64, long()).await.unwrap();
    assert!(support::in_time(cache.flush(Duration::MAX)).await);
}

/// What is not written by then is lost, and the folder is in use for as long as the disk hangs.
#[tokio::test(flavor = "multi_thread")]
async fn the_last_handle_waits_for_a_disk_that_hangs_for_some_seconds() {
    let _one = ONE.lock().await;
    let folder = folder();
    let cache = open(&folder);
    let (closed, passed) = (Closed::new(), PASSED.load(SeqCst));
    let slow = async || Ok::<_, larder::Error>(Slow("slow".to_owned()));
    cache.get_or_compute("slow", long(), slow).await.unwrap();
    support::eventually(|| PASSED.load(SeqCst) > passed).await;
    let dropping = tokio::task::spawn_blocking(move || drop(cache));
    tokio::time::timeout(LONG / 2, dropping).await.expect("it hangs").unwrap();
    assert!(on(&folder).build().is_err(), "it is still written to");
    drop(closed);
    support::eventually(|| on(&folder).build().is_ok()).await;
}
