//! How records are appended.

use ::redis::Pipeline;

use crate::epoch::Epoch;

/// The one field of a record.
pub(super) const FIELD: &str = "r";

/// How many records the log keeps, about.
pub(super) const MOST_RECORDS: usize = 100_000;

/// Appends a record to the log, if it is there: under this ID, or else under the server's own.
pub(super) fn append(commands: &mut Pipeline, key: &str, id: Option<Epoch>, record: Vec<u8>) {
    commands.cmd("XADD").arg(key).arg("NOMKSTREAM").arg("MAXLEN").arg("~").arg(MOST_RECORDS);
    commands.arg(id.map_or_else(|| "*".to_owned(), |id| id.to_string()));
    commands.arg(FIELD).arg(record);
}
