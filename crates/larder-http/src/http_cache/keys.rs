//! Settings of keys: what is in them, and what is the same for all clients.

use std::sync::Arc;

use http::{header, request::Parts};

use super::{HttpCache, header_name};

impl HttpCache {
    /// Ignores the order of a query's parameters: URLs that differ only in it share responses. Parameters with the same
    /// name keep their order.
    pub fn sort_query(self) -> Self {
        self.with(|config| config.sort_query = true)
    }

    /// Obeys `No-Vary-Search` of responses: requests whose queries differ only in what the header calls irrelevant share a
    /// response. See [queries](crate#queries-that-make-no-difference). Off by default, as handlers may send it for browsers,
    /// in which each user has a cache of their own: here it is shared, so no parameter that it calls irrelevant may tell users
    /// apart.
    ///
    /// Set it in all processes that share responses: an unsafe request, or a purge of a URL, drops what is stored for
    /// equivalent URLs only where it is set.
    pub fn no_vary_search(self) -> Self {
        self.with(|config| config.no_vary_search = true)
    }

    /// Adds a part to the key: what `part` returns for a request, such as a tenant or a language. Requests share a
    /// response only if all parts are equal. Invalidations of a URL cover all responses of it, whatever their parts.
    ///
    /// `part` sees the URI that the client sent, also inside of a router. In Actix it sees only those extensions that are
    /// named by `with_extension`.
    ///
    /// ```
    /// # use larder_http::HttpCache;
    /// let cache = HttpCache::new(larder::global()).key(|request| {
    ///     let tenant = request.headers.get("x-tenant").map(|tenant| tenant.as_bytes());
    ///     String::from_utf8_lossy(tenant.unwrap_or_default()).into_owned()
    /// });
    /// ```
    pub fn key(self, part: impl Fn(&Parts) -> String + Send + Sync + 'static) -> Self {
        self.with(|config| config.keys.push(Arc::new(part)))
    }

    /// Adds the values of this request header to the key: requests share a response only if all lines of it are equal. A
    /// header in the key does not keep a response from being shared, but for `Authorization` and `Cookie`: the response to
    /// a request with one of them is shared only if it declares that it may be.
    ///
    /// # Panics
    ///
    /// If `name` is not a valid header name.
    pub fn key_header(self, name: &str) -> Self {
        let name = header_name(name);
        self.with(|config| config.key_headers.push(name))
    }

    /// Declares that no response depends on this request header, so that requests with it share responses that have a
    /// [configured lifetime](Self::ttl). For `Cookie`, see [`ignore_cookies`](Self::ignore_cookies).
    ///
    /// # Panics
    ///
    /// If `name` is not a valid header name, or is `Authorization` or `Cookie`.
    pub fn ignore_header(self, name: &str) -> Self {
        let name = header_name(name);
        assert!(
            name != header::AUTHORIZATION && name != header::COOKIE,
            "`{name}` identifies the client: let the handler declare `Cache-Control: public`, or use `ignore_cookies`"
        );
        self.with(|config| config.ignored_headers.push(name))
    }

    /// Declares that the responses of the path `prefix`, and of all paths under it, are the same for all clients, whatever
    /// headers requests have besides `Authorization` and `Cookie`. It applies to responses with a
    /// [configured lifetime](Self::ttl).
    pub fn public_under(self, prefix: impl Into<String>) -> Self {
        self.with(|config| config.public_under.push(prefix.into().trim_end_matches('/').to_owned()))
    }

    /// Shows the extensions of type `T` of Actix requests to [`key`](Self::key) and [`skip_if`](Self::skip_if): what a
    /// middleware around the cache found out, such as the tenant. (Those of tower requests are all visible.)
    #[cfg(feature = "actix")]
    #[cfg_attr(docsrs, doc(cfg(feature = "actix")))]
    pub fn with_extension<T: Clone + Send + Sync + 'static>(self) -> Self {
        let copy = |from: &actix_http::Extensions, to: &mut http::Extensions| {
            if let Some(extension) = from.get::<T>() {
                to.insert(extension.clone());
            }
        };
        self.with(|config| config.extensions.push(Arc::new(copy)))
    }
}
