//! Caching options that a handler gives with its response.

use std::time::Duration;

/// Caching options of a response that its handler puts into the response's extensions: they are not sent to clients.
///
/// ```
/// use std::time::Duration;
/// use larder_http::Caching;
///
/// let mut response = http::Response::new("the news");
/// response.extensions_mut().insert(Caching::ttl(Duration::from_secs(60)).tag("news"));
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[must_use = "it has an effect only in a response's extensions"]
pub struct Caching {
    pub(crate) ttl: Option<Duration>,
    pub(crate) no_store: bool,
    pub(crate) public: bool,
    pub(crate) overrides_headers: bool,
    pub(crate) tags: Vec<String>,
}

impl Caching {
    /// No options.
    pub fn new() -> Self {
        Self::default()
    }

    /// The response is fresh for `ttl`, unless its headers declare a lifetime (see
    /// [`override_headers`](Self::override_headers)). Overrides
    /// [`HttpCache::ttl`](crate::HttpCache::ttl) and [`HttpCache::ttl_under`](crate::HttpCache::ttl_under), and is
    /// otherwise like them.
    pub fn ttl(ttl: Duration) -> Self {
        Self { ttl: Some(ttl), ..Self::default() }
    }

    /// The response is not stored, whatever its headers declare. Clients do not see this option.
    pub fn no_store() -> Self {
        Self { no_store: true, ..Self::default() }
    }

    /// The [`ttl`](Self::ttl) counts for this cache even if the response's headers declare a lifetime: they are then for
    /// browsers and caches further on.
    ///
    /// It replaces `s-maxage`, `max-age` and `Expires`, also those in `Larder-Cache-Control` and `CDN-Cache-Control`. It
    /// does not replace what forbids to store or to share the response: `no-store`, `private` and `no-cache` still count.
    /// To store a response that is `private` for others, send `Larder-Cache-Control`.
    ///
    /// ```
    /// use std::time::Duration;
    /// use larder_http::Caching;
    ///
    /// let mut response = http::Response::new("the news");
    /// response.headers_mut().insert("cache-control", http::HeaderValue::from_static("max-age=10"));
    /// response.extensions_mut().insert(Caching::ttl(Duration::from_secs(3600)).override_headers());
    /// ```
    pub fn override_headers(mut self) -> Self {
        self.overrides_headers = true;
        self
    }

    /// The response may be shared with all clients, whatever headers the request has besides `Authorization` and `Cookie`.
    ///
    /// It has an effect if the response's headers declare no lifetime. A response that declares one may be shared
    /// without it.
    pub fn public(mut self) -> Self {
        self.public = true;
        self
    }

    /// Adds a tag: invalidating `larder::Scope::tag` of the same name drops the response.
    ///
    /// The macros of `larder` escape arguments in tags: `:`, `*`, `%` and control characters. For ids that may have these, add
    /// the tag as `#[invalidate(tags = …)]` writes it, `product:sku%3A42`; [`HttpCache::tag`](crate::HttpCache::tag) does so.
    pub fn tag(mut self, tag: impl Into<String>) -> Self {
        self.tags.push(tag.into());
        self
    }
}
