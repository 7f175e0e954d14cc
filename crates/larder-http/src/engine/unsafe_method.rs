//! Invalidation by requests with unsafe methods (RFC 9111, section 4.4).

use http::{HeaderMap, Response, StatusCode, Uri, header};

use crate::{
    cache_groups,
    http_cache::HttpCache,
    key::{self, PrimaryKey},
    origin::{AnsweredBy, Origin},
    purge::Purge,
};

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
            Ok(response) => {
                let answered_by = response.extensions().get::<AnsweredBy>().map(|AnsweredBy(uri)| uri);
                self.complete_with(response.status(), response.headers(), answered_by);
            }
            Err(error) => {
                if let Some(status) = O::status_of(error) {
                    self.complete_with(status, &HeaderMap::new(), None);
                }
            }
        }
    }

    /// The URL, with and without a slash at its end.
    fn covered(&self, target: &PrimaryKey) -> Vec<Purge> {
        either_slash(target.host(), &self.uri).collect()
    }

    fn complete_with(mut self, status: StatusCode, headers: &HeaderMap, answered_by: Option<&Uri>) {
        let Some(target) = self.target.take() else { return };
        let is_successful = status.is_success() || status.is_redirection();
        // Where redirects led to the request may have had its effect, on another host too: the response is from there.
        let there = answered_by.and_then(|uri| Some((key::canonical_host(uri.authority()?.as_str()), uri)));
        let mut purges = Vec::new();
        // Whatever came after the first redirect, that was an answer of the URL that was asked for.
        if is_successful || there.is_some() {
            purges.extend(self.covered(&target));
        }
        let (host, uri) = match &there {
            Some((host, uri)) => (&**host, *uri),
            None => (target.host(), &self.uri),
        };
        if is_successful {
            if there.is_some() {
                purges.extend(either_slash(host, uri));
            }
            let named = [header::LOCATION, header::CONTENT_LOCATION]
                .into_iter()
                .filter_map(|name| key::resolve(headers.get(name)?.to_str().ok()?, host, uri));
            purges.extend(named.map(|there| Purge::url(host, there)));
        }
        // Named by the handler itself, whatever the status.
        let groups = cache_groups::to_invalidate(headers).into_iter();
        purges.extend(groups.map(|group| Purge::Group { host: host.to_owned(), group }));
        if !purges.is_empty() {
            // It applies here when the call returns; the client need not wait for the other processes.
            drop(self.cache.purge(purges));
        }
    }
}

/// A URL of this host, with and without a slash at its end.
fn either_slash<'a>(host: &'a str, uri: &Uri) -> impl Iterator<Item = Purge> + use<'a> {
    key::with_either_slash(uri).into_iter().map(move |path| Purge::url(host, path))
}

impl Drop for Invalidation {
    fn drop(&mut self) {
        if let Some(target) = &self.target {
            drop(self.cache.purge(self.covered(target)));
        }
    }
}
