//! How records are appended, and under which IDs.

use ::redis::Pipeline;

use super::record::{Content, FIELD};
use crate::epoch::Epoch;

/// How many records the log keeps, about.
pub(super) const MOST_RECORDS: usize = 100_000;

/// Appends a record to the log, if it is there.
pub(super) fn append(commands: &mut Pipeline, key: &str, id: &str, content: &Content) {
    commands.cmd("XADD").arg(key).arg("NOMKSTREAM").arg("MAXLEN").arg("~").arg(MOST_RECORDS).arg(id);
    commands.arg(FIELD).arg(content.encode());
}

/// The server's own ID, unless its sequence is about to leave what an epoch can hold: then the first one of the next
/// millisecond.
pub(super) fn next_id(last: Epoch) -> String {
    last.next_millisecond_near_end().map_or_else(|| "*".to_owned(), |id| id.to_string())
}

/// The ID by which a process marks its new start: in a millisecond that no record was in so far.
///
/// A server that took the place of another one may lack the last records, and would give their IDs once more: while the
/// log is ahead of the clock they differ by their sequence only. Entries that were made after the lost records would
/// be newer than what is invalidated now.
pub(super) fn start_id(last: Epoch, now: Option<u64>) -> String {
    Epoch::mark(last, now.unwrap_or(0)).map_or_else(|| "*".to_owned(), |id| id.to_string())
}
