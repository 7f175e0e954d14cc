//! The cache of a client, in front of `reqwest` and of another tower service, with requests to a real server.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod functions;
mod identities;
mod own_service;
#[path = "../support/mod.rs"]
mod support;
mod time_limits;

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex},
    time::Duration,
};

use axum::{
    Router,
    body::Body,
    extract::{Request, State},
    response::{IntoResponse as _, Response},
};
use http::StatusCode;
use larder::{CacheExt as _, MemoryCache, Scope};
use larder_http::{CachedClient, HttpCache, page};
use support::{Said, SaidBody, TestClock};
use tokio::{net::TcpListener, task::JoinHandle};

/// What a service received, in order.
type Received = Arc<Mutex<Vec<Request>>>;

/// A service that answers each request by the path and query: `/<status>?<header>=<value>&…`. The body is the number of
/// the request.
struct Upstream {
    address: SocketAddr,
    received: Received,
    serving: JoinHandle<()>,
}

impl Upstream {
    async fn start() -> Self {
        let received = Received::default();
        let router = Router::new().fallback(answer).with_state(received.clone());
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let serving = tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self { address, received, serving }
    }

    fn url(&self, path_and_query: &str) -> String {
        format!("http://{}{path_and_query}", self.address)
    }

    fn count(&self) -> usize {
        self.received.lock().unwrap().len()
    }

    /// A header of the last request.
    fn last(&self, name: &str) -> Option<String> {
        let received = self.received.lock().unwrap();
        Some(received.last()?.headers().get(name)?.to_str().unwrap().to_owned())
    }
}

