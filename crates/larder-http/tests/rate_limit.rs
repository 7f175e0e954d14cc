//! Rate limits in front of tower services.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::{
    convert::Infallible,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    task::{Context, Poll},
    time::Duration,
};

use axum::body::Body;
use http::{HeaderMap, Request, Response, StatusCode, request::Parts};
use http_body_util::BodyExt as _;
use larder::{
    Cache, MemoryCache, RedisCache,
    limit::{FailureMode, Limiter, Rate},
};
use larder_http::{HttpCache, RateLimit};
use tower::{Layer, Service, ServiceExt as _};

/// A handler that counts its calls.
#[derive(Clone, Default)]
struct Handler {
    calls: Arc<AtomicUsize>,
    /// What stands in its responses already.
    headers: HeaderMap,
}

impl Service<Request<Body>> for Handler {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = std::future::Ready<Result<Response<Body>, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Request<Body>) -> Self::Future {
        self.calls.fetch_add(1, Relaxed);
        let mut response = Response::new(Body::from("served"));
        *response.headers_mut() = self.headers.clone();
        std::future::ready(Ok(response))
    }
}

/// The user that a request names.
fn user(request: &Parts) -> Option<String> {
    let user = request.headers.get("user")?.to_str().ok()?;
    Some(format!("user:{user}"))
}

fn request(user: &str) -> Request<Body> {
    let builder = Request::get("/");
    let builder = if user.is_empty() { builder } else { builder.header("user", user) };
    builder.body(Body::empty()).unwrap()
}

async fn text<B: http_body::Body<Data = bytes::Bytes, Error: std::fmt::Debug>>(
    response: Response<B>,
) -> String {
    let body = response.into_body().collect().await.unwrap().to_bytes();
    String::from_utf8(body.into()).unwrap()
}

