//! What `dashboard:*` costs does not depend on how much there is under it.

#![expect(clippy::unwrap_used, reason = "what fails in a helper fails the test")]

use std::{
    future::Future,
    time::{Duration, Instant},
};

use larder::{CacheExt, Invalidation, TieredCache};
use larder_servers::RedisServer;
use larder_tests::caches::{Process, eventually, long};

/// As many as memory allows in the time that a test has: with `LARDER_SOAK` ten times as many.
fn many() -> u64 {
    if std::env::var_os("LARDER_SOAK").is_some() { 10_000_000 } else { 1_000_000 }
}

/// Copies of one entry under other names: what they hold is never read, and there they are.
fn fill(server: &RedisServer, from: u64, to: u64) {
    const COPY: &str = "
        local entry = redis.call('GET', KEYS[1])
        for n = tonumber(ARGV[1]), tonumber(ARGV[2]) do
          redis.call('SET', 'larder:e:dashboard:' .. n, entry, 'PX', 3600000)
        end";
    // While it runs, the server answers no client.
    const AT_ONCE: u64 = 5_000;
    for start in (from..to).step_by(AT_ONCE as usize) {
        let (start, end) = (start.to_string(), (start + AT_ONCE - 1).min(to - 1).to_string());
        server.command::<()>(&["EVAL", COPY, "1", "larder:e:dashboard:first", &start, &end]);
    }
}

/// Commands that the server has executed, those of this look not counted.
fn executed(server: &RedisServer) -> u64 {
    let text: String = server.command(&["INFO", "commandstats"]);
    let names =
        ["xadd", "unlink", "del", "scan", "keys", "get", "set", "evalsha", "eval", "flushdb", "flushall"];
    let calls = |name: &&str| {
        let line = text.lines().find_map(|line| line.strip_prefix(&format!("cmdstat_{name}:calls=")))?;
        line.split(',').next()?.parse::<u64>().ok()
    };
    names.iter().filter_map(calls).sum()
}

/// The commands of one invalidation, and the median time of several.
async fn cost(server: &RedisServer, cache: &TieredCache) -> (u64, Duration) {
    const TIMES: u64 = 51;
    // A server that was busy for long is asked again when the log has been read again.
    eventually(async || matches!(cache.invalidate("dashboard:*").await, Invalidation::Delivered(_))).await;
    let before = executed(server);
    let mut times = Vec::new();
    for _ in 0..TIMES {
        let begun = Instant::now();
        let outcome = cache.invalidate("dashboard:*").await;
        times.push(begun.elapsed());
        assert!(matches!(outcome, Invalidation::Delivered(_)), "{outcome:?}");
    }
    times.sort_unstable();
    (executed(server) - before, times[times.len() / 2])
}

async fn fresh<F: Future<Output = ()>>(cache: &TieredCache, until: impl FnOnce() -> F) {
    cache.insert("dashboard:first", &7_u64, long()).await.unwrap();
    until().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_million_keys_cost_what_ten_do() {
    let server = RedisServer::start();
    let (cache, other) = (Process::A.tiered(&server).await, Process::B.tiered(&server).await);
    let known = || eventually(async || other.get::<u64>("dashboard:first").await.unwrap().is_some());

    fresh(&cache, known).await;
    fill(&server, 0, 10);
    let few = cost(&server, &cache).await;
    eventually(async || other.get::<u64>("dashboard:first").await.unwrap().is_none()).await;

    fresh(&cache, known).await;
    fill(&server, 0, many());
    let keys: u64 = server.command(&["DBSIZE"]);
    assert!(keys > many(), "{keys}");
    let lots = cost(&server, &cache).await;
    eventually(async || other.get::<u64>("dashboard:first").await.unwrap().is_none()).await;

    println!(
        "with 10 keys {few:?}, with {keys} keys {lots:?}: commands of 51 invalidations, and time of one"
    );
    assert_eq!(few.0, lots.0, "commands");
    assert_eq!(few.0, 51, "one record each");
    // Far from any work for each key: a million of them would take a second.
    assert!(lots.1 < few.1 * 10 + Duration::from_millis(20), "{few:?}, {lots:?}");
    let after: u64 = server.command(&["DBSIZE"]);
    assert!(after > many(), "nothing is deleted one by one");
}
