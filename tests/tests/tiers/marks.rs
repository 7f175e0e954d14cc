//! What is marked stale in one process, in the memory of others and in Redis.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use larder::{CacheExt, Invalidation, Policy, Scope};
use larder_servers::{Data, RedisServer};
use larder_tests::caches::{Process, eventually, ms};

use super::{found, served};

/// A source that tells how often it was asked.
#[derive(Clone, Default)]
struct Source {
    value: Arc<AtomicU64>,
    asked: Arc<AtomicU64>,
}

impl Source {
    fn set(&self, value: u64) {
        self.value.store(value, Ordering::SeqCst);
    }

    async fn ask(&self, cache: &impl CacheExt, key: &str) -> u64 {
        let this = self.clone();
        let compute = move || async move {
            this.asked.fetch_add(1, Ordering::SeqCst);
            Ok::<_, &str>(this.value.load(Ordering::SeqCst))
        };
        cache.get_or_compute_background(key, &windowed(), compute).await.unwrap()
    }
}

/// Fresh and served stale for longer than any test takes.
fn windowed() -> Policy {
    let hour = ms(3_600_000);
    Policy::builder().ttl(hour).stale_while_revalidate(hour).tag("tag").build().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mark_reaches_the_memory_of_the_other_process() {
    let server = RedisServer::start();
    let (a, b, source) =
        (Process::A.tiered(&server).await, Process::B.tiered(&server).await, Source::default());
    for (round, scope) in (1..).zip([Scope::key("a:b"), Scope::prefix("a"), Scope::tag("tag"), Scope::all()])
    {
        source.set(round);
        assert!(matches!(a.invalidate("a:b").await, Invalidation::Delivered(_)));
        assert_eq!(source.ask(&a, "a:b").await, round);
        eventually(async || source.ask(&b, "a:b").await == round && found::<u64>(&b, "a:b").await.is_some())
            .await;

        source.set(100 + round);
        let Invalidation::Delivered(epoch) = a.mark_stale(scope.clone()).await else {
            panic!("the server is there")
        };
        assert!(larder::CacheExt::wait_for(&b, epoch).await);
        for cache in [&a, &b] {
            // The first one: the other may find what that one computed.
            let stale = cache.stats().stale_hits;
            let value = source.ask(cache, "a:b").await;
            assert!(value == 100 + round || cache.stats().stale_hits > stale, "{scope}: {value}");
        }
        for cache in [&a, &b] {
            // Asked again: a refresh that another process makes may not be stored where a server is slow.
            eventually(async || {
                source.ask(cache, "a:b").await == 100 + round
                    && found(cache, "a:b").await == Some(100 + round)
            })
            .await;
        }
    }
}

/// Without a memory, each read is judged by the log: in the process that made the mark, in those that hear of it, and in those that start later.
#[tokio::test(flavor = "multi_thread")]
async fn a_mark_counts_for_what_lies_in_redis() {
    let server = RedisServer::start();
    let (a, b, source) = (Process::A.bare(&server).await, Process::B.bare(&server).await, Source::default());
    source.set(1);
    assert_eq!(source.ask(&a, "key").await, 1);
    eventually(async || found(&b, "key").await == Some(1_u64)).await;
    let Invalidation::Delivered(epoch) = a.mark_stale("*").await else { panic!("the server is there") };
    assert!(larder::CacheExt::wait_for(&b, epoch).await);
    let late = Process::C.bare(&server).await;
    for cache in [&a, &b, &late] {
        assert_eq!(found::<u64>(cache, "key").await, None);
    }
    // It is there still; one that came later knows not since when it is stale.
    for cache in [&a, &b, &late] {
        eventually(async || served(cache, "key", &windowed()).await == Some(1_u64)).await;
    }
    source.set(2);
    eventually(async || source.ask(&b, "key").await == 2).await;
    for cache in [&a, &b, &late] {
        eventually(async || found(cache, "key").await == Some(2_u64)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hard_invalidation_of_another_process_wins() {
    let server = RedisServer::start();
    let (a, b, source) =
        (Process::A.tiered(&server).await, Process::B.tiered(&server).await, Source::default());
    for marked_first in [true, false] {
        source.set(1);
        eventually(async || source.ask(&b, "key").await == 1 && found::<u64>(&b, "key").await.is_some())
            .await;
        source.set(2);
        let mark = async || a.mark_stale("key").await;
        if marked_first {
            mark().await;
        }
        let Invalidation::Delivered(mut last) = a.invalidate("*").await else {
            panic!("the server is there")
        };
        if !marked_first {
            let Invalidation::Delivered(epoch) = mark().await else { panic!("the server is there") };
            last = last.max(epoch);
        }
        assert!(larder::CacheExt::wait_for(&b, last).await);
        for cache in [&a, &b] {
            assert_eq!(served::<u64>(cache, "key", &windowed()).await, None);
        }
        assert_eq!(source.ask(&b, "key").await, 2);
        b.invalidate("key").await;
    }
}

/// A mark waits in the outbox like any change.
#[tokio::test(flavor = "multi_thread")]
async fn a_mark_waits_for_a_server_that_is_away() {
    let server = RedisServer::builder().append_only().start();
    let (a, b, source) =
        (Process::A.tiered(&server).await, Process::B.tiered(&server).await, Source::default());
    source.set(1);
    assert_eq!(source.ask(&a, "key").await, 1);
    eventually(async || source.ask(&b, "key").await == 1 && found::<u64>(&b, "key").await.is_some()).await;
    server.kill();
    assert_eq!(a.mark_stale(Scope::tag("tag")).await, Invalidation::Queued);
    assert_eq!(found::<u64>(&a, "key").await, None, "here it is done");
    assert_eq!(found(&b, "key").await, Some(1_u64), "the other one cannot know");
    server.restart(Data::Kept);
    eventually(async || found::<u64>(&b, "key").await.is_none()).await;
    // Its memory is in doubt after that, and it may read what lies in Redis before it hears of the mark. In the end that is
    // stale, and not invalidated.
    let is_stale = async || {
        served(&b, "key", &windowed()).await == Some(1_u64) && found::<u64>(&b, "key").await.is_none()
    };
    eventually(is_stale).await;
}

/// What is computed from what was marked stays with the process that made it.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_made_from_it_is_not_shared() {
    let server = RedisServer::start();
    let (a, b, source) =
        (Process::A.tiered(&server).await, Process::B.tiered(&server).await, Source::default());
    source.set(1);
    assert_eq!(source.ask(&a, "part").await, 1);
    let Invalidation::Delivered(epoch) = a.mark_stale("part").await else { panic!("the server is there") };
    assert!(larder::CacheExt::wait_for(&b, epoch).await);
    let inner = a.clone();
    let compute = || async move {
        let part = || async { Err::<u64, _>("it cannot be computed anew".to_owned()) };
        inner.get_or_compute("part", windowed(), part).await.map(|part| 10 * part)
    };
    assert_eq!(a.get_or_compute("whole", windowed(), compute).await, Ok(10));
    assert_eq!(found::<u64>(&a, "whole").await, None);
    assert_eq!(served::<u64>(&a, "whole", &windowed()).await, Some(10));
    assert_eq!(served::<u64>(&b, "whole", &windowed()).await, None);
}
