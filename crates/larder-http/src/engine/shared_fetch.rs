//! A fetch for one request, which may wait for that of another one.

use std::{
    future::{Future as _, poll_fn},
    pin::Pin,
    sync::{Arc, OnceLock},
    task::Poll,
};

use http::StatusCode;
use larder::{Tier, internal::record_tags};

use super::{
    Answer, OriginState,
    assess::Miss,
    computation::Fetched,
    detached::{CommitFlag, DetachedWork},
    fetch::Fetch,
    handoff::Handoff,
    lookup::{self, VariantKey},
    ranges,
};
use crate::{
    body::CopyDriver,
    cache_status::{CacheStatus, Forward},
    cacheable_request::CacheableRequest,
    freshness::Reuse,
    http_cache::HttpCache,
    origin::Origin,
    stored_response::StoredResponse,
};

/// The result of a fetch for the request that made it.
pub(super) enum Attempt<O: Origin> {
    Answered(Box<Answer<O>>),
    /// Another request's response is not for this one.
    Unanswered(O),
    /// Another request was answered without a response for others, as will not happen again: its body broke off.
    Again(O),
}

impl HttpCache {
    /// Has the handler called, by this request or by another one that waits for the same response.
    pub(super) async fn shared_fetch<O: Origin>(
        &self,
        request: &Arc<CacheableRequest>,
        miss: Miss,
        is_uncoalesced: bool,
        origin: O,
    ) -> Result<Attempt<O>, O::Error> {
        let Miss { key: VariantKey { text: key, rule, .. }, stored, tier, why, .. } = miss;
        let (marked, now) = (&self.state.hit_for_miss, self.config.shared_now());
        let is_coalesced = !is_uncoalesced && !marked.is_marked(&key, request.may_be_personal(), now);
        let _waiting = is_coalesced.then(|| self.state.waiting.enter(&key));
        let (handoff, commit) = (Handoff::new(), CommitFlag::default());
        let fetch = Fetch {
            cache: self.clone(),
            request: request.clone(),
            is_coalesced,
            key: key.clone(),
            rule,
            called: OnceLock::new(),
            stored: stored.clone(),
            handoff: handoff.clone(),
            commit: commit.clone(),
        };
        let awaited = is_coalesced.then(|| key.clone());
        let mut running = DetachedWork::start::<O>(fetch.run(origin), &commit, self, awaited);
        let fetched = poll_fn(|context| match Pin::new(&mut running).poll(context) {
            Poll::Ready(fetched) => Poll::Ready(Some(fetched)),
            // A response whose body is still on its way.
            Poll::Pending
                if handoff.is_streaming(context, |response| ranges::is_of_use(request, response)) =>
            {
                Poll::Ready(None)
            }
            Poll::Pending => Poll::Pending,
        })
        .await;

        // The caller may be a computation, and end before the fetch does, or without a response being stored.
        record_tags(&*self.config.cache, &handoff.take_tags());
        let moved_to = handoff.take_moved_to();
        if let Some(key) = &moved_to {
            lookup::depend_on(&self.config, key).await;
        }
        if let Some((mut response, mut status)) = handoff.take() {
            match (&fetched, running) {
                // Without a task of its own, the fetch ends with its client.
                (None, DetachedWork::Inline(running)) => {
                    let driver = O::spawn(Box::pin(async move {
                        running.await;
                    }));
                    response.body_mut().set_driver(driver);
                }
                // The task goes on by itself, and learns from this when its client goes away.
                (None, DetachedWork::Detached(outcome)) => {
                    response.body_mut().set_driver(CopyDriver::Detached(Box::new(outcome)));
                }
                (Some(Fetched { outcome: Ok(stored), .. }), _) => {
                    status.stored &= self.is_kept(moved_to.as_ref().unwrap_or(&key), stored);
                }
                _ => {}
            }
            status.forward = Some(why);
            self.config.remove_own_field(response.headers_mut());
            let response = self.finish(request, response, status);
            return Ok(Attempt::Answered(Box::new(Answer { response, origin: OriginState::Called })));
        }
        let Some(fetched) = fetched else {
            unreachable!("a fetch that is not complete has handed a response over");
        };
        let place = || (key, tier);
        self.receive(request, (stored.as_ref(), place), why, fetched)
    }

    /// Answers with the stored response that a fetch resulted in without handing one over: another request's, or a stale
    /// one in place of an error.
    fn receive<O: Origin>(
        &self,
        request: &CacheableRequest,
        (stale, place): (Option<&StoredResponse>, impl FnOnce() -> (String, Tier)),
        why: Forward,
        Fetched { outcome, origin, forward_status, .. }: Fetched<O>,
    ) -> Result<Attempt<O>, O::Error> {
        let stored = outcome?;
        // The caller may be a computation.
        record_tags(&*self.config.cache, &stored.tags);
        let now = stored.freshness.judged_at(self.config.shared_now());
        let is_usable = request.selects(&stored)
            && match stored.freshness.reuse(&request.directives, now) {
                Reuse::Fresh | Reuse::Stale | Reuse::StaleWhileRevalidate => true,
                Reuse::RevalidateOnRequest | Reuse::Revalidate => {
                    stale.is_some_and(|stale| stale.id == stored.id)
                        && stored.freshness.serves_on_error(&request.directives, now)
                }
            };
        match origin {
            Some(origin) if stored.is_none() => return Ok(Attempt::Again(origin)),
            Some(origin) if !is_usable => return Ok(Attempt::Unanswered(origin)),
            // The handler failed, and what another request has stored since may not be served in place of its error.
            None if !is_usable && stale.is_none_or(|stale| stale.id != stored.id) => {
                let response = self.generated(StatusCode::GATEWAY_TIMEOUT, "stale");
                return Ok(Attempt::Answered(Box::new(Answer { response, origin: OriginState::Called })));
            }
            _ => {}
        }
        if origin.is_none() && stale.is_some_and(|stale| stale.id == stored.id) {
            self.hits().tell(false, place);
        }
        let status = CacheStatus {
            forward: Some(why),
            forward_status,
            collapsed: origin.is_some(),
            ..CacheStatus::hit(stored.ttl(now))
        };
        let response = self.response_from(request, &stored, now, status);
        let origin = origin.map_or(OriginState::Called, OriginState::NotCalled);
        Ok(Attempt::Answered(Box::new(Answer { response, origin })))
    }
}
