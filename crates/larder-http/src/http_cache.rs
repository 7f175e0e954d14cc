//! The cache that users configure and put in front of their handlers.

mod client;
mod keys;
mod purging;
mod variants;

use std::{
    fmt,
    sync::Arc,
    time::{Duration, SystemTime},
};

use http::{HeaderName, StatusCode, header, request::Parts};
use larder::{Cache, CacheExt as _};

use crate::{cache_status, config::Config, path_tags::TagTemplate, shared_state::SharedState, status_code};

/// A shared HTTP cache in front of handlers: a layer for Axum and other tower services, and a middleware for Actix Web.
///
/// By default it stores the responses that their handlers allow to store, by `Cache-Control` and `Expires`. The methods
/// below change that. Cheap to clone; clones share all state.
///
/// ```
/// use std::time::Duration;
/// use larder_http::HttpCache;
///
/// let cache = HttpCache::new(larder::global())
///     .ttl_under("/assets", Duration::from_secs(3600))
///     .tag("/users/<id>", "user-pages:<id>");
/// ```
#[derive(Clone)]
#[must_use = "a cache does nothing until it is put in front of a handler"]
pub struct HttpCache {
    pub(crate) config: Arc<Config>,
    pub(crate) state: Arc<SharedState>,
}

impl HttpCache {
    /// Stores responses in `cache`: `larder::global()`, for example, or an `Arc` of any cache.
    ///
    /// They are entries of that cache, on its servers too, and all of its invalidations apply to them. In memory they are
    /// kept apart from its other entries, by default in 64 MiB; see [`capacity`](Self::capacity). A cache that counts
    /// entries could not bound their memory, and a client that requests many URLs would evict all other entries. A
    /// response that takes more than a tenth of that memory is not stored.
    pub fn new(cache: impl Cache + 'static) -> Self {
        Self { config: Arc::new(Config::new(Arc::new(cache))), state: Arc::default() }
    }

    /// The memory for responses in bytes, with their keys and all overhead: 64 MiB by default, and at least one byte. The
    /// least used responses are evicted.
    ///
    /// Responses that are stored already stay with the clones that were made before: call it first. It has no effect on a
    /// [`RedisCache`](https://docs.rs/larder/latest/larder/struct.RedisCache.html), which has no memory, and on caches
    /// of other crates that do not support it.
    pub fn capacity(self, bytes: u64) -> Self {
        self.with(|config| config.set_capacity(bytes.max(1)))
    }

    /// Keeps responses in the memory of the given cache, among its other entries, within the capacity of that cache.
    ///
    /// If the capacity is a number of entries, responses may take that many times [`max_body`](Self::max_body). See
    /// [`weigh`](crate::weigh) for a capacity in bytes.
    pub fn in_shared_memory(self) -> Self {
        self.with(Config::share_memory)
    }

    /// The lifetime of responses whose handlers declare none.
    ///
    /// Such a response is not shared with requests that may identify their clients: those with `Authorization`, `Cookie`,
    /// or any header that is [not known](crate#who-may-share-a-response) to be independent of the client. A response with
    /// a status that is not heuristically cacheable (RFC 9110, section 15.1) is not stored.
    pub fn ttl(self, ttl: Duration) -> Self {
        self.with(|config| config.ttl = Some(ttl))
    }

    /// As [`ttl`](Self::ttl), for the path `prefix` and all paths under it. The longest prefix applies. With zero, such
    /// responses are not stored.
    pub fn ttl_under(self, prefix: impl Into<String>, ttl: Duration) -> Self {
        self.with(|config| {
            config.ttls_under.push((prefix.into().trim_end_matches('/').to_owned(), ttl));
            config.ttls_under.sort_by_key(|(prefix, _)| std::cmp::Reverse(prefix.len()));
        })
    }

