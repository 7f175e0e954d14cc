//! Locks: one holder at a time in all processes, and numbers that only grow.

#![expect(clippy::unwrap_used, reason = "what fails in a helper fails the test")]

use std::{collections::HashSet, time::Duration};

use larder::{CacheExt, LockGuard, MemoryCache, RedisCache};
use larder_servers::{Data, Direction, Fault, Proxy, RedisServer};
use larder_tests::{
    caches::{Process, eventually, ms},
    workers::Worker,
};

const LONG: Duration = Duration::from_secs(600);

fn workers(server: &RedisServer, number: usize) -> Vec<Worker> {
    let start = |_| Worker::start(env!("CARGO_BIN_EXE_worker"), &[&server.url(), "10000", "5000"]);
    (0..number).map(start).collect()
}

async fn take(cache: &impl CacheExt, ttl: Duration) -> Option<LockGuard> {
    CacheExt::try_lock(cache, "lock", ttl).await.unwrap()
}

/// Each reads a number, and writes the next one: without mutual exclusion some are lost.
#[test]
fn processes_that_contend_exclude_each_other() {
    const TIMES: usize = 25;
    let server = RedisServer::start();
    let mut workers = workers(&server, 4);
    for worker in &mut workers {
        worker.order(&format!("count sum {TIMES}"));
    }
    let mut numbers = HashSet::new();
    for worker in &workers {
        let lines = worker.lines_to("done");
        let taken: Vec<u64> =
            lines.iter().filter_map(|line| line.strip_prefix("took ")?.parse().ok()).collect();
        assert_eq!(taken.len(), TIMES);
        assert!(taken.is_sorted(), "{taken:?}");
        numbers.extend(taken);
    }
    assert_eq!(numbers.len(), 4 * TIMES, "each holder has a number of its own");
    assert_eq!(server.command::<usize>(&["GET", "sum"]), 4 * TIMES);
}

