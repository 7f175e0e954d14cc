//! The cache of a client, for its requests to other services.

use larder::Cache;

use super::HttpCache;

impl HttpCache {
    /// A cache for a client's requests to other services: a private cache in the sense of RFC 9111, with the same engine,
    /// options and invalidation as in front of handlers.
    ///
    /// It is a tower layer over any HTTP client that is a tower service, and with the feature `reqwest` it makes a
    /// `CachedClient` of a `reqwest` client. Responses that were invalidated, by [`page`](crate::page), by a
    /// [`tag`](Self::tag) or by an unsafe request of this client, are requested again; a `#[cached]` function that makes a
    /// request depends on the response.
    ///
    /// What differs from a cache in front of handlers:
    ///
    /// - Responses with `private` are stored, and `s-maxage`, `proxy-revalidate` and the targeted fields have no effect: they
    ///   are for shared caches.
    /// - Each identity has responses of its own. `Authorization`, `Cookie` and all headers that are
    ///   [not known](crate#who-may-share-a-response) to be independent of the user are in the key, as digests. See
    ///   [`one_identity`](Self::one_identity).
    /// - No `Cache-Control` is added to a response that has a [configured lifetime](Self::ttl).
    ///
    /// A request needs an absolute URI. Paths in [`tag`](Self::tag) and [`ttl_under`](Self::ttl_under) are those of all
    /// hosts: make one cache for each service whose paths need options of their own. If the service cannot be reached, a
    /// stale response is served where it allows that by `stale-if-error`.
    ///
    /// ```
    /// use larder_http::HttpCache;
    ///
    /// let cache = HttpCache::client(larder::global()).tag("/users/<id>", "user:<id>");
    /// ```
    pub fn client(cache: impl Cache + 'static) -> Self {
        Self::new(cache).with(|config| {
            config.is_private = true;
            config.targeted = Vec::new();
        })
    }

    /// Declares that all requests of a [client](Self::client) are made for the same user, so that its responses do not depend
    /// on `Authorization`, `Cookie` or other headers that their `Vary` does not name. So a new token does not make all
    /// responses be requested again.
    ///
    /// # Panics
    ///
    /// If the cache is not one of a client: in front of handlers, each request may be of another user.
    pub fn one_identity(self) -> Self {
        assert!(
            self.config.is_private,
            "`one_identity` is for `HttpCache::client`: the requests to a handler come from many users"
        );
        self.with(|config| config.has_one_identity = true)
    }
}
