//! Answers requests for a part of a response from the whole (RFC 9110, section 14).

use http::{HeaderMap, HeaderName, Response, StatusCode, header};
use http_body::Body as _;

use crate::{
    body::{HandlerBody, ResponseBody},
    cache_status::{CacheStatus, Forward},
    cacheable_request::CacheableRequest,
    headers::content_length,
    http_cache::HttpCache,
    range::{self, ByteRanges, Selection},
    validation,
};

/// Headers that are only true of the whole content.
const OF_THE_CONTENT: [HeaderName; 3] = [
    header::CONTENT_LENGTH,
    HeaderName::from_static("content-digest"),
    HeaderName::from_static("content-md5"),
];

/// Headers that a 416 does not have: they describe the response that is not sent, and how long it may be stored.
const NOT_IN_A_416: [HeaderName; 11] = [
    header::ACCEPT_RANGES,
    header::CACHE_CONTROL,
    header::CONTENT_DISPOSITION,
    header::CONTENT_ENCODING,
    header::CONTENT_LANGUAGE,
    header::CONTENT_LOCATION,
    header::CONTENT_TYPE,
    header::ETAG,
    header::EXPIRES,
    header::LAST_MODIFIED,
    HeaderName::from_static("repr-digest"),
];

impl HttpCache {
    /// Whether a request for a part goes to the handler as it is: nothing is stored under its key, for this reason, and
    /// the whole would not be.
    pub(super) fn asks_handler_for_part(&self, request: &CacheableRequest, key: &str, why: Forward) -> bool {
        let Some(ranges) = &request.ranges else { return false };
        let (most, now) = (self.config.max_range_fetch(), self.config.shared_now());
        why == Forward::Miss
            || most == 0
            || ranges.begin_after(most as u64)
            || self.state.too_large.is_marked(key, false, now)
            || self.state.hit_for_miss.is_marked(key, request.may_be_personal(), now)
    }
}

/// Whether a response whose body is on its way answers this request: a part can be cut out of it only if its length is known.
pub(super) fn is_of_use<B: HandlerBody>(
    request: &CacheableRequest,
    response: &Response<ResponseBody<B>>,
) -> bool {
    let Some(ranges) = &request.ranges else { return true };
    response.status() != StatusCode::OK || (ranges.is_single() && length_of(response).is_some())
}

/// Makes the answer for a client that asked for `ranges` of this response: a part of it, 416, or the whole if the ranges do
/// not count.
pub(super) fn answer<B: HandlerBody>(
    ranges: &ByteRanges,
    request: &CacheableRequest,
    response: &mut Response<ResponseBody<B>>,
    status: &mut CacheStatus,
) {
    // Only a response that would be 200 has ranges (section 14.2).
    if response.status() != StatusCode::OK
        || !validation::if_range_holds(&request.headers, response.headers())
    {
        return;
    }
    let Some(length) = length_of(response) else { return };
    match ranges.select(length) {
        Selection::Whole => return,
        Selection::Unsatisfiable => {
            *response.status_mut() = StatusCode::RANGE_NOT_SATISFIABLE;
            remove(response.headers_mut(), &OF_THE_CONTENT);
            remove(response.headers_mut(), &NOT_IN_A_416);
            response.headers_mut().insert(header::CONTENT_RANGE, range::unsatisfied_range(length));
            response.body_mut().make_empty(Some(0));
            status.downstream_ttl = None;
        }
        Selection::Ranges(parts) => match (&parts[..], response.body().as_whole()) {
            ([part], _) => {
                *response.status_mut() = StatusCode::PARTIAL_CONTENT;
                remove(response.headers_mut(), &OF_THE_CONTENT);
                response.headers_mut().insert(header::CONTENT_RANGE, range::content_range(part, length));
                response.body_mut().cut(part);
            }
            (parts, Some(whole)) => {
                let content_type = response.headers().get(header::CONTENT_TYPE);
                let (media_type, content) = range::multipart(whole, parts, content_type);
                *response.status_mut() = StatusCode::PARTIAL_CONTENT;
                remove(response.headers_mut(), &OF_THE_CONTENT);
                response.headers_mut().insert(header::CONTENT_TYPE, media_type);
                *response.body_mut() = ResponseBody::whole(content);
            }
            // Several parts of what is on its way would have to be kept until all are there.
            (_, None) => return,
        },
    }
    if status.forward.is_some() && !status.collapsed {
        status.forward_status = status.forward_status.or(Some(StatusCode::OK));
    }
}

/// The length of the body, if it is known.
fn length_of<B: HandlerBody>(response: &Response<ResponseBody<B>>) -> Option<u64> {
    response.body().size_hint().exact().or_else(|| content_length(response.headers())?.ok())
}

fn remove(headers: &mut HeaderMap, names: &[HeaderName]) {
    for name in names {
        headers.remove(name);
    }
}
