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
    pub(crate) tags: Vec<String>,
}

impl Caching {
    /// No options.
    pub fn new() -> Self {
        Self::default()
    }

    /// The response is fresh for `ttl`, unless its headers declare a lifetime. Overrides
    /// [`HttpCache::ttl`](crate::HttpCache::ttl) and [`HttpCache::ttl_under`](crate::HttpCache::ttl_under), and is
    /// otherwise like them.
    pub fn ttl(ttl: Duration) -> Self {
        Self { ttl: Some(ttl), ..Self::default() }
    }

    /// The response is not stored, whatever its headers declare. Clients do not see this option.
    pub fn no_store() -> Self {
        Self { no_store: true, ..Self::default() }
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
    pub fn tag(mut self, tag: impl Into<String>) -> Self {
        self.tags.push(tag.into());
        self
    }
}
