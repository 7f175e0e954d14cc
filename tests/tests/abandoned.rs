//! A computation for all processes that was begun and left: its lease is the process', not the call's.

use std::{
    convert::Infallible,
    pin::pin,
    time::{Duration, Instant},
};

use larder::{CacheExt, Policy};
use larder_servers::RedisServer;
use larder_tests::caches::{Process, eventually, ms, tiered};
use tokio::sync::Notify;

const LEASE: Duration = Duration::from_secs(60);

#[tokio::test]
async fn who_takes_over_in_this_process_has_the_lease_too() {
    let server = RedisServer::start();
    let one = tiered(Process::A.builder(&server).lease_lifetime(LEASE)).await;
    let other = tiered(Process::B.builder(&server).lease_lifetime(LEASE)).await;
    let policy = Policy::builder().ttl(ms(3_600_000)).takeover_after(ms(50)).build().unwrap();
    let (begun, gate) = (Notify::new(), Notify::new());
    let waits = async || {
        begun.notify_one();
        gate.notified().await;
        Ok::<_, Infallible>(1_u64)
    };
    let mut left = pin!(one.get_or_compute("key", &policy, waits));
    // Until its computation runs; then it is woken, and not polled again.
    tokio::select! {
        biased;
        _ = &mut left => unreachable!("the gate stays closed"),
        () = begun.notified() => {}
    }
    let leased: u8 = server.command(&["EXISTS", "larder:l:key"]);
    assert_eq!(leased, 1);
    gate.notify_one();

    let start = Instant::now();
    assert_eq!(one.get_or_compute("key", &policy, async || Ok::<_, Infallible>(2_u64)).await, Ok(2));
    assert!(start.elapsed() < LEASE / 6, "it waited {:?} for its own process' lease", start.elapsed());
    eventually(async || {
        let leased: u8 = server.command(&["EXISTS", "larder:l:key"]);
        leased == 0
    })
    .await;
    assert_eq!(other.get::<u64>("key").await.unwrap(), Some(2));

    // What was left ends for its own caller, and neither stores its value nor gives back what it has not.
    assert_eq!(left.await, Ok(1));
    assert_eq!(one.get::<u64>("key").await.unwrap(), Some(2));
    assert_eq!(other.get::<u64>("key").await.unwrap(), Some(2));
}
