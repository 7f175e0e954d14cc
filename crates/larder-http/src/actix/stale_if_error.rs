//! A stale response where an inner service fails without a response.

use std::fmt;

use actix_http::body::{self, BoxBody};
use actix_web::{HttpResponse, ResponseError, http as actix};
use bytes::Bytes;
use http::{HeaderMap, Response, StatusCode};

use super::write_head;
use crate::body::ResponseBody;

/// A stale response in place of an error of an inner service's. The request is gone with the error, so that to
/// Actix the response is one, too: that of another error.
#[derive(Debug)]
pub(super) struct InPlaceOfError {
    status: StatusCode,
    headers: HeaderMap,
    /// None where there is none to be sent.
    body: Option<Bytes>,
}

impl InPlaceOfError {
    pub(super) fn new<B>(response: Response<ResponseBody<B>>) -> Self {
        let (parts, body) = response.into_parts();
        Self { status: parts.status, headers: parts.headers, body: body.into_whole() }
    }
}

impl fmt::Display for InPlaceOfError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the handler failed, and a stale response is in its place")
    }
}

impl ResponseError for InPlaceOfError {
    fn status_code(&self) -> actix::StatusCode {
        self.error_response().status()
    }

    fn error_response(&self) -> HttpResponse {
        let body = match &self.body {
            Some(body) => BoxBody::new(body.clone()),
            None => BoxBody::new(body::None::new()),
        };
        let mut response = HttpResponse::with_body(actix::StatusCode::OK, body);
        write_head(&mut response, self.status, &self.headers);
        response
    }
}
