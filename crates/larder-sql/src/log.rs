//! The invalidation log in tables: what both databases have in common.

mod connection;
mod pending_commits;

use std::{
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

use larder::{
    Epoch,
    internal::shared::{LogEnds, LogEntry, LogError, LogReply},
};

pub(crate) use self::{
    connection::{LogTables, TableLog},
    pending_commits::PendingCommits,
};
use crate::{epochs::epoch, statement_failure::mend};

/// The log as it is read: an answer to one statement, and so of one moment.
#[derive(Debug)]
pub(crate) struct Answer {
    /// The last epoch that was given, the oldest record that is there, and which log it is; none if there is no log.
    pub(crate) head: Option<Head>,
    /// From the position on, inclusive.
    pub(crate) rows: Vec<(i64, Vec<u8>)>,
    /// Of the database, if there is a log.
    pub(crate) time_ms: Option<u64>,
}

#[derive(Debug, Clone)]
pub(crate) struct Head {
    pub(crate) last: i64,
    pub(crate) first: Option<i64>,
    /// The first and the last record of committed transactions that wait to be taken into the log.
    pub(crate) pending: Option<(i64, i64)>,
}

impl Head {
    /// Both ends of the log, with its newest record if that was read.
    pub(crate) fn ends(&self, newest: Option<LogEntry>) -> LogEnds {
        LogEnds { first: self.first.map(epoch), last: epoch(self.last), newest }
    }
}

/// What a process has seen of a log, whatever connection it was on.
///
/// A database that is restored from a backup, or whose place another server took, may lack what was read before. Each
/// read begins with the newest record that was read: if another one is there, or none between records that are older and
/// newer, the history of data is another one too, and larder makes the log anew. If all that is there is newer, the record
/// was trimmed: that is for larder's reader to find, and no fault of the log.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    newest: Mutex<Option<(i64, Vec<u8>)>>,
    histories: AtomicU64,
}

impl Seen {
    /// How often the history turned out to be another one: a part of its name.
    pub(crate) fn histories(&self) -> u64 {
        self.histories.load(Relaxed)
    }

    /// Notes the newest record of the log that a process begins with.
    pub(crate) fn begins(&self, newest: Option<(i64, Vec<u8>)>) {
        *self.newest() = newest;
    }

    fn newest(&self) -> MutexGuard<'_, Option<(i64, Vec<u8>)>> {
        self.newest.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What a read from `after` on brought.
    ///
    /// # Errors
    ///
    /// If the record at `after` is not what it was.
    pub(crate) fn reply(&self, answer: Answer, after: i64, most: usize) -> Result<LogReply, LogError> {
        let Answer { head, mut rows, time_ms } = answer;
        let Some(head) = head else {
            return Ok(LogReply {
                news: Vec::new(),
                ends: None,
                older: Vec::new(),
                time_ms,
                is_set_back: false,
            });
        };
        let at_position = rows.first().is_some_and(|(id, _)| *id == after);
        let overlap = if at_position { Some(rows.remove(0)) } else { None };
        rows.truncate(most);
        let mut newest = self.newest();
        let is_trimmed = overlap.is_none() && head.first.is_some_and(|first| first > after);
        let is_known = |known: &(i64, Vec<u8>)| known.0 == after && Some(known) != overlap.as_ref();
        if !is_trimmed && newest.as_ref().is_some_and(is_known) {
            *newest = None;
            self.histories.fetch_add(1, Relaxed);
            return Err(LogError::new("the newest record that was read is not in the log any longer"));
        }
        if let Some(row) = rows.last().cloned().or(overlap) {
            *newest = Some(row);
        }
        drop(newest);
        let (news, ends) = (entries(&rows), Some(head.ends(None)));
        Ok(LogReply { news, ends, older: Vec::new(), time_ms, is_set_back: false })
    }
}

/// Rows as records.
pub(crate) fn entries(rows: &[(i64, Vec<u8>)]) -> Vec<LogEntry> {
    rows.iter().map(|(id, record)| LogEntry::new(epoch(*id), record)).collect()
}

