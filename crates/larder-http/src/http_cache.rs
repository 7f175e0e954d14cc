//! What a user decides about the cache.

mod decisions;

use std::{
    fmt,
    sync::{Arc, OnceLock},
    time::{Duration, SystemTime},
};

use http::{HeaderName, header, request::Parts};
use larder::{Cache, MemoryCache};

use crate::{engine::State, page::weigh, status, tags::TagTemplate};

/// A shared HTTP cache in front of handlers: a layer for Axum and other tower services, and a middleware for
/// Actix Web.
///
/// By itself it stores what the handlers' `Cache-Control` and `Expires` allow to store; the setters add to
/// that. Cheap to clone; clones share what they know.
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
    pub(crate) state: Arc<State>,
}

type Clock = Arc<dyn Fn() -> SystemTime + Send + Sync>;
type KeyOf = Arc<dyn Fn(&Parts) -> String + Send + Sync>;
type Predicate = Arc<dyn Fn(&Parts) -> bool + Send + Sync>;

#[derive(Clone)]
pub(crate) struct Config {
    /// As it was given.
    given: Arc<dyn Cache>,
    /// Where pages are kept.
    pub(crate) cache: Arc<dyn Cache>,
    /// The most that they take, in bytes; none if that is the cache's own matter.
    capacity: Option<u64>,
    clock: Option<Clock>,
    /// How far the servers' clock is ahead of `clock`, in milliseconds, since the first look at both.
    ahead: Arc<OnceLock<i64>>,
    /// This cache's name in `Cache-Status`.
    pub(crate) name: Arc<str>,
    pub(crate) accel_expires: bool,
    /// For how long a handler goes on without its client.
    pub(crate) outlives: Duration,
    /// Whether a proxy in front sets what steers handlers.
    trusts_proxy: bool,
    pub(crate) ignores_scheme: bool,
    /// What all responses vary by, whatever they say.
    pub(crate) vary: Vec<HeaderName>,
    ttl: Option<Duration>,
    /// The longest prefix first.
    ttls_under: Vec<(String, Duration)>,
    pub(crate) heuristic: bool,
    pub(crate) keep_stale: Duration,
    pub(crate) max_body: usize,
    pub(crate) body_timeout: Duration,
    pub(crate) sort_query: bool,
    pub(crate) cookies: Cookies,
    pub(crate) honors_requests: bool,
    /// Whether the extensions for stale responses count beside `s-maxage`.
    pub(crate) extends_s_maxage: bool,
    keys: Vec<KeyOf>,
    key_headers: Vec<HeaderName>,
    harmless_headers: Vec<HeaderName>,
    public_under: Vec<String>,
    skips: Vec<Predicate>,
    pub(crate) tags: Vec<TagTemplate>,
    #[cfg(feature = "actix")]
    carried: Vec<Carry>,
}

/// Copies an extension of one type from an Actix request.
#[cfg(feature = "actix")]
type Carry = Arc<dyn Fn(&actix_http::Extensions, &mut http::Extensions) + Send + Sync>;

/// What is done about cookies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Cookies {
    /// Stores responses that set cookies.
    pub(crate) stores_set_cookie: bool,
    /// Takes no notice of `Cookie` in requests.
    pub(crate) ignores_cookie: bool,
}

impl HttpCache {
    /// Keeps responses in `cache`: `larder::global()`, say, or an `Arc` of any cache.
    ///
    /// They are entries of that cache, on its servers too if it has some, and any of its invalidations drops them.
    /// Only their memory is one of their own, 64 MiB unless [`capacity`](Self::capacity) says otherwise: a cache that
    /// counts entries could not bound it, and a client that asks for many URLs would drive out everything else. A page that
    /// would take more than a tenth of it is not stored.
    pub fn new(cache: impl Cache + 'static) -> Self {
        const CAPACITY: u64 = 64 << 20;
        let given: Arc<dyn Cache> = Arc::new(cache);
        let (cache, capacity) = apart(&given, CAPACITY);
        let config = Config {
            given,
            cache,
            capacity,
            clock: None,
            ahead: Arc::default(),
            name: "larder".into(),
            accel_expires: false,
            outlives: Duration::from_secs(30),
            trusts_proxy: false,
            ignores_scheme: false,
            vary: Vec::new(),
            ttl: None,
            ttls_under: Vec::new(),
            heuristic: false,
            keep_stale: Duration::from_secs(10 * 60),
            max_body: 1 << 20,
            body_timeout: Duration::from_secs(10),
            sort_query: false,
            cookies: Cookies::default(),
            honors_requests: true,
            extends_s_maxage: false,
            keys: Vec::new(),
            key_headers: Vec::new(),
            harmless_headers: Vec::new(),
            public_under: Vec::new(),
            skips: Vec::new(),
            tags: Vec::new(),
            #[cfg(feature = "actix")]
            carried: Vec::new(),
        };
        Self { config: Arc::new(config), state: Arc::default() }
    }

