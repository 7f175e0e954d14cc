//! Functions over a client: a `#[cached]` one depends on the response that it read.

use larder::{CacheExt as _, cached, invalidate};
use larder_http::{CachedClient, HttpCache};

use super::{Upstream, client_of, text};

/// A client of the global cache, and a service.
async fn start() -> (CachedClient, Upstream) {
    let cache = HttpCache::client(larder::global()).identity("tests").tag("/users/<id>", "user:<id>");
    (client_of(&cache), Upstream::start().await)
}

#[invalidate(tags = ["user:<id>"])]
async fn renamed(id: u64) {
    let _ = id;
}

#[cached(ttl = 300, key = "greeting:<id>", skip(client, upstream))]
async fn greeting(client: &CachedClient, upstream: &Upstream, id: u64) -> String {
    let url = upstream.url(&format!("/users/{id}?cache-control=max-age=60"));
    format!("hello {}", text(client, &url, &[]).await)
}

#[tokio::test]
async fn a_cached_function_goes_with_the_response_that_it_read() {
    let (client, upstream) = start().await;
    let greeting = || greeting(&client, &upstream, 7);
    assert_eq!(greeting().await, "hello 1");
    assert_eq!(greeting().await, "hello 1");
    renamed(7).await;
    assert_eq!(greeting().await, "hello 2");
    // A hit of the cache is a dependency too.
    assert_eq!(greeting().await, "hello 2");
    larder::global().invalidate("greeting:7").await;
    assert_eq!(greeting().await, "hello 2");
    renamed(7).await;
    assert_eq!(greeting().await, "hello 3");
}
