//! Responses as clients get them: made from stored ones, answered conditionally, with the headers that the cache adds.

use bytes::Bytes;
use http::{HeaderMap, Response, StatusCode, header};
use http_body::Body as _;

use super::ranges;
use crate::{
    body::{HandlerBody, ResponseBody},
    cache_status::{self, CacheStatus, Forward},
    cacheable_request::CacheableRequest,
    date::{Millis, seconds},
    downstream_tags,
    freshness::Source,
    headers,
    http_cache::HttpCache,
    status_code,
    stored_response::{HeadInputs, StoredResponse},
    validation,
};

impl HttpCache {
    /// The response made from a stored one at a time by the shared clock.
    pub(super) fn response_from<B: HandlerBody>(
        &self,
        request: &CacheableRequest,
        stored: &StoredResponse,
        now: Millis,
        status: CacheStatus,
    ) -> Response<ResponseBody<B>> {
        let mut status = CacheStatus { downstream_ttl: self.downstream_ttl(stored, now), ..status };
        let (age, has_own_field) = (stored.freshness.age(now), self.config.has_own_field);
        let inputs = HeadInputs { age: seconds(age), status, name: &self.config.name, has_own_field };
        let mut headers = stored.head(&inputs);
        stored.add_no_cache(&mut headers);
        let mut response = Response::new(ResponseBody::whole(stored.body.clone()));
        *response.status_mut() = stored.status;
        *response.headers_mut() = headers;
        // Of `Cache-Status` it changes nothing: what the handler has answered was known before.
        self.adapt(request, &mut response, &mut status);
        self.add_downstream_ttl(status, response.headers_mut());
        if stored.freshness.is_marked() {
            let age = stored.age_of_marked(&self.config.targeted, now);
            response.headers_mut().insert(header::AGE, headers::number(seconds(age)));
        } else if stored.freshness.source == Source::Own {
            headers::renew(response.headers_mut(), age, self.config.now());
        }
        response
    }

    /// The response to this request: a 304 if the client has it already, and without a body for `HEAD`.
    pub(super) fn finish<B: HandlerBody>(
        &self,
        request: &CacheableRequest,
        mut response: Response<ResponseBody<B>>,
        mut status: CacheStatus,
    ) -> Response<ResponseBody<B>> {
        self.adapt(request, &mut response, &mut status);
        self.make_status(status, response.headers_mut());
        response
    }

    /// Makes of a response what this request asks for, without touching `Cache-Status`.
    fn adapt<B: HandlerBody>(
        &self,
        request: &CacheableRequest,
        response: &mut Response<ResponseBody<B>>,
        status: &mut CacheStatus,
    ) {
        let (code, headers) = (response.status(), response.headers());
        let is_from_cache = status.forward.is_none() || status.collapsed;
        let received = is_from_cache.then_some(request.received);
        if request.is_conditional && validation::is_not_modified(&request.headers, code, headers, received) {
            *response.status_mut() = StatusCode::NOT_MODIFIED;
            let headers = std::mem::take(response.headers_mut());
            *response.headers_mut() = validation::not_modified_headers(headers);
            response.body_mut().make_empty(None);
        } else if let Some(ranges) = &request.ranges {
            ranges::answer(ranges, request, response, status);
        } else if request.is_head && response.body().as_whole().is_some() {
            let length = response.body().size_hint().exact();
            let length = length.filter(|_| status_code::may_have_content_length(code));
            if let Some(length) = length {
                response.headers_mut().entry(header::CONTENT_LENGTH).or_insert(length.into());
            }
            response.body_mut().make_empty(length);
        }
    }

    /// A response that this cache makes itself: to `only-if-cached` if nothing suitable is stored (RFC 9111, section
    /// 5.2.1.7), and to `PURGE`.
    pub(super) fn generated<B>(&self, status: StatusCode, why: &'static str) -> Response<ResponseBody<B>> {
        let mut response = Response::new(ResponseBody::whole(Bytes::new()));
        *response.status_mut() = status;
        self.make_status(CacheStatus::generated(why), response.headers_mut());
        response
    }

    /// Completes the headers of a response that went past the cache.
    pub(crate) fn finish_passed(&self, why: Forward, headers: &mut HeaderMap) {
        downstream_tags::take(headers, &self.config.sent_tags);
        self.config.remove_own_field(headers);
        headers::join_vary(headers, &self.config.vary);
        self.make_status(CacheStatus::forwarded(why), headers);
    }

    /// For how many seconds a cache further on may serve a stored response, if `X-Accel-Expires` is to tell that.
    pub(super) fn downstream_ttl(&self, stored: &StoredResponse, now: Millis) -> Option<i64> {
        self.config.accel_expires.then(|| stored.downstream_ttl(&self.config.targeted, now))
    }

    /// Adds `Cache-Status`, and `X-Accel-Expires` if that is configured.
    fn make_status(&self, status: CacheStatus, headers: &mut HeaderMap) {
        self.add_downstream_ttl(status, headers);
        if let Some(member) = status.value(&self.config.name) {
            cache_status::append(member, headers);
        }
    }

    fn add_downstream_ttl(&self, status: CacheStatus, headers: &mut HeaderMap) {
        if self.config.accel_expires {
            let ttl = status.downstream_ttl.unwrap_or_default().max(0);
            headers.insert("x-accel-expires", headers::number(ttl));
        }
    }
}
