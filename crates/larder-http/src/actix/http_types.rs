//! Conversions between the two versions of the `http` crate: Actix uses an older one.

use actix_web::{HttpResponse, http as actix};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};

/// Replaces status and headers of a response of Actix'.
pub(super) fn write_head<B>(head: &mut HttpResponse<B>, status: StatusCode, headers: &HeaderMap) {
    let status = actix::StatusCode::from_u16(status.as_u16());
    *head.status_mut() = status.unwrap_or(actix::StatusCode::INTERNAL_SERVER_ERROR);
    head.headers_mut().clear();
    for (name, value) in headers {
        let name = actix::header::HeaderName::from_bytes(name.as_str().as_bytes());
        let value = actix::header::HeaderValue::from_bytes(value.as_bytes());
        // Conversion does not fail: they came from Actix, or consist of ASCII.
        if let (Ok(name), Ok(value)) = (name, value) {
            head.headers_mut().append(name, value);
        }
    }
}

/// A status for the newer version.
pub(super) fn status_of(theirs: actix::StatusCode) -> StatusCode {
    StatusCode::from_u16(theirs.as_u16()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
}

/// Headers for the newer version, as far as it can express them.
pub(super) fn headers_of(theirs: &actix::header::HeaderMap) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for (name, value) in theirs {
        let name = HeaderName::from_bytes(name.as_str().as_bytes());
        if let (Ok(name), Ok(value)) = (name, HeaderValue::from_bytes(value.as_bytes())) {
            headers.append(name, value);
        }
    }
    headers
}
