//! Calls that are answered in time, whatever other processes do.

use std::time::{Duration, Instant};

use larder::{CacheExt, Policy, TimedOut};
use larder_servers::RedisServer;
use larder_tests::caches::{Process, eventually, ms};
use tokio::sync::Notify;

#[derive(Debug, Clone, Copy, PartialEq)]
struct Late;

impl From<TimedOut> for Late {
    fn from(_: TimedOut) -> Self {
        Self
    }
}

fn policy() -> Policy {
    let long = Duration::from_secs(600);
    Policy::builder().ttl(ms(100)).stale_if_error(long).deadline(ms(300)).build().unwrap()
}

/// Another process computes, and does not come to an end.
#[tokio::test(flavor = "multi_thread")]
async fn another_process_is_not_waited_for_beyond_the_deadline() {
    let server = RedisServer::start();
    let (a, b) = (Process::A.tiered(&server).await, Process::B.tiered(&server).await);
    let begun = Notify::new();
    let hangs = async || {
        begun.notify_one();
        std::future::pending::<Result<u64, Late>>().await
    };
    let waiting = async {
        begun.notified().await;
        let start = Instant::now();
        let late = b.get_or_compute_within("key", policy(), async || Ok::<u64, Late>(2)).await;
        assert_eq!(late, Err(Late));
        let took = start.elapsed();
        assert!(took >= ms(290) && took < ms(2_000), "{took:?}");
    };
    tokio::select! {
        _ = a.get_or_compute("key", policy(), hangs) => panic!("it hangs"),
        () = waiting => {}
    }
    // The lease went with the call.
    eventually(async || b.get_or_compute_within("key", policy(), async || Ok(3)).await == Ok::<u64, Late>(3))
        .await;
}

/// The old value is in Redis alone; it is found, and is good enough.
#[tokio::test(flavor = "multi_thread")]
async fn an_old_value_in_redis_is_served_at_the_deadline() {
    let server = RedisServer::start();
    let (a, c) = (Process::A.tiered(&server).await, Process::C.bare(&server).await);
    a.insert("key", &1_u64, policy()).await.unwrap();
    eventually(async || a.get::<u64>("key").await.unwrap().is_none()).await;
    tokio::time::sleep(ms(50)).await;
    let hangs = async || std::future::pending::<Result<u64, Late>>().await;
    assert_eq!(c.get_or_compute_within("key", policy(), hangs).await, Ok(1));
    // The one rule.
    let larder::Invalidation::Delivered(epoch) = a.invalidate("key").await else {
        panic!("the server is there")
    };
    assert!(larder::CacheExt::wait_for(&c, epoch).await);
    assert_eq!(c.get_or_compute_within("key", policy(), hangs).await, Err(Late));
}
