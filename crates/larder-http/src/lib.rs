//! A shared HTTP cache in front of your handlers, by RFC 9110 and RFC 9111: a layer for Axum and every other tower
//! service, and a middleware for Actix Web. Responses are stored in a cache of [`larder`], in memory or in Redis, and
//! share its tags and its invalidation.
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
//! // The stored response was made from this user, so this drops it too, on every node.
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
//! // Made once, outside of the closure of `HttpServer::new`: its clones share all state.
//! let cache = HttpCache::new(larder::global());
//! let app = App::new().wrap(cache.clone()).route("/users/{id}", web::get().to(profile));
//! # let app = test::init_service(app).await;
//! # for status in ["larder; fwd=uri-miss; stored", "larder; hit"] {
//! #     let request = test::TestRequest::get().uri("/users/7").to_request();
//! #     let response = test::call_service(&app, request).await;
//! #     let found = response.headers().get("cache-status").unwrap().to_str().unwrap();
//! #     assert!(found.starts_with(status), "{found}");
//! # }
//! # }
//! # #[cfg(not(feature = "actix"))]
//! # fn main() {}
//! ```
//!
//! # What is stored
//!
//! What RFC 9111 lets a shared cache store, and nothing else by default:
//!
//! - complete responses to `GET` that declare a lifetime (`s-maxage`, `max-age`, `Expires`), or that can be validated
//!   (`no-cache` with `ETag` or `Last-Modified`). Never stored are responses with `no-store`, `private` or `Vary: *`,
//!   partial responses (206), event streams, and those that are larger than [`HttpCache::max_body`] or take longer than
//!   [`HttpCache::body_timeout`];
//! - responses that declare no lifetime, with a *configured lifetime*: by [`HttpCache::ttl`], [`HttpCache::ttl_under`],
//!   or [`Caching`] in the response's extensions. They are shared only among requests that do not [identify their
//!   clients](#who-may-share-a-response);
//! - responses to requests with `Authorization` only with `public`, `s-maxage` or `must-revalidate`;
//! - responses to requests with `Cookie` only with `public` or `s-maxage`, or if `Vary` names `Cookie` (otherwise:
//!   [`HttpCache::ignore_cookies`]);
//! - responses with `Set-Cookie` only with [`HttpCache::store_set_cookie`].
//!
//! `Cache-Control` is read strictly where it permits something, and leniently where it forbids something. Times that
//! are not numbers, or that contradict each other, count as zero (RFC 9111, section 4.2.1). A directive that forbids
//! something counts even if it is malformed. `public`, `s-maxage` and `must-revalidate` permit to share a response to a
//! request with `Authorization` or `Cookie` only if the whole header follows the grammar: not `public=1`,
//! `s-maxage=60s`, or `public` after a quote that is not closed.
//!
//! `s-maxage`, `must-revalidate`, `proxy-revalidate` and `no-cache` forbid stale responses, so that
//! `stale-while-revalidate` and `stale-if-error` do not count beside them; beside `s-maxage` they do with
//! [`HttpCache::extend_s_maxage`]. `Pragma` has no effect. If responses are shared through Redis, ages are measured by
//! the clock of the server: the clocks of the nodes need not agree.
//!
//! `HEAD` is answered from stored responses to `GET`. Requests with `If-Match`, `If-Unmodified-Since`, `Upgrade`,
//! `no-store`, a body, or a `Range` of another unit than bytes are passed to the handler unchanged, and their responses
//! are not stored.
//!
//! `If-None-Match` and `If-Modified-Since` are answered by the cache. They are removed before the handler is called,
//! because only a complete response can be stored. (They stay if the last response was not to be stored.)
//!
//! # Ranges
//!
//! A request for a part of a response, with `Range: bytes=…`, is answered from the whole that is stored: one part or
//! several (`multipart/byteranges`), 416, or the whole if `Range` is invalid or `If-Range` does not hold. If nothing is
//! stored, the handler is called without `Range`, once, however many requests for parts of the response arrive at the
//! same time: handlers need not know of ranges. [`HttpCache::range_fetch`] limits that. Requests for parts go to the
//! handler with their `Range` if the response is known to be too large, or was not to be stored a moment ago. Its 206
//! is passed on, and not stored. Ranges are those of the stored, possibly compressed, content.
//!
//! # What is changed in responses
//!
//! - A response without `ETag` gets one, made from its body, unless it is sent before its body is complete.
//! - A response with a configured lifetime and without `Cache-Control` gets `Cache-Control: no-cache`, so that browsers
//!   and caches further on ask each time whether it is still current, instead of guessing.
//! - A response with trailers is passed on unchanged, and not stored.
//!
//! # Three lifetimes
//!
//! A handler can give this cache, a CDN in front and browsers a lifetime each, by targeted fields (RFC 9213):
//!
//! ```text
//! Larder-Cache-Control: max-age=86400
//! CDN-Cache-Control: max-age=600
//! Cache-Control: private, max-age=10
//! ```
//!
//! The first field counts that is valid and not empty, in place of all that follow and of `Expires`; the list can be
//! set by [`HttpCache::targeted_cache_control`]. `Larder-Cache-Control` is not sent on, all others are. A response with
//! a lifetime of its own for this cache is new for its recipients: it is sent with `Age: 0` and the current `Date`, so
//! that their lifetimes do not end early. Without `Cache-Control` and `Expires` it gets `Cache-Control: no-cache`.
//!
//! The fields are dictionaries of structured fields, and stricter than `Cache-Control`: names are in lower case, times
//! are integers without quotes, and with one mistake the whole field is ignored, except that `no-store`, `private` and
//! `no-cache` in it still forbid what they name. Nothing is permitted by another field: with `Larder-Cache-Control:
//! max-age=60` a response to a request with `Authorization` or `Cookie` is not stored, whatever `Cache-Control` says. It
//! takes `Larder-Cache-Control: max-age=60, public`.
//!
//! In code, [`Caching::override_headers`] lets a lifetime from the response's extensions win over those in its headers.
//!
//! # Who may share a response
//!
//! A handler that declares `Cache-Control: max-age=60` declares with it that its response is the same for all clients
//! that send the same values of the headers in `Vary`. (With `Authorization` and `Cookie` it takes more, see above.) A
//! handler that declares nothing does not: it may know its clients by any header. So a response with a *configured*
//! lifetime is neither made from nor served to a request with `Authorization`, `Cookie`, or any other header that
//! *possibly identifies* its client: any header that is not known to be independent of it.
//!
//! Known to be independent of the client are
//!
//! - the headers that HTTP defines (`Accept` and the like, `Cache-Control`, conditions, `User-Agent`, `Referer`, `Via`,
//!   …);
//! - those that browsers add (`Sec-Ch-*`, `Sec-Fetch-*`, `Dnt`, `Priority`, `Save-Data`, …);
//! - those that proxies and tracing add (`Forwarded`, `X-Forwarded-For` and the like, `X-Real-Ip`, `X-Request-Id`,
//!   `Traceparent`, `X-B3-*`, `Cf-*` and others for addresses and requests, but none that names a user).
//!
//! The list is in `request_headers.rs`. Another header does not keep a response from being shared if
//!
//! - the response's `Vary` names it;
//! - it is in the key: by [`HttpCache::key_header`], or because its whole value is a part that [`HttpCache::key`] adds;
//! - the response is public: by `Cache-Control: public`, [`Caching::public`], or [`HttpCache::public_under`];
//! - it is ignored: by [`HttpCache::ignore_header`].
//!
//! Requests that cannot share a response for this reason have `detail=personal` in their `Cache-Status`. If their
//! responses have neither `Cache-Control` nor `Expires`, they get `Cache-Control: private`: Varnish would otherwise
//! keep them for two minutes, for all clients.
//!
//! # Compression
//!
//! Put the layer that compresses inside, between this cache and the handlers, and add `Accept-Encoding` to `Vary`. Then
//! responses are stored compressed, each encoding has an entity tag of its own, and hits cost no compression. In Axum:
//!
//! ```text
//! Router::new()….layer(CompressionLayer::new()).layer(HttpCache::new(larder::global()).vary("accept-encoding"))
//! ```
//!
//! In Actix, where the last `wrap` is the outermost:
//!
//! ```text
//! App::new().wrap(Compress::default()).wrap(HttpCache::new(larder::global()).vary("accept-encoding"))
//! ```
//!
//! Without [`vary`](HttpCache::vary), Actix' `Compress` does not declare `Accept-Encoding` in responses that it does
//! not compress, and one client without compression makes a response for all. A layer outside of this cache would send
//! two encodings with the same strong entity tag, which is wrong.
//!
//! # Caches further on
//!
//! All names in `Vary` are joined to one line: some caches obey only the first line, and some only the last. nginx
//! ignores `Age`, and the age of stale responses: with [`HttpCache::accel_expires`] it keeps a response for the rest of
//! its lifetime only, and does not keep responses with a configured lifetime. If a response passes several caches of
//! this kind, give each a [name](HttpCache::name) for `Cache-Status`.
//!
//! [`HttpCache::on_purge`] calls a hook with what is purged here, to purge caches in front by the same words.
//!
//! # Memory
//!
//! Stored responses have a memory of their own, apart from the other entries of the given cache: 64 MiB, keys and
//! headers included, or what [`HttpCache::capacity`] sets. One response takes at most a tenth of it. They are entries
//! of the given cache all the same: they are on its servers, and its invalidations apply to them.
//!
//! # Variants
//!
//! Responses with `Vary` are stored side by side, one for each set of values of the headers that it names. Values are
//! compared as lists, without the blanks around commas. Two headers are compared by their meaning:
//!
//! - `Accept-Encoding` by the order in which a request prefers the codings that servers offer (`br`, `deflate`, `gzip`,
//!   `zstd`, none) and those that the stored response has: `gzip;q=0.9, br;q=0.1, foo` and `br;q=0.2,GZIP` are the same.
//! - `Accept-Language` by the order in which it prefers languages, not by the weights. Of languages with the same weight
//!   the first one comes first, unless [`HttpCache::ignore_language_order`] is set.
//!
//! If `Vary` names only these two, a response also answers requests that prefer its `Content-Encoding` and
//! `Content-Language` to everything else that they accept: a stored page with `Content-Language: de` is the best answer
//! to `fr;q=0.5, de`, whatever request it was made for.
//!
//! [`HttpCache::normalize`] sets how the values of any header are compared, so that `User-Agent`, for example, makes two
//! variants and not thousands. Of one URL at most 100 variants are stored beside the first one
//! ([`HttpCache::max_variants`]); one more drops the oldest.
//!
//! # Coalescing
//!
//! Requests that miss the same response at the same time call the handler once; the others wait. A waiting request gets
//! the response only if it may be stored and shared with it. If it turns out not to be, the waiting requests call the
//! handler themselves, all at once, and a hit-for-miss marker is set: for ten seconds, no request waits for that
//! response. The marker is for one variant, and for requests that possibly identify their clients or for the others.
//!
//! A body is sent to its client while it is copied for the cache. A slow client delays no other one. Once a handler is
//! called, its response is awaited by the cache, and not only by the client that came first: it goes on as a task of its
//! own even if that client goes away. Its response is stored, and the waiting requests get it. The same holds for unsafe
//! methods such as `POST`. (The task has the `tracing` span of its client's task, but not its task-local values.) The
//! limits:
//!
//! - **time**: a handler is dropped 30 seconds, or [`HttpCache::disconnect_grace`], after the last client went away that
//!   waited for it, and ten times that after the first one went away, whether others wait or not. One of those that wait
//!   calls it again;
//! - **number**: at most 1,024 handlers, or [`HttpCache::max_detached`], go on without a client at the same time. Beyond
//!   that, a handler ends with its client;
//! - **shutdown**: the end of a runtime drops them. [`HttpCache::wait_for_detached`] waits for them before.
//!
//! If a body breaks off, or the handler panics, nothing is stored, and one of the waiting requests calls the handler
//! again. A panic ends the request of its handler, as it does without a cache; without a client nothing is left to end.
//! No request waits for a body for longer than [`HttpCache::body_timeout`]. The cache does not limit the time until a
//! handler with a client *begins* to respond: put a layer with a timeout inside, as otherwise all waiting requests are
//! as slow as the handler.
//!
//! A handler must not wait for a request to its own URL through the cache: it would wait for itself.
//!
//! # Invalidation
//!
//! A stored response is dropped by
//!
//! - **what it was made from**: the handler runs as a computation of `larder`. To invalidate what it read from
//!   `#[cached]` functions, or from any cache, drops the response too, on every node. This does not include what it
//!   reads in tasks that it spawns, or while its body is being sent; see
//!   [`in_current_computation`](larder::in_current_computation). A response that was made from thousands of
//!   cached values may have more than 4,096 scopes, and is not stored then: `larder` counts it in
//!   `CacheStats::stores_too_wide`.
//! - **its tags**: by path ([`HttpCache::tag`]), by the response's extensions ([`Caching::tag`]), or by its headers
//!   `Surrogate-Key` (separated by blanks) and `Cache-Tag` (separated by commas), which are sent to clients only if
//!   [`HttpCache::send_tags`] is set.
//!   `cache.invalidate(Scope::tag("news"))` drops all responses with the tag.
//! - **its groups**: a response with `Cache-Groups: "news", "sport"` is in two groups (RFC 9875). The response to an unsafe
//!   request with `Cache-Group-Invalidation: "news"` drops all responses of the same host that are in that group, whatever
//!   its status; [`cache_group`] is the scope for `invalidate`. Both headers are sent on, for caches that come next;
//! - **its URL**: [`page`](fn@page) and [`pages_under`] are scopes for `invalidate`.
//! - **[`HttpCache::purge`]**, or a request with the method `PURGE` if [`HttpCache::accept_purge`] is set;
//! - **an unsafe request to its URL**: a successful `POST`, `PUT`, `DELETE` or the like, to the URL with or without a
//!   slash at its end; also for the URLs on the same host that its `Location` and `Content-Location` name. A request
//!   whose handler panicked counts as successful: it may have had its effect.
//! - **a later response of its handler** that is not stored, such as 404 with `no-store`, or one to `HEAD` with another
//!   `ETag`, `Last-Modified` or `Content-Length`. Responses to clients that identify themselves drop nothing, nor do
//!   errors of a client (400, 401, 429 and the like) or of the server.
//!
//! # The key
//!
//! Scheme, host, path and query as the client sent them, with the parameters in their order
//! ([`HttpCache::sort_query`]); what [`HttpCache::key`] and [`HttpCache::key_header`] add; the headers that `Vary`
//! names. In the cache it is
//!
//! ```text
//! http:<host>:<segment>:<segment>…:@:?<query>:v<digest>
//! ```
//!
//! with `:`, `*`, `%`, `@` and `?` percent-encoded, so that no URL can be taken for another. Long parts are replaced by
//! their SHA-256 digests. The last digest covers all that is not in the URL. Only digests of the headers that `Vary`
//! names are stored.
//!
//! # Cache poisoning
//!
//! A cache shares what a handler made of one request with others, so everything from which the handler makes it has to
//! be in the key. Handlers, frameworks and proxies use headers that usually are not: then an attacker's
//! `X-Forwarded-Host: evil.example` gets into the links of all clients. So these *forwarding headers* are in the key:
//! `X-Forwarded-Host`, `-Proto`, `-Port`, `-Prefix`, `X-Original-URL`, `X-HTTP-Method-Override`, the host and protocol
//! of `Forwarded`, and the like. A client that sends them gets responses of its own. Also in the key are
//!
//! - whether the client uses `http` or `https` ([`HttpCache::ignore_scheme`]);
//! - the host as it is written, if it has a default port, or a user before it;
//! - the URL that a middleware around the cache made of the client's.
//!
//! With [`HttpCache::ignore_request_directives`] handlers do not see forwarding headers, unless a proxy in front sets
//! them ([`HttpCache::trust_proxy`]).
//!
//! Everything else that a handler reads from requests has to be in `Vary` or in [`HttpCache::key`]: a tenant's header,
//! for example, or `X-Forwarded-For` if the response depends on it. The rules about cookies and authorization have the
//! same reason.
//!
//! The host is what the request names. A server that answers to any host stores responses for any host: let the proxy
//! in front of it, or a layer, refuse unknown ones.
//!
//! In Axum's `Router::nest` a layer sees shortened paths, so that two routers with caches of their own could have the
//! same path for different responses. Put the layer outside, or use the feature `axum`, which takes the whole path.
//!
//! # `Cache-Status`
//!
//! Each response tells how its request was handled (RFC 9211): `larder; hit; ttl=30`, `larder; fwd=stale;
//! fwd-status=304; stored`, `larder; fwd=uri-miss; detail=private`. `stored` means that the response was in the cache
//! before it was sent; a stream is sent earlier. The members of caches further in come first. (In Actix, an error that
//! a middleware returns in place of a response is passed on unchanged.)
//!
//! # Conformance
//!
//! The tests of <https://cache-tests.fyi> are run against it. `docs/http-conformance.md` in the repository has the
//! results, with the reason for each test that fails.
//!
//! # Why not `http-cache-semantics`
//!
//! The crate of that name (3.0) decides whether one stored response answers one request. It splits `Cache-Control` at
//! every comma, quoted or not, knows directives in lower case only, and skips a line with a byte that is not ASCII, so
//! that a `No-Store` is ignored. It treats `Pragma` as `Cache-Control`, compares only the first line of a header that
//! `Vary` names, has neither variants, invalidation nor `Cache-Status`, and keeps the request's headers with each
//! response, credentials included. The rest of it is what `freshness.rs` does here.
//!
//! # Features
//!
//! | feature | brings |
//! | --- | --- |
//! | `tower` (default) | [`HttpCache`] is a layer |
//! | `axum` | the layer takes the whole path inside of Axum's `Router::nest` |
//! | `actix` | [`HttpCache`] is a middleware of Actix Web 4; needs Rust 1.89 |

