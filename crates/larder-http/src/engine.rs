//! How requests are answered: the same for every framework.
//!
//! [`plan`] decides which way a request goes. One that goes to the cache is a `CacheableRequest`; [`lookup`] finds the
//! stored response that it selects. If that may not be served, a [`fetch`] calls the handler, in a [`computation`] of
//! `larder`'s, which coalesces it with other requests: it [copies](copy_body) the body on its way to the client, and
//! [stores](store) the response or [revalidates](revalidate) the stored one. The response reaches its client through a
//! [`handoff`]. The computation's value is the stored response, which the waiting requests get.

mod assess;
mod computation;
mod copy_body;
mod detached;
mod fetch;
mod handoff;
mod lookup;
mod plan;
mod ranges;
mod refresh;
mod response;
mod revalidate;
mod store;
mod unsafe_method;

use std::{
    future::{Future as _, poll_fn},
    pin::Pin,
    sync::{Arc, OnceLock},
    task::Poll,
};

use http::{HeaderMap, Response, StatusCode, Uri};
use larder::{
    Tier,
    internal::{HitCounter, find_local_uncounted, record_tags},
};

use self::{
    assess::{Assessment, Miss, assess},
    computation::Fetched,
    detached::{CommitFlag, DetachedWork},
    fetch::Fetch,
    handoff::Handoff,
    lookup::{Lookup, VariantKey},
    plan::{PassedOn, Strength},
    unsafe_method::Invalidation,
};
pub(crate) use self::{plan::Plan, refresh::Refresh};
use crate::{
    body::{CopyDriver, HandlerBody, ResponseBody},
    cache_status::{CacheStatus, Forward},
    cacheable_request::CacheableRequest,
    date::Millis,
    downstream_tags,
    freshness::Reuse,
    headers,
    http_cache::HttpCache,
    key::PrimaryKey,
    origin::Origin,
    stored_response::StoredResponse,
    validation::{RANGE_HEADERS, RequestChanges},
};

/// A response, and the state of the handler.
pub(crate) struct Answer<O: Origin> {
    pub(crate) response: Response<ResponseBody<O::Body>>,
    pub(crate) origin: OriginState<O>,
}

/// The state of a handler after its request was answered.
pub(crate) enum OriginState<O> {
    /// It was called.
    Called,
    /// It was not needed.
    NotCalled(O),
    /// It was not needed, but should be called to refresh what is stored.
    Refresh(O, Refresh),
}

/// The result of a fetch for the request that made it.
enum Attempt<O: Origin> {
    Answered(Box<Answer<O>>),
    /// Another request's response is not for this one.
    Unanswered(O),
    /// Another request was answered without a response for others, as will not happen again: its body broke off.
    Again(O),
}

impl HttpCache {
    /// Answers a request.
    pub(crate) async fn answer<O: Origin>(&self, plan: Plan, mut origin: O) -> Result<Answer<O>, O::Error> {
        match plan {
            Plan::Pass(why, passed_on) => {
                let (mut response, is_personal) = match passed_on {
                    PassedOn::Change(target) => (self.call_and_invalidate(*target, origin).await?, false),
                    PassedOn::Reads { is_personal } => {
                        origin.ready().await?;
                        (origin.call(RequestChanges::default()).await?, is_personal)
                    }
                };
                if is_personal {
                    headers::add_private(response.headers_mut());
                }
                self.finish_passed(why, response.headers_mut());
                Ok(Answer { response: response.map(ResponseBody::passed), origin: OriginState::Called })
            }
            Plan::LookUp(request) => self.look_up(request, origin).await,
            Plan::Purge(purges) => {
                let status = if purges.is_some() { StatusCode::NO_CONTENT } else { StatusCode::FORBIDDEN };
                match purges {
                    Some((Strength::Dropped, purges)) => drop(self.purge(purges)),
                    Some((Strength::MarkedStale, purges)) => drop(self.soft_purge(purges)),
                    None => {}
                }
                let response = self.generated(status, "purge");
                Ok(Answer { response, origin: OriginState::NotCalled(origin) })
            }
        }
    }

