//! Two processes on one server, within this one.

use std::time::{Duration, Instant};

use larder::{MemoryCache, RedisCache, TieredCache};
use larder_servers::RedisServer;

use super::secs;

/// A process, as the log sees it: one for each spelling of the server's address.
async fn process(server: &RedisServer, host: &str) -> TieredCache {
    let url = server.url().replace("127.0.0.1", host);
    // A machine that builds something else at the same time is slow.
    let redis = RedisCache::builder().url(url).deadline(secs(5)).connect().await.expect("the server runs");
    TieredCache::new(MemoryCache::new(100), redis)
}

pub(crate) async fn both(server: &RedisServer) -> (TieredCache, TieredCache) {
    (process(server, "127.0.0.1").await, process(server, "localhost").await)
}

/// Waits until `condition` holds.
pub(crate) async fn eventually<F: Future<Output = bool>>(mut condition: impl FnMut() -> F) {
    let start = Instant::now();
    while !condition().await {
        assert!(start.elapsed() < secs(30), "it never came true");
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}
