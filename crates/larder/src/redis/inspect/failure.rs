//! What a server did not do, as an error that names the mend.

use std::sync::Arc;

use crate::{
    error::{Error, Kind},
    redis::{connection::CommandFailure, refusal::ServerReply, server_findings::Findings},
};

/// What an error says that mends it, where a server is there and cannot be used: a part of its text, after a `; `.
#[must_use]
pub fn mend_of(error: &Error) -> Option<&str> {
    error.mend()
}

/// The error of what was asked for with the command `what`, and what mends it. Who only looks needs no more
/// rights than that: those that a cache needs are not named.
pub(in crate::redis) fn refused(findings: &Findings, what: &str, failure: &CommandFailure) -> Error {
    match failure {
        CommandFailure::Refused(error) => {
            let reply = ServerReply::from(error);
            let reason = match findings.refusals.mend_of(&reply.0) {
                Some(mend) => format!("it refuses {what}; {mend}"),
                None => format!("it refuses {what}"),
            };
            Kind::Unavailable { reason, cause: Some(Arc::new(reply)) }.into()
        }
        CommandFailure::Unavailable(reason) => {
            let (reason, cause) = (format!("{reason} (at {what})"), reason.clone().into_cause());
            Kind::Unavailable { reason, cause }.into()
        }
    }
}
