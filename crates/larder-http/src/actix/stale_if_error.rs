//! A stale response in place of an error of an inner service that has no response.

use std::fmt;

use actix_http::body::{self, BoxBody};
use actix_web::{HttpResponse, ResponseError, http as actix};
use bytes::Bytes;
use http::{HeaderMap, Response, StatusCode};

use super::http_types::write_head;
use crate::body::ResponseBody;

/// A stale response in place of an error. The request is lost with the error, so Actix needs an error again: this one has
/// the stale response.
#[derive(Debug)]
pub(super) struct StaleIfError {
    status: StatusCode,
    headers: HeaderMap,
    /// None if no body is sent.
    body: Option<Bytes>,
}

impl StaleIfError {
    pub(super) fn new<B>(response: Response<ResponseBody<B>>) -> Self {
        let (parts, body) = response.into_parts();
        Self { status: parts.status, headers: parts.headers, body: body.into_whole() }
    }
}

impl fmt::Display for StaleIfError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the handler failed, and a stale response is served in place of the error")
    }
}

impl ResponseError for StaleIfError {
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