#[test]
fn a_dead_holder_loses_its_lock_at_its_end() {
    let server = RedisServer::start();
    let mut workers = workers(&server, 2);
    let mut first = workers.remove(0);
    first.order("take lock 1000");
    let number: u64 = first.wait_for("took")[0].parse().unwrap();
    workers[0].order("take lock 1000");
    assert!(!workers[0].says_within("took", ms(1_500)), "a lock that is renewed outlives its time");
    first.kill();
    let next: u64 = workers[0].wait_for("took")[0].parse().unwrap();
    assert!(next > number);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lock_is_released_by_word_and_by_drop() {
    let server = RedisServer::start();
    let (a, b) = (Process::A.tiered(&server).await, Process::B.tiered(&server).await);
    let held = take(&a, LONG).await.expect("it is free");
    assert!(held.is_held());
    assert!(take(&b, LONG).await.is_none());
    assert!(take(&a, LONG).await.is_none(), "not even by its holder's process");
    let number = held.fencing_token();
    assert!(held.release().await.unwrap());

    let second = take(&b, LONG).await.expect("it was released");
    assert!(second.fencing_token() > number);
    drop(second);
    eventually(async || take(&a, LONG).await.is_some()).await;
}

/// A future that was dropped after it asked for the release, or before, leaves no lock behind.
#[tokio::test(flavor = "multi_thread")]
async fn a_release_that_is_given_up_is_made_good() {
    let server = RedisServer::start();
    let cache = Process::A.tiered(&server).await;
    let held = take(&cache, LONG).await.expect("it is free");
    let mut release = Box::pin(held.release());
    server.pause();
    assert!(futures_poll(release.as_mut()).is_none(), "it takes a round trip");
    drop(release);
    server.resume();
    eventually(async || take(&cache, LONG).await.is_some()).await;
}

/// Nor does one that asked for the lock, and was dropped before the answer came or heard none in time.
#[tokio::test(flavor = "multi_thread")]
async fn a_lock_that_was_asked_for_in_vain_is_given_back() {
    let server = RedisServer::start();
    let hurried = RedisCache::builder().url(server.url()).deadline(ms(300)).connect().await.unwrap();
    let patient = Process::B.tiered(&server).await;
    // What a script is for is known from here on.
    assert!(take(&patient, ms(1_000)).await.expect("it is free").release().await.unwrap());
    server.pause();
    {
        let mut asking = Box::pin(take(&patient, LONG));
        for _ in 0..20 {
            assert!(futures_poll(asking.as_mut()).is_none(), "it takes a round trip");
            tokio::time::sleep(ms(5)).await;
        }
    }
    server.resume();
    eventually(async || take(&hurried, ms(1)).await.is_some()).await;

    eventually(async || take(&hurried, ms(1)).await.is_some()).await;
    let proxy = Proxy::start(server.address());
    let behind = RedisCache::builder().url(proxy.url()).deadline(ms(300)).connect().await.unwrap();
    assert!(take(&behind, ms(1)).await.is_some());
    eventually(async || server.command::<i64>(&["HLEN", "larder:m:lock"]) > 0).await;
    let until = || server.command::<String>(&["HGET", "larder:m:lock", "until"]);
    let before = until();
    proxy.set(Direction::ToClient, Fault::Hold);
    assert!(CacheExt::try_lock(&behind, "lock", LONG).await.unwrap_err().is_unavailable());
    assert_ne!(until(), before, "it was taken");
    proxy.heal();
    eventually(async || take(&patient, ms(1)).await.is_some()).await;
}

fn futures_poll<F: Future>(future: std::pin::Pin<&mut F>) -> Option<F::Output> {
    let mut context = std::task::Context::from_waker(std::task::Waker::noop());
    match future.poll(&mut context) {
        std::task::Poll::Ready(output) => Some(output),
        std::task::Poll::Pending => None,
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn numbers_grow_though_everything_is_lost() {
    let server = RedisServer::start();
    let (a, b) = (Process::A.tiered(&server).await, Process::B.tiered(&server).await);
    let mut last = 0;
    for round in 0..20 {
        let cache = if round % 2 == 0 { &a } else { &b };
        let held = take(cache, LONG).await.expect("it is free");
        assert!(held.fencing_token() > last);
        last = held.fencing_token();
        assert!(held.release().await.unwrap());
        if round % 5 == 0 {
            server.flush_all();
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_holder_that_lost_the_lock_is_told() {
    let server = RedisServer::start();
    let (a, b) = (Process::A.tiered(&server).await, Process::B.tiered(&server).await);
    let mut lost = take(&a, LONG).await.expect("it is free");
    server.flush_all();
    let mut held = take(&b, LONG).await.expect("the first holder is forgotten");
    assert!(!lost.renew(LONG).await.unwrap());
    assert!(!lost.is_held());
    assert!(!lost.release().await.unwrap());
    assert!(held.renew(LONG).await.unwrap(), "the release of a lost lock is not that of another holder");
    assert!(held.is_held());
}

/// As far as a holder knows without asking, its time passes.
#[tokio::test(flavor = "multi_thread")]
async fn a_holder_that_is_cut_off_knows_when_its_time_is_over() {
    let server = RedisServer::start();
    let cache = Process::A.tiered(&server).await;
    let held = take(&cache, ms(500)).await.expect("it is free");
    assert!(held.is_held());
    server.kill();
    eventually(async || !held.is_held()).await;
}

/// The longest time there is is one that Redis can count.
#[tokio::test(flavor = "multi_thread")]
async fn a_lock_for_all_time_can_be_had_again() {
    let server = RedisServer::start();
    let cache = Process::A.tiered(&server).await;
    for _ in 0..2 {
        let mut held = take(&cache, Duration::MAX).await.expect("it is free");
        assert!(held.renew(Duration::MAX).await.unwrap());
        assert!(held.release().await.unwrap());
    }
    assert!(server.command::<i64>(&["PTTL", "larder:m:lock"]) > 0, "what is left behind has an end");
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_server_it_is_an_error() {
    let server = RedisServer::start();
    let cache = Process::A.tiered(&server).await;
    let held = take(&cache, LONG).await.expect("it is free");
    server.kill();
    let refused = CacheExt::try_lock(&cache, "other", LONG).await.unwrap_err();
    assert!(refused.is_unavailable(), "{refused}");
    let refused = cache.lock("other", LONG).await.unwrap_err();
    assert!(refused.is_unavailable(), "{refused}");
    assert!(held.release().await.unwrap_err().is_unavailable());
    server.restart(Data::Lost);
    eventually(async || CacheExt::try_lock(&cache, "other", LONG).await.is_ok_and(|lock| lock.is_some()))
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cache_in_memory_has_locks_of_its_process() {
    let (cache, other) = (MemoryCache::new(10), MemoryCache::new(10));
    let mut held = take(&cache, LONG).await.expect("it is free");
    assert!(take(&cache.clone(), LONG).await.is_none(), "clones are the same cache");
    assert!(take(&cache.namespace("users"), LONG).await.is_none(), "and so are namespaces");
    assert!(take(&other, LONG).await.is_some(), "another cache is another one");
    assert!(held.renew(LONG).await.unwrap() && held.is_held());
    let number = held.fencing_token();
    let (waited, ()) = tokio::join!(cache.lock("lock", LONG), async { drop(held) });
    let waited = waited.unwrap();
    assert!(waited.fencing_token() > number);
    assert!(waited.release().await.unwrap());
    assert!(take(&cache, LONG).await.is_some());
}
