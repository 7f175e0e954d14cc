//! Answers planned requests: past the cache, or from it and by the handler.

use std::sync::Arc;

use http::{HeaderMap, Response, StatusCode, Uri};
use larder::internal::record_tags;

use super::{
    Answer, OriginState, Plan,
    assess::{Assessment, assess},
    detached::{CommitFlag, DetachedWork},
    lookup::{self, Lookup},
    plan::{PassedOn, Strength},
    shared_fetch::Attempt,
    unsafe_method::Invalidation,
};
use crate::{
    body::ResponseBody,
    cache_status::{CacheStatus, Forward},
    cacheable_request::CacheableRequest,
    downstream_tags, headers,
    http_cache::HttpCache,
    key::PrimaryKey,
    origin::Origin,
    validation::{RANGE_HEADERS, RequestChanges},
};

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
            Plan::LookUp(request) => self.answer_cacheable(request, origin).await,
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
    async fn answer_cacheable<O: Origin>(
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
            match self.shared_fetch(&request, miss, is_uncoalesced, origin).await? {
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

    /// Takes the tags out of a response of this path, and returns them and those of the path.
    pub(super) fn tags_of(&self, headers: &mut HeaderMap, path: &str) -> Vec<String> {
        let mut tags = headers::take_tags(headers);
        tags.extend(self.config.tags.iter().flat_map(|template| template.tags(path)));
        tags
    }
}
