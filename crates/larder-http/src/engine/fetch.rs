//! A fetch: one call of a handler, and what is known about it before the response is there.

use std::{
    sync::{Arc, OnceLock},
    time::{Duration, Instant},
};

use http::{Response, StatusCode};
use larder::{
    CacheExt as _, Lock, Policy, Scope,
    internal::{find_kept_uncounted, find_shared_uncounted, unrecorded},
};

use super::{detached::CommitFlag, handoff::Handoff};
use crate::{
    body::HandlerBody,
    cacheable_request::CacheableRequest,
    freshness::Exchange,
    headers,
    http_cache::HttpCache,
    no_vary_search::UrlVariation,
    origin::Origin,
    status_code,
    storable::Refusal,
    stored_response::StoredResponse,
    validation::{Conditions, RequestChanges},
};

pub(super) struct Fetch<B> {
    pub(super) cache: HttpCache,
    pub(super) request: Arc<CacheableRequest>,
    /// Where the response is stored.
    pub(super) key: String,
    /// The rule by which that is the key of equivalent URLs too.
    pub(super) rule: Option<UrlVariation>,
    /// The stored response that is revalidated.
    pub(super) stored: Option<StoredResponse>,
    /// Whether other requests may wait for it, and it for theirs.
    pub(super) is_coalesced: bool,
    pub(super) handoff: Handoff<B>,
    /// Set once the handler is called.
    pub(super) commit: CommitFlag,
    /// When that was.
    pub(super) called: OnceLock<Instant>,
}

impl<B: HandlerBody> Fetch<B> {
    /// Whether the value of `larder`'s computation is the stored response. Otherwise the computation has a key of its own,
    /// and the response is inserted in place of what is stored.
    pub(super) fn is_plain(&self) -> bool {
        self.is_coalesced && self.stored.is_none()
    }

    /// The key and the policy of the computation.
    pub(super) fn computation(&self) -> (String, Policy) {
        let key = &self.key;
        if self.is_plain() {
            // The real lifetime is set when the response is there.
            return (key.clone(), Policy::ttl(Duration::from_secs(1)));
        }
        let key = match &self.stored {
            Some(stored) if self.is_coalesced => format!("{key}:r{:x}", stored.id),
            _ => format!("{key}:a{:x}{:x}", fastrand::u64(..), fastrand::u64(..)),
        };
        // Its value is not stored, so other processes could only wait for it in vain.
        let policy = Policy::builder().ttl(Duration::ZERO).lock(Lock::Process).build();
        (key, policy.unwrap_or(Policy::ttl(Duration::ZERO)))
    }

    /// Calls the handler.
    pub(super) async fn call<O: Origin<Body = B>>(
        &self,
        mut origin: O,
    ) -> Result<(Response<B>, Exchange), O::Error> {
        let config = &self.cache.config;
        origin.ready().await?;
        let sent = config.now();
        let removed = self.request.removed_headers.clone();
        let mut response = origin.call(RequestChanges { conditions: self.conditions(), removed }).await?;
        headers::join_vary(response.headers_mut(), &config.vary);
        let (received, shared, at) = (config.now(), config.shared_now(), config.instant());
        Ok((response, Exchange { sent, received, shared, at }))
    }

    /// The conditions of the request to the handler: those that validate the stored response. If there is none, the
    /// client's conditions are removed, as only a complete response can be stored. They stay if nothing is stored anyway.
    fn conditions(&self) -> Option<Conditions> {
        if self.request.is_head {
            return None;
        }
        match &self.stored {
            Some(stored) => Some(stored.conditions()),
            None => self.is_coalesced.then(Conditions::default),
        }
    }

    /// The response that another request has stored in the meantime, in another process perhaps. The computation depends
    /// on it if there is one, and not on what it is about to replace.
    pub(super) async fn newer(&self) -> Option<StoredResponse> {
        let stored = self.stored.as_ref().filter(|_| self.is_coalesced)?;
        let (cache, is_newer) = (&*self.cache.config.cache, |found: &StoredResponse| found.id != stored.id);
        // Memory has it from there then.
        let shared = async || find_shared_uncounted::<StoredResponse>(cache, &self.key).await;
        if !self.now_stored().await.is_some_and(|found| is_newer(&found))
            && !shared().await.is_some_and(|found| is_newer(&found))
        {
            return None;
        }
        let found = find_kept_uncounted::<StoredResponse>(cache, &self.key).await?;
        (is_newer(&found.value) && found.marked.is_none()).then_some(found.value)
    }

    /// What is stored now, unless it is marked stale. The computation does not depend on it.
    pub(super) async fn now_stored(&self) -> Option<StoredResponse> {
        let found = find_kept_uncounted::<StoredResponse>(&*self.cache.config.cache, &self.key);
        let found = unrecorded(found).await?;
        found.marked.is_none().then_some(found.value)
    }

    /// The stored response, if it may be served in place of an error: not if it was invalidated since the handler was
    /// called.
    pub(super) async fn stale_if_error(&self, status: Option<StatusCode>) -> Option<StoredResponse> {
        let (stored, config) = (self.stored.as_ref()?, &self.cache.config);
        let now = stored.freshness.judged_at(config.shared_now());
        if !stored.freshness.serves_on_error(&self.request.directives, now) {
            return None;
        }
        let found = find_kept_uncounted::<StoredResponse>(&*config.cache, &self.key);
        unrecorded(found).await.filter(|found| found.value.id == stored.id)?;
        self.handoff.set_forward_status(status);
        Some(stored.clone())
    }

    /// Drops the stored response if the handler's new response is not stored for a reason that holds for all requests: an
    /// error of this client would not happen to another one.
    pub(super) fn drop_stored_if(&self, refusal: Refusal, status: StatusCode) {
        if refusal.is_of_the_resource()
            && !status.is_server_error()
            && !status_code::depends_on_request(status)
        {
            self.drop_outdated();
        }
    }

    /// Drops the stored response because the handler gave another one that is not stored. A response to a client that
    /// identifies itself does not show that the stored one is outdated.
    pub(super) fn drop_outdated(&self) {
        if self.stored.is_some() && !self.request.identifies_client {
            self.drop_stored();
        }
    }

    pub(super) fn drop_stored(&self) {
        drop(self.cache.config.cache.invalidate(Scope::key(&self.key)));
    }

    /// The computation's value if its response is for this client only, as the next one probably is: sets the
    /// hit-for-miss marker.
    pub(super) fn pass(&self) -> StoredResponse {
        self.mark_hit_for_miss(&self.key, true);
        self.pass_once()
    }

    /// The computation's value if the response is for this client only, but the next one most probably is not: those who
    /// wait look again, and one of them calls the handler for all.
    pub(super) fn pass_lead(&self) -> StoredResponse {
        larder::context().no_store();
        StoredResponse::none()
    }

    /// As [`pass`](Self::pass), without the marker.
    pub(super) fn pass_once(&self) -> StoredResponse {
        // Not an error: waiting requests call the handler themselves, and nothing has failed.
        larder::context().unshared();
        StoredResponse::none()
    }

    pub(super) fn mark_hit_for_miss(&self, key: &str, is_marked: bool) {
        if !self.request.is_head {
            let (identifying, now) = (self.request.may_be_personal(), self.cache.config.shared_now());
            self.cache.state.hit_for_miss.set(key, identifying, is_marked, now);
        }
    }
}
