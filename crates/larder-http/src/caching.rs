//! What a handler decides about its response.

use std::time::Duration;

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
    pub(crate) public: bool,
    pub(crate) tags: Vec<String>,
}

impl Caching {
    /// Says nothing yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// The response is fresh for `ttl`, unless its headers say something about that. See
    /// [`HttpCache::ttl`](crate::HttpCache::ttl), which it takes the place of.
    pub fn ttl(ttl: Duration) -> Self {
        Self { ttl: Some(ttl), ..Self::default() }
    }

    /// The response is not stored, whatever its headers say; clients are not told.
    pub fn no_store() -> Self {
        Self { no_store: true, ..Self::default() }
    }

    /// The response is for everybody, whatever headers the request had besides `Authorization` and `Cookie`: if its
    /// own headers say nothing about for how long it is fresh. (If they do, they say it.)
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
