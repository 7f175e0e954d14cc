//! What a request asks for.

use http::{HeaderValue, Method, StatusCode};
use serde::Deserialize;

use super::{answer::Problem, explain, keys, percent};

/// A request without its body.
pub(super) struct Head {
    pub(super) method: Method,
    /// Behind the place where the routes are mounted.
    pub(super) path: String,
    pub(super) query: Option<String>,
    pub(super) content_type: Option<HeaderValue>,
}

/// What is to be done. Those that change something are `POST`, and have a body of JSON.
#[derive(Debug)]
pub(super) enum Operation {
    Stats,
    Keys(keys::Asked),
    Explain(explain::Asked),
    Health,
    Invalidate,
    Disable,
    Enable,
}

impl Operation {
    pub(super) fn of(head: &Head) -> Result<Self, Problem> {
        let path = head.path.strip_prefix('/').unwrap_or(&head.path);
        let parameters = || percent::parameters(head.query.as_deref());
        let operation = match path {
            "stats" => Self::Stats,
            "keys" => Self::Keys(keys::Asked::of(parameters()?)?),
            "health" => Self::Health,
            "invalidate" => Self::Invalidate,
            "disable" => Self::Disable,
            "enable" => Self::Enable,
            _ => match path.strip_prefix("explain/") {
                Some(key) => Self::Explain(explain::Asked::of(percent::decode(key)?, parameters()?)?),
                None => return Err(unknown()),
            },
        };
        operation.check(head)?;
        Ok(operation)
    }

    fn changes(&self) -> bool {
        matches!(self, Self::Invalidate | Self::Disable | Self::Enable)
    }

    fn check(&self, head: &Head) -> Result<(), Problem> {
        match self.changes() {
            false if [Method::GET, Method::HEAD].contains(&head.method) => Ok(()),
            false => Err(Problem::method("GET, HEAD")),
            true if head.method != Method::POST => Err(Problem::method("POST")),
            true if !is_json(head.content_type.as_ref()) => Err(Problem::new(
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                "send JSON, with the header `Content-Type: application/json`",
            )),
            true => Ok(()),
        }
    }
}

fn unknown() -> Problem {
    Problem::new(
        StatusCode::NOT_FOUND,
        "there are GET /stats, /keys, /explain/KEY and /health, and POST /invalidate, /disable and /enable",
    )
}

/// A form of another site can send `text/plain` and the types of forms, and this one only with leave (CORS).
fn is_json(content_type: Option<&HeaderValue>) -> bool {
    let essence = content_type.and_then(|value| value.to_str().ok()?.split(';').next());
    essence.is_some_and(|essence| essence.trim().eq_ignore_ascii_case("application/json"))
}

/// Reads a body.
pub(super) fn read_json<'b, T: Deserialize<'b>>(body: &'b [u8]) -> Result<T, Problem> {
    serde_json::from_slice(body)
        .map_err(|error| Problem::bad(format!("the body is not what it should be: {error}")))
}

/// Checks the body of an operation that takes no arguments.
pub(super) fn no_arguments(body: &[u8]) -> Result<(), Problem> {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Nothing {}

    if body.is_empty() {
        return Ok(());
    }
    read_json(body).map(|Nothing {}| ())
}
