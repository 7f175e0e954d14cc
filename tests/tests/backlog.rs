//! Millions of invalidations while the server is away: what they take, and how soon they are delivered.
//!
//! `LARDER_SOAK=<seconds>`, whatever the number, makes it ten million of each kind.

#![expect(clippy::unwrap_used, reason = "what fails in a helper fails the test")]
#![expect(clippy::print_stdout, reason = "figures, to look at")]

use std::time::{Duration, Instant};

use larder::{CacheExt, TieredCache};
use larder_servers::{Data, RedisServer};
use larder_tests::{
    caches::{Process, eventually, long},
    history::memory::resident,
};

/// What waits may take.
const MOST: u64 = 64 << 20;

fn count() -> u64 {
    if std::env::var_os("LARDER_SOAK").is_some() { 10_000_000 } else { 300_000 }
}

/// Invalidates while the server is away, and checks that another process hears of all of it soon after that is back.
async fn live_through(
    server: &RedisServer,
    a: &TieredCache,
    b: &TieredCache,
    kind: &str,
    key: impl Fn(u64) -> String,
) {
    eventually(async || {
        // Right after an outage a value may not be shared.
        a.insert(&key(1), &1_u64, long()).await.unwrap();
        b.get::<u64>(&key(1)).await.unwrap().is_some()
    })
    .await;
    server.kill();
    let before = resident();
    let begun = Instant::now();
    for n in 0..count() {
        drop(a.invalidate(key(n).as_str()));
    }
    let took = begun.elapsed();
    let taken = resident().saturating_sub(before);
    println!("{} invalidations of {kind} in {took:?}: {} KiB", count(), taken >> 10);
    assert!(taken < MOST, "{taken}");
    assert_eq!(b.get(&key(1)).await.unwrap(), Some(1_u64), "it could not be told");
    server.restart(Data::Kept);
    let begun = Instant::now();
    eventually(async || b.get::<u64>(&key(1)).await.unwrap().is_none()).await;
    eventually(async || a.link().waiting == 0).await;
    println!("delivered after {:?}", begun.elapsed());
    assert!(begun.elapsed() < Duration::from_secs(2 + 3), "{:?}", begun.elapsed());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_waits_is_bounded_and_delivered_at_once() {
    let server = RedisServer::builder().append_only().start();
    let (a, b) = (Process::A.tiered(&server).await, Process::B.tiered(&server).await);
    live_through(&server, &a, &b, "one key", |_| "user:7".to_owned()).await;
    live_through(&server, &a, &b, "a thousand keys", |n| format!("user:{}", n % 1_000)).await;
    live_through(&server, &a, &b, "as many keys", |n| format!("user:{n}")).await;
}
