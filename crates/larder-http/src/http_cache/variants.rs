//! Which requests share a variant, and how many variants are stored.

use std::sync::Arc;

use super::{HttpCache, header_name};

impl HttpCache {
    /// Adds this header to the `Vary` of every response: for layers between this cache and the handlers that use the
    /// header without always declaring it, as Actix' `Compress` does with `Accept-Encoding`. See
    /// [compression](crate#compression).
    ///
    /// # Panics
    ///
    /// If `name` is not a valid header name.
    pub fn vary(self, name: &str) -> Self {
        let name = header_name(name);
        self.with(|config| config.vary.push(name))
    }

    /// How the values of the request header `name` are compared where a response's `Vary` names it: by what `normal`
    /// returns for them. Requests with the same normal form share variants.
    ///
    /// `normal` gets the lines of the header, joined by `, `, and an empty text if the request does not have it. Handlers get
    /// the header as it is: they must make the same response of all values with the same normal form.
    ///
    /// A header with a normal form no longer tells clients apart: a response to a request with `Cookie` is not stored
    /// because `Vary` names `Cookie`, and one with a [configured lifetime](Self::ttl) is not shared because `Vary` names a
    /// header that [may identify clients](crate#who-may-share-a-response).
    ///
    /// ```
    /// # use larder_http::HttpCache;
    /// let cache = HttpCache::new(larder::global())
    ///     .normalize("user-agent", |agent| if agent.contains("Mobi") { "mobile" } else { "desktop" }.into());
    /// ```
    ///
    /// # Panics
    ///
    /// If `name` is not a valid header name.
    pub fn normalize(self, name: &str, normal: impl Fn(&str) -> String + Send + Sync + 'static) -> Self {
        let name = header_name(name);
        self.with(|config| Arc::make_mut(&mut config.selecting).add_hook(name, Arc::new(normal)))
    }

    /// Ignores the order of languages with the same weight in `Accept-Language`, for handlers that ignore it as well: `de, en`
    /// and `en, de` share variants. By default they do not, as many handlers choose the first one.
    pub fn ignore_language_order(self) -> Self {
        self.with(|config| Arc::make_mut(&mut config.selecting).ignores_language_order = true)
    }

    /// The most [variants](crate#variants) of one URL that are stored beside the first one: 100 by default. One more drops the
    /// oldest. Each process counts those that it stored itself, and of 4,096 URLs at a time.
    pub fn max_variants(self, most: usize) -> Self {
        self.with(|config| config.max_variants = most)
    }
}