    /// Calls the handler of an unsafe method, and invalidates what is stored. The call is completed even if the client
    /// goes away: so its response tells whether there is anything to invalidate, and a client cannot invalidate what is
    /// stored by breaking off a request that would be refused.
    async fn call_and_invalidate<O: Origin>(
        &self,
        target: (PrimaryKey, Uri),
        mut origin: O,
    ) -> Result<Response<O::Body>, O::Error> {
        let (cache, commit) = (self.clone(), CommitFlag::default());
        let committing = commit.clone();
        let work = async move {
            origin.ready().await?;
            committing.set();
            let invalidation = Invalidation::begin(&cache, target);
            let outcome = origin.call(RequestChanges::default()).await;
            invalidation.complete::<O>(&outcome);
            outcome
        };
        DetachedWork::start::<O>(work, &commit, self, None).await
    }

    /// Answers from the cache, or calls the handler.
    async fn look_up<O: Origin>(
        &self,
        request: Arc<CacheableRequest>,
        mut origin: O,
    ) -> Result<Answer<O>, O::Error> {
        // The keys at which this request waited for others.
        let mut waited_at: Vec<String> = Vec::new();
        let mut is_uncoalesced = request.is_uncoalesced;
        loop {
            let found = lookup::look_up(&self.config, &request).await;
            let now = self.config.shared_now();
            let now = match &found {
                Lookup::Found(_, stored, _) => stored.freshness.judged_at(now),
                Lookup::Absent(_) | Lookup::TooManyVariants => now,
            };
            let miss = match assess(&request, found, now) {
                Assessment::Serve(key, stored, tier) => {
                    let response = self.hit(&request, &stored, now, || (key.text, tier));
                    return Ok(Answer { response, origin: OriginState::NotCalled(origin) });
                }
                Assessment::ServeAndRefresh(key, stored, tier) => {
                    return Ok(self.hit_and_refresh(request, key, (stored, tier), now, origin));
                }
                _ if request.directives.only_if_cached => {
                    let response = self.generated(StatusCode::GATEWAY_TIMEOUT, "only-if-cached");
                    return Ok(Answer { response, origin: OriginState::NotCalled(origin) });
                }
                Assessment::TooManyVariants => {
                    let status = CacheStatus::forwarded(Forward::VaryMiss);
                    let status = CacheStatus { detail: Some("variants"), ..status };
                    return self.pass(&request, status, origin).await;
                }
                Assessment::Fetch(miss) => miss,
            };
            if miss.stored.is_none() && self.asks_handler_for_part(&request, &miss.key.text, miss.why) {
                return self.pass(&request, CacheStatus::forwarded(Forward::Partial), origin).await;
            }
            if request.is_lookup_only {
                return self.pass(&request, CacheStatus::forwarded(Forward::Bypass), origin).await;
            }
            // The response that this request waited for was not for it, but may lead to the key of one that is. A request
            // waits at most twice.
            is_uncoalesced |=
                miss.is_uncoalesced || waited_at.len() == 2 || waited_at.contains(&miss.key.text);
            waited_at.push(miss.key.text.clone());
            match self.fetch(&request, miss, is_uncoalesced, origin).await? {
                Attempt::Answered(answer) => return Ok(*answer),
                Attempt::Unanswered(unused) => origin = unused,
                Attempt::Again(unused) => {
                    origin = unused;
                    // It has waited, and may wait there once more.
                    waited_at.last_mut().into_iter().for_each(String::clear);
                }
            }
        }
    }

