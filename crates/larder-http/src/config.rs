//! What a user decides about the cache.

use std::{
    fmt,
    sync::Arc,
    time::{Duration, SystemTime},
};

use http::request::Parts;
use larder::Cache;

use crate::{
    date::{Millis, millis},
    engine::State,
    tags::TagTemplate,
};

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
    pub(crate) cache: Arc<dyn Cache>,
    clock: Clock,
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
    keys: Vec<KeyOf>,
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
    /// Capacity is the cache's own matter. One that counts entries may hold that many times
    /// [`max_body`](Self::max_body); see [`weigh`](crate::weigh).
    pub fn new(cache: impl Cache + 'static) -> Self {
        let config = Config {
            cache: Arc::new(cache),
            clock: Arc::new(SystemTime::now),
            ttl: None,
            ttls_under: Vec::new(),
            heuristic: false,
            keep_stale: Duration::from_secs(10 * 60),
            max_body: 1 << 20,
            body_timeout: Duration::from_secs(10),
            sort_query: false,
            cookies: Cookies::default(),
            honors_requests: true,
            keys: Vec::new(),
            skips: Vec::new(),
            tags: Vec::new(),
            #[cfg(feature = "actix")]
            carried: Vec::new(),
        };
        Self { config: Arc::new(config), state: Arc::default() }
    }

    /// How long a response is fresh whose handler says nothing about that.
    ///
    /// Such a response is neither made from nor given to requests that say who asks, by `Authorization`, `Cookie`,
    /// `X-Api-Key` and the like: a handler that says nothing has not said that its answer is for everybody. Nor is it stored with a status that is
    /// not cacheable by itself (RFC 9110, section 15.1).
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

    /// The largest body that is stored, in bytes: 1 MiB by default. A larger one is passed on.
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

    /// Takes no notice of `Cache-Control` in requests, but for `no-store`: clients cannot make handlers work.
    pub fn ignore_request_directives(self) -> Self {
        self.with(|config| config.honors_requests = false)
    }

    /// Tells the time by `clock`: for tests that do not want to wait.
    pub fn clock(self, clock: impl Fn() -> SystemTime + Send + Sync + 'static) -> Self {
        self.with(|config| config.clock = Arc::new(clock))
    }

    fn with(mut self, set: impl FnOnce(&mut Config)) -> Self {
        set(Arc::make_mut(&mut self.config));
        self
    }
}

impl Config {
    pub(crate) fn now(&self) -> Millis {
        millis((self.clock)())
    }

    /// What the user said about the freshness of responses under this path.
    pub(crate) fn ttl_of(&self, path: &str) -> Option<Duration> {
        let is_under = |prefix: &str| match path.strip_prefix(prefix) {
            Some(rest) => rest.is_empty() || rest.starts_with('/'),
            None => false,
        };
        let under = self.ttls_under.iter().find(|(prefix, _)| is_under(prefix));
        under.map(|&(_, ttl)| ttl).or(self.ttl)
    }

    #[cfg(feature = "actix")]
    pub(crate) fn carry(&self, from: &actix_http::Extensions, to: &mut http::Extensions) {
        self.carried.iter().for_each(|carry| carry(from, to));
    }

    pub(crate) fn additions(&self, request: &Parts) -> Vec<String> {
        self.keys.iter().map(|key| key(request)).collect()
    }

    pub(crate) fn skips(&self, request: &Parts) -> bool {
        self.skips.iter().any(|skip| skip(request))
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

/// What a handler says about its response beyond what headers can: put into the response's extensions.
///
/// ```
/// use std::time::Duration;
/// use larder_http::Caching;
///
/// let mut response = http::Response::new("the news");
/// response.extensions_mut().insert(Caching::ttl(Duration::from_secs(60)).tag("news"));
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[must_use = "it means something in a response's extensions only"]
pub struct Caching {
    pub(crate) ttl: Option<Duration>,
    pub(crate) no_store: bool,
    pub(crate) tags: Vec<String>,
}

impl Caching {
    /// Says nothing yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// The response is fresh for `ttl`, unless its headers say something about that. See
    /// [`HttpCache::ttl`], which it takes the place of.
    pub fn ttl(ttl: Duration) -> Self {
        Self { ttl: Some(ttl), ..Self::default() }
    }

    /// The response is not stored, whatever its headers say; clients are not told.
    pub fn no_store() -> Self {
        Self { no_store: true, ..Self::default() }
    }

    /// Adds a tag: invalidating `larder::Scope::tag` of the same name drops the response.
    pub fn tag(mut self, tag: impl Into<String>) -> Self {
        self.tags.push(tag.into());
        self
    }
}
