//! The contract of an invalidation log: what larder asks of whatever keeps one.
//!
//! A log is a sequence of records, each under an [`Epoch`] that is above those of all records before it. Every process
//! that shares the log follows it from a position of its own, and appends what it invalidates. larder's reader and sender
//! do all the rest: the outbox, positions, proof of contact, new starts, resets. What keeps the log has to promise:
//!
//! 1. **One order.** Who reads a record under an epoch has read, or can read by the same call, all records below it that
//!    were ever appended and not trimmed. None appears later below one that could be read before: where appends can
//!    overlap, they take turns until each can be seen.
//! 2. **Epochs grow.** None is given twice, and each is at least the time of the store's own clock, in milliseconds and a
//!    sequence number, as [`Epoch`] has them.
//! 3. **Trimming is from the oldest end**, and leaves the newest record.
//! 4. **What is acknowledged is kept**, as far as the store can say so of anything.
//! 5. **A log that is lost is not an empty one.** If it is not there, [`ends`](LogConnection::look) says `None`. If it is
//!    another one than before, its last epoch is below what was seen, or the [`history`](LogServer::history) is another, or
//!    a read says that the record it knows is gone ([`is_set_back`](LogReply::is_set_back)), or is an error. Its last epoch
//!    alone would not tell: who has not noticed so far appends above what was seen.
//! 6. **Every call ends**, with an error if need be, about when its limit is over.
//!
//! Then the promises of [the one rule](crate::guide::one_rule) hold between all that share the log. What is lost (records
//! trimmed before a process read them, the log itself, the end of it in a failover) makes everything invalid once for those who
//! cannot prove otherwise.

use std::{borrow::Cow, error::Error as StdError, fmt, sync::Arc, time::Duration};

use async_trait::async_trait;

use super::record::Content;
use crate::{
    epoch::Epoch,
    error::{Cause, Error, Kind},
    error_chain::in_full,
    link::Operation,
};

/// Where a log is kept. Object-safe.
#[async_trait]
pub trait LogStore: Send + Sync + 'static {
    /// A new connection, to the one place where records of this log are appended now. Must end within a time of its own.
    ///
    /// # Errors
    ///
    /// If there is none to be had.
    async fn connect(&self, purpose: Purpose) -> Result<Box<dyn LogConnection>, LogError>;
}

/// What a connection is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// It waits for news of the log.
    Read,
    /// It appends to the log.
    Append,
}

/// What a connection leads to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogServer {
    /// Which history its data has: another one after each failover and each loss that the server knows of. Records are
    /// appended only where the history is that of the log that is followed.
    pub history: String,
    /// A number that no other connection to it has at the same time; zero where there is none to be had.
    pub connection: u64,
    /// Its clock, in milliseconds since 1970.
    pub time_ms: u64,
}

/// A connection to a log. It is given up after an error.
///
/// `limit` is how long the store may take, besides the time that it is to wait.
#[async_trait]
pub trait LogConnection: Send {
    /// What it leads to.
    fn server(&self) -> &LogServer;

    /// What stood in the way of appending when it was opened.
    fn objection(&self) -> Option<&LogError> {
        None
    }

    /// Whether opening it showed that nothing does, if there is no objection: a store that was not asked may refuse the next
    /// record as it did the last one.
    fn tried_appending(&self) -> bool {
        false
    }

    /// The records after a position, and both ends of the log as they were then, or later.
    ///
    /// # Errors
    ///
    /// If they cannot be read.
    async fn read(&mut self, read: &LogRead, limit: Duration) -> Result<LogReply, LogError>;

    /// Both ends of the log, if there is one, and the time of the store in milliseconds since 1970.
    ///
    /// # Errors
    ///
    /// If they cannot be read.
    async fn look(&mut self, limit: Duration) -> Result<(Option<LogEnds>, u64), LogError>;

    /// The records from `from` (inclusive) up to `below` (exclusive; to the end without it), newest first, `most` at most.
    ///
    /// # Errors
    ///
    /// If they cannot be read.
    async fn newest(
        &mut self,
        from: Epoch,
        below: Option<Epoch>,
        most: usize,
        limit: Duration,
    ) -> Result<Vec<LogEntry>, LogError>;

    /// Appends a record at this very epoch, to a log that is made for it if there is none. False if the log has come to
    /// that epoch already.
    ///
    /// # Errors
    ///
    /// If it cannot be appended.
    async fn create(&mut self, epoch: Epoch, record: Vec<u8>, limit: Duration) -> Result<bool, LogError>;

