//! What is purged from a cache, and from the caches in front of it.

use larder::Scope;

use crate::{
    cache_groups::cache_group,
    key::{self, page, pages_under},
};

/// A set of stored responses that [`HttpCache::purge`](crate::HttpCache::purge) drops, and of which
/// [`HttpCache::on_purge`](crate::HttpCache::on_purge) tells.
///
/// Hosts are values of the requests' `Host` header; paths are written as in the URL, percent-encoded.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Purge {
    /// The responses with this tag.
    Tag(String),
    /// The responses of a host whose `Cache-Groups` name this group (RFC 9875).
    Group {
        /// The host.
        host: String,
        /// The group.
        group: String,
    },
    /// All variants of one URL.
    Url {
        /// The host.
        host: String,
        /// The path, and the query with its `?` if there is one.
        path_and_query: String,
    },
    /// All variants of a path, with any query.
    Page {
        /// The host.
        host: String,
        /// The path.
        path: String,
    },
    /// All variants of a path and of all paths under it, with any query.
    Under {
        /// The host.
        host: String,
        /// The path.
        path: String,
    },
}

impl Purge {
    /// The responses with this tag.
    pub fn tag(tag: impl Into<String>) -> Self {
        Self::Tag(tag.into())
    }

    /// All variants of one URL.
    pub fn url(host: impl Into<String>, path_and_query: impl Into<String>) -> Self {
        Self::Url { host: host.into(), path_and_query: path_and_query.into() }
    }

    /// All variants of a path, with any query.
    pub fn page(host: impl Into<String>, path: impl Into<String>) -> Self {
        Self::Page { host: host.into(), path: path.into() }
    }

    /// The scopes that it is for `larder`, if queries are `sorted` in keys or are not, and by `variations` if responses tell
    /// which queries are equivalent.
    pub(crate) fn scopes(&self, sorted: bool, variations: bool) -> impl Iterator<Item = Scope> {
        let more = match self {
            Self::Url { host, path_and_query } if variations => Some(key::variations(host, path_and_query)),
            _ => None,
        };
        std::iter::once(self.scope(sorted)).chain(more)
    }

    fn scope(&self, sorted: bool) -> Scope {
        match self {
            Self::Tag(tag) => Scope::tag(tag),
            Self::Group { host, group } => cache_group(host, group),
            Self::Url { host, path_and_query } => key::url(host, path_and_query, sorted),
            Self::Page { host, path } => page(host, path),
            Self::Under { host, path } => pages_under(host, path),
        }
    }
}