impl Drop for Upstream {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

async fn answer(State(received): State<Received>, request: Request) -> Response {
    let uri = request.uri().clone();
    let is_known = request.headers().contains_key("if-none-match");
    let number = {
        let mut received = received.lock().unwrap();
        received.push(request);
        received.len()
    };
    let time = match uri.path() {
        path if path.starts_with("/slow") => Duration::from_millis(300),
        path if path.starts_with("/hangs") => Duration::from_secs(60),
        _ => Duration::ZERO,
    };
    tokio::time::sleep(time).await;
    let fields = uri.query().unwrap_or_default().split('&').filter_map(|field| field.split_once('='));
    let fields: Vec<_> =
        fields.map(|(name, value)| (name.to_owned(), value.replace('+', " ").replace("%22", "\""))).collect();
    let status = match fields.iter().find(|(name, _)| name == "status") {
        Some((_, status)) => status.parse().unwrap(),
        None if is_known => StatusCode::NOT_MODIFIED,
        None => StatusCode::OK,
    };
    let text = if uri.path().starts_with("/same") { "same".to_owned() } else { number.to_string() };
    let mut response = (status, text).into_response();
    response.headers_mut().insert("x-request-id", number.into());
    for (name, value) in fields.iter().filter(|(name, _)| name != "status") {
        response.headers_mut().append(name.parse::<http::HeaderName>().unwrap(), value.parse().unwrap());
    }
    if uri.path().starts_with("/trickle") {
        let (said, end) = Said::stream(&[]);
        let SaidBody::Stream(chunks) = said.body else { unreachable!("it is a stream") };
        *response.body_mut() = Body::new(chunks);
        response.headers_mut().remove("content-length");
        tokio::spawn(async move {
            tokio::time::sleep(Duration::from_millis(300)).await;
            let _ = end.send(Ok(number.to_string().into()));
        });
    }
    // So that nothing is answered once the service is gone.
    response.headers_mut().insert("connection", http::HeaderValue::from_static("close"));
    response
}

fn memory() -> MemoryCache {
    MemoryCache::new(1_000)
}

fn client_of(cache: &HttpCache) -> CachedClient {
    cache.reqwest(reqwest::Client::builder().redirect(reqwest::redirect::Policy::limited(3)).build().unwrap())
}

fn client() -> CachedClient {
    client_of(&HttpCache::client(memory()).identity("tests"))
}

async fn text(client: &CachedClient, url: &str, headers: &[(&str, &str)]) -> String {
    let mut request = client.client().get(url);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    client.execute(request.build().unwrap()).await.unwrap().text().await.unwrap()
}

#[tokio::test]
async fn a_fresh_response_is_not_requested_again() {
    let upstream = Upstream::start().await;
    let (client, url) = (client(), upstream.url("/a?cache-control=max-age=60"));
    let first = client.get(&url).await.unwrap();
    assert!(first.headers()["cache-status"].to_str().unwrap().contains("fwd=uri-miss; stored"));
    assert_eq!(first.url().as_str(), url);
    assert_eq!(first.text().await.unwrap(), "1");
    let second = client.get(&url).await.unwrap();
    assert!(second.headers()["cache-status"].to_str().unwrap().starts_with("larder; hit"));
    assert_eq!(second.content_length(), Some(1));
    assert_eq!(second.url().as_str(), url);
    assert_eq!(second.text().await.unwrap(), "1");
    assert_eq!(upstream.count(), 1);
    assert_eq!(text(&client, &upstream.url("/b?cache-control=max-age=60"), &[]).await, "2");
}

#[tokio::test]
async fn what_is_for_private_caches_is_stored_and_what_is_for_shared_ones_has_no_effect() {
    let upstream = Upstream::start().await;
    let client = client();
    for (query, is_stored) in [
        ("cache-control=private,+max-age=60", true),
        ("cache-control=max-age=60,+s-maxage=0", true),
        ("cache-control=max-age=60&cdn-cache-control=no-store", true),
        ("cache-control=max-age=60&larder-cache-control=no-store", true),
        ("cache-control=s-maxage=60", false),
        ("cache-control=no-store,+max-age=60", false),
        ("cdn-cache-control=max-age=60", false),
        ("x-none=1", false),
    ] {
        let url = upstream.url(&format!("/?{query}"));
        let first = text(&client, &url, &[]).await;
        assert_eq!(text(&client, &url, &[]).await == first, is_stored, "{query}");
    }
}

/// In front of handlers, such a response gets a `Cache-Control: no-cache` for caches further on.
#[tokio::test]
async fn a_configured_lifetime_changes_no_header() {
    let upstream = Upstream::start().await;
    let client = client_of(&HttpCache::client(memory()).identity("tests").ttl(Duration::from_secs(60)));
    let url = upstream.url("/a?x-tag=1");
    for found in ["fwd=uri-miss; stored", "hit"] {
        let response = client.get(&url).await.unwrap();
        assert!(response.headers()["cache-status"].to_str().unwrap().contains(found));
        assert!(response.headers().get("cache-control").is_none());
        assert_eq!(response.text().await.unwrap(), "1");
    }
}

#[tokio::test]
async fn a_stale_response_is_validated_and_served_while_the_service_is_gone() {
    let upstream = Upstream::start().await;
    let clock = TestClock::new();
    let now = clock.clone();
    let client = client_of(&HttpCache::client(memory()).identity("tests").clock(move || now.now()));
    let url = upstream.url("/a?cache-control=private,+max-age=60,+stale-if-error=600&etag=\"1\"");
    assert_eq!(text(&client, &url, &[]).await, "1");
    clock.advance(61);
    assert_eq!(text(&client, &url, &[]).await, "1", "a 304 made it fresh again");
    assert_eq!((upstream.count(), upstream.last("if-none-match")), (2, Some("\"1\"".to_owned())));
    assert_eq!(text(&client, &url, &[]).await, "1");
    assert_eq!(upstream.count(), 2);

    clock.advance(61);
    upstream.serving.abort();
    while tokio::net::TcpStream::connect(upstream.address).await.is_ok() {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert!(client.get(&upstream.url("/b")).await.unwrap_err().is_connect());
    let stale = client.get(&url).await.unwrap();
    assert!(stale.headers()["cache-status"].to_str().unwrap().contains("fwd=stale"));
    assert_eq!(stale.text().await.unwrap(), "1");
}

#[tokio::test]
async fn invalidation_reaches_stored_responses() {
    let upstream = Upstream::start().await;
    let memory = memory();
    let client =
        client_of(&HttpCache::client(memory.clone()).identity("tests").tag("/users/<id>", "user:<id>"));
    let host = upstream.address.to_string();
    let url = upstream.url("/users/7?cache-control=max-age=60");
    assert_eq!(text(&client, &url, &[]).await, "1");
    memory.invalidate(page(&host, "/users/7")).await;
    assert_eq!(text(&client, &url, &[]).await, "2");
    memory.invalidate(Scope::tag("user:7")).await;
    assert_eq!(text(&client, &url, &[]).await, "3");
    memory.invalidate(Scope::tag("user:8")).await;
    assert_eq!(text(&client, &url, &[]).await, "3");
    // An unsafe request of this client's.
    let request = client.client().post(&url).build().unwrap();
    client.execute(request).await.unwrap();
    assert_eq!(text(&client, &url, &[]).await, "5");
}

#[tokio::test]
async fn the_end_of_a_redirect_is_not_stored_under_the_url_that_was_asked_for() {
    let upstream = Upstream::start().await;
    let client = client();
    let to = upstream.url("/to?cache-control=max-age=60");
    let from = upstream.url("/from?status=302&location=/to?cache-control=max-age=60");
    let first = client.get(&from).await.unwrap();
    assert_eq!(first.url().as_str(), to);
    assert_eq!(first.text().await.unwrap(), "2");
    assert_eq!(text(&client, &from, &[]).await, "4");
    // The other one has a URL of its own, and was not stored under it either.
    assert_eq!(text(&client, &to, &[]).await, "5");
    assert_eq!(text(&client, &to, &[]).await, "5");
}

/// `307` repeats the method.
#[tokio::test]
async fn an_unsafe_request_invalidates_where_it_was_redirected_to() {
    let (upstream, other) = (Upstream::start().await, Upstream::start().await);
    let client = client();
    for there in [&upstream, &other] {
        let to = there.url("/to?cache-control=max-age=60");
        let before = text(&client, &to, &[]).await;
        assert_eq!(text(&client, &to, &[]).await, before);
        let from = upstream.url(&format!("/from?status=307&location={to}"));
        let response = client.execute(client.client().post(from).build().unwrap()).await.unwrap();
        assert_eq!(response.url().as_str(), to);
        assert_ne!(text(&client, &to, &[]).await, before);
    }
}

/// Whatever the end of the redirect answers: that there was one shows that the request had its effect.
#[tokio::test]
async fn an_unsafe_request_invalidates_its_url_however_its_redirect_ends() {
    let (upstream, other) = (Upstream::start().await, Upstream::start().await);
    let client = client();
    for status in [500, 404, 307] {
        let end = upstream.url(&format!("/end?status={status}"));
        let asked =
            upstream.url(&format!("/page{status}?cache-control=max-age=60&status=307&location={end}"));
        // Stored by a client that follows no redirects.
        let cache = HttpCache::client(memory()).identity("tests");
        let following = client_of(&cache);
        let none = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).build().unwrap();
        let still = cache.reqwest(none);
        let before = text(&still, &asked, &[]).await;
        assert_eq!(text(&still, &asked, &[]).await, before);
        // Without a place to go the last one is an answer, too.
        let response = following.execute(following.client().post(&asked).build().unwrap()).await.unwrap();
        assert_eq!(response.status().as_u16(), status);
        assert_ne!(text(&still, &asked, &[]).await, before, "{status}");
    }
    // Names in the response are relative to where it is from.
    let named = other.url("/named?cache-control=max-age=60");
    let before = text(&client, &named, &[]).await;
    let end = other.url("/folder/end?content-location=../named?cache-control=max-age=60");
    let from = upstream.url(&format!("/from?status=307&location={}", end.replace('&', "%26")));
    client.execute(client.client().post(from).build().unwrap()).await.unwrap();
    assert_ne!(text(&client, &named, &[]).await, before);
}

/// The stored response of the URL that was asked for is not what its redirect leads to, whatever that says to its
/// conditions.
#[tokio::test]
async fn a_redirect_is_not_answered_with_what_was_there_before() {
    use axum::{http::HeaderMap, routing::get};

    let moved = Arc::new(std::sync::atomic::AtomicBool::new(false));
    let state = moved.clone();
    let tagged = |text: &'static str, headers: &HeaderMap, tag: &'static str| {
        let status =
            if headers.contains_key("if-none-match") { StatusCode::NOT_MODIFIED } else { StatusCode::OK };
        (status, [("etag", tag), ("cache-control", "max-age=10")], text).into_response()
    };
    let report = move |headers: HeaderMap| async move {
        match state.load(std::sync::atomic::Ordering::SeqCst) {
            true => (StatusCode::FOUND, [("location", "/other")], "").into_response(),
            false => tagged("report", &headers, "\"a\""),
        }
    };
    let router = Router::new()
        .route("/report", get(report))
        .route("/other", get(move |headers: HeaderMap| async move { tagged("other", &headers, "\"b\"") }));
    let server = support::servers::serve_router(router).await;
    let clock = TestClock::new();
    let time = clock.clone();
    let client = client_of(&HttpCache::client(memory()).identity("tests").clock(move || time.now()));
    let url = format!("http://{}/report", server.address);
    assert_eq!(text(&client, &url, &[]).await, "report");
    moved.store(true, std::sync::atomic::Ordering::SeqCst);
    clock.advance(11);
    for _ in 0..2 {
        let response = client.get(&url).await.unwrap();
        assert!(response.url().path().ends_with("/other"));
        assert_eq!((response.status(), response.text().await.unwrap()), (StatusCode::OK, "other".to_owned()));
    }
    // The client's own conditions are for where it is led.
    let request = client.client().get(&url).header("if-none-match", "\"b\"").build().unwrap();
    assert_eq!(client.execute(request).await.unwrap().status(), StatusCode::NOT_MODIFIED);
}

#[tokio::test]
async fn concurrent_requests_are_sent_once_and_each_keeps_its_time_limit() {
    let upstream = Upstream::start().await;
    let client = client();
    let url = upstream.url("/slow?cache-control=max-age=60");
    let calls = (0..50).map(|_| {
        let (client, url) = (client.clone(), url.clone());
        tokio::spawn(async move { text(&client, &url, &[]).await })
    });
    for call in calls.collect::<Vec<_>>() {
        assert_eq!(call.await.unwrap(), "1");
    }
    assert_eq!(upstream.count(), 1);
    let request = client.client().get(upstream.url("/slow?other")).timeout(Duration::from_millis(50));
    assert!(client.execute(request.build().unwrap()).await.unwrap_err().is_timeout());
}

#[tokio::test]
async fn large_bodies_and_bodies_of_requests_pass() {
    let upstream = Upstream::start().await;
    let client = client_of(&HttpCache::client(memory()).identity("tests").max_body(0));
    let url = upstream.url("/a?cache-control=max-age=60");
    assert_eq!(text(&client, &url, &[]).await, "1");
    assert_eq!(text(&client, &url, &[]).await, "2");
    let request = client.client().put(&url).body("content").build().unwrap();
    assert_eq!(client.execute(request).await.unwrap().text().await.unwrap(), "3");
    assert!(client.get("not a URL").await.unwrap_err().is_builder());
}

/// In a chain of middlewares those before it see every call, and errors come through.
#[cfg(feature = "reqwest-middleware")]
#[tokio::test]
async fn a_chain_of_middlewares_ends_with_the_cache() {
    use reqwest_middleware::ClientBuilder;

    let upstream = Upstream::start().await;
    let seen = Arc::new(Mutex::new(Vec::new()));
    let cached = client();
    let chain =
        ClientBuilder::new(cached.client().clone()).with(Watch(seen.clone())).with(cached.clone()).build();
    let url = upstream.url("/a?cache-control=max-age=60");
    for _ in 0..2 {
        assert_eq!(chain.get(&url).send().await.unwrap().text().await.unwrap(), "1");
    }
    assert_eq!((upstream.count(), seen.lock().unwrap().len()), (1, 2));
    assert_eq!(text(&cached, &url, &[]).await, "1", "it is the same cache");
    let nowhere = chain.get("http://127.0.0.1:1/").send().await;
    assert!(matches!(nowhere, Err(reqwest_middleware::Error::Reqwest(error)) if error.is_connect()));
}

/// Writes down what goes by.
#[cfg(feature = "reqwest-middleware")]
struct Watch(Arc<Mutex<Vec<reqwest::Url>>>);

#[cfg(feature = "reqwest-middleware")]
#[async_trait::async_trait]
impl reqwest_middleware::Middleware for Watch {
    async fn handle(
        &self,
        request: reqwest::Request,
        extensions: &mut http::Extensions,
        next: reqwest_middleware::Next<'_>,
    ) -> reqwest_middleware::Result<reqwest::Response> {
        self.0.lock().unwrap().push(request.url().clone());
        next.run(request, extensions).await
    }
}
