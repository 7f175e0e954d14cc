//! A shared HTTP cache in front of a handler, by RFC 9110 and RFC 9111: a layer for Axum and every other tower
//! service, and a middleware for Actix Web, over one engine. Responses lie in a cache of [`larder`]'s, and
//! share its keys, its tags and its invalidation.
//!
//! ```
//! use axum::{Router, extract::Path, response::IntoResponse, routing::get};
//! use larder::cached;
//! use larder_http::HttpCache;
//!
//! #[cached(ttl = 300, key = "user:<id>")]
//! async fn user(id: u64) -> String {
//!     format!("user {id}") // a slow query
//! }
//!
//! async fn profile(Path(id): Path<u64>) -> impl IntoResponse {
//!     ([("cache-control", "public, max-age=60")], user(id).await)
//! }
//!
//! # #[cfg(feature = "tower")]
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() {
//! let app = Router::new()
//!     .route("/users/{id}", get(profile))
//!     .layer(HttpCache::new(larder::global()));
//! # use larder::CacheExt as _;
//! # use tower::ServiceExt as _;
//! # let ask = || {
//! #     let request = http::Request::get("/users/7").header("host", "example.com");
//! #     let responding = app.clone().oneshot(request.body(axum::body::Body::empty()).unwrap());
//! #     async { responding.await.unwrap().headers()["cache-status"].to_str().unwrap().to_owned() }
//! # };
//! # assert_eq!(ask().await, "larder; fwd=uri-miss; stored");
//! # assert!(ask().await.starts_with("larder; hit"));
//!
//! // The page was made from this user, so it goes with it, on every node.
//! larder::global().invalidate("user:7");
//! # assert_eq!(ask().await, "larder; fwd=uri-miss; stored");
//! # }
//! # #[cfg(not(feature = "tower"))]
//! # fn main() {}
//! ```
//!
//! In Actix it is a middleware (feature `actix`):
//!
//! ```
//! # #[cfg(feature = "actix")]
//! # #[actix_web::main]
//! # async fn main() {
//! use actix_web::{App, HttpResponse, test, web};
//! use larder_http::HttpCache;
//!
//! async fn profile(id: web::Path<u64>) -> HttpResponse {
//!     HttpResponse::Ok().insert_header(("cache-control", "public, max-age=60")).body(format!("user {id}"))
//! }
//!
//! // Made once, outside of the closure of `HttpServer::new`: its clones share what they know.
//! let cache = HttpCache::new(larder::global());
//! let app = App::new().wrap(cache.clone()).route("/users/{id}", web::get().to(profile));
//! # let app = test::init_service(app).await;
//! # for status in ["larder; fwd=uri-miss; stored", "larder; hit"] {
//! #     let request = test::TestRequest::get().uri("/users/7").to_request();
//! #     let response = test::call_service(&app, request).await;
//! #     let told = response.headers().get("cache-status").unwrap().to_str().unwrap();
//! #     assert!(told.starts_with(status), "{told}");
//! # }
//! # }
//! # #[cfg(not(feature = "actix"))]
//! # fn main() {}
//! ```
//!
//! # What is stored
//!
//! What RFC 9111 lets a shared cache store, and nothing else unless it is asked for:
//!
//! - complete responses to `GET` that say for how long they are fresh (`s-maxage`, `max-age`, `Expires`), or
//!   that can be validated (`no-cache` with an `ETag` or `Last-Modified`); never `no-store`, `private`,
//!   `Vary: *`, 206, event streams, what is larger than [`HttpCache::max_body`], or takes longer than
//!   [`HttpCache::body_timeout`];
//! - responses whose handlers say nothing, for the time that [`HttpCache::ttl`],
//!   [`HttpCache::ttl_under`] or [`Caching`] in the response's extensions give, to requests that do not say who
//!   asks: not by `Authorization` or `Cookie`, nor by `X-Api-Key`, `X-Forwarded-User` and their like;
//! - to requests with `Authorization` only with `public`, `s-maxage` or `must-revalidate`; to requests with
//!   `Cookie` only with `public` or `s-maxage`, or where `Vary` names `Cookie`
//!   ([`HttpCache::ignore_cookies`]); with `Set-Cookie` not ([`HttpCache::store_set_cookie`]).
//!
//! Times that are no numbers, or contradict each other, are taken for zero (RFC 9111, section 4.2.1).
//! `stale-while-revalidate` and `stale-if-error` of a response count beside `s-maxage`, which by itself forbids
//! stale responses, as the more particular word; beside `must-revalidate`, `proxy-revalidate` and `no-cache`
//! they do not. `Pragma` means nothing.
//!
//! `HEAD` is answered from stored responses to `GET`. Requests with `Range`, `If-Range`, `If-Match`,
//! `If-Unmodified-Since`, `Upgrade` or a body of their own, and those with `no-store`, go to the handler as they
//! are, and their responses are not stored. A handler is asked without the client's `If-None-Match` and
//! `If-Modified-Since`, which are answered here: what can be stored is a whole response. (Where the last response was
//! not to be stored, it is asked with them.) A response without an `ETag` gets one, made from its body, unless it was on its way before its body was known. The tag is strong: let
//! a layer that compresses be inside, where `Vary` tells the variants apart, and each has a tag of its own.
//!
//! # Waiting for one another
//!
//! Requests that miss the same response at once ask the handler once. Whoever waits is given the response only if
//! it may be stored and is for such a request; what turns out not to be shareable is given to nobody else, and
//! those who wait ask for themselves, all at once. For ten seconds from then on, nobody waits for that response:
//! that variant, for requests of its kind, those that say who asks or those that do not.
//!
//! A body passes to the client as it comes, and is copied beside. A slow client holds up nobody. If the client
//! goes away before all of the body came, or it breaks off, nothing is stored, and one of those who wait asks again;
//! after a panic too. (While a handler is at work, Actix does not notice by itself that the client has gone, unless
//! told so by `HttpServer::h1_allow_half_closed(false)`.) Nobody waits for a body for longer than
//! [`HttpCache::body_timeout`]. How long a handler takes until it begins to answer is limited by nothing here: put a
//! layer inside that does, or those who wait for a slow one are as slow.
//!
//! A handler must not wait for a request to its own URL through the cache: it would wait for itself.
//!
//! # What drops it
//!
//! - **What it was made from**: the handler runs as a computation of `larder`'s. Invalidating what it read from
//!   `#[cached]` functions, or from any cache, drops the response, on every node. (Not what it reads in tasks that
//!   it spawned, or while its body is on its way; see
//!   [`in_current_computation`](larder::in_current_computation).) One that was made from very much, some twenty
//!   cached values, is not stored: `larder` counts it in `CacheStats::stores_too_wide`.
//! - **Tags**: by path ([`HttpCache::tag`]), by the response's extensions ([`Caching::tag`]), or by
//!   `Surrogate-Key` (with blanks between them) and `Cache-Tag` (with commas) in its headers, which never leave.
//!   `cache.invalidate(Scope::tag("news"))` drops them.
//! - **Its URL**: [`page`](fn@page) and [`pages_under`] are scopes for `invalidate`.
//! - **A change through its URL**: a successful `POST`, `PUT`, `DELETE` or other unsafe method, and what its
//!   `Location` and `Content-Location` name on the same host. One whose client went away, or whose handler panicked,
//!   counts as successful: the change may have been made.
//! - **What its handler says next**: when it is asked again, and answers with something that is not stored, such as
//!   404 with `no-store`; or answers `HEAD` with another `ETag`, `Last-Modified` or `Content-Length`. What is said to
//!   those who say who they are drops nothing, nor do errors of a client's own (400, 401, 429 and the like) or of the
//!   server.
//!
//! # The key
//!
//! Scheme, host, path and query as the client sent them, in the order of their parameters
//! ([`HttpCache::sort_query`]); what [`HttpCache::key`] adds; what `Vary` names. In the cache it is
//!
//! ```text
//! http:<host>:<segment>:<segment>…:@:?<query>:v<digest>
//! ```
//!
//! with `:`, `*`, `%`, `@` and `?` percent-encoded, so that no URL can be taken for another; what is long is there
//! as its SHA-256 digest. The last digest has all that is not in the URL. Headers named by `Vary` are stored as
//! digests only.
//!
//! # Cache poisoning
//!
//! A cache shares what a handler makes of one request with others, so whatever the handler makes it from has to be
//! in the key. Handlers, frameworks and proxies believe headers that are not: an attacker's
//! `X-Forwarded-Host: evil.example` ends up in everybody's links. So `X-Forwarded-Host`, `-Proto`, `-Port`,
//! `-Prefix`, `X-Original-URL`, `X-HTTP-Method-Override`, the host and protocol of `Forwarded`, and their like are
//! in the key: whoever sends them gets responses of his own. So is the host as it is written, if it has a port that
//! goes without saying, or a user before it; and what a middleware around the cache made of the URL. What else a
//! handler reads from requests has to be in `Vary` or in [`HttpCache::key`]: a tenant's header, say, or
//! `X-Forwarded-For` if the answer depends on it. Everything above about cookies and authorization is for the same reason.
//!
//! A host is what the request names. A server that answers to any host stores pages for any host: let the proxy in
//! front of it, or a layer, refuse those that are not its own.
//!
//! In Axum's `Router::nest` a layer sees cut paths, and two routers with a cache of their own the same one for
//! different pages. Put the layer outside, or use the feature `axum`, which takes the whole path.
//!
//! # `Cache-Status`
//!
//! Each response says what became of its request (RFC 9211): `larder; hit; ttl=30`,
//! `larder; fwd=stale; fwd-status=304; stored`, `larder; fwd=uri-miss; detail=private`. (In Actix, an error that a
//! middleware gives in place of a response passes as it is.)
//!
//! # Conformance
//!
//! The tests of <https://cache-tests.fyi> are run against it; `docs/http-conformance.md` in the repository has the
//! results, and names each test that fails, and why.
//!
//! # Why not `http-cache-semantics`
//!
//! The crate of that name (3.0) decides whether one stored response answers one request. It splits `Cache-Control`
//! at every comma, quoted or not, knows directives in lower case only, and skips a line with a byte that is not
//! ASCII: a `No-Store` is not heeded. It takes `Pragma` for `Cache-Control`, compares the first line of a field
//! that `Vary` names, knows neither variants, invalidation nor `Cache-Status`, and keeps the request's headers with
//! each response, credentials included. What would have remained of it is what `freshness.rs` is here.
//!
//! # Features
//!
//! | feature | brings |
//! | --- | --- |
//! | `tower` (default) | [`HttpCache`] is a layer |
//! | `axum` | the layer takes whole paths inside of Axum's `Router::nest` |
//! | `actix` | [`HttpCache`] is a middleware of Actix Web 4; needs Rust 1.89 |

#![cfg_attr(docsrs, feature(doc_cfg))]
#![cfg_attr(
    not(any(feature = "tower", feature = "actix")),
    allow(dead_code, reason = "no framework drives the engine")
)]

#[cfg(feature = "actix")]
mod actix;
mod additions;
mod body;
mod conditional;
mod config;
mod date;
mod directives;
mod engine;
mod fields;
mod freshness;
mod key;
mod lists;
mod origin;
mod page;
mod pieces;
mod status;
mod storable;
mod tags;
#[cfg(feature = "tower")]
mod tower;
mod vary;

#[cfg(feature = "actix")]
#[cfg_attr(docsrs, doc(cfg(feature = "actix")))]
pub use self::actix::{HttpCacheBody, HttpCacheMiddleware};
#[cfg(feature = "tower")]
#[cfg_attr(docsrs, doc(cfg(feature = "tower")))]
pub use self::tower::HttpCacheService;
pub use self::{
    body::ResponseBody,
    config::{Caching, HttpCache},
    key::{page, pages_under},
    page::weigh,
};
