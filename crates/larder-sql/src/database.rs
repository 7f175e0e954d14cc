//! What a cache asks of a database, whichever it is.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    time::Duration,
};

use async_trait::async_trait;
use larder::internal::shared::LogStore;

use crate::log::PendingCommits;

/// Entries and counters. A call may take as long as it likes: the caller sets a limit, and drops it.
#[async_trait]
pub(crate) trait Database: Send + Sync + 'static {
    /// The messages under these places that have not expired, in their order.
    async fn read(&self, places: &[Vec<u8>]) -> sqlx::Result<Vec<Option<Vec<u8>>>>;

    /// Stores messages, each unless one of a later epoch is there; but for one above `latest`, which is no reason to keep
    /// it. Says of each whether it was stored.
    async fn write(&self, rows: &[Row], latest: i64) -> sqlx::Result<Vec<bool>>;

    /// Adds to a counter, and returns the sum. One that this makes ends after `ttl`. None if the sum is no `i64`.
    async fn count(&self, place: &[u8], by: i64, ttl: Option<Duration>) -> sqlx::Result<Option<i64>>;

    /// Takes from a rate limit, whose row is among those of counters: how far ahead of now its point in time is after that, and
    /// how much too far it would have been, in microseconds.
    #[cfg(feature = "limit")]
    async fn take_units(&self, place: &[u8], capacity: i64, increment: i64) -> sqlx::Result<(i64, i64)>;

    /// Takes a lease; says who has it then, and what message there is.
    async fn lease(&self, ask: Ask<'_>) -> sqlx::Result<(Vec<u8>, Option<Vec<u8>>)>;

    /// Gives a holder more time from now on. False if it has lost the lease.
    async fn renew(&self, place: &[u8], holder: &[u8], lifetime_ms: i64) -> sqlx::Result<bool>;

    /// Ends a lease. True if a caller waits for it.
    async fn release(&self, place: &[u8], holder: &[u8]) -> sqlx::Result<bool>;

    /// Takes a lock that is free; returns its number.
    async fn take(&self, name: &[u8], token: &str, ttl_ms: i64) -> sqlx::Result<Option<i64>>;

    /// Gives the holder of a lock more time from now on, which may be none. False if it has lost it.
    async fn prolong(&self, name: &[u8], token: &str, ttl_ms: i64) -> sqlx::Result<bool>;

    /// Whether a table is missing, as far as calls found out; true before the first one.
    fn lacks_tables(&self) -> &AtomicBool;

    /// Makes the tables that are missing.
    async fn create_tables(&self) -> sqlx::Result<()>;

    /// Deletes up to [`PIECE`] rows that are of no use any longer, and says how many there were.
    async fn delete(&self, excess: Excess) -> sqlx::Result<u64>;

    /// Whether it answers, on a connection that is made for this.
    async fn probe(&self) -> sqlx::Result<()>;
}

/// Who asks for a lease.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Ask<'a> {
    pub(crate) place: &'a [u8],
    pub(crate) own: &'a [u8],
    /// It is free if this one has it; empty for none.
    pub(crate) outdated: &'a [u8],
    pub(crate) waits: bool,
    pub(crate) lifetime_ms: i64,
}

/// What is of no use any longer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Excess {
    /// Records of the log beyond the newest [`MOST_RECORDS`].
    Records,
    /// Entries that have expired.
    Entries,
    /// Counters that have.
    Counters,
    /// Leases that have.
    Leases,
    /// Locks that ended a day ago.
    Locks,
}

impl Excess {
    const ALL: [Self; 5] = [Self::Records, Self::Entries, Self::Counters, Self::Leases, Self::Locks];
}

/// Makes tables that are missing, and deletes what is of no use any longer, up to [`MOST_PIECES`] of each kind. Says whether
/// there may be more.
pub(crate) async fn tidy(database: &dyn Database) -> sqlx::Result<bool> {
    if database.lacks_tables().load(Relaxed) {
        database.create_tables().await?;
        database.lacks_tables().store(false, Relaxed);
    }
    let mut has_more = false;
    for excess in Excess::ALL {
        let mut pieces = 0;
        while pieces < MOST_PIECES && database.delete(excess).await? >= PIECE.cast_unsigned() {
            pieces += 1;
        }
        has_more |= pieces == MOST_PIECES;
    }
    Ok(has_more)
}

/// Notes it if a table was missing.
pub(crate) fn noted<T>(
    done: sqlx::Result<T>,
    is_missing: impl FnOnce(&sqlx::Error) -> bool,
    lacks_tables: &AtomicBool,
) -> sqlx::Result<T> {
    if done.as_ref().is_err_and(is_missing) {
        lacks_tables.store(true, Relaxed);
    }
    done
}

/// What a URL names.
pub(crate) struct Opened {
    pub(crate) database: Arc<dyn Database>,
    pub(crate) log: Arc<dyn LogStore>,
    /// Transactions with an invalidation in them, which its reader looks for.
    pub(crate) pending_commits: Arc<PendingCommits>,
    /// Without a password: for people.
    pub(crate) address: String,
}

/// A message, and where it is stored.
#[derive(Debug, Clone)]
pub(crate) struct Row {
    pub(crate) place: Vec<u8>,
    pub(crate) epoch: i64,
    pub(crate) lifetime_ms: i64,
    pub(crate) message: Vec<u8>,
}

/// How many records a log keeps, about.
pub(crate) const MOST_RECORDS: i64 = 100_000;

/// How long a lock is remembered that has ended, in milliseconds: its number goes on growing for so long.
pub(crate) const REMEMBERED: i64 = 86_400_000;

/// How many rows are deleted at once.
pub(crate) const PIECE: i64 = 1_000;

/// How many pieces are deleted in a row.
pub(crate) const MOST_PIECES: usize = 20;

/// In milliseconds, for a column.
pub(crate) fn milliseconds(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX / 4).min(i64::MAX / 4)
}
