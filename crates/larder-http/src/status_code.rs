//! What a response's status code means to a cache.

use http::StatusCode;

/// Cacheable without explicit freshness (RFC 9110, section 15.1).
const HEURISTICALLY_CACHEABLE: [u16; 11] = [200, 203, 204, 300, 301, 308, 404, 405, 410, 414, 501];

/// Status codes whose caching rules are implemented here: all for which an RFC has such rules.
const UNDERSTOOD: [u16; 27] = [
    200, 203, 204, 300, 301, 302, 303, 307, 308, 400, 401, 402, 403, 404, 405, 406, 409, 410, 411, 414, 415,
    421, 500, 501, 502, 503, 504,
];

pub(crate) fn is_heuristically_cacheable(status: StatusCode) -> bool {
    HEURISTICALLY_CACHEABLE.contains(&status.as_u16())
}

pub(crate) fn is_understood(status: StatusCode) -> bool {
    UNDERSTOOD.contains(&status.as_u16())
}

/// Whether it is that of a complete response: not of an interim one, a part, or a 304.
pub(crate) fn is_complete(status: StatusCode) -> bool {
    !status.is_informational() && !matches!(status.as_u16(), 206 | 304)
}

/// In place of which a stale response may be used (RFC 5861, section 4).
pub(crate) const STALE_IF_ERROR: [StatusCode; 4] = [
    StatusCode::INTERNAL_SERVER_ERROR,
    StatusCode::BAD_GATEWAY,
    StatusCode::SERVICE_UNAVAILABLE,
    StatusCode::GATEWAY_TIMEOUT,
];

/// Whether a user may choose to have a stale response served in place of one with this status: it tells that the handler
/// has no answer now, and nothing about the resource or the client.
pub(crate) fn is_failure(status: StatusCode) -> bool {
    status == StatusCode::TOO_MANY_REQUESTS || status.is_server_error()
}

/// Whether another request for the same URL may well get another status: the mistake is this request's, or the client
/// has the response already.
pub(crate) fn depends_on_request(status: StatusCode) -> bool {
    status == StatusCode::NOT_MODIFIED
        || (status.is_client_error() && !matches!(status, StatusCode::NOT_FOUND | StatusCode::GONE))
}

/// Whether a response with this status may have a `Content-Length`.
pub(crate) fn may_have_content_length(status: StatusCode) -> bool {
    !status.is_informational() && status != StatusCode::NO_CONTENT && status != StatusCode::NOT_MODIFIED
}
