//! What a request may have changed.

use http::{HeaderMap, Response, StatusCode, Uri, header};
use larder::{CacheExt as _, Scope};

use crate::{config::HttpCache, key::Target, origin::Origin};

/// What is stored for a URI is outdated once an unsafe request to it was successful (RFC 9111, section 4.4).
///
/// Dropped before anybody knows, after a panic of the handler, say, or when the client went away, it takes that
/// for granted: the change may have been made.
pub(super) struct Change {
    cache: HttpCache,
    /// None once it is settled.
    target: Option<Target>,
    uri: Uri,
}

impl Change {
    /// The handler is about to be asked.
    pub(super) fn begun(cache: &HttpCache, (target, uri): (Target, Uri)) -> Self {
        Self { cache: cache.clone(), target: Some(target), uri }
    }

    /// The handler said how it went. An error of which nobody knows what it is leaves that open.
    pub(super) fn settle<O: Origin>(self, outcome: &Result<Response<O::Body>, O::Error>) {
        match outcome {
            Ok(response) => self.answered(response.status(), response.headers()),
            Err(error) => {
                if let Some(status) = O::status_of(error) {
                    self.answered(status, &HeaderMap::new());
                }
            }
        }
    }

    /// What is stored for a URI, and for the same with a slash at the end of its path or without: where such URLs are
    /// made alike behind the cache, both are one.
    fn covered(&self, target: &Target) -> [Scope; 2] {
        let beside = target.beside(&self.uri, self.cache.config.sort_query);
        [target.scope(), beside.scope()]
    }

    fn answered(mut self, status: StatusCode, headers: &HeaderMap) {
        let Some(target) = self.target.take() else { return };
        if !(status.is_success() || status.is_redirection()) {
            return;
        }
        let sorted = self.cache.config.sort_query;
        let named = [header::LOCATION, header::CONTENT_LOCATION]
            .into_iter()
            .filter_map(|name| target.resolve(headers.get(name)?.to_str().ok()?, &self.uri, sorted));
        let scopes: Vec<_> = named.map(|there| there.scope()).chain(self.covered(&target)).collect();
        // Done when it returns; nobody has to wait for the other processes.
        drop(self.cache.config.cache.invalidate(scopes));
    }
}

impl Drop for Change {
    fn drop(&mut self) {
        if let Some(target) = &self.target {
            drop(self.cache.config.cache.invalidate(self.covered(target).to_vec()));
        }
    }
}
