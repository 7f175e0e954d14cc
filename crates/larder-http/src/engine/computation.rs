//! A fetch as a computation of `larder`'s: the response depends on what its handler reads from caches, and other requests
//! wait for it.

use std::time::Instant;

use http::{HeaderMap, Response, StatusCode, header, response::Parts};
use larder::{CacheExt as _, internal::compute_beside};

use super::{
    copy_body::{BodyCopy, Limits, copy},
    fetch::Fetch,
};
use crate::{
    body::{HandlerBody, ResponseBody},
    cache_groups,
    caching::Caching,
    date, downstream_tags,
    freshness::Exchange,
    headers,
    origin::Origin,
    status_code,
    storable::{self, Refusal, StorageTerms},
    stored_response::StoredResponse,
};

/// The result of a fetch.
pub(super) struct Fetched<O: Origin> {
    /// A stored response, of this fetch or of another request's, or the handler's error. [`StoredResponse::none`] if the
    /// response was handed over, and is for this client only.
    pub(super) outcome: Result<StoredResponse, O::Error>,
    /// The handler, if it was not called.
    pub(super) origin: Option<O>,
    /// The status of the handler's response that a stale one replaces.
    pub(super) forward_status: Option<StatusCode>,
}

impl<B: HandlerBody> Fetch<B> {
    pub(super) async fn run<O: Origin<Body = B>>(self, origin: O) -> Fetched<O> {
        let mut origin = Some(origin);
        let (own, policy) = self.computation();
        let store = &*self.cache.config.cache;
        let outcome = match self.is_plain() {
            true => store.get_or_compute(&own, policy, || self.compute(&mut origin)).await,
            false => compute_beside(store, (&self.key, &own), &policy, || self.compute(&mut origin)).await,
        };
        let forward_status = self.handoff.end();
        Fetched { outcome, origin, forward_status }
    }

    async fn compute<O: Origin<Body = B>>(&self, origin: &mut Option<O>) -> Result<StoredResponse, O::Error> {
        if let Some(newer) = self.newer().await {
            return Ok(newer);
        }
        let Some(origin) = origin.take() else { return Ok(self.pass_once()) };
        self.commit.set();
        self.called.get_or_init(Instant::now);
        match self.call(origin).await {
            Ok((response, exchange)) => Ok(self.process(response, exchange).await),
            Err(error) => {
                let status = O::status_of(&error);
                let is_failure = status.is_none_or(|status| self.is_failure(status));
                let stale = if is_failure { self.stale_if_error(status).await } else { None };
                stale.ok_or(error)
            }
        }
    }

    /// Whether a stale response may be served in place of one with this status.
    fn is_failure(&self, status: StatusCode) -> bool {
        self.cache.config.stale_if_error.contains(&status)
    }

    /// Decides what the handler's response means, and hands over a response to the client.
    async fn process(&self, response: Response<B>, exchange: Exchange) -> StoredResponse {
        let (config, request) = (&self.cache.config, &self.request);
        let (mut parts, body) = response.into_parts();
        let mut caching = parts.extensions.remove::<Caching>().unwrap_or_default();
        caching.tags.extend(self.cache.tags_of(&mut parts.headers, &request.path));
        downstream_tags::write(&mut parts.headers, &config.sent_tags, &caching.tags);
        caching.tags.extend(cache_groups::tags(&parts.headers, &request.primary_key));
        self.handoff.set_tags(&caching.tags);

        if request.is_head {
            self.learn_from_head(&parts, caching, exchange).await;
            self.keep_private(&mut parts.headers);
            self.handoff.pass(parts, ResponseBody::passed(body));
            return self.pass();
        }
        if let (StatusCode::NOT_MODIFIED, Some(stored)) = (parts.status, &self.stored) {
            return self.revalidated(stored, parts, caching, exchange).await;
        }
        if self.is_failure(parts.status)
            && let Some(stale) = self.stale_if_error(Some(parts.status)).await
        {
            return stale;
        }
        let described = (parts.status, &parts.headers, &caching);
        match storable::storage_terms(config, request, described, exchange) {
            Ok(terms) => self.copy_and_store(parts, body, (terms, caching.tags), exchange).await,
            Err(refusal) => self.refuse(parts, body, refusal),
        }
    }

    /// Lets no cache further on take a response for one to all clients that may be for this one only.
    fn keep_private(&self, headers: &mut HeaderMap) {
        if self.request.may_be_personal() && !self.cache.config.is_private {
            headers::add_private(headers);
        }
    }

    /// Passes a response on that may not be stored.
    fn refuse(&self, mut parts: Parts, body: B, refusal: Refusal) -> StoredResponse {
        let status = parts.status;
        self.drop_stored_if(refusal, status);
        self.keep_private(&mut parts.headers);
        self.handoff.pass_because(parts, ResponseBody::passed(body), refusal);
        if status_code::depends_on_request(status) { self.pass_once() } else { self.pass() }
    }

    async fn copy_and_store(
        &self,
        mut parts: Parts,
        body: B,
        (terms, tags): (StorageTerms, Vec<String>),
        exchange: Exchange,
    ) -> StoredResponse {
        let config = &self.cache.config;
        date::ensure_date(&mut parts.headers, exchange.received);
        // Now already: a stream is sent before it is stored.
        let adds_no_cache = headers::add_no_cache(&mut parts.headers, terms.freshness.source);
        // What is stored is replaced by the whole, whichever client asks.
        let is_for_part = self.request.ranges.is_some() && self.stored.is_none();
        let most = config.max_stored_body();
        let bytes = if is_for_part { config.max_range_fetch().min(most) } else { most };
        let limits = Limits { bytes, time: config.body_timeout };
        // Now already, too: its client may be a computation, which depends on what is stored there.
        if let Some(rule) = self.rule_if_other(&parts.headers)
            && let Some(key) = self.key_under(rule.as_ref()).await
        {
            self.handoff.set_moved_to(key);
        }
        match copy(parts, body, limits, &self.handoff).await {
            BodyCopy::Complete(mut parts, body, copier) => {
                if adds_no_cache {
                    // Only the handler's own directives are stored.
                    parts.headers.remove(header::CACHE_CONTROL);
                }
                self.store_new(*parts, body, copier, (terms, tags)).await
            }
            // Requests for the whole that wait may well store it.
            BodyCopy::TooLarge if bytes < most => {
                self.cache.state.too_large.set(&self.key, false, true, config.shared_now());
                self.pass_lead()
            }
            BodyCopy::TooLarge | BodyCopy::Refused => {
                self.cache.state.too_large.set(&self.key, false, true, config.shared_now());
                self.drop_outdated();
                self.pass()
            }
            BodyCopy::Broken => self.pass_lead(),
        }
    }
}
