//! Invalidation by requests with unsafe methods (RFC 9111, section 4.4).

use http::{HeaderMap, Response, StatusCode, Uri, header};
use larder::{CacheExt as _, Scope};

use crate::{cache_groups, http_cache::HttpCache, key::PrimaryKey, origin::Origin};

/// Invalidates what is stored for a URL if an unsafe request to it is successful.
///
/// If it is dropped before the outcome is known, because the handler panicked or its client went away, it invalidates too:
/// the request may have had its effect.
pub(super) struct Invalidation {
    cache: HttpCache,
    /// None once the outcome is known.
    target: Option<PrimaryKey>,
    uri: Uri,
}

impl Invalidation {
    /// To be made before the handler is called.
    pub(super) fn begin(cache: &HttpCache, (target, uri): (PrimaryKey, Uri)) -> Self {
        Self { cache: cache.clone(), target: Some(target), uri }
    }

    /// Invalidates by the outcome. An error without a status leaves it unknown.
    pub(super) fn complete<O: Origin>(self, outcome: &Result<Response<O::Body>, O::Error>) {
        match outcome {
            Ok(response) => self.complete_with(response.status(), response.headers()),
            Err(error) => {
                if let Some(status) = O::status_of(error) {
                    self.complete_with(status, &HeaderMap::new());
                }
            }
        }
    }

    /// The scopes of a URL, and of that with or without a slash at the end of its path: a layer between the cache and the
    /// handler may treat both as one.
    fn covered(&self, target: &PrimaryKey) -> [Scope; 2] {
        let other = target.with_other_slash(&self.uri, self.cache.config.sort_query);
        [target.scope(), other.scope()]
    }

    fn complete_with(mut self, status: StatusCode, headers: &HeaderMap) {
        let Some(target) = self.target.take() else { return };
        // Named by the handler itself, whatever the status.
        let groups = cache_groups::invalidated(headers, &target);
        if !(status.is_success() || status.is_redirection()) {
            if !groups.is_empty() {
                drop(self.cache.config.cache.invalidate(groups));
            }
            return;
        }
        let sorted = self.cache.config.sort_query;
        let named = [header::LOCATION, header::CONTENT_LOCATION]
            .into_iter()
            .filter_map(|name| target.resolve(headers.get(name)?.to_str().ok()?, &self.uri, sorted));
        let scopes: Vec<_> =
            named.map(|there| there.scope()).chain(self.covered(&target)).chain(groups).collect();
        // It applies here when the call returns; the client need not wait for the other processes.
        drop(self.cache.config.cache.invalidate(scopes));
    }
}

impl Drop for Invalidation {
    fn drop(&mut self) {
        if let Some(target) = &self.target {
            drop(self.cache.config.cache.invalidate(self.covered(target).to_vec()));
        }
    }
}
