//! Requests that a middleware around the cache keeps a clone of.
//!
//! Actix shares a request among its clones, and changes none that has any: `headers_mut` panics then, and nothing tells
//! before. So the first such request of a middleware finds out, and the next ones are not tried.

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

use crate::conditional::Changes;

/// Whether requests were found to be kept elsewhere.
#[derive(Debug, Default)]
pub(super) struct Kept(Cell<bool>);

/// The handler would see headers that it is not to see. It was not asked.
#[derive(Debug)]
pub(super) struct KeptElsewhere;

impl Kept {
    /// As [`Changes::apply`], on headers of the `http` crate's older version. They are not touched where nothing
    /// changes. Where they cannot be changed, what would only be added is left out: its handler answers in full.
    pub(super) fn apply(&self, changes: &Changes, request: &mut ServiceRequest) -> Result<(), KeptElsewhere> {
        let mut given = HeaderMap::new();
        changes.clone().apply(&mut given);
        let removes = changes.removed().any(|name| request.headers().contains_key(name.as_str()));
        if !removes && given.is_empty() {
            return Ok(());
        }
        if !self.is_free(request) {
            return if removes { Err(KeptElsewhere) } else { Ok(()) };
        }
        let headers = request.headers_mut();
        for name in changes.removed() {
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
    fn is_free(&self, request: &mut ServiceRequest) -> bool {
        if self.0.get() {
            return false;
        }
        // Nothing is half done where it panics: it looks at the number of clones first.
        let is_free = catch_unwind(AssertUnwindSafe(|| _ = request.headers_mut())).is_ok();
        if !is_free {
            self.0.set(true);
            tracing::warn!(
                "a middleware around HttpCache keeps a clone of the HttpRequest, so that the cache cannot change its \
                 headers: requests with conditions, or with headers that handlers are not to see, go to the handler \
                 as they are, and their responses are not stored; drop the clone before the next service is called, \
                 or wrap HttpCache around that middleware"
            );
        }
        is_free
    }
}

impl fmt::Display for KeptElsewhere {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the request is kept elsewhere, and cannot be changed")
    }
}

impl ResponseError for KeptElsewhere {
    /// None of the handler's own failures, which a stale response could be in place of.
    fn status_code(&self) -> StatusCode {
        StatusCode::BAD_REQUEST
    }
}
