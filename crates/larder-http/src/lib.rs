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
//!   [`HttpCache::ttl_under`] or [`Caching`] in the response's extensions give, to requests that cannot
//!   [say who asks](#whose-response-it-is);
//! - to requests with `Authorization` only with `public`, `s-maxage` or `must-revalidate`; to requests with
//!   `Cookie` only with `public` or `s-maxage`, or where `Vary` names `Cookie`
//!   ([`HttpCache::ignore_cookies`]); with `Set-Cookie` not ([`HttpCache::store_set_cookie`]).
//!
//! Times that are no numbers, or contradict each other, are taken for zero (RFC 9111, section 4.2.1). What forbids
//! something does so however it is written; what permits to share a response to a request with `Authorization` or
//! `Cookie` does so only in a `Cache-Control` that follows the grammar: `public=1`, `s-maxage=60s`, or `public` behind
//! a quote that is not closed permit nothing.
//!
//! `s-maxage`, `must-revalidate`, `proxy-revalidate` and `no-cache` forbid stale responses, and so
//! `stale-while-revalidate` and `stale-if-error` beside them do not count; beside `s-maxage` they do with
//! [`HttpCache::extend_s_maxage`]. `Pragma` means nothing. Ages are counted by the clock of the Redis server, if pages
//! are shared through one: nodes need not agree on the time.
//!
//! `HEAD` is answered from stored responses to `GET`. Requests with `Range`, `If-Range`, `If-Match`,
//! `If-Unmodified-Since`, `Upgrade` or a body of their own, and those with `no-store`, go to the handler as they
//! are, and their responses are not stored. A handler is asked without the client's `If-None-Match` and
//! `If-Modified-Since`, which are answered here: what can be stored is a whole response. (Where the last response was
//! not to be stored, it is asked with them.) A response without an `ETag` gets one, made from its body, unless it was
//! on its way before its body was known. A response that is stored although its handler says nothing about caching
//! goes with `Cache-Control: no-cache`: a cache that comes next, or a browser, asks here each time whether it still
//! stands, and makes no guess. Responses with trailers are passed on as they are, and not stored.
//!
//! # Whose response it is
//!
//! A handler that says `Cache-Control: max-age=60` has said that its response is for everybody who sends what its
//! `Vary` names (with `Authorization` and `Cookie` it takes more, see above). One that says nothing has not: it may
//! know its users by any header. So a response that is stored by [`HttpCache::ttl`] and its like alone is neither made
//! from nor given to a request with `Authorization`, `Cookie`, or any header that is not known to be harmless. Those
//! requests have `detail=personal` in their `Cache-Status`, and what the handler says to them without `Cache-Control`
//! and `Expires` goes with `Cache-Control: private`: Varnish would keep it for two minutes, for all clients. Harmless
//! are what HTTP itself defines (`Accept` and its like, `Cache-Control`, conditions, `User-Agent`, `Referer`, `Via`, …), what browsers add (`Sec-Ch-*`,
//! `Sec-Fetch-*`, `Dnt`, `Priority`, `Save-Data`, …), and what proxies and tracing add (`Forwarded`, `X-Forwarded-For`
//! and its like, `X-Real-Ip`, `X-Request-Id`, `Traceparent`, `X-B3-*`, `Cf-*` and others for addresses and requests, but
//! nothing that names a user). `harmless.rs` has the list.
//!
//! Any other header is no obstacle if
//!
//! - the response's `Vary` names it;
//! - it is in the key: by [`HttpCache::key_header`], or because what [`HttpCache::key`] adds is its value, word by word;
//! - the handler says `public`, or [`Caching::public`], or the user [`HttpCache::public_under`] of its path;
//! - the user says that it is [harmless](HttpCache::harmless_header).
//!
//! # Compression
//!
//! Let the layer that compresses be inside, between this cache and the handlers, and add `Accept-Encoding` to `Vary`:
//! pages are stored compressed, each encoding has a tag of its own, and hits cost no compression. In Axum:
//!
//! ```text
//! Router::new()….layer(CompressionLayer::new()).layer(HttpCache::new(larder::global()).vary("accept-encoding"))
//! ```
//!
//! In Actix, where what is wrapped last is outermost:
//!
//! ```text
//! App::new().wrap(Compress::default()).wrap(HttpCache::new(larder::global()).vary("accept-encoding"))
//! ```
//!
//! Without [`vary`](HttpCache::vary), Actix' `Compress` does not say that it looked at `Accept-Encoding` when it does not
//! compress, and one client without compression makes a page for all. A layer that compresses outside of this cache
//! sends two encodings with one strong tag, which is wrong.
//!
//! # Caches that come next
//!
//! All names in `Vary` are in one line: some caches obey the first one only, and some the last. nginx takes no notice of
//! `Age`, and of what is stale: with [`HttpCache::accel_expires`] it keeps a response for what is left of its lifetime,
//! and does not keep those whose handlers say nothing.
//! Several caches of this kind on the way have [names](HttpCache::name) in `Cache-Status`.
//!
//! # Memory
//!
//! Pages have a memory of their own, 64 MiB unless [`HttpCache::capacity`] says otherwise, keys and headers included;
//! one page takes a tenth of it at most. They are entries of the given cache all the same, on its servers too, and go
//! with its invalidations.
//!
//! # Waiting for one another
//!
//! Requests that miss the same response at once ask the handler once. Whoever waits is given the response only if
//! it may be stored and is for such a request; what turns out not to be shareable is given to nobody else, and
//! those who wait ask for themselves, all at once. For ten seconds from then on, nobody waits for that response:
//! that variant, for requests of its kind, those that say who asks or those that do not.
//!
//! A body passes to the client as it comes, and is copied beside. A slow client holds up nobody. A handler that was
//! asked goes on in a task of its own, though its client goes away, for 30 seconds or as long as
//! [`HttpCache::outlive`] says: what it says is stored, and those who wait have it. So it is with changes, `POST` and its
//! like. (A task has the `tracing` span of its client, but not its task-local values.) If a body breaks off, nothing is stored, and one of
//! those who wait asks again; after a panic too. Nobody waits for a body for longer than [`HttpCache::body_timeout`]. How long a handler takes until it begins to answer is limited by nothing here: put a
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
//! - **A change through its URL**: a successful `POST`, `PUT`, `DELETE` or other unsafe method, with a slash at the end
//!   of its path or without, and what its `Location` and `Content-Location` name on the same host. One whose handler
//!   panicked counts as successful: the change may have been made.
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
//! in the key: whoever sends them gets responses of his own. (With [`HttpCache::ignore_request_directives`] handlers do
//! not see them; a proxy in front that sets them is to be [trusted](HttpCache::trust_proxy) then. Whether clients come
//! by `http` or `https` is told apart, unless [`HttpCache::ignore_scheme`] says that it does not matter.) So is the host as it is written, if it has a port that
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
//! `larder; fwd=stale; fwd-status=304; stored`, `larder; fwd=uri-miss; detail=private`. `stored` is there if the page was
//! there when its response left; a stream leaves earlier. What caches further in said stays in front of it. (In Actix, an error that a
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
mod body;
mod cache_control;
mod cache_status;
mod cacheable_request;
mod caching;
mod config;
mod date;
mod digest;
mod engine;
mod freshness;
mod headers;
mod http_cache;
mod key;
mod list_syntax;
mod origin;
mod path_tags;
mod request_headers;
mod shared_state;
mod status_code;
mod storable;
mod stored_response;
#[cfg(feature = "tower")]
mod tower;
mod unkeyed_inputs;
mod validation;
mod vary;

#[cfg(feature = "actix")]
#[cfg_attr(docsrs, doc(cfg(feature = "actix")))]
pub use self::actix::{HttpCacheBody, HttpCacheMiddleware};
#[cfg(feature = "tower")]
#[cfg_attr(docsrs, doc(cfg(feature = "tower")))]
pub use self::tower::HttpCacheService;
pub use self::{
    body::ResponseBody,
    caching::Caching,
    http_cache::HttpCache,
    key::{page, pages_under},
    stored_response::weigh,
};