    /// Puts a log with one record, at this epoch, in the place of one whose last epoch is in a later millisecond than
    /// `above_ms`, in one step. False if there is no such log any longer.
    ///
    /// # Errors
    ///
    /// If that cannot be done.
    async fn lower(
        &mut self,
        above_ms: u64,
        epoch: Epoch,
        record: Vec<u8>,
        limit: Duration,
    ) -> Result<bool, LogError>;

    /// Appends records to the log, if it is there, in their order; then deletes the entries and counters of keys, which
    /// may fail in silence.
    ///
    /// # Errors
    ///
    /// If nothing is known of what was appended.
    async fn append(&mut self, append: Appending<'_>, limit: Duration) -> Result<Appended, LogError>;

    /// Does what shows that the connection is alive, and nothing else.
    ///
    /// # Errors
    ///
    /// If it is not.
    async fn nudge(&mut self, limit: Duration) -> Result<(), LogError>;
}

/// What a read asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogRead {
    /// Records after this one.
    pub after: Epoch,
    /// The newest record that was read so far: whether it is still there.
    pub known: Option<LogEntry>,
    /// So many at most, and of older ones too.
    pub most: usize,
    /// How long to wait for one, if there is none.
    pub wait: Option<Duration>,
    /// Also the records below this one, newest first.
    pub older_than: Option<Epoch>,
}

/// What a read brought.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogReply {
    /// The records that were asked for, oldest first.
    pub news: Vec<LogEntry>,
    /// Both ends of the log, looked at with these records or after them; none if there is no log.
    pub ends: Option<LogEnds>,
    /// The older records that were asked for, newest first.
    pub older: Vec<LogEntry>,
    /// The time of the store in milliseconds since 1970, if it was asked.
    pub time_ms: Option<u64>,
    /// The newest record that was read so far is not in the log any longer, looked at with these records or after them.
    /// A store whose [`history`](LogServer::history) changes with that, or that says so by an error, need not look.
    pub is_set_back: bool,
}

/// A record as it was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogEntry {
    pub(crate) epoch: Epoch,
    /// None if it is no record of ours.
    pub(crate) content: Option<Content>,
}

impl LogEntry {
    /// From the bytes of a record.
    #[must_use]
    pub fn new(epoch: Epoch, record: &[u8]) -> Self {
        Self { epoch, content: Content::decode(record) }
    }

    /// Its epoch.
    #[must_use]
    pub fn epoch(&self) -> Epoch {
        self.epoch
    }
}

/// The two ends of the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogEnds {
    /// The oldest record that is still there.
    pub first: Option<Epoch>,
    /// The last epoch that was given, whether its record is still there or not.
    pub last: Epoch,
    /// The newest record that is still there.
    pub newest: Option<LogEntry>,
}

/// What is to be appended, in this order.
#[derive(Debug, Default)]
pub struct Appending<'a> {
    /// The mark of a process that begins to append, and the epoch that it is to have, if any.
    pub start: Option<(Option<Epoch>, Vec<u8>)>,
    /// The epoch of the first of the records, if it is to have a certain one.
    pub first: Option<Epoch>,
    /// Records whose epochs are told.
    pub records: Vec<Vec<u8>>,
    /// Records whose epochs are of no interest: for callers who wait for a value.
    pub wakes: Vec<Vec<u8>>,
    /// Keys whose entries and counters are to be deleted.
    pub keys: &'a [Arc<str>],
}

impl Appending<'_> {
    /// Whether there is nothing to do.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.start.is_none() && self.records.is_empty() && self.wakes.is_empty() && self.keys.is_empty()
    }
}

/// What came of appending.
#[derive(Debug, Default)]
pub struct Appended {
    /// Of the mark, if there was one.
    pub start: Option<Result<Placed, LogError>>,
    /// Of each record, in their order.
    pub records: Vec<Result<Placed, LogError>>,
}

/// Where a record was appended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Placed {
    /// At this epoch.
    At(Epoch),
    /// Nowhere: the log has come to the epoch that it was to have.
    Overtaken,
    /// Nowhere: there is no log.
    NoLog,
}

