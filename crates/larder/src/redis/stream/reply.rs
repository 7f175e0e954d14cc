//! The server's replies about a stream.

use std::str;

use ::redis::Value;

use crate::error::{Error, Kind, Result};

/// What lies in a stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct RawRecord {
    pub(crate) id: String,
    /// Names and values, in their order.
    pub(crate) fields: Vec<(Vec<u8>, Vec<u8>)>,
}

impl RawRecord {
    /// The first field of this name.
    pub(crate) fn field(&self, name: &str) -> Option<&[u8]> {
        self.fields.iter().find(|(field, _)| field == name.as_bytes()).map(|(_, value)| &value[..])
    }

    /// The same, if it is a text.
    pub(crate) fn text(&self, name: &str) -> Option<&str> {
        str::from_utf8(self.field(name)?).ok()
    }
}

pub(in crate::redis) fn strange() -> Error {
    Kind::unavailable("a reply about a stream makes no sense: is that a Redis of 6.2 or newer?").into()
}

pub(in crate::redis) fn text(value: &Value) -> Result<String> {
    match value {
        Value::BulkString(bytes) => str::from_utf8(bytes).map(str::to_owned).map_err(|_| strange()),
        Value::SimpleString(text) | Value::VerbatimString { text, .. } => Ok(text.clone()),
        _ => Err(strange()),
    }
}

/// How many are asked for: the server's numbers are signed.
pub(in crate::redis) fn count(count: usize) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

pub(in crate::redis) fn number(value: &Value) -> Result<u64> {
    match value {
        Value::Int(number) => u64::try_from(*number).map_err(|_| strange()),
        _ => Err(strange()),
    }
}

/// What `XRANGE` and `XAUTOCLAIM` list. Redis 6.2 lists a nil for each record that was deleted under its consumer.
pub(in crate::redis) fn records(value: &Value) -> Result<Vec<RawRecord>> {
    let Value::Array(records) = value else { return Err(strange()) };
    records.iter().filter(|record| !matches!(record, Value::Nil)).map(record).collect()
}

/// What a script had of `XREADGROUP` on one stream; nothing if there was none.
pub(in crate::redis) fn of_stream(value: &Value) -> Result<Vec<RawRecord>> {
    let Value::Array(streams) = value else { return Err(strange()) };
    match &streams[..] {
        [] => Ok(Vec::new()),
        [Value::Array(stream)] => records(stream.get(1).ok_or_else(strange)?),
        _ => Err(strange()),
    }
}

fn record(value: &Value) -> Result<RawRecord> {
    let Value::Array(parts) = value else { return Err(strange()) };
    let [id, fields] = &parts[..] else { return Err(strange()) };
    let fields = match fields {
        Value::Array(words) => words
            .chunks_exact(2)
            .map(|pair| Ok((bytes(&pair[0])?, bytes(&pair[1])?)))
            .collect::<Result<_>>()?,
        // It was deleted, and still counts as delivered to a consumer.
        Value::Nil => Vec::new(),
        _ => return Err(strange()),
    };
    Ok(RawRecord { id: text(id)?, fields })
}

fn bytes(value: &Value) -> Result<Vec<u8>> {
    match value {
        Value::BulkString(bytes) => Ok(bytes.clone()),
        Value::SimpleString(text) | Value::VerbatimString { text, .. } => Ok(text.clone().into_bytes()),
        _ => Err(strange()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bulk(text: &str) -> Value {
        Value::BulkString(text.into())
    }

    #[test]
    fn a_reply_that_makes_no_sense_is_an_error_and_no_panic() {
        let record = |fields: Value| Value::Array(vec![bulk("1-1"), fields]);
        let good = record(Value::Array(vec![bulk("k"), bulk("a")]));
        let list = Value::Array(vec![good.clone(), Value::Nil, record(Value::Nil)]);
        let read = records(&list).expect("it is a list of records");
        assert_eq!((read.len(), read[0].text("k"), read[0].text("v")), (2, Some("a"), None));
        assert_eq!(read[1].fields, []);
        for strange in [
            Value::Nil,
            Value::Int(1),
            Value::Array(vec![Value::Int(1)]),
            Value::Array(vec![Value::Array(vec![bulk("1-1")])]),
            Value::Array(vec![Value::Array(vec![Value::Int(1), Value::Nil])]),
            Value::Array(vec![record(Value::Int(3))]),
            Value::Array(vec![record(Value::Array(vec![Value::Int(1), bulk("a")]))]),
        ] {
            assert!(records(&strange).is_err(), "{strange:?}");
            assert!(of_stream(&Value::Array(vec![strange.clone()])).is_err(), "{strange:?}");
        }
        let stream = Value::Array(vec![Value::Array(vec![bulk("s"), Value::Array(vec![good])])]);
        assert_eq!(of_stream(&stream).expect("it is a stream").len(), 1);
    }
}
