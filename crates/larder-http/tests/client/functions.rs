//! Functions over a client: a `#[cached]` one depends on the response that it read.

use std::sync::atomic::{AtomicUsize, Ordering};

use larder::{CacheExt as _, cached, invalidate};
use larder_http::{CachedClient, HttpCache};

use super::{Upstream, client_of, support::TestClock, text};

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

#[cached(ttl = 300, key = "price:<case>", skip(client, url, computed))]
async fn price(client: &CachedClient, case: &str, url: &str, computed: &AtomicUsize) -> String {
    computed.fetch_add(1, Ordering::SeqCst);
    text(client, url, &[]).await
}

/// That a response is current, or that another one has come in the place of one that was over, is no change of what was
/// made from it. A response that another one replaces while it is fresh was an outdated one.
#[tokio::test]
async fn a_function_keeps_its_value_when_its_response_is_asked_for_again() {
    let upstream = Upstream::start().await;
    let (validated, fresh) =
        ("/price?cache-control=max-age=60&etag=%22v%22", "/price?cache-control=max-age=60");
    for (case, path, wait, reload, is_kept) in [
        ("validated", validated, 61, None, true),
        ("made anew", fresh, 61, None, true),
        ("reloaded and the same", validated, 1, Some("no-cache"), true),
        // Each has a number of its own in `X-Request-Id`.
        ("reloaded and the same text", "/same?cache-control=max-age=60", 1, Some("no-cache"), true),
        ("reloaded and another one", fresh, 1, Some("no-cache"), false),
    ] {
        let clock = TestClock::new();
        let time = clock.clone();
        let cache = HttpCache::client(larder::global()).identity(case).clock(move || time.now());
        let (client, computed) = (client_of(&cache), AtomicUsize::new(0));
        let url = upstream.url(path);
        let price = || price(&client, case, &url, &computed);
        let first = price().await;
        clock.advance(wait);
        let sent = upstream.count();
        let headers: Vec<_> = reload.map(|value| ("cache-control", value)).into_iter().collect();
        text(&client, &url, &headers).await;
        assert_eq!(upstream.count(), sent + 1, "{case}");
        assert_eq!(price().await == first, is_kept, "{case}");
        assert_eq!(computed.load(Ordering::SeqCst), if is_kept { 1 } else { 2 }, "{case}");
    }
}

/// Nor does its own request drop what it makes.
#[tokio::test]
async fn a_function_that_asks_again_itself_keeps_its_value() {
    let upstream = Upstream::start().await;
    for (case, fields) in [
        ("own validated", "cache-control=no-cache&etag=%22v%22"),
        ("own made anew", "cache-control=max-age=60"),
    ] {
        let clock = TestClock::new();
        let time = clock.clone();
        let cache = HttpCache::client(larder::global()).identity(case).clock(move || time.now());
        let (client, computed) = (client_of(&cache), AtomicUsize::new(0));
        let url = upstream.url(&format!("/own?{fields}"));
        let price = || price(&client, case, &url, &computed);
        price().await;
        for n in [2, 3] {
            larder::global().invalidate(format!("price:{}", case.replace(' ', "%20"))).await;
            larder::global().invalidate(format!("price:{case}")).await;
            clock.advance(61);
            price().await;
            price().await;
            assert_eq!(computed.load(Ordering::SeqCst), n, "{case}");
        }
    }
}

#[cached(ttl = 300, key = "found:<caller>", skip(client, url, computed))]
async fn found(client: &CachedClient, caller: u64, url: &str, computed: &AtomicUsize) -> String {
    computed.fetch_add(1, Ordering::SeqCst);
    text(client, url, &[]).await
}

/// The response is stored under another key than that which both asked for: by the rule that it declares.
#[tokio::test]
async fn a_function_that_waited_for_anothers_response_depends_on_it() {
    let upstream = Upstream::start().await;
    let cache = HttpCache::client(larder::global()).identity("found").no_vary_search();
    let (client, computed) = (client_of(&cache), AtomicUsize::new(0));
    let url = upstream.url("/slow?cache-control=max-age=60&no-vary-search=key-order&surrogate-key=user:10");
    let call = |caller| found(&client, caller, &url, &computed);
    let (one, other) = tokio::join!(call(1), call(2));
    assert_eq!((one, upstream.count()), (other, 1), "one of them waited");
    renamed(10).await;
    let (one, other) = tokio::join!(call(1), call(2));
    assert_eq!((&*one, &*other, upstream.count()), ("2", "2", 2));
    assert_eq!(computed.load(Ordering::SeqCst), 4);
}

/// The first response of a path is stored under another key than that which was asked for. It is known once the head is
/// there, and the function may end before the body does.
#[tokio::test]
async fn a_function_depends_on_a_response_that_is_stored_under_another_key() {
    let upstream = Upstream::start().await;
    let cache = HttpCache::client(larder::global()).identity("elsewhere").no_vary_search();
    let (client, computed) = (client_of(&cache), AtomicUsize::new(0));
    for (n, path) in [(1, "/rule"), (2, "/trickle-rule")] {
        let url = upstream.url(&format!("{path}?cache-control=max-age=60&no-vary-search=key-order"));
        let call = || found(&client, 10 + n, &url, &computed);
        let first = call().await;
        assert_eq!(call().await, first, "{path}");
        let reloaded = text(&client, &url, &[("cache-control", "no-cache")]).await;
        assert_ne!(reloaded, first, "{path}");
        assert_eq!(call().await, reloaded, "{path}");
    }
    assert_eq!(computed.load(Ordering::SeqCst), 4);
}
