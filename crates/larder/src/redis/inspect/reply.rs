//! What is in a reply.

use ::redis::Value;

use crate::redis::connection::{CommandFailure, Reply};

/// Whether no value lies there, but a list, a stream, …
pub(super) fn is_of_another_type(reply: &Reply) -> bool {
    matches!(reply, Err(CommandFailure::Refused(error)) if error.code() == "WRONGTYPE")
}

pub(super) fn bytes(value: &Value) -> Option<&[u8]> {
    match value {
        Value::BulkString(bytes) => Some(bytes),
        Value::SimpleString(text) | Value::VerbatimString { text, .. } => Some(text.as_bytes()),
        _ => None,
    }
}

pub(super) fn text(value: &Value) -> String {
    bytes(value).map(|bytes| String::from_utf8_lossy(bytes).into_owned()).unwrap_or_default()
}

pub(super) fn number(value: &Value) -> u64 {
    match value {
        Value::Int(number) => u64::try_from(*number).unwrap_or(0),
        _ => 0,
    }
}