fn field(headers: &HeaderMap, name: &str) -> Vec<String> {
    headers.get_all(name).iter().map(|value| value.to_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn a_request_too_many_does_not_reach_the_handler() {
    let cache = MemoryCache::new(1);
    let handler = Handler::default();
    let limiter = Limiter::new(cache.clone(), Rate::per_minute(6).burst(2));
    let limited = RateLimit::tower(limiter, user).named("a \"good\" one").layer(handler.clone());
    for (remaining, more) in [(1, 10), (0, 10)] {
        let response = limited.clone().oneshot(request("ann")).await.unwrap();
        assert_eq!(response.status(), StatusCode::OK);
        assert_eq!(field(response.headers(), "ratelimit-policy"), [r#""a \"good\" one";q=6;w=60"#]);
        assert_eq!(
            field(response.headers(), "ratelimit"),
            [format!(r#""a \"good\" one";r={remaining};t={more}"#)]
        );
        assert_eq!(field(response.headers(), "retry-after"), [""; 0]);
        assert_eq!(text(response).await, "served");
    }
    let response = limited.clone().oneshot(request("ann")).await.unwrap();
    assert_eq!(response.status(), StatusCode::TOO_MANY_REQUESTS);
    let headers = response.headers().clone();
    assert_eq!(field(&headers, "retry-after"), ["10"]);
    assert_eq!(field(&headers, "ratelimit"), [r#""a \"good\" one";r=0;t=10"#]);
    assert_eq!(field(&headers, "ratelimit-policy"), [r#""a \"good\" one";q=6;w=60"#]);
    assert_eq!(field(&headers, "cache-control"), ["no-store"]);
    assert_eq!(field(&headers, "content-type"), ["application/problem+json"]);
    let problem: serde_json::Value = serde_json::from_str(&text(response).await).unwrap();
    assert_eq!(problem["type"], "https://iana.org/assignments/http-problem-types#quota-exceeded");
    assert_eq!(problem["status"], 429);
    assert_eq!(problem["violated-policies"][0], "a \"good\" one");
    assert_eq!(handler.calls.load(Relaxed), 2);

    // Other clients have limits of their own, and a request without a key has none.
    assert!(limited.clone().oneshot(request("ben")).await.unwrap().status().is_success());
    for _ in 0..10 {
        let response = limited.clone().oneshot(request("")).await.unwrap();
        assert!(response.status().is_success() && !response.headers().contains_key("ratelimit"));
    }
    cache.core().advance(Duration::from_secs(10));
    assert!(limited.oneshot(request("ann")).await.unwrap().status().is_success(), "when `Retry-After` said");
}

#[tokio::test]
async fn the_fields_are_lists() {
    let cache = MemoryCache::new(1);
    let limiter = |rate| Limiter::new(cache.clone(), rate);
    let inner = RateLimit::tower(limiter(Rate::per_hour(100)), user).named("hour").layer(Handler::default());
    let short = Rate::new(5, Duration::from_millis(250)).unwrap();
    let outer = RateLimit::tower(limiter(short), user).named("burst").layer(inner);
    let response = outer.oneshot(request("ann")).await.unwrap();
    // A period that is not whole seconds cannot be said.
    assert_eq!(field(response.headers(), "ratelimit-policy"), ["\"hour\";q=100;w=3600", "\"burst\";q=5"]);
    assert_eq!(field(response.headers(), "ratelimit"), ["\"hour\";r=99;t=36", "\"burst\";r=4;t=1"]);
}

#[test]
#[should_panic(expected = "printable ASCII")]
fn a_name_is_printable() {
    let _ = RateLimit::tower(Limiter::new(MemoryCache::new(1), Rate::per_hour(1)), user).named("naïve");
}

/// In front of a cache of responses: hits count, and what is said of the limit is not stored.
#[tokio::test]
async fn in_front_of_a_cache_of_responses() {
    let cache = MemoryCache::new(100);
    let handler = Handler {
        headers: HeaderMap::from_iter([(http::header::CACHE_CONTROL, "max-age=60".parse().unwrap())]),
        ..Handler::default()
    };
    let cached = HttpCache::new(cache.clone()).layer(handler.clone());
    let limited =
        RateLimit::tower(Limiter::new(cache, Rate::per_hour(3)), |_| Some("all".into())).layer(cached);
    let mut remaining = Vec::new();
    for _ in 0..4 {
        let response = limited.clone().oneshot(request("")).await.unwrap();
        remaining.push((response.status().as_u16(), field(response.headers(), "ratelimit").concat()));
        text(response).await;
    }
    let said = |remaining, more| format!("\"default\";r={remaining};t={more}");
    assert_eq!(
        remaining,
        [(200, said(2, 1200)), (200, said(1, 1200)), (200, said(0, 1200)), (429, said(0, 1200))]
    );
    assert_eq!(handler.calls.load(Relaxed), 1);
}

/// Nothing is known: no fields are made up, and the status is another one.
#[tokio::test(flavor = "multi_thread")]
async fn without_its_server() {
    let redis = RedisCache::builder().url("redis://127.0.0.1:1").connect_lazily().unwrap();
    let rate = Rate::per_hour(1);
    let limited = |mode| {
        let limiter = Limiter::new(redis.clone(), rate).failure_mode(mode);
        RateLimit::tower(limiter, user).layer(Handler::default())
    };
    for _ in 0..3 {
        let response = limited(FailureMode::Open).oneshot(request("ann")).await.unwrap();
        assert_eq!(response.status(), StatusCode::OK);
        assert!(
            !response.headers().contains_key("ratelimit")
                && !response.headers().contains_key("ratelimit-policy")
        );
    }
    let response = limited(FailureMode::Closed).oneshot(request("ann")).await.unwrap();
    assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(field(response.headers(), "retry-after"), ["1"]);
    assert!(!response.headers().contains_key("ratelimit"));
    assert!(text(response).await.contains("temporary-reduced-capacity"));
    let response = limited(FailureMode::Local).oneshot(request("ann")).await.unwrap();
    assert_eq!(field(response.headers(), "ratelimit"), ["\"default\";r=0;t=3600"]);
}