    /// The memory for responses, in bytes, with their keys and all that belongs to them: 64 MiB by default, and one
    /// byte at least. Those that were used least make room for new ones. What is stored so far stays with the clones
    /// that were made before, so set it first.
    ///
    /// A [`RedisCache`](https://docs.rs/larder/latest/larder/struct.RedisCache.html) has no memory, and a cache of your
    /// own decides by itself: there it does nothing.
    pub fn capacity(self, bytes: u64) -> Self {
        self.with(|config| (config.cache, config.capacity) = apart(&config.given, bytes.max(1)))
    }

    /// Keeps responses in the memory of the cache itself, between its other entries. Its capacity is its own matter:
    /// one that counts entries may take that many times [`max_body`](Self::max_body); see [`weigh`](crate::weigh).
    pub fn in_shared_memory(self) -> Self {
        self.with(|config| (config.cache, config.capacity) = (config.given.clone(), None))
    }

    /// How long a response is fresh whose handler says nothing about that.
    ///
    /// Such a response is neither made from nor given to requests that may say who asks: by `Authorization`,
    /// `Cookie`, or any header that is not [known to be harmless](crate#whose-response-it-is). A handler that says
    /// nothing has not said that its answer is for everybody. Nor is it stored with a status that is not cacheable
    /// by itself (RFC 9110, section 15.1).
    pub fn ttl(self, ttl: Duration) -> Self {
        self.with(|config| config.ttl = Some(ttl))
    }

    /// As [`ttl`](Self::ttl), for the path `prefix` and all paths under it; the longest prefix counts. Zero
    /// leaves them alone.
    pub fn ttl_under(self, prefix: impl Into<String>, ttl: Duration) -> Self {
        self.with(|config| {
            config.ttls_under.push((prefix.into().trim_end_matches('/').to_owned(), ttl));
            config.ttls_under.sort_by_key(|(prefix, _)| std::cmp::Reverse(prefix.len()));
        })
    }

    /// Guesses how long a response is fresh that only says when it changed last: a tenth of the time since
    /// then, a day at most (RFC 9111, section 4.2.2). Off by default.
    pub fn heuristic_freshness(self) -> Self {
        self.with(|config| config.heuristic = true)
    }

    /// How long stale responses are kept to be validated, or for clients who take them: ten minutes by
    /// default.
    pub fn keep_stale(self, keep: Duration) -> Self {
        self.with(|config| config.keep_stale = keep)
    }

    /// The largest body that is stored, in bytes: 1 MiB by default, and never more than a tenth of the
    /// [`capacity`](Self::capacity). A larger one is passed on.
    pub fn max_body(self, bytes: usize) -> Self {
        self.with(|config| config.max_body = bytes)
    }

    /// For how long a body may be on its way to be stored: ten seconds by default, from the first wait for it. One
    /// that takes longer is passed on, and those who wait for it ask for themselves: nobody waits for a stream that
    /// has no end. Time is told by Tokio. Without a runtime there is no such limit.
    ///
    /// # Panics
    ///
    /// Not here: a request does, whose response is a stream, on a runtime that was built without `enable_time`.
    pub fn body_timeout(self, limit: Duration) -> Self {
        self.with(|config| config.body_timeout = limit)
    }

    /// Takes URLs that differ in the order of their query's parameters for one. Parameters of one name keep
    /// their order.
    pub fn sort_query(self) -> Self {
        self.with(|config| config.sort_query = true)
    }

    /// Adds to the key what `addition` makes of a request: a tenant, a language, whether it is signed in.
    /// Requests for one URI share responses only if it is the same. It does not change what an invalidation
    /// of the URI covers.
    ///
    /// The URI that it sees is the client's, whatever a router made of it. In Actix it sees those extensions alone
    /// that `with_extension` names.
    ///
    /// ```
    /// # use larder_http::HttpCache;
    /// let cache = HttpCache::new(larder::global()).key(|request| {
    ///     let tenant = request.headers.get("x-tenant").map(|tenant| tenant.as_bytes());
    ///     String::from_utf8_lossy(tenant.unwrap_or_default()).into_owned()
    /// });
    /// ```
    pub fn key(self, addition: impl Fn(&Parts) -> String + Send + Sync + 'static) -> Self {
        self.with(|config| config.keys.push(Arc::new(addition)))
    }