/// Why the log is out of reach. Never names a password.
#[derive(Debug, Clone)]
pub struct LogError {
    /// Without the words of its cause.
    reason: Cow<'static, str>,
    /// What mends it, where the server refuses what it will go on refusing.
    mend: Option<Cow<'static, str>>,
    /// What the server said, if it said something.
    reply: Option<Arc<str>>,
    cause: Option<Cause>,
    /// Where there is no connection: all that is known is here.
    connection: Option<Box<NoConnection>>,
}

/// Why there is no connection.
#[derive(Debug, Clone)]
pub(crate) struct NoConnection {
    /// What was connected to.
    pub(crate) server: String,
    /// What went wrong and what that came from, in one line.
    pub(crate) in_full: String,
    pub(crate) mend: Option<String>,
    /// What callers are told.
    pub(crate) error: Error,
}

impl LogError {
    /// An error with this reason: without a secret, and without the words of what it came from.
    #[must_use]
    pub fn new(reason: impl Into<Cow<'static, str>>) -> Self {
        Self { reason: reason.into(), mend: None, reply: None, cause: None, connection: None }
    }

    /// The same, with what it came from.
    #[must_use]
    pub fn caused_by(self, cause: impl StdError + Send + Sync + 'static) -> Self {
        Self { cause: Some(Arc::new(cause)), ..self }
    }

    /// The same: the store said this, and will go on saying it until that is done which `mend` names.
    #[must_use]
    pub fn refused(self, reply: impl Into<Arc<str>>, mend: Option<Cow<'static, str>>) -> Self {
        Self { reply: Some(reply.into()), mend, ..self }
    }

    /// There is no connection.
    #[cfg_attr(not(feature = "redis"), expect(dead_code, reason = "others have no more to say"))]
    pub(crate) fn no_connection(no_connection: NoConnection) -> Self {
        Self { connection: Some(Box::new(no_connection)), ..Self::new("") }
    }

    /// The same, with these words in the place of the reason.
    pub(crate) fn saying(self, reason: String) -> Self {
        Self { reason: reason.into(), ..self }
    }

    /// What the server said, if it said something.
    pub(crate) fn reply(&self) -> Option<&str> {
        self.reply.as_deref()
    }

    /// What mends it, where the server will go on refusing it.
    pub(crate) fn mend(&self) -> Option<&str> {
        match &self.connection {
            Some(error) => error.mend.as_deref(),
            None => self.mend.as_deref(),
        }
    }

    /// The same, with all that is known to mend it.
    pub(crate) fn completed(mut self, observer: &dyn LogObserver) -> Self {
        if let (Some(reply), Some(mend)) = (self.reply(), self.mend.as_deref()) {
            self.mend = Some(observer.completed(reply, mend).into());
        }
        self
    }

    /// Why there is no connection, if that is it.
    pub(crate) fn connection(&self) -> Option<&NoConnection> {
        self.connection.as_deref()
    }
}

/// In full, with what it came from: for a log, which shows no causes.
impl fmt::Display for LogError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.connection, &self.cause) {
            (Some(error), _) => write!(f, "cannot connect to {}: {}", error.server, error.in_full),
            (None, cause) => f.write_str(&in_full(&self.reason, cause.as_ref())),
        }
    }
}

impl From<LogError> for Error {
    fn from(failure: LogError) -> Self {
        match failure {
            LogError { connection: Some(error), .. } => error.error,
            LogError { reason, mend, cause, .. } => {
                let reason = match &mend {
                    Some(mend) => format!("{reason}; {mend}"),
                    None => reason.into_owned(),
                };
                let (address, mend) = ("the invalidation log".to_owned(), mend.map(Cow::into_owned));
                Kind::Connect { address, reason, mend, cause }.into()
            }
        }
    }
}

/// Told of how the log is doing, for people; and asked what others found out about its servers.
pub trait LogObserver: fmt::Debug + Send + Sync {
    /// The server refused something, and will go on refusing it until that is done which `mend` names.
    fn refused(&self, operation: Operation, reply: &str, mend: &str) {
        crate::panic_guard::report!(warn, %operation, reply, mend, "the store of the invalidation log refuses");
    }

    /// An operation went well.
    fn accepted(&self, operation: Operation) {
        let _ = operation;
    }

    /// All that is known to mend what a reply says.
    fn completed(&self, reply: &str, mend: &str) -> String {
        let _ = reply;
        mend.to_owned()
    }

    /// Whether it was reported already that there is no connection.
    fn is_reported_down(&self) -> bool {
        false
    }

    /// How often something is to be said on a connection that would be closed otherwise.
    fn keep_alive(&self) -> Option<Duration> {
        None
    }
}
