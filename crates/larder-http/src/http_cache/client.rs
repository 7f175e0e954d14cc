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
    /// - Responses with `private` are stored where it is known for whom they are (see below), and `s-maxage`,
    ///   `proxy-revalidate` and the targeted fields have no effect: they are for shared caches.
    /// - Nothing is shared with a cache in front of handlers over the same `larder` cache: neither responses nor calls under
    ///   way. So a service can call itself, or another replica.
    /// - No `Cache-Control` is added to a response that has a [configured lifetime](Self::ttl).
    ///
    /// # For whom a request is made
    ///
    /// The cache sees a request before the HTTP client does, which may add to it: `reqwest` adds default headers and the
    /// cookies of a jar, and tower layers inside add tokens. So it has to be told for whom requests are made.
    ///
    /// - With [`identity`](Self::identity), for one service account, token or user, by whatever means the client proves that.
    ///   This is what most clients need.
    /// - Without it, a request with credentials of its own (`Authorization`, `Cookie`, `X-Api-Key` and the like) is made for
    ///   whom they belong to. They, and all headers that are [not known](crate#who-may-share-a-response) to be independent of
    ///   the user, are in the key, as digests: each identity has responses of its own.
    /// - Without either, it is not known, and a response is stored only if it is declared to be for everyone: by
    ///   `Cache-Control: public` without `private`, or by [`public_under`](Self::public_under); and if the request itself
    ///   has every header that its `Vary` names. Other responses have `detail=identity` in their `Cache-Status`.
    ///
    /// `max-age` alone is not enough for the last case: a service may answer a token with it, as no shared cache stores that
    /// (RFC 9111, section 3.5).
    ///
    /// Follow redirects outside of the cache, so that each hop is a request of its own to it: a `reqwest` client tells where its
    /// redirects led, and another service inside does not. If that follows a redirect, its answer is taken for one of the URL
    /// that was asked for, and so is a 304 of another URL.
    ///
    /// A request needs an absolute URI. Paths in [`tag`](Self::tag) and [`ttl_under`](Self::ttl_under) are those of all
    /// hosts: make one cache for each service whose paths need options of their own. If the service cannot be reached, a
    /// stale response is served where it allows that by `stale-if-error`.
    ///
    /// ```
    /// use larder_http::HttpCache;
    ///
    /// let cache = HttpCache::client(larder::global()).identity("shop").tag("/users/<id>", "user:<id>");
    /// ```
    pub fn client(cache: impl Cache + 'static) -> Self {
        Self::new(cache).with(|config| {
            config.is_private = true;
            config.set_targeted(Vec::new());
        })
    }

    /// Declares that all requests of a [client](Self::client) are made for the same identity, and names it. The name is in
    /// the key: caches with other names share no responses with this one, in this process and in all others.
    ///
    /// Responses then do not depend on `Authorization`, `Cookie` or other headers that their `Vary` does not name, whether
    /// a request has them or the client adds them. So a new token does not make all responses be requested again. What a
    /// client adds is not seen: clients that add other credentials, or other headers that responses depend on, need other
    /// names, and so does a cookie jar after another user logged in. Where one client makes requests for several
    /// users, add a [`key`](Self::key) that tells them apart: each of its values has responses of its own.
    ///
    /// ```
    /// # #[cfg(feature = "reqwest")]
    /// # fn example(billing: reqwest::Client, reports: reqwest::Client) {
    /// use larder_http::HttpCache;
    ///
    /// // Two clients with tokens of their own in their default headers.
    /// let cache = HttpCache::client(larder::global());
    /// let billing = cache.clone().identity("billing").reqwest(billing);
    /// let reports = cache.identity("reports").reqwest(reports);
    /// # }
    /// ```
    ///
    /// A service that knows no users needs a name too, such as `anonymous`. The name is no secret, and should not be one: a
    /// digest of it is part of keys.
    ///
    /// # Panics
    ///
    /// If the cache is not one of a client: in front of handlers, each request may be of another user.
    pub fn identity(self, name: &str) -> Self {
        assert!(
            self.config.is_private,
            "`identity` is for `HttpCache::client`: the requests to a handler come from many users"
        );
        self.with(|config| config.identity = Some(name.into()))
    }
}