#![cfg_attr(docsrs, feature(doc_cfg))]
#![cfg_attr(
    not(any(feature = "tower", feature = "actix")),
    allow(dead_code, reason = "no framework drives the engine")
)]

// From the bottom to the top; no file imports from one that stands after it:
//
// - syntax: `date`, `digest`, `list_syntax`, `structured_fields`, `range`, `status_code`, `cache_control`, `targeted`,
//   `cache_status`, `negotiation`
// - the rules of the RFCs: `freshness`, `headers`, `selecting`, `vary`, `validation`
// - keys and tags: `key`, `request_headers`, `unkeyed_inputs`, `path_tags`, `cache_groups`,
//   `downstream_tags`, `purge`
// - what is stored, and for whom: `stored_response`, `cacheable_request`
// - what users decide: `caching`, `config`, and by these two `storable`
// - the cache itself: `shared_state`, `http_cache`
// - handlers and their bodies: `body`, `origin`
// - how requests are answered: `engine`
// - the frameworks: `tower`, `actix`
#[cfg(feature = "actix")]
mod actix;
mod body;
mod cache_control;
mod cache_groups;
mod cache_status;
mod cacheable_request;
mod caching;
mod config;
mod date;
mod digest;
mod downstream_tags;
mod engine;
mod freshness;
mod headers;
mod http_cache;
mod key;
mod list_syntax;
mod negotiation;
mod origin;
mod path_tags;
mod purge;
mod range;
mod request_headers;
mod selecting;
mod shared_state;
mod status_code;
mod storable;
mod stored_response;
mod structured_fields;
mod targeted;
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
    cache_groups::cache_group,
    caching::Caching,
    http_cache::HttpCache,
    key::{page, pages_under},
    purge::Purge,
    stored_response::weigh,
};
