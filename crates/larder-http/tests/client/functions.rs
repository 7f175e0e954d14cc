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

#[cached(ttl = 300, key = "exists:<id>", skip(client, upstream))]
async fn exists(client: &CachedClient, upstream: &Upstream, id: u64) -> bool {
    let url = upstream.url(&format!("/trickle?cache-control=max-age=60&surrogate-key=user:{id}"));
    client.get(url).await.unwrap().status().is_success()
}

/// The body is on its way when the function ends.
#[tokio::test]
async fn a_function_that_looks_at_the_head_only_depends_on_the_response() {
    let (client, upstream) = start().await;
    assert!(exists(&client, &upstream, 8).await);
    assert!(exists(&client, &upstream, 8).await);
    assert_eq!(upstream.count(), 1);
    renamed(8).await;
    assert!(exists(&client, &upstream, 8).await);
    assert_eq!(upstream.count(), 2);
}

#[cached(ttl = 300, key = "status:<id>:<directive>", skip(client, upstream))]
async fn status(client: &CachedClient, upstream: &Upstream, id: u64, directive: &str) -> String {
    let url = upstream.url(&format!("/?cache-control={directive}&surrogate-key=user:{id}"));
    text(client, &url, &[("range", "bytes=0-")]).await
}

#[tokio::test]
async fn a_function_depends_on_a_response_that_is_not_stored() {
    let (client, upstream) = start().await;
    let cache = HttpCache::client(larder::global()).identity("tests").range_fetch(0);
    let asking_for_parts = client_of(&cache);
    for (nth, (client, directive)) in
        [(&client, "no-store"), (&client, "s-maxage=60"), (&asking_for_parts, "max-age=60")]
            .into_iter()
            .enumerate()
    {
        for _ in 0..2 {
            assert_eq!(status(client, &upstream, 9, directive).await, (2 * nth + 1).to_string());
        }
        renamed(9).await;
        assert_eq!(status(client, &upstream, 9, directive).await, (2 * nth + 2).to_string(), "{directive}");
    }
}
