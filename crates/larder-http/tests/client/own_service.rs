//! A client and a service over one cache, in which they keep what they have: as over one server for several processes.

use std::time::Duration;

use axum::{Router, extract::Request, response::IntoResponse as _, routing::get};
use http::HeaderMap;
use larder::{Cache, RedisCache, TieredCache};
use larder_http::HttpCache;
use larder_servers::RedisServer;
use tokio::net::TcpListener;

use super::{client_of, memory, text};

/// A service with a cache in front of it, and its URL.
async fn serve(router: Router, cache: impl Cache + 'static) -> String {
    serve_uncached(router.layer(HttpCache::new(cache).in_shared_memory())).await
}

async fn serve_uncached(router: Router) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
    format!("http://{address}")
}

/// The user whose token it is.
async fn me(headers: HeaderMap) -> axum::response::Response {
    let token = headers.get("authorization").map_or("no one", |token| token.to_str().unwrap()).to_owned();
    ([("cache-control", "private, max-age=60")], token).into_response()
}

/// Both processes of the service have the same host: the client's request comes to one that does not cache, so that neither
/// waits for the other.
#[tokio::test]
async fn a_service_gives_no_one_what_a_client_of_its_cache_was_given() {
    let (memory, router) = (memory(), Router::new().route("/me", get(me)));
    let (cached, url) = (serve(router.clone(), memory.clone()).await, serve_uncached(router).await);
    let client = client_of(&HttpCache::client(memory).in_shared_memory().identity("billing"));
    let token = [("authorization", "Bearer billing")];
    assert_eq!(text(&client, &format!("{url}/me"), &token).await, "Bearer billing");
    let host = url.trim_start_matches("http://");
    let anonymous = client.client().get(format!("{cached}/me")).header("host", host).send().await.unwrap();
    assert_eq!(anonymous.text().await.unwrap(), "no one");
}

/// The client waits for the service, which must not wait for what the client is about to get.
#[tokio::test]
async fn a_service_can_call_itself() {
    for identity in [None, Some("itself")] {
        let memory = memory();
        let answer = |_: Request| async { ([("cache-control", "public, max-age=60")], "it answers") };
        let url = serve(Router::new().route("/a", get(answer)), memory.clone()).await + "/a";
        let cache = HttpCache::client(memory).in_shared_memory();
        let client = client_of(&identity.map_or(cache.clone(), |identity| cache.identity(identity)));
        let answered = tokio::time::timeout(Duration::from_secs(20), text(&client, &url, &[])).await;
        assert_eq!(answered.as_deref(), Ok("it answers"), "{identity:?}");
    }
}

/// Neither does another process, for as long as the lease on what the client is about to get.
#[tokio::test]
async fn a_service_can_call_its_replica() {
    let redis = RedisServer::start();
    // With one spelling of the URL, both would share what they know of the server.
    let urls = [redis.url(), redis.url().replace("127.0.0.1", "localhost")];
    let [service, caller] = urls.map(|url| {
        let redis = RedisCache::builder().url(url).lease_lifetime(Duration::from_secs(120));
        async { TieredCache::new(memory(), redis.connect().await.unwrap()) }
    });
    let answer = |_: Request| async { ([("cache-control", "public, max-age=60")], "it answers") };
    let url = serve(Router::new().route("/a", get(answer)), service.await).await + "/a";
    let client = client_of(&HttpCache::client(caller.await));
    let answered = tokio::time::timeout(Duration::from_secs(30), text(&client, &url, &[])).await;
    assert_eq!(answered.as_deref(), Ok("it answers"));
}

/// A handler of a proxy sends the request on that it got, to another URL. Axum has put the one of its own client into it.
#[cfg(feature = "axum")]
#[tokio::test]
async fn a_request_that_is_sent_on_goes_by_its_new_url() {
    use std::convert::Infallible;

    use axum::{body::Body, extract::OriginalUri};
    use larder::CacheExt as _;
    use larder_http::page;
    use tower::{Layer as _, ServiceExt as _, service_fn};

    let memory = memory();
    let upstream = service_fn(|request: Request| async move {
        let answer = ([("cache-control", "max-age=60")], request.uri().to_string());
        Ok::<_, Infallible>(answer.into_response())
    });
    let client = HttpCache::client(memory.clone()).identity("proxy").layer(upstream);
    let send = async |uri: &str| {
        let mut request = Request::new(Body::empty());
        *request.uri_mut() = uri.parse().unwrap();
        request.extensions_mut().insert(OriginalUri("https://shop.example/public".parse().unwrap()));
        let (head, body) = client.clone().oneshot(request).await.unwrap().into_parts();
        let text = axum::body::to_bytes(Body::new(body), 1_000).await.unwrap();
        assert_eq!(text, uri);
        head.headers["cache-status"].to_str().unwrap().starts_with("larder; hit")
    };
    assert!(!send("http://upstream.example/price").await);
    assert!(!send("http://upstream.example/other").await);
    assert!(send("http://upstream.example/price").await);
    memory.invalidate(page("upstream.example", "/price")).await;
    assert!(!send("http://upstream.example/price").await);
    assert!(send("http://upstream.example/other").await);
}
