//! What a request counts as in the cache's statistics.

mod support;

use std::future::ready;

use support::{Said, TestClock, client::get as ask, handler, servers::Framework};

#[tokio::test]
async fn one_request_is_counted_once() {
    use larder::CacheExt as _;
    let cache = larder::MemoryCache::new(100);
    let clock = TestClock::new();
    let now = clock.clone();
    let http = larder_http::HttpCache::new(cache.clone()).clock(move || now.now());
    let said = handler(|_| ready(Said::new(&[("cache-control", "max-age=60"), ("etag", "\"a\"")], "text")));
    let server = Framework::Axum.serve(http, said).await;
    let before = cache.stats();
    ask(server.address, "/", &[]).await;
    let miss = cache.stats().since(&before);
    let before = cache.stats();
    ask(server.address, "/", &[]).await;
    let hit = cache.stats().since(&before);
    clock.advance(61);
    let before = cache.stats();
    ask(server.address, "/", &[]).await;
    let stale = cache.stats().since(&before);
    let counted = [miss, hit, stale].map(|stats| (stats.hits, stats.misses, stats.computations));
    assert_eq!(counted, [(0, 1, 1), (1, 0, 0), (0, 1, 1)]);
}
