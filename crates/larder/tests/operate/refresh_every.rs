//! `refresh_every`: a schedule without callers.

use std::{
    convert::Infallible,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use larder::{CacheExt, MemoryCache, cached, refresh_every};
use larder_servers::RedisServer;

use crate::support::{eventually, processes::both, secs};

const SOON: Duration = Duration::from_millis(20);

#[cached(ttl = 60, key = "scheduled", cache = cache, skip(cache, runs))]
async fn scheduled(cache: &MemoryCache, runs: &AtomicUsize) -> Result<usize, String> {
    match runs.fetch_add(1, Ordering::SeqCst) {
        1 => Err("on purpose".to_owned()),
        2 => panic!("on purpose"),
        run => Ok(run),
    }
}

/// The schedule of that function.
fn started(cache: &MemoryCache, runs: &Arc<AtomicUsize>) -> larder::Refreshing {
    let (of, runs) = (cache.clone(), runs.clone());
    let refresh = move || {
        let (cache, runs) = (of.clone(), runs.clone());
        async move { scheduled::refresh(&cache, &runs).await }
    };
    refresh_every(cache, "scheduled", SOON, refresh).unwrap()
}

#[tokio::test]
async fn it_refreshes_without_callers_and_outlives_failures_and_panics() {
    let (cache, runs) = (MemoryCache::new(10), Arc::default());
    let refreshing = started(&cache, &runs);
    eventually(|| runs.load(Ordering::SeqCst) > 5).await;
    assert!(refreshing.is_running());
    let computed = cache.stats().computations;
    assert!(scheduled(&cache, &runs).await.unwrap() >= 4);
    assert_eq!(cache.stats().computations, computed, "it was there");

    drop(refreshing);
    tokio::task::yield_now().await;
    let ended_at = runs.load(Ordering::SeqCst);
    tokio::time::sleep(SOON * 3).await;
    assert_eq!(runs.load(Ordering::SeqCst), ended_at, "it was dropped");
}

#[tokio::test(start_paused = true)]
async fn failures_pause_longer_and_longer() {
    let (cache, runs) = (MemoryCache::new(10), Arc::new(AtomicUsize::new(0)));
    let counted = runs.clone();
    let fails = move || {
        counted.fetch_add(1, Ordering::SeqCst);
        async { Err::<(), _>("on purpose") }
    };
    let _refreshing = refresh_every(&cache, "failing", secs(3_600), fails).unwrap();
    // Pauses of at most 1, 2, 4, … 64 s after the first second, and of at least nine tenths of that.
    tokio::time::sleep(secs(128)).await;
    let runs = runs.load(Ordering::SeqCst);
    assert!((7..=8).contains(&runs), "{runs} runs");
}

#[tokio::test(start_paused = true)]
async fn of_one_name_one_schedule_runs_and_a_disabled_cache_has_none() {
    let cache = MemoryCache::new(10);
    let runs: [Arc<AtomicUsize>; 2] = Default::default();
    let start = |runs: &Arc<AtomicUsize>| {
        let runs = runs.clone();
        let count = move || {
            runs.fetch_add(1, Ordering::SeqCst);
            async { Ok::<_, Infallible>(()) }
        };
        refresh_every(&cache, "one", secs(10), count).unwrap()
    };
    let count = |which: usize| runs[which].load(Ordering::SeqCst);
    let first = start(&runs[0]);
    tokio::time::sleep(secs(2)).await;
    let second = start(&runs[1]);
    tokio::time::sleep(secs(100)).await;
    assert!((10..=13).contains(&count(0)), "{runs:?}");
    assert_eq!(count(1), 0, "another one has the lock");

    drop(first);
    tokio::time::sleep(secs(30)).await;
    assert!(count(1) >= 1, "it takes over: {runs:?}");

    cache.disable();
    let before = count(1);
    tokio::time::sleep(secs(60)).await;
    assert_eq!(count(1), before);
    drop(second);
}

#[test]
fn what_could_never_run_is_an_error() {
    let cache = MemoryCache::new(10);
    let refresh = || async { Ok::<_, Infallible>(()) };
    let error = refresh_every(&cache, "x", secs(1), refresh).unwrap_err();
    assert!(error.is_invalid_configuration() && error.to_string().contains("runtime"), "{error}");
    let error = refresh_every(&cache, "x", Duration::ZERO, refresh).unwrap_err();
    assert!(error.to_string().contains("zero"), "{error}");
}

/// Of two processes one refreshes, the other one has its values; without the server, each refreshes for itself.
#[tokio::test(flavor = "multi_thread")]
async fn of_several_processes_one_refreshes() {
    let server = RedisServer::start();
    let (one, other) = both(&server).await;
    let runs: [Arc<AtomicUsize>; 2] = Default::default();
    let start = |cache: &larder::TieredCache, runs: &Arc<AtomicUsize>| {
        let (of, runs) = (cache.clone(), runs.clone());
        let refresh = move || {
            let (cache, runs) = (of.clone(), runs.clone());
            async move {
                let run = runs.fetch_add(1, Ordering::SeqCst);
                cache.insert("scheduled", &run, larder::Policy::ttl(secs(60))).await
            }
        };
        refresh_every(cache, "shared", SOON, refresh).unwrap()
    };
    let count = |which: usize| runs[which].load(Ordering::SeqCst);
    let _first = start(&one, &runs[0]);
    eventually(|| count(0) > 1).await;
    let _second = start(&other, &runs[1]);
    eventually(|| count(0) > 20).await;
    assert_eq!(count(1), 0);
    let mut value = None;
    while value.is_none() {
        value = other.get::<usize>("scheduled").await.unwrap();
    }

    server.kill();
    eventually(|| count(1) > 2).await;
}