    /// The targeted fields that this cache obeys in place of `Cache-Control` and `Expires` (RFC 9213), the most specific
    /// one first: by default `Larder-Cache-Control`, then `CDN-Cache-Control`.
    ///
    /// The first one counts that is valid and not empty; see [lifetimes](crate#three-lifetimes). `Larder-Cache-Control` is
    /// not sent on if it is in this list. All others are passed on unchanged, whether they are in it or not. With an empty
    /// list only `Cache-Control` and `Expires` count.
    ///
    /// ```
    /// # use larder_http::HttpCache;
    /// let cache = HttpCache::new(larder::global())
    ///     .targeted_cache_control(["larder-cache-control", "edge-cache-control", "cdn-cache-control"]);
    /// ```
    ///
    /// # Panics
    ///
    /// If a name is not a valid header name, or is `Cache-Control` or `Expires`, which always count last.
    pub fn targeted_cache_control<'a>(self, names: impl IntoIterator<Item = &'a str>) -> Self {
        let names: Vec<_> = names.into_iter().map(header_name).collect();
        for name in [header::CACHE_CONTROL, header::EXPIRES] {
            assert!(!names.contains(&name), "`{name}` counts last by itself: leave it out of the list");
        }
        self.with(|config| config.set_targeted(names))
    }

    /// Gives a lifetime to responses that declare only their last modification: a tenth of the time since then, at most a
    /// day (RFC 9111, section 4.2.2). Off by default.
    pub fn heuristic_freshness(self) -> Self {
        self.with(|config| config.heuristic = true)
    }

    /// For how long stale responses are kept, for validation and for clients that accept them: ten minutes by default.
    ///
    /// They take memory, and that of Redis, for twice as long: one that is [marked stale](Self::soft_purge) late is kept for
    /// so long from then on. The same holds for `stale-while-revalidate` and `stale-if-error`, where these are longer.
    pub fn keep_stale(self, keep: Duration) -> Self {
        self.with(|config| config.keep_stale = keep)
    }

    /// The statuses of a handler's responses in place of which a stale response is served, where `stale-if-error` of the
    /// response or of the request allows that: 500, 502, 503 and 504 by default (RFC 5861, section 4).
    ///
    /// An error of the handler without a status always counts. With an empty list, no response of a handler is replaced.
    ///
    /// ```
    /// # use larder_http::HttpCache;
    /// // A handler that passes the limits of a service on as 429.
    /// let cache = HttpCache::new(larder::global()).stale_if_error_statuses([429, 502, 503, 504]);
    /// ```
    ///
    /// # Panics
    ///
    /// If one is neither 429 nor from 500 to 599: other statuses say something about the resource, or about the client.
    pub fn stale_if_error_statuses(self, statuses: impl IntoIterator<Item = u16>) -> Self {
        let failures = statuses.into_iter().map(|status| match StatusCode::from_u16(status) {
            Ok(status) if status_code::is_failure(status) => status,
            _ => panic!("`{status}` is not that of a handler's failure: 429, or 500 to 599"),
        });
        let failures = failures.collect();
        self.with(|config| config.stale_if_error = failures)
    }

    /// The largest body that is stored, in bytes: 1 MiB by default, and at most a tenth of the
    /// [`capacity`](Self::capacity). A response with a larger one is passed on and not stored.
    pub fn max_body(self, bytes: usize) -> Self {
        self.with(|config| config.max_body = bytes)
    }

    /// The largest body that a request for a part of it may make a handler produce as a whole, in bytes: by default every
    /// body that can be stored. With zero, such requests are passed to the handler unless the response is stored. What is
    /// stored is revalidated and replaced as a whole, whatever its size.
    ///
    /// A request with `Range` for a response that is not stored calls the handler without `Range`; the whole response is
    /// stored, and answers this request and all further ones for other parts. If it turns out to be larger than this, the
    /// client still gets its part, and for ten minutes requests for parts are passed to the handler with their `Range`.
    /// Requests for parts that begin after this many bytes are passed to it at once.
    pub fn range_fetch(self, bytes: usize) -> Self {
        self.with(|config| config.range_fetch = bytes)
    }

    /// How long a body may take to be stored: ten seconds by default, from the first time at which the cache waits for it.
    /// A response whose body takes longer is passed on and not stored, and requests that wait for it call the handler
    /// themselves.
    ///
    /// Without a Tokio runtime there is no such limit.
    ///
    /// # Panics
    ///
    /// Not here. On a runtime that was built without `enable_time`, a request panics whose response is a stream.
    pub fn body_timeout(self, limit: Duration) -> Self {
        self.with(|config| config.body_timeout = limit)
    }

    /// Forwards requests for which `skip` returns true to the handler, and does not store their responses. Unsafe methods
    /// still invalidate what is stored.
    pub fn skip_if(self, skip: impl Fn(&Parts) -> bool + Send + Sync + 'static) -> Self {
        self.with(|config| config.skips.push(Arc::new(skip)))
    }

    /// Adds a tag to the responses of all paths that match: `.tag("/users/<id>/posts", "posts-of:<id>")`.
    ///
    /// A `<name>` in `path` matches one segment, percent-decoded. A `*` as its last segment matches any number of them.
    ///
    /// A segment with `:`, `*`, `%` or control characters gives two tags: one with the segment as it is, and one with these
    /// escaped, which is what `tags` of `#[invalidate]` and `#[cached]` make of an argument.
    ///
    /// # Panics
    ///
    /// If `tag` has a placeholder that `path` does not have.
    pub fn tag(self, path: &str, tag: &str) -> Self {
        let template = TagTemplate::new(path, tag);
        self.with(|config| config.tags.push(template))
    }

    /// Stores responses with `Set-Cookie` too, if nothing else forbids it: all clients get the same cookie. Off by
    /// default.
    pub fn store_set_cookie(self) -> Self {
        self.with(|config| config.stores_set_cookie = true)
    }

    /// Ignores `Cookie` in requests: for handlers that ignore it as well. By default, the response to a request with
    /// cookies is stored only with `public` or `s-maxage`, or if its `Vary` names `Cookie`.
    pub fn ignore_cookies(self) -> Self {
        self.with(|config| config.ignores_cookie = true)
    }

    /// Ignores what requests demand of caches, so that clients cannot make handlers work for responses that are stored.
    ///
    /// - `Cache-Control` has no effect.
    /// - `Range`, `If-Range`, `If-Match` and `If-Unmodified-Since` are removed: the answer is a whole response.
    /// - [Forwarding headers](crate#cache-poisoning) such as `X-Forwarded-Host` are removed, as each of their values would
    ///   make a variant. They stay in what goes past the cache: other methods, and [`skip_if`](Self::skip_if). If a proxy in front sets them, use [`trust_proxy`](Self::trust_proxy).
    /// - Requests with `Upgrade` or with a body are forwarded to the handler only if nothing is stored for their URL.
    ///
    /// Clients can still make handlers work by new URLs and hosts, by `Authorization`, `Cookie` and the headers that `Vary`
    /// names, and by any header that [may identify them](crate#who-may-share-a-response), for responses with a configured
    /// lifetime.
    pub fn ignore_request_directives(self) -> Self {
        self.with(|config| config.honors_requests = false)
    }

    /// Declares that a proxy in front sets or removes `Forwarded`, `X-Forwarded-Host`, `-Proto` and all other
    /// [forwarding headers](crate#cache-poisoning): with [`ignore_request_directives`](Self::ignore_request_directives)
    /// they then reach the handlers, and are part of the key.
    pub fn trust_proxy(self) -> Self {
        self.with(|config| config.trusts_proxy = true)
    }

    /// Ignores whether a client uses `http` or `https`: for handlers that ignore it as well. A handler that redirects from
    /// `http` to `https` does not.
    pub fn ignore_scheme(self) -> Self {
        self.with(|config| config.ignores_scheme = true)
    }

    /// For how long a handler goes on, as a task of its own, after its client went away: 30 seconds by default.
    ///
    /// So the response is stored even if clients are less patient than the handler, and their next request is a hit. As long
    /// as other requests wait for the response, that time does not begin, up to ten times as long. After it the handler's
    /// future is dropped, and one of the waiting requests calls the handler again. Background refreshes of stale responses
    /// end after the same time (after 30 seconds if it is zero). With zero, a handler ends with its client, as it does without
    /// a cache.
    ///
    /// A handler that panics without a client has no effect but the message of the panic; one of the waiting requests calls
    /// it again. The task does not have the task-local values of its client's task. It needs a Tokio runtime that was
    /// built with `enable_time`.
    pub fn disconnect_grace(self, limit: Duration) -> Self {
        self.with(|config| config.disconnect_grace = limit)
    }

    /// How many handlers may go on without a client at the same time: 1,024 by default, background refreshes included.
    ///
    /// Clients that send requests and go away cannot make more handlers work than this beside those that have clients. If
    /// so many go on already, a handler ends with its client, as it does without a cache. An unsafe request whose handler
    /// was ended so invalidates what is stored for its URL, since it may have had its effect.
    pub fn max_detached(self, most: usize) -> Self {
        self.with(|config| config.max_detached = most)
    }

    /// What it keeps in this process' memory: the number of responses, and their bytes, with keys and all overhead.
    ///
    /// Where responses are [in shared memory](Self::in_shared_memory), this is what that memory keeps in all, in its own weights.
    /// It reads counters and looks at no entry.
    ///
    /// ```
    /// # use larder_http::HttpCache;
    /// let cache = HttpCache::new(larder::global()).capacity(64 << 20);
    /// let kept = cache.kept();
    /// println!("{} responses in {} of 64 MiB", kept.entries, kept.weight);
    /// ```
    #[must_use]
    pub fn kept(&self) -> larder::Kept {
        self.config.cache.kept()
    }

    /// The number of handlers that go on without a client, those of all clones of this cache together.
    #[must_use]
    pub fn detached(&self) -> usize {
        self.state.detached.count()
    }

    /// Waits until no handler goes on without a client: to be awaited between the end of a server and that of its runtime,
    /// which drops all tasks. A handler that just lost its client may not be counted yet: it is when its task ran again.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use larder_http::HttpCache;
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() {
    /// let cache = HttpCache::new(larder::global());
    /// // axum::serve(…).with_graceful_shutdown(…).await
    /// let all_ended = tokio::time::timeout(Duration::from_secs(5), cache.wait_for_detached()).await;
    /// assert!(all_ended.is_ok());
    /// # }
    /// ```
    pub async fn wait_for_detached(&self) {
        self.state.detached.none_left().await;
    }

    /// Lets `stale-while-revalidate` and `stale-if-error` of a response count beside `s-maxage`, as the more specific
    /// directives. By default they do not, because `s-maxage` includes `proxy-revalidate` (RFC 9111, section 5.2.2.10).
    /// Beside `must-revalidate`, `proxy-revalidate` and `no-cache` they never count.
    pub fn extend_s_maxage(self) -> Self {
        self.with(|config| config.extends_s_maxage = true)
    }

    /// Replaces the clock: for tests that must not wait.
    ///
    /// If the cache shares its entries through servers, ages are measured by the servers' clock. Then only the progress of
    /// `clock` counts, from this call on, and not its absolute time (to the minute).
    pub fn clock(self, clock: impl Fn() -> SystemTime + Send + Sync + 'static) -> Self {
        self.with(|config| config.set_clock(Arc::new(clock)))
    }

    /// The name of this cache in `Cache-Status`: `larder` by default. Characters that are not printable ASCII are removed.
    pub fn name(self, name: &str) -> Self {
        self.with(|config| config.name = cache_status::name(name).into())
    }

    /// Tells nginx by `X-Accel-Expires` for how long it may keep a response: the rest of its lifetime; zero if it is stale,
    /// not stored, or has a [configured lifetime](Self::ttl), as nginx does not know which requests
    /// [may identify their clients](crate#who-may-share-a-response).
    ///
    /// By default nginx ignores `Age`, and keeps a response for its whole `max-age`. nginx does not forward this header.
    pub fn accel_expires(self) -> Self {
        self.with(|config| config.accel_expires = true)
    }

    fn with(mut self, set: impl FnOnce(&mut Config)) -> Self {
        set(Arc::make_mut(&mut self.config));
        self
    }
}

/// # Panics
///
/// If it is not valid.
fn header_name(name: &str) -> HeaderName {
    match name.parse() {
        Ok(name) => name,
        Err(_) => panic!("`{name}` is not a valid header name"),
    }
}

impl fmt::Debug for HttpCache {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HttpCache")
            .field("ttl", &self.config.ttl)
            .field("max_body", &self.config.max_body)
            .finish_non_exhaustive()
    }
}
