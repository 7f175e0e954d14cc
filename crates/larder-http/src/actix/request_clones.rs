//! Changes the headers of a request, unless a middleware around the cache keeps a clone of it.
//!
//! Actix shares a request among its clones and cannot change it while it has any: `headers_mut` panics then, and there is
//! no way to know before. So this is tried until it panics once; from then on requests are not changed any more.

use std::{
    cell::Cell,
    fmt,
    panic::{AssertUnwindSafe, catch_unwind},
};

use actix_web::{
    ResponseError,
    dev::ServiceRequest,
    http::{
        StatusCode,
        header::{HeaderName, HeaderValue},
    },
};
use http::HeaderMap;

use crate::validation::RequestChanges;

/// Remembers whether requests were found to have clones.
#[derive(Debug, Default)]
pub(super) struct RequestEditor(Cell<bool>);

/// The request has a clone, and headers that the handler must not see. The handler was not called.
#[derive(Debug)]
pub(super) struct ClonedRequest;

impl RequestEditor {
    /// As [`RequestChanges::apply`], on headers of the older `http` crate. If the request has a clone, headers that would
    /// only be added are left out: the handler then gives a complete response.
    pub(super) fn apply(
        &self,
        changes: &RequestChanges,
        request: &mut ServiceRequest,
    ) -> Result<(), ClonedRequest> {
        let mut given = HeaderMap::new();
        changes.clone().apply(&mut given);
        let removes = changes.removed_headers().any(|name| request.headers().contains_key(name.as_str()));
        if !removes && given.is_empty() {
            return Ok(());
        }
        if !self.can_change(request) {
            return if removes { Err(ClonedRequest) } else { Ok(()) };
        }
        let headers = request.headers_mut();
        for name in changes.removed_headers() {
            let Ok(theirs) = HeaderName::from_bytes(name.as_str().as_bytes()) else { continue };
            headers.remove(&theirs);
            let value = given.get(name).map(|value| HeaderValue::from_bytes(value.as_bytes()));
            if let Some(Ok(value)) = value {
                headers.insert(theirs, value);
            }
        }
        Ok(())
    }

    /// Whether the request can be changed.
    fn can_change(&self, request: &mut ServiceRequest) -> bool {
        if self.0.get() {
            return false;
        }
        // Nothing is half done when it panics: it looks at the number of clones first.
        let can_change = catch_unwind(AssertUnwindSafe(|| _ = request.headers_mut())).is_ok();
        if !can_change {
            self.0.set(true);
            tracing::warn!(
                "a middleware around HttpCache keeps a clone of the HttpRequest, so that the cache cannot change its \
                 headers: requests with conditions, or with headers that are to be removed, are passed to the handler \
                 unchanged, and their responses are not stored; drop the clone before the next service is called, or \
                 wrap HttpCache around that middleware"
            );
        }
        can_change
    }
}

impl fmt::Display for ClonedRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the request has a clone, and cannot be changed")
    }
}

impl ResponseError for ClonedRequest {
    /// Not a failure that a stale response may replace.
    fn status_code(&self) -> StatusCode {
        StatusCode::BAD_REQUEST
    }
}
