//! What is answered: always JSON, never stored by any cache, never taken for anything else.

use bytes::Bytes;
use http::{HeaderValue, Response, StatusCode, header};
use serde_json::{Value, json};

/// A response.
pub(super) struct Answer {
    status: StatusCode,
    allow: Option<&'static str>,
    body: Value,
}

/// Why a request is not carried out. Nothing was changed.
#[derive(Debug)]
pub(super) struct Problem {
    status: StatusCode,
    /// The methods of a resource, if the method was wrong.
    allow: Option<&'static str>,
    /// For the client: says what is wrong, and what mends it.
    text: String,
}

impl Answer {
    pub(super) fn ok(body: Value) -> Self {
        Self::with(StatusCode::OK, body)
    }

    pub(super) fn with(status: StatusCode, body: Value) -> Self {
        Self { status, allow: None, body }
    }

    pub(super) fn into_response(self) -> Response<Bytes> {
        let mut response = Response::new(Bytes::from(self.body.to_string()));
        *response.status_mut() = self.status;
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
        if let Some(allow) = self.allow {
            headers.insert(header::ALLOW, HeaderValue::from_static(allow));
        }
        response
    }
}

impl Problem {
    pub(super) fn new(status: StatusCode, text: impl Into<String>) -> Self {
        Self { status, allow: None, text: text.into() }
    }

    /// The client's mistake.
    pub(super) fn bad(text: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, text)
    }

    pub(super) fn method(allow: &'static str) -> Self {
        let text = format!("this route takes {allow}");
        Self { allow: Some(allow), ..Self::new(StatusCode::METHOD_NOT_ALLOWED, text) }
    }
}

impl From<Problem> for Answer {
    fn from(problem: Problem) -> Self {
        let Problem { status, allow, text } = problem;
        Self { allow, ..Self::with(status, json!({ "error": text })) }
    }
}
