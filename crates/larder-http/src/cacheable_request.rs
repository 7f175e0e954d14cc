//! A request that a stored response may answer.

use std::{borrow::Cow, sync::Arc};

use http::{HeaderMap, HeaderName};

use crate::{
    cache_control::RequestDirectives, date::Millis, digest::Digest, freshness::Source, key::PrimaryKey,
    no_vary_search::UrlVariation, normalization::Selecting, range::ByteRanges,
    stored_response::StoredResponse, vary::Vary,
};

#[derive(Debug)]
pub(crate) struct CacheableRequest {
    pub(crate) headers: HeaderMap,
    /// Empty while it is looked up in memory, which needs no path.
    pub(crate) path: String,
    /// Empty unless `No-Vary-Search` counts.
    pub(crate) query: Option<String>,
    pub(crate) primary_key: PrimaryKey,
    /// The digest of the request's unkeyed inputs: it tells the variants apart that no `Vary` names.
    pub(crate) unkeyed_inputs: Digest,
    /// The same with the spelling of the query, if that is not in its normal form.
    pub(crate) inputs_as_spelled: Digest,
    pub(crate) directives: RequestDirectives,
    pub(crate) has_authorization: bool,
    pub(crate) has_cookie: bool,
    /// Whether one of these headers, or another one that is known for it, identifies the client.
    pub(crate) identifies_client: bool,
    /// The headers that may identify the client: all that are neither known not to, nor in the key.
    pub(crate) possibly_identifying: Vec<HeaderName>,
    /// Whether a private cache cannot tell for whom the request is made.
    pub(crate) is_unidentified: bool,
    pub(crate) is_head: bool,
    /// Whether it has conditions that a stored response can answer.
    pub(crate) is_conditional: bool,
    /// The part of the response that it asks for.
    pub(crate) ranges: Option<ByteRanges>,
    /// Whether its response is never stored, as it has a body: it is only looked up.
    pub(crate) is_lookup_only: bool,
    /// Whether it is never coalesced with other requests.
    pub(crate) is_uncoalesced: bool,
    /// Headers that the handler does not see.
    pub(crate) removed_headers: Vec<HeaderName>,
    pub(crate) received: Millis,
    /// How the headers that `Vary` names are compared.
    pub(crate) selecting: Arc<Selecting>,
}

impl CacheableRequest {
    /// The primary key of its URL, or by a rule that of all URLs that are equivalent to it.
    pub(crate) fn key_under(&self, rule: Option<&UrlVariation>) -> Cow<'_, PrimaryKey> {
        match rule {
            None => Cow::Borrowed(&self.primary_key),
            Some(rule) => Cow::Owned(self.primary_key.modulo(rule, self.query.as_deref())),
        }
    }

    /// The digest of its unkeyed inputs beside that key.
    pub(crate) fn inputs_under(&self, rule: Option<&UrlVariation>) -> Digest {
        if rule.is_some() { self.unkeyed_inputs } else { self.inputs_as_spelled }
    }

    /// Whether a stored response may answer it, fresh or stale: the request selects it by `Vary`, and the response is not
    /// for other clients only.
    pub(crate) fn selects(&self, stored: &StoredResponse) -> bool {
        stored.is_selected_by(&self.headers, &self.selecting)
            && !self.is_personal(stored.freshness.source, &stored.vary)
    }

    /// Whether a response to it may be for its client only: its handler declares nothing about caching, and the request
    /// has a header that may identify the client and does not select the response by `Vary`.
    pub(crate) fn is_personal(&self, source: Source, vary: &Vary) -> bool {
        match source {
            Source::Origin | Source::Own => false,
            Source::ConfiguredPublic => self.has_authorization || self.has_cookie,
            Source::Configured => {
                let selects = |name: &HeaderName| vary.names(name) && self.selecting.is_exact(name);
                self.has_authorization || self.has_cookie || !self.possibly_identifying.iter().all(selects)
            }
        }
    }

    /// Whether a response whose handler declares nothing about caching may be for its client only.
    pub(crate) fn may_be_personal(&self) -> bool {
        self.identifies_client || !self.possibly_identifying.is_empty()
    }
}
