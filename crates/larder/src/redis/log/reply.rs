//! The server's replies about the log.

use std::str;

use ::redis::Value;

use super::{appending::FIELD, connect::refused};
use crate::{
    epoch::Epoch,
    redis::server_info,
    shared_log::contract::{LogEnds, LogEntry, LogError},
};

/// What a command said, unless it failed.
pub(super) fn said(value: Value) -> Result<Value, LogError> {
    match value {
        Value::ServerError(error) => Err(refused(&error)),
        value => Ok(value),
    }
}

fn strange() -> LogError {
    LogError::new("a reply of the server makes no sense")
}

/// Whether an explicit ID was refused because there is a higher one already.
pub(super) fn is_overtaken(value: &Value) -> bool {
    matches!(value, Value::ServerError(error)
        if error.details().is_some_and(|details| details.contains("equal or smaller")))
}

fn bytes(value: &Value) -> Option<&[u8]> {
    match value {
        Value::BulkString(bytes) => Some(bytes),
        Value::SimpleString(text) | Value::VerbatimString { text, .. } => Some(text.as_bytes()),
        _ => None,
    }
}

pub(super) fn text(value: Value) -> Result<String, LogError> {
    let value = said(value)?;
    Ok(String::from_utf8_lossy(bytes(&value).ok_or_else(strange)?).into_owned())
}

/// What TIME says, in milliseconds.
pub(super) fn time_ms(value: Value) -> Result<u64, LogError> {
    server_info::time_ms(&said(value)?).ok_or_else(strange)
}

/// An ID. One beyond what an epoch can hold is [`Epoch::MAX`], which every reader of the log refuses: cut short, it
/// would be taken for another one.
pub(super) fn epoch(value: &Value) -> Result<Epoch, LogError> {
    let text = bytes(value).and_then(|bytes| str::from_utf8(bytes).ok()).ok_or_else(strange)?;
    let (milliseconds, sequence) = text.split_once('-').ok_or_else(strange)?;
    let number = |text: &str| text.parse::<u64>().map_err(|_| strange());
    Ok(Epoch::from_id(number(milliseconds)?, number(sequence)?).unwrap_or(Epoch::MAX))
}

/// What XRANGE and XREVRANGE say.
pub(super) fn entries(value: Value) -> Result<Vec<LogEntry>, LogError> {
    match said(value)? {
        Value::Array(entries) => entries.iter().map(entry).collect(),
        _ => Err(strange()),
    }
}

/// What XREAD says of one log.
pub(super) fn news(value: Value) -> Result<Vec<LogEntry>, LogError> {
    match said(value)? {
        Value::Nil => Ok(Vec::new()),
        Value::Array(mut logs) if logs.len() == 1 => match logs.pop() {
            Some(Value::Array(mut log)) if log.len() == 2 => entries(log.pop().unwrap_or_default()),
            _ => Err(strange()),
        },
        Value::Map(mut logs) if logs.len() == 1 => {
            entries(logs.pop().map(|(_, entries)| entries).unwrap_or_default())
        }
        _ => Err(strange()),
    }
}

fn entry(value: &Value) -> Result<LogEntry, LogError> {
    let Value::Array(parts) = value else { return Err(strange()) };
    let [id, fields] = parts.as_slice() else { return Err(strange()) };
    let epoch = epoch(id)?;
    let record = match fields {
        Value::Array(fields) => match fields.as_slice() {
            [name, value] if bytes(name) == Some(FIELD.as_bytes()) => bytes(value),
            _ => None,
        },
        _ => None,
    };
    // None of ours has no bytes.
    Ok(LogEntry::new(epoch, record.unwrap_or_default()))
}

/// What XINFO STREAM says: none if there is no log.
pub(super) fn ends(value: Value) -> Result<Option<LogEnds>, LogError> {
    let fields = match value {
        Value::ServerError(error) if error.details().is_some_and(|text| text.contains("no such key")) => {
            return Ok(None);
        }
        value => match said(value)? {
            Value::Map(fields) => fields,
            Value::Array(flat) => {
                let mut flat = flat.into_iter();
                std::iter::from_fn(|| flat.next().zip(flat.next())).collect()
            }
            _ => return Err(strange()),
        },
    };
    let field = |name: &str| {
        fields.iter().find(|(key, _)| bytes(key) == Some(name.as_bytes())).map(|(_, value)| value)
    };
    let first = match field("first-entry") {
        Some(Value::Nil) => None,
        Some(Value::Array(parts)) => Some(epoch(parts.first().ok_or_else(strange)?)?),
        _ => return Err(strange()),
    };
    let last = epoch(field("last-generated-id").ok_or_else(strange)?)?;
    let newest = match field("last-entry") {
        Some(newest @ Value::Array(_)) => Some(entry(newest)?),
        _ => None,
    };
    Ok(Some(LogEnds { first, last, newest }))
}
