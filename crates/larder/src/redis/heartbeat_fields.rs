//! The hash in which processes publish their heartbeats: what its fields hold, and when those that have ended are deleted.

use std::{
    sync::Mutex,
    time::{Duration, Instant},
};

use ::redis::Value;

use crate::sync::plain::lock;

/// How many processes have room.
pub(super) const MOST: usize = 1_000;

/// So many fields may have ended before that is worth a look.
const SPARE: usize = 16;

/// The shortest time between two looks of one process.
const AGAIN: Duration = Duration::from_secs(60);

/// A heartbeat that ends at this time of the server, in milliseconds since 1970.
pub(super) fn field(until_ms: u64, text: &str) -> String {
    format!("{until_ms} {text}")
}

/// The text of a heartbeat that has not ended.
pub(super) fn live(field: &[u8], now_ms: u64) -> Option<&[u8]> {
    let end = field.iter().position(|byte| *byte == b' ')?;
    let until: u64 = std::str::from_utf8(&field[..end]).ok()?.parse().ok()?;
    (until > now_ms).then_some(&field[end + 1..])
}

/// The names and the values in a reply to `HGETALL`.
pub(super) fn pairs(reply: &Value) -> Vec<(&[u8], &[u8])> {
    match reply {
        Value::Map(fields) => {
            fields.iter().filter_map(|(name, value)| Some((bytes(name)?, bytes(value)?))).collect()
        }
        Value::Array(words) => {
            let (fields, _) = words.as_chunks::<2>();
            fields.iter().filter_map(|[name, value]| Some((bytes(name)?, bytes(value)?))).collect()
        }
        _ => Vec::new(),
    }
}

fn bytes(value: &Value) -> Option<&[u8]> {
    match value {
        Value::BulkString(bytes) => Some(bytes),
        _ => None,
    }
}

/// When this process last deleted what had ended, and how many were left.
#[derive(Debug, Default)]
pub(super) struct LastTidying(Mutex<Option<(Instant, usize)>>);

impl LastTidying {
    /// Whether it is time to do it again, where there are so many fields: they have doubled since, or there may be no room
    /// for this process, which is new.
    pub(super) fn is_due(&self, fields: usize, is_new: bool) -> bool {
        match *lock(&self.0) {
            None => fields > SPARE,
            Some((at, _)) if at.elapsed() < AGAIN => false,
            Some((_, left)) => fields > 2 * left + SPARE || (is_new && fields > MOST),
        }
    }

    pub(super) fn done(&self, left: usize) {
        *lock(&self.0) = Some((Instant::now(), left));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_heartbeat_ends_by_itself() {
        let kept = field(1_000, r#"{"process":"a b"}"#);
        assert_eq!(live(kept.as_bytes(), 999), Some(r#"{"process":"a b"}"#.as_bytes()));
        assert_eq!(live(kept.as_bytes(), 1_000), None);
        for foreign in ["", "7", "x {}", "-1 {}", "99999999999999999999 {}"] {
            assert_eq!(live(foreign.as_bytes(), 0), None, "{foreign}");
        }
    }

    #[test]
    fn what_has_ended_is_looked_for_when_there_is_more_of_it() {
        let last = LastTidying::default();
        assert!(!last.is_due(SPARE, true) && last.is_due(SPARE + 1, true));
        last.done(100);
        assert!(!last.is_due(10_000, true), "it was done just now");
        let long_ago = |left| *lock(&last.0) = Instant::now().checked_sub(AGAIN).map(|then| (then, left));
        long_ago(100);
        assert!(!last.is_due(2 * 100 + SPARE, false) && last.is_due(2 * 100 + SPARE + 1, false));
        long_ago(MOST);
        assert!(!last.is_due(MOST + 1, false) && last.is_due(MOST + 1, true));
    }
}
