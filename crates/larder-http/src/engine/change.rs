//! What a request may have changed.

use http::{Response, Uri, header};
use larder::CacheExt as _;

use crate::{config::HttpCache, key::Target};

/// What is stored for a URI is outdated once an unsafe request to it was successful (RFC 9111, section 4.4).
///
/// Dropped before anybody knows, after a panic of the handler, say, or when the client went away, it takes that
/// for granted: the change may have been made.
pub(crate) struct Change {
    pub(super) cache: HttpCache,
    /// None once it is settled.
    pub(super) target: Option<Target>,
    pub(super) uri: Uri,
}

impl Change {
    /// The handler said how it went.
    pub(super) fn made<B>(mut self, response: &Response<B>) {
        let Some(target) = self.target.take() else { return };
        if !(response.status().is_success() || response.status().is_redirection()) {
            return;
        }
        let headers = response.headers();
        let sorted = self.cache.config.sort_query;
        let named = [header::LOCATION, header::CONTENT_LOCATION]
            .into_iter()
            .filter_map(|name| target.resolve(headers.get(name)?.to_str().ok()?, &self.uri, sorted));
        let scopes: Vec<_> = named.map(|there| there.scope()).chain([target.scope()]).collect();
        // Done when it returns; nobody has to wait for the other processes.
        drop(self.cache.config.cache.invalidate(scopes));
    }
}

impl Drop for Change {
    fn drop(&mut self) {
        if let Some(target) = &self.target {
            drop(self.cache.config.cache.invalidate(target.scope()));
        }
    }
}