/// Whether rows of that many records that were asked for, and one more for the position, may have more behind them.
pub(crate) fn rows_for(most: usize) -> i64 {
    i64::try_from(most).unwrap_or(i64::MAX - 1) + 1
}

/// Runs a step of the log within its limit.
pub(crate) async fn within<T>(
    limit: Duration,
    step: impl Future<Output = sqlx::Result<T>>,
) -> Result<T, LogError> {
    match tokio::time::timeout(limit, step).await {
        Ok(Ok(done)) => Ok(done),
        Ok(Err(error)) => Err(failure(error)),
        Err(_) => Err(LogError::new("no reply in time")),
    }
}

/// What the database said.
pub(crate) fn failure(error: sqlx::Error) -> LogError {
    let Some(said) = error.as_database_error() else {
        return LogError::new("the connection to the database broke").caused_by(error);
    };
    let failure = LogError::new("the database refuses a statement");
    match mend(said) {
        Some(mend) => failure.refused(said.message(), Some(mend.into())).caused_by(error),
        None => failure.caused_by(error),
    }
}

/// The epochs of `count` records, the last of which is `last`.
pub(crate) fn placed(last: i64, count: usize) -> Vec<Epoch> {
    let count = i64::try_from(count).unwrap_or(i64::MAX);
    (0..count).map(|index| epoch(last - (count - 1) + index)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(last: i64, rows: &[(i64, &[u8])]) -> Answer {
        Answer {
            head: Some(Head { last, first: Some(1), pending: None }),
            rows: rows.iter().map(|(id, record)| (*id, record.to_vec())).collect(),
            time_ms: None,
        }
    }

    #[test]
    fn a_read_begins_with_what_was_read_last() {
        let seen = Seen::default();
        let reply = seen.reply(answer(5, &[(5, b"a")]), 5, 10).unwrap();
        assert!(reply.news.is_empty());
        let reply = seen.reply(answer(7, &[(5, b"a"), (6, b"b"), (7, b"c")]), 5, 10).unwrap();
        assert_eq!(reply.news.len(), 2);
        assert!(seen.reply(answer(9, &[(9, b"d")]), 7, 10).is_err(), "it is gone");
        assert_eq!(seen.histories(), 1);
        assert!(seen.reply(answer(9, &[(9, b"d")]), 9, 10).is_ok(), "said once");
        assert!(seen.reply(answer(9, &[(9, b"e")]), 9, 10).is_err(), "another one");
    }

    /// That of this process alone: the log is as it should be, for all others.
    #[test]
    fn a_record_that_was_trimmed_is_no_other_history() {
        let seen = Seen::default();
        seen.reply(answer(5, &[(5, b"a")]), 5, 10).unwrap();
        let mut trimmed = answer(9, &[(8, b"c"), (9, b"d")]);
        trimmed.head.as_mut().unwrap().first = Some(8);
        assert_eq!(seen.reply(trimmed, 5, 10).unwrap().ends.unwrap().first, Some(epoch(8)));
        assert_eq!(seen.histories(), 0);
        let mut emptied = answer(9, &[]);
        emptied.head.as_mut().unwrap().first = None;
        assert!(seen.reply(emptied, 9, 10).is_err(), "trimming leaves the newest one");
    }

    #[test]
    fn no_more_records_are_returned_than_were_asked_for() {
        let seen = Seen::default();
        let reply = seen.reply(answer(9, &[(6, b"a"), (7, b"b"), (8, b"c")]), 5, 2).unwrap();
        assert_eq!(reply.news.len(), 2);
        assert_eq!(seen.newest.lock().unwrap().as_ref().unwrap().0, 7, "what is known is what was returned");
    }

    #[test]
    fn each_record_has_its_epoch() {
        let epochs = placed(10, 3);
        assert_eq!(epochs, [8, 9, 10].map(epoch));
    }
}
