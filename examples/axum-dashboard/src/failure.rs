//! What clients are told when they do not get what they asked for: `{"error": "…"}`.

use axum::{
    Json,
    extract::{
        FromRequest, FromRequestParts,
        rejection::{JsonRejection, PathRejection, QueryRejection},
    },
    http::StatusCode,
    response::{IntoResponse, Response},
};
use serde_json::json;

pub enum Failure {
    NotFound,
    /// The client's mistake.
    Refused(StatusCode, String),
    /// Ours.
    Internal(anyhow::Error),
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        let (status, text) = match self {
            Self::NotFound => (StatusCode::NOT_FOUND, "there is nothing of that name".to_owned()),
            Self::Refused(status, text) => (status, text),
            Self::Internal(error) => {
                // For us, and not for the client: it may tell how the service works inside.
                tracing::error!("{error:#}");
                (StatusCode::INTERNAL_SERVER_ERROR, "something went wrong here".to_owned())
            }
        };
        (status, Json(json!({ "error": text }))).into_response()
    }
}

impl From<anyhow::Error> for Failure {
    fn from(error: anyhow::Error) -> Self {
        Self::Internal(error)
    }
}

/// Axum's, with our failures.
#[derive(FromRequest)]
#[from_request(via(Json), rejection(Failure))]
pub struct Body<T>(pub T);

/// Axum's, with our failures.
#[derive(FromRequestParts)]
#[from_request(via(axum::extract::Path), rejection(Failure))]
pub struct Path<T>(pub T);

/// Axum's, with our failures.
#[derive(FromRequestParts)]
#[from_request(via(axum::extract::Query), rejection(Failure))]
pub struct Query<T>(pub T);

impl From<JsonRejection> for Failure {
    fn from(rejection: JsonRejection) -> Self {
        Self::Refused(rejection.status(), rejection.body_text())
    }
}

impl From<PathRejection> for Failure {
    fn from(rejection: PathRejection) -> Self {
        Self::Refused(rejection.status(), rejection.body_text())
    }
}

impl From<QueryRejection> for Failure {
    fn from(rejection: QueryRejection) -> Self {
        Self::Refused(rejection.status(), rejection.body_text())
    }
}