    /// Has the handler called, by this request or by another one that waits for the same response.
    async fn fetch<O: Origin>(
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

    /// Whether a response is in memory that was just stored. Without a memory of its own, that it was sent to the servers
    /// counts.
    fn is_kept(&self, key: &str, stored: &StoredResponse) -> bool {
        let find = || find_local_uncounted::<StoredResponse>(&*self.config.cache, key);
        !self.config.has_memory() || find().is_some_and(|found| found.id == stored.id)
    }

    /// Takes the tags out of a response of this path, and returns them and those of the path.
    fn tags_of(&self, headers: &mut HeaderMap, path: &str) -> Vec<String> {
        let mut tags = headers::take_tags(headers);
        tags.extend(self.config.tags.iter().flat_map(|template| template.tags(path)));
        tags
    }

    /// Calls the handler, and stores nothing.
    async fn pass<O: Origin>(
        &self,
        request: &CacheableRequest,
        status: CacheStatus,
        mut origin: O,
    ) -> Result<Answer<O>, O::Error> {
        origin.ready().await?;
        let mut removed = request.removed_headers.clone();
        if status.forward == Some(Forward::Partial) {
            removed.retain(|name| !RANGE_HEADERS.contains(name));
        }
        let changes = RequestChanges { conditions: None, removed };
        let mut response = origin.call(changes).await?;
        let tags = self.tags_of(response.headers_mut(), &request.path);
        record_tags(&*self.config.cache, &tags);
        downstream_tags::write(response.headers_mut(), &self.config.sent_tags, &tags);
        headers::join_vary(response.headers_mut(), &self.config.vary);
        if request.may_be_personal() && !self.config.is_private {
            headers::add_private(response.headers_mut());
        }
        self.config.remove_own_field(response.headers_mut());
        let response = self.finish(request, response.map(ResponseBody::passed), status);
        Ok(Answer { response, origin: OriginState::Called })
    }

    /// Answers from this process' memory, if the request needs nothing else: the way of nearly all hits, which neither waits
    /// for anything nor takes its handler along.
    fn answer_from_memory<B: HandlerBody>(
        &self,
        request: &CacheableRequest,
    ) -> Option<Response<ResponseBody<B>>> {
        let stored = lookup::look_up_in_memory(&self.config, request)?;
        let now = stored.freshness.judged_at(self.config.shared_at(request.received));
        if request.is_personal(stored.freshness.source, &stored.vary) {
            return None;
        }
        match stored.freshness.reuse(&request.directives, now) {
            Reuse::Fresh | Reuse::Stale => {
                let key = || lookup::key_in_memory(&self.config, request, &stored);
                Some(self.hit(request, &stored, now, || (key(), Tier::Memory)))
            }
            _ => None,
        }
    }

    fn hit<B: HandlerBody>(
        &self,
        request: &CacheableRequest,
        stored: &StoredResponse,
        now: Millis,
        place: impl FnOnce() -> (String, Tier),
    ) -> Response<ResponseBody<B>> {
        let ttl = stored.ttl(now);
        self.count_hit(stored, ttl > 0, place);
        self.response_from(request, stored, now, CacheStatus::hit(ttl))
    }

    /// Counts a hit. `place` tells its key, and where it lay.
    fn count_hit(&self, stored: &StoredResponse, is_fresh: bool, place: impl FnOnce() -> (String, Tier)) {
        self.hits().count(is_fresh, stored.took, place);
    }

    fn hits(&self) -> &HitCounter {
        self.state.hits.get_or_init(|| HitCounter::new(&*self.config.cache))
    }

    fn hit_and_refresh<O: Origin>(
        &self,
        request: Arc<CacheableRequest>,
        key: VariantKey,
        (stored, tier): (StoredResponse, Tier),
        now: Millis,
        origin: O,
    ) -> Answer<O> {
        self.count_hit(&stored, false, || (key.text.clone(), tier));
        let response = self.response_from(&request, &stored, now, CacheStatus::hit(stored.ttl(now)));
        // The responses to `HEAD`, and to requests with a body, cannot be stored.
        let origin = if request.is_head || request.is_lookup_only {
            OriginState::NotCalled(origin)
        } else {
            OriginState::Refresh(origin, Refresh { cache: self.clone(), request, key, stored })
        };
        Answer { response, origin }
    }
}
