//! What clients are told when they do not get what they asked for: `{"error": "…"}`.

use std::fmt;

use actix_web::{
    HttpResponse, ResponseError,
    error::JsonPayloadError,
    http::StatusCode,
    web::{JsonConfig, PathConfig, QueryConfig, ServiceConfig},
};
use serde_json::json;

#[derive(Debug)]
pub enum Failure {
    NotFound,
    /// The client's mistake.
    Refused(StatusCode, String),
    /// Ours.
    Internal(anyhow::Error),
}

impl ResponseError for Failure {
    fn status_code(&self) -> StatusCode {
        match self {
            Self::NotFound => StatusCode::NOT_FOUND,
            Self::Refused(status, _) => *status,
            Self::Internal(_) => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    fn error_response(&self) -> HttpResponse {
        if let Self::Internal(error) = self {
            // For us, and not for the client: it may tell how the service works inside.
            tracing::error!("{error:#}");
        }
        HttpResponse::build(self.status_code()).json(json!({ "error": self.to_string() }))
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotFound => f.write_str("there is nothing of that name"),
            Self::Refused(_, text) => f.write_str(text),
            Self::Internal(_) => f.write_str("something went wrong here"),
        }
    }
}

impl From<anyhow::Error> for Failure {
    fn from(error: anyhow::Error) -> Self {
        Self::Internal(error)
    }
}

/// Actix' extractors, with our failures.
pub fn configure(service: &mut ServiceConfig) {
    service
        .app_data(JsonConfig::default().error_handler(|error, _| refused(status(&error), &error)))
        .app_data(PathConfig::default().error_handler(|error, _| refused(StatusCode::BAD_REQUEST, &error)))
        .app_data(QueryConfig::default().error_handler(|error, _| refused(StatusCode::BAD_REQUEST, &error)));
}

/// 422 for JSON that is not what it should be, as opposed to no JSON at all.
fn status(error: &JsonPayloadError) -> StatusCode {
    match error {
        JsonPayloadError::Deserialize(reason) if reason.is_data() => StatusCode::UNPROCESSABLE_ENTITY,
        _ => error.status_code(),
    }
}

fn refused(status: StatusCode, error: &dyn fmt::Display) -> actix_web::Error {
    Failure::Refused(status, error.to_string()).into()
}
