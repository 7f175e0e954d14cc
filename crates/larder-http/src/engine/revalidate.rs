//! Revalidating a stored response (RFC 9111, section 4.3).

use http::{HeaderMap, Response, StatusCode, header, response::Parts};
use larder::internal::find_renewed_uncounted;

use super::{
    fetch::Fetch,
    store::{NotStored, Observed},
};
use crate::{
    body::{HandlerBody, ResponseBody},
    cache_control::Field,
    cache_status::CacheStatus,
    caching::Caching,
    date, downstream_tags,
    freshness::{Exchange, Source},
    headers, storable,
    stored_response::{StoredParts, StoredResponse},
    targeted,
    validation::{self, HeadComparison},
};

impl<B: HandlerBody> Fetch<B> {
    /// Updates the stored response by a 304 of the handler (section 4.3.4), and hands it over.
    pub(super) async fn revalidated(
        &self,
        stored: &StoredResponse,
        mut parts: Parts,
        mut caching: Caching,
        exchange: Exchange,
    ) -> StoredResponse {
        if !validation::validates(&stored.headers, stored.generated_etag, &parts.headers) {
            return self.mismatched(stored);
        }
        date::ensure_date(&mut parts.headers, exchange.received);
        let mut headers = self.updated_headers(stored, &parts.headers);
        self.write_tags(stored, &mut headers, &caching);
        self.keep_lifetime(stored, &mut caching);
        let newer = self.updated(stored, &headers, caching, exchange).await;
        // What the 304 names and does not send was for another client, whose request has made the stored response.
        let directives = storable::directives(&self.cache.config, &headers);
        headers::remove_named(&mut headers, &directives, |name| !parts.headers.contains_key(name));
        stored.add_no_cache(&mut headers);
        self.hand_over_stored(stored, headers, newer.is_ok());
        newer.unwrap_or_else(|not_stored| match not_stored {
            NotStored::Refused => self.pass(),
            NotStored::Gone => self.pass_lead(),
        })
    }

    /// Sends the tags on that a stored response has after an update.
    fn write_tags(&self, stored: &StoredResponse, headers: &mut HeaderMap, caching: &Caching) {
        let tags = all_tags(stored, &caching.tags);
        downstream_tags::write(headers, &self.cache.config.sent_tags, &tags);
    }

    /// A 304 that gives no lifetime by other means than headers leaves the one that was given by such means before.
    fn keep_lifetime(&self, stored: &StoredResponse, caching: &mut Caching) {
        let keeps = match stored.freshness.source {
            Source::Origin => false,
            // The field is a header, and updated like all others.
            Source::Own => {
                let directives = targeted::directives(&stored.headers, &self.cache.config.targeted);
                let is_from_extension = directives.field != Field::Own;
                caching.overrides_headers |= is_from_extension && caching.ttl.is_none();
                is_from_extension
            }
            Source::Configured => true,
            // What a header declares is updated with it.
            Source::ConfiguredPublic => {
                let by_header = storable::directives(&self.cache.config, &stored.headers).permits.public;
                caching.public |= !by_header;
                true
            }
        };
        if keeps {
            caching.ttl = caching.ttl.or(Some(stored.freshness.lifetime));
        }
    }

    /// Drops the stored response because the 304 is for another one. It is still the best answer to this request: its
    /// handler cannot be called twice. The next request is sent without conditions.
    fn mismatched(&self, stored: &StoredResponse) -> StoredResponse {
        self.drop_stored();
        self.hand_over_stored(stored, stored.headers.clone(), false);
        self.pass_lead()
    }

    fn hand_over_stored(&self, stored: &StoredResponse, headers: HeaderMap, is_stored: bool) {
        let forward_status = Some(StatusCode::NOT_MODIFIED);
        let status = CacheStatus { forward_status, stored: is_stored, ..CacheStatus::default() };
        let mut response = Response::new(()).into_parts().0;
        (response.status, response.headers) = (stored.status, headers);
        self.handoff.hand_over(response, ResponseBody::whole(stored.body.clone()), status);
    }

    /// The headers of a stored response after an update. One that names nothing in `Vary` but what this cache adds leaves
    /// what selects the response as it was.
    fn updated_headers(&self, stored: &StoredResponse, newer: &HeaderMap) -> HeaderMap {
        let mut headers = stored.headers.clone();
        headers::update(&mut headers, newer);
        if headers::vary_is_within(newer, &self.cache.config.vary) {
            headers.remove(header::VARY);
            for line in stored.headers.get_all(header::VARY) {
                headers.append(header::VARY, line.clone());
            }
        }
        headers
    }

    /// Stores a response with newer headers.
    async fn updated(
        &self,
        stored: &StoredResponse,
        headers: &HeaderMap,
        caching: Caching,
        exchange: Exchange,
    ) -> Result<StoredResponse, NotStored> {
        let config = &self.cache.config;
        let mut headers = headers.clone();
        if !config.stores_set_cookie {
            // The cookie is for this client. What was stored before stays there for all.
            headers::remove_set_cookie(&mut headers);
        }
        let described = (stored.status, &headers, &caching);
        let terms =
            storable::storage_terms(config, &self.request, described, exchange).map_err(|refusal| {
                // It is about what is stored, whatever the status of that.
                if refusal.is_of_the_resource() {
                    self.drop_outdated();
                }
                NotStored::Refused
            })?;
        // Read inside of the computation: whatever invalidates the stored response invalidates the updated one.
        let found = find_renewed_uncounted::<StoredResponse>(&*config.cache, &self.key).await;
        found.filter(|found| found.id == stored.id).ok_or(NotStored::Gone)?;
        let tags = all_tags(stored, &caching.tags);
        let (etag, body) = (stored.generated_etag, stored.body.clone());
        // A hit on it saves what it took to make, and not what it took to learn that it is current.
        let took = stored.took;
        let parts =
            StoredParts { took, ..self.stored_parts(stored.status, &headers, body, etag, (terms, tags)) };
        match self.store(parts, Observed::Unchanged).await {
            (newer, Ok(())) => Ok(newer),
            (_, Err(not_stored)) => Err(not_stored),
        }
    }

    /// Updates or drops the stored response by a response to `HEAD` (section 4.3.5). A response to a client that
    /// identifies itself shows nothing about that for others.
    pub(super) async fn learn_from_head(&self, parts: &Parts, caching: Caching, exchange: Exchange) {
        let Some(stored) = self.stored.as_ref().filter(|_| !self.request.identifies_client) else { return };
        if parts.status != StatusCode::OK || stored.status != StatusCode::OK {
            return;
        }
        let (etag, length) = (stored.generated_etag, stored.body.len());
        match validation::compare_with_head(&stored.headers, etag, length, &parts.headers) {
            HeadComparison::Same => {
                let mut newer = parts.headers.clone();
                date::ensure_date(&mut newer, exchange.received);
                let mut headers = self.updated_headers(stored, &newer);
                self.write_tags(stored, &mut headers, &caching);
                // There is nothing to do if it cannot be.
                drop(self.updated(stored, &headers, caching, exchange).await);
            }
            HeadComparison::Different => self.drop_outdated(),
            HeadComparison::Unknown => {}
        }
    }
}

/// The tags of a stored response and those of an update.
fn all_tags(stored: &StoredResponse, newer: &[String]) -> Vec<String> {
    let mut tags = stored.tags.clone();
    tags.extend(newer.iter().filter(|tag| !stored.tags.contains(tag)).cloned());
    tags
}
