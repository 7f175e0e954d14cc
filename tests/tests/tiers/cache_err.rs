//! Errors that are kept for a time, shared through Redis as values are.

use std::{
    sync::atomic::{AtomicUsize, Ordering},
    time::Duration,
};

use larder::{CacheExt, Invalidation, Policy, cached};
use larder_servers::RedisServer;
use larder_tests::caches::{Process, eventually};

/// A value and an error of one type: what is stored of the one is never taken for the other.
type Answer = Result<String, String>;

fn policy() -> Policy {
    let long = Duration::from_secs(600);
    Policy::builder().ttl(long).cache_err(long).stale_if_error(long).tag("tag").build().unwrap()
}

/// What a cache answers, and how often the source was asked for it.
async fn ask(cache: &impl CacheExt, source: Answer) -> (Answer, usize) {
    let asked = AtomicUsize::new(0);
    let compute = async || {
        asked.fetch_add(1, Ordering::SeqCst);
        source
    };
    let chosen = |error: &String| error == "not found";
    let answer = cache.get_or_compute_keeping("key", policy(), chosen, compute).await;
    (answer, asked.into_inner())
}

fn not_found() -> Answer {
    Err("not found".to_owned())
}

fn value(text: &str) -> Answer {
    Ok(text.to_owned())
}

#[tokio::test(flavor = "multi_thread")]
async fn other_processes_are_given_the_error_and_take_it_for_no_value() {
    let server = RedisServer::start();
    let (a, b, c) =
        (Process::A.tiered(&server).await, Process::B.tiered(&server).await, Process::C.bare(&server).await);
    assert_eq!(ask(&a, not_found()).await, (not_found(), 1));
    for _ in 0..3 {
        assert_eq!(ask(&b, value("b")).await, (not_found(), 0));
        assert_eq!(ask(&c, value("c")).await, (not_found(), 0));
    }
    // The second and the third answer came from memory.
    assert_eq!((b.stats().shared_hits, b.stats().shared_rejected), (1, 0));
    for reader in [&a as &dyn larder::Cache, &b, &c] {
        assert_eq!(reader.get::<String>("key").await.unwrap(), None);
    }
    // For readers of values it is a miss, and no message that something is wrong with.
    for reader in [&a as &dyn larder::Cache, &b, &c] {
        let stats = reader.stats();
        assert_eq!((stats.shared_rejected, stats.shared_other_shape), (0, 0));
    }
    a.insert("key", &"not found".to_owned(), policy()).await.unwrap();
    eventually(async || ask(&c, value("c")).await == (value("not found"), 0)).await;
}

/// The one rule.
#[tokio::test(flavor = "multi_thread")]
async fn an_error_that_another_process_invalidated_is_not_served() {
    let server = RedisServer::start();
    let (a, b, c) =
        (Process::A.tiered(&server).await, Process::B.tiered(&server).await, Process::C.bare(&server).await);
    for scope in ["key", "*"] {
        assert_eq!(ask(&a, not_found()).await, (not_found(), 1));
        assert_eq!(ask(&b, value("b")).await, (not_found(), 0));
        let Invalidation::Delivered(epoch) = a.invalidate(scope).await else { panic!("the server is there") };
        assert!(CacheExt::wait_for(&b, epoch).await && CacheExt::wait_for(&c, epoch).await);
        assert_eq!(ask(&b, Err("down".to_owned())).await, (Err("down".to_owned()), 1), "after {scope}");
        assert_eq!(ask(&c, value("c")).await, (value("c"), 1));
        let Invalidation::Delivered(epoch) = c.invalidate("key").await else { panic!("the server is there") };
        assert!(CacheExt::wait_for(&a, epoch).await && CacheExt::wait_for(&b, epoch).await);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_waits_for_another_process_is_given_its_error() {
    let server = RedisServer::start();
    let (a, b) = (Process::A.tiered(&server).await, Process::B.tiered(&server).await);
    let (begun, go_on) = (tokio::sync::Notify::new(), tokio::sync::Notify::new());
    let slow = async || {
        begun.notify_one();
        go_on.notified().await;
        not_found()
    };
    let first = a.get_or_compute_keeping("key", policy(), |_| true, slow);
    let second = async {
        begun.notified().await;
        let waiting = ask(&b, value("b"));
        let end = async {
            eventually(async || b.stats().misses == 1).await;
            tokio::time::sleep(Duration::from_millis(50)).await;
            go_on.notify_one();
        };
        tokio::join!(waiting, end).0
    };
    let (first, second) = tokio::join!(first, second);
    assert_eq!((first, second), (not_found(), (not_found(), 0)));
}

#[cached(
    ttl = 600, cache_err = 600, cache_err_if = |error| error == "not found", key = "user:<id>", cache = cache,
    skip(cache, source)
)]
async fn user(cache: &impl larder::Cache, id: u64, source: Answer) -> Answer {
    source
}

#[tokio::test(flavor = "multi_thread")]
async fn a_function_shares_its_errors() {
    let server = RedisServer::start();
    let (a, b) = (Process::A.tiered(&server).await, Process::B.tiered(&server).await);
    assert_eq!(user(&a, 7, not_found()).await, not_found());
    assert_eq!(user(&b, 7, value("b")).await, not_found());
    assert_eq!(user(&a, 8, Err("down".to_owned())).await, Err("down".to_owned()));
    assert_eq!(user(&b, 8, value("b")).await, value("b"));
}