    /// Adds what requests say in this header to the key: requests for one URI share responses only if they say the
    /// same there, all lines of it. What a header in the key says is no reason to keep a response from others.
    ///
    /// # Panics
    ///
    /// If `name` is no header's: a mistake in the program.
    pub fn key_header(self, name: &str) -> Self {
        let name = header_name(name);
        self.with(|config| config.key_headers.push(name))
    }

    /// Says that handlers make nothing of this header that others must not see: requests with it share the responses
    /// of handlers that [say nothing](Self::ttl). `Authorization` and `Cookie` are not to be named here; see
    /// [`ignore_cookies`](Self::ignore_cookies).
    ///
    /// # Panics
    ///
    /// If `name` is no header's, or one of those two: a mistake in the program.
    pub fn harmless_header(self, name: &str) -> Self {
        let name = header_name(name);
        assert!(
            name != header::AUTHORIZATION && name != header::COOKIE,
            "`{name}` says who asks: let the handler say `Cache-Control: public`, or use `ignore_cookies`"
        );
        self.with(|config| config.harmless_headers.push(name))
    }

    /// Says that the responses of the path `prefix`, and of all paths under it, are for everybody, whatever headers
    /// requests have besides `Authorization` and `Cookie`: for handlers that [say nothing](Self::ttl).
    pub fn public_under(self, prefix: impl Into<String>) -> Self {
        self.with(|config| config.public_under.push(prefix.into().trim_end_matches('/').to_owned()))
    }

