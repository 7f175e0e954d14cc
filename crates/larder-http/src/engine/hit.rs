//! Answers with stored responses, without the handler.

use std::sync::Arc;

use http::Response;
use larder::{
    Tier,
    internal::{HitCounter, find_local_uncounted},
};

use super::{
    Answer, OriginState, Refresh,
    lookup::{self, VariantKey},
};
use crate::{
    body::{HandlerBody, ResponseBody},
    cache_status::CacheStatus,
    cacheable_request::CacheableRequest,
    date::Millis,
    freshness::Reuse,
    http_cache::HttpCache,
    origin::Origin,
    stored_response::StoredResponse,
};

impl HttpCache {
    /// Answers from this process' memory, if the request needs nothing else: the way of nearly all hits, which neither waits
    /// for anything nor takes its handler along.
    pub(super) fn answer_from_memory<B: HandlerBody>(
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

    pub(super) fn hit<B: HandlerBody>(
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

    pub(super) fn hit_and_refresh<O: Origin>(
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

    /// Counts a hit. `place` tells its key, and where it lay.
    fn count_hit(&self, stored: &StoredResponse, is_fresh: bool, place: impl FnOnce() -> (String, Tier)) {
        self.hits().count(is_fresh, stored.took, place);
    }

    pub(super) fn hits(&self) -> &HitCounter {
        self.state.hits.get_or_init(|| HitCounter::new(&*self.config.cache))
    }

    /// Whether a response is in memory that was just stored. Without a memory of its own, that it was sent to the servers
    /// counts.
    pub(super) fn is_kept(&self, key: &str, stored: &StoredResponse) -> bool {
        let find = || find_local_uncounted::<StoredResponse>(&*self.config.cache, key);
        !self.config.has_memory() || find().is_some_and(|found| found.id == stored.id)
    }
}
