//! A fetch: one call of a handler, and what is known about it before the response is there.

use std::{
    sync::{Arc, OnceLock},
    time::{Duration, Instant},
};

use http::{Response, StatusCode};
use larder::{
    CacheExt as _, Lock, Policy, Scope,
    internal::{find_kept_uncounted, unrecorded},
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
    /// Where it is stored instead, if its own rule is another one.
    pub(super) moved_to: OnceLock<String>,
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
        Ok((response, Exchange { sent, received: config.now(), shared: config.shared_now() }))
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

    /// The response that another request has stored in the meantime. The computation must not depend on what it reads
    /// here: it is about to replace that, which would invalidate its own value.
    pub(super) async fn newer(&self) -> Option<StoredResponse> {
        let stored = self.stored.as_ref().filter(|_| self.is_coalesced)?;
        let found = find_kept_uncounted::<StoredResponse>(&*self.cache.config.cache, &self.key);
        let found = unrecorded(found).await?;
        (found.value.id != stored.id && found.marked.is_none()).then_some(found.value)
    }

    /// The stored response, if it may be served in place of an error.
    pub(super) fn stale_if_error(&self, status: Option<StatusCode>) -> Option<StoredResponse> {
        let stored = self.stored.as_ref()?;
        if !stored.freshness.serves_on_error(&self.request.directives, self.cache.config.shared_now()) {
            return None;
        }
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
        self.mark_hit_for_miss(true);
        self.pass_once()
    }

    /// As [`pass`](Self::pass), without the marker.
    pub(super) fn pass_once(&self) -> StoredResponse {
        // Not an error: waiting requests call the handler themselves, and nothing has failed.
        larder::context().unshared();
        StoredResponse::none()
    }

    pub(super) fn mark_hit_for_miss(&self, is_marked: bool) {
        if !self.request.is_head {
            let (identifying, now) = (self.request.may_be_personal(), self.cache.config.shared_now());
            self.cache.state.hit_for_miss.set(&self.key, identifying, is_marked, now);
        }
    }
}