    /// Shows extensions of type `T` of Actix' requests to [`key`](Self::key) and [`skip_if`](Self::skip_if): what a
    /// middleware around the cache found out, as which tenant it is. Other extensions of such requests are not
    /// there; those of tower's requests all are.
    #[cfg(feature = "actix")]
    #[cfg_attr(docsrs, doc(cfg(feature = "actix")))]
    pub fn with_extension<T: Clone + Send + Sync + 'static>(self) -> Self {
        let carry = |from: &actix_http::Extensions, to: &mut http::Extensions| {
            if let Some(extension) = from.get::<T>() {
                to.insert(extension.clone());
            }
        };
        self.with(|config| config.carried.push(Arc::new(carry)))
    }

    /// Goes without the cache for requests that `skip` says yes to. Unsafe methods invalidate all the same.
    pub fn skip_if(self, skip: impl Fn(&Parts) -> bool + Send + Sync + 'static) -> Self {
        self.with(|config| config.skips.push(Arc::new(skip)))
    }

    /// Gives a tag to the responses of paths of a form: `.tag("/users/<id>/posts", "posts-of:<id>")`.
    ///
    /// A `<name>` in `path` is one segment, percent-decoded; a `*` as its last segment is any number of them.
    ///
    /// # Panics
    ///
    /// If `tag` has a name that `path` has not: a mistake in the program.
    pub fn tag(self, path: &str, tag: &str) -> Self {
        let template = TagTemplate::new(path, tag);
        self.with(|config| config.tags.push(template))
    }

    /// Stores responses that set cookies, cookies included, if they are otherwise to be stored: everybody who
    /// asks gets the same cookie. Off by default.
    pub fn store_set_cookie(self) -> Self {
        self.with(|config| config.cookies.stores_set_cookie = true)
    }

    /// Takes no notice of `Cookie` in requests, for handlers that do not either. By default, a response to a
    /// request with cookies is stored only if it has `public` or `s-maxage`, or `Vary` names `Cookie`.
    pub fn ignore_cookies(self) -> Self {
        self.with(|config| config.cookies.ignores_cookie = true)
    }

    /// Takes no notice of what requests say about caches: clients cannot make handlers work for what is stored.
    ///
    /// `Cache-Control` counts for nothing. `Range` and `If-Range`, `If-Match` and `If-Unmodified-Since` are taken out: a
    /// whole response is the answer to them. So is what [steers handlers](crate#cache-poisoning), `X-Forwarded-Host`
    /// for one, which otherwise makes a copy for each value; if a proxy in front sets that, and clients cannot, say so
    /// with [`trust_proxy`](Self::trust_proxy). `Upgrade` and a body make a request go to the handler only where
    /// nothing is stored for its URL.
    ///
    /// What remains with clients: URLs and hosts that were not asked for yet, `Authorization`, `Cookie`, what `Vary`
    /// names, and for handlers that say nothing any header that [may say who asks](crate#whose-response-it-is).
    pub fn ignore_request_directives(self) -> Self {
        self.with(|config| config.honors_requests = false)
    }

    /// Says that a proxy in front of the service sets or removes `Forwarded`, `X-Forwarded-Host`, `-Proto` and
    /// everything else that [steers handlers](crate#cache-poisoning): under
    /// [`ignore_request_directives`](Self::ignore_request_directives) they reach the handlers, and are in the key.
    pub fn trust_proxy(self) -> Self {
        self.with(|config| config.trusts_proxy = true)
    }

    /// Takes a URL for one whether it is asked for by `http` or by `https`, whatever the request or a proxy in front
    /// says about that: for handlers that do not look at it. One that redirects from `http` to `https` does.
    pub fn ignore_scheme(self) -> Self {
        self.with(|config| config.ignores_scheme = true)
    }

    /// For how long a handler that was asked goes on, as a task of its own, after its client went away: 30 seconds by
    /// default. So those who are less patient than the handler get its response the next time, and what they asked for
    /// does not begin anew each time. After that its future is dropped, and one of those who wait asks again: a handler
    /// that never answers delays no request for longer. With zero it ends with its client, as it does without a cache.
    ///
    /// A task does not see the task-local values of its client's. Time is told by Tokio, whose runtime needs
    /// `enable_time` for that.
    pub fn outlive(self, limit: Duration) -> Self {
        self.with(|config| config.outlives = limit)
    }

    /// Lets `stale-while-revalidate` and `stale-if-error` of a response count beside `s-maxage`, as the more
    /// particular word. By default they do not: `s-maxage` says what `proxy-revalidate` does (RFC 9111, section
    /// 5.2.2.10). Beside `must-revalidate`, `proxy-revalidate` and `no-cache` they never do.
    pub fn extend_s_maxage(self) -> Self {
        self.with(|config| config.extends_s_maxage = true)
    }

    /// Tells the time by `clock`: for tests that do not want to wait. Ages are counted by the clock of the servers
    /// that the cache shares its entries through, if there are any; then what `clock` adds to that from here on
    /// counts, and not how late it is, to the minute.
    pub fn clock(self, clock: impl Fn() -> SystemTime + Send + Sync + 'static) -> Self {
        self.with(|config| {
            config.clock = Some(Arc::new(clock));
            config.ahead = Arc::default();
            config.shared_now();
        })
    }

    /// Adds this header to the `Vary` of every response: for layers between this cache and the handlers that look at
    /// it without saying so each time, as Actix' `Compress` does with `Accept-Encoding`. See
    /// [compression](crate#compression).
    ///
    /// # Panics
    ///
    /// If `name` is no header's: a mistake in the program.
    pub fn vary(self, name: &str) -> Self {
        let name = header_name(name);
        self.with(|config| config.vary.push(name))
    }

    /// Names this cache in `Cache-Status`, where several are on the way: `larder` by default. What is not printable
    /// ASCII is left out.
    pub fn name(self, name: &str) -> Self {
        self.with(|config| config.name = status::name(name).into())
    }

    /// Tells nginx how long it may keep a response, by `X-Accel-Expires`: what is left of its lifetime, and nothing of
    /// what is stale or not stored, or stored by [`ttl`](Self::ttl) and its like: nginx does not know which requests
    /// [may say who asks](crate#whose-response-it-is). nginx by itself takes no notice of `Age`, and keeps a response
    /// for its whole `max-age` from then on. It does not pass that header on.
    pub fn accel_expires(self) -> Self {
        self.with(|config| config.accel_expires = true)
    }

    fn with(mut self, set: impl FnOnce(&mut Config)) -> Self {
        set(Arc::make_mut(&mut self.config));
        self
    }
}

/// The same cache with so many bytes of memory for pages alone, and that bound; if it cannot be had so, as it is.
fn apart(cache: &Arc<dyn Cache>, bytes: u64) -> (Arc<dyn Cache>, Option<u64>) {
    let memory = MemoryCache::builder().capacity(bytes).weigher(weigh);
    match cache.with_memory(memory) {
        Some(apart) => (apart, Some(bytes)),
        None => (cache.clone(), None),
    }
}

/// # Panics
///
/// If it is none.
fn header_name(name: &str) -> HeaderName {
    match name.parse() {
        Ok(name) => name,
        Err(_) => panic!("`{name}` is not the name of a header"),
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
