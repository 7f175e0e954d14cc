//! `SqlCache`: entries that all processes share through a database.

use std::{
    fmt,
    sync::{Arc, OnceLock},
    time::{Duration, Instant},
};

use async_trait::async_trait;
use larder::{
    Cache, Core, Entry, Invalidating, Kept, Link, Lookup, MemoryCache, Result, Scope, Scopes, SharedStorage,
    Storage, ValueType,
    internal::shared::{FollowedLog, Message, SharedEntries, Stored, discard, keep, record_of, stays_here},
};

use crate::{
    breaker::Breaker,
    builder::SqlCacheBuilder,
    database::{Database, Row, milliseconds, place},
    epochs::column,
    tables::Tables,
    transaction::InTransaction,
    upkeep,
};

/// A cache in PostgreSQL or SQLite, shared by every process that uses the same database and prefix. Cheap to clone;
/// clones are the same cache.
///
/// Each hit is a query and a decoding. [`TieredSqlCache`](crate::TieredSqlCache) puts memory in front of it, which is
/// what most programs want.
///
/// No call fails or hangs because the database is slow, locked, read-only or gone: what would be read is a miss, what
/// would be written is dropped and counted, and invalidations wait until they can be appended. The one exception is a
/// counter, which returns an error. What is promised is in [the crate's documentation](crate).
///
/// ```no_run
/// # use std::time::Duration;
/// use larder::{CacheExt, Policy};
/// use larder_sql::SqlCache;
///
/// # async fn start() -> larder::Result<()> {
/// let sessions = SqlCache::connect("postgres://localhost/shop").await?;
/// sessions.insert("session:7", &"Ada".to_owned(), Policy::ttl(Duration::from_secs(1_200))).await?;
/// assert_eq!(sessions.get::<String>("session:7").await?.as_deref(), Some("Ada")); // in any process
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct SqlCache {
    core: Core,
    remote: Arc<Remote>,
    /// Values that cannot be shared, once there are any.
    unshared: Arc<OnceLock<MemoryCache>>,
}

/// How many values that cannot be shared are kept in this process.
const UNSHARED: u64 = 1_000;

/// What the clones of a cache share, and a cache in front of it too.
pub(crate) struct Remote {
    database: Arc<dyn Database>,
    address: String,
    log: FollowedLog,
    entries: SharedEntries,
    breaker: Breaker,
    tables: Tables,
    deadline: Duration,
}

impl SqlCache {
    /// Connects to the database that a URL names, with the defaults of [`builder`](Self::builder).
    ///
    /// # Errors
    ///
    /// As [`SqlCacheBuilder::connect`].
    pub async fn connect(url: impl Into<String>) -> Result<Self> {
        Self::builder().url(url).connect().await
    }

    /// Sets where the database is, and everything else.
    pub fn builder() -> SqlCacheBuilder {
        SqlCacheBuilder::default()
    }

    pub(crate) fn new(remote: Arc<Remote>) -> Self {
        Self { core: remote.log.core(), remote, unshared: Arc::default() }
    }

    pub(crate) fn remote(&self) -> &Arc<Remote> {
        &self.remote
    }

    /// How this process stands with the database.
    #[must_use]
    pub fn link(&self) -> Link {
        self.remote.link()
    }

    /// Invalidates as a part of a transaction of yours, in the database of this cache: all processes hear of it if and
    /// when the transaction is committed, though this process dies right after. If it is rolled back, nothing was
    /// invalidated.
    ///
    /// Other processes hear of it as soon as one of them has looked, which is at once with PostgreSQL, and within some
    /// milliseconds with SQLite. This process too: to read your own write right after the commit, call
    /// [`invalidate`](larder::CacheExt::invalidate) there as well.
    ///
    /// It takes no lock that another transaction waits for.
    ///
    /// ```no_run
    /// # use larder_sql::SqlCache;
    /// # async fn rename(cache: &SqlCache, pool: &sqlx::PgPool) -> Result<(), sqlx::Error> {
    /// # #[cfg(feature = "postgres")] {
    /// let mut tx = pool.begin().await?;
    /// sqlx::query("UPDATE users SET name = 'Ada' WHERE id = 7").execute(&mut *tx).await?;
    /// cache.invalidate_in(&mut *tx, "user:7").await?;
    /// tx.commit().await?;
    /// # }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// Those of the connection: if it fails, the transaction has failed.
    pub async fn invalidate_in<C: InTransaction>(
        &self,
        connection: &mut C,
        scopes: impl Into<Scopes>,
    ) -> Result<(), sqlx::Error> {
        let Some(record) = record_of(scopes) else { return Ok(()) };
        connection.append(&self.remote.tables.pending, &self.remote.tables.log, record).await
    }
}

impl Remote {
    pub(crate) fn start(
        (database, address): (Arc<dyn Database>, String),
        log: FollowedLog,
        entries: SharedEntries,
        (tables, deadline): (Tables, Duration),
    ) -> Arc<Self> {
        let breaker = Breaker::default();
        let remote = Arc::new(Self { database, address, log, entries, breaker, tables, deadline });
        upkeep::start(&remote);
        remote
    }

    pub(crate) fn log(&self) -> &FollowedLog {
        &self.log
    }

    pub(crate) fn link(&self) -> Link {
        self.log.link(&self.address, self.breaker.admits(), &self.entries)
    }

    /// Whether it is worth waiting for the database at all.
    pub(crate) fn is_within_reach(&self) -> bool {
        tokio::runtime::Handle::try_current().is_ok() && self.log.is_heard() && self.breaker.admits()
    }

    pub(crate) async fn tidy(&self) -> sqlx::Result<()> {
        self.database.tidy().await
    }

    /// Asks the database, if it may be asked, within the deadline.
    pub(crate) async fn ask<T>(
        self: &Arc<Self>,
        call: impl Future<Output = sqlx::Result<T>>,
    ) -> Result<T, Stored> {
        if !self.breaker.admits() || tokio::runtime::Handle::try_current().is_err() {
            return Err(Stored::Unreachable);
        }
        let (failed, timed_out) = match tokio::time::timeout(self.deadline, call).await {
            Ok(Ok(done)) => {
                self.breaker.succeeded();
                return Ok(done);
            }
            // It answered, and a statement is not what mends itself by waiting.
            Ok(Err(error)) if error.as_database_error().is_some_and(|said| !is_busy(said)) => {
                tracing::debug!(%error, "the database refuses a statement of the cache");
                return Err(Stored::Refused);
            }
            Ok(Err(error)) => {
                tracing::debug!(%error, "the database cannot be asked");
                (Stored::Unreachable, matches!(error, sqlx::Error::PoolTimedOut))
            }
            Err(_) => (Stored::TimedOut, true),
        };
        if self.breaker.failed(timed_out) {
            tracing::warn!(database = self.address, "the cache's database is unavailable");
            upkeep::probe(self);
        }
        Err(failed)
    }

    /// Whether the database answers; if so, callers are let through.
    pub(crate) async fn probe(&self) -> bool {
        let answers = tokio::time::timeout(self.deadline, self.database.ping()).await;
        let answers = matches!(answers, Ok(Ok(())));
        if answers {
            self.breaker.succeeded();
            tracing::info!(database = self.address, "the cache's database is available again");
        }
        answers
    }

    pub(crate) async fn read(
        self: &Arc<Self>,
        core: &Core,
        keys: &[Lookup<'_>],
        of: ValueType,
    ) -> Vec<Option<Entry>> {
        let places: Vec<_> = keys.iter().map(|at| place(at.key)).collect();
        let began = Instant::now();
        let messages = self.ask(self.database.read(&places)).await;
        self.entries.read_took(core, began.elapsed());
        let messages = match messages {
            Ok(messages) => messages,
            Err(failed) => {
                self.entries.count_failed_reads(core, of, keys.len(), failed == Stored::TimedOut);
                return vec![None; keys.len()];
            }
        };
        let mut entries = Vec::with_capacity(keys.len());
        for (&at, message) in keys.iter().zip(messages) {
            entries.push(self.entries.receive(core, at, of, message).await);
        }
        entries
    }

    pub(crate) async fn write(self: &Arc<Self>, core: &Core, entries: &[Entry]) -> Result<()> {
        let patience = Instant::now() + self.deadline;
        let within_reach = || self.is_within_reach() && !self.breaker.has_just_timed_out();
        let (messages, outcome) = self.entries.messages(core, entries, patience, &within_reach).await;
        if messages.is_empty() {
            return outcome;
        }
        let rows: Vec<_> = messages.iter().map(row).collect();
        let latest = column(self.log.latest_comparable());
        match self.ask(self.database.write(&rows, latest)).await {
            Ok(stored) => {
                for (message, stored) in messages.iter().zip(stored) {
                    self.entries.count(core, message, if stored { Stored::Yes } else { Stored::Later });
                }
            }
            Err(failed) => messages.iter().for_each(|message| self.entries.count(core, message, failed)),
        }
        outcome
    }

    pub(crate) async fn count(
        self: &Arc<Self>,
        key: &str,
        by: i64,
        ttl: Option<Duration>,
    ) -> Result<Option<i64>, Stored> {
        self.ask(self.database.count(&place(key), by, ttl)).await
    }
}

/// Whether the database would have done it at another time.
fn is_busy(said: &dyn sqlx::error::DatabaseError) -> bool {
    // Of PostgreSQL: no connection, an operator's intervention, out of resources, a lock that is not to be had. Of
    // SQLite: `SQLITE_BUSY` and `SQLITE_LOCKED`, and what further bits say of them.
    let code = said.code().unwrap_or_default();
    let of_sqlite = code.parse::<u32>().is_ok_and(|code| matches!(code & 0xff, 5 | 6)) && code.len() < 5;
    of_sqlite || ["08", "57", "53", "55P03"].iter().any(|class| code.len() == 5 && code.starts_with(class))
}

fn row(message: &Message) -> Row {
    Row {
        place: place(&message.key),
        epoch: column(message.epoch),
        lifetime_ms: milliseconds(message.lifetime),
        message: message.bytes.clone(),
    }
}

impl Cache for SqlCache {
    #[inline]
    fn core(&self) -> &Core {
        &self.core
    }

    fn storage(&self) -> &dyn Storage {
        self
    }

    fn share(&self) -> Arc<dyn Cache> {
        Arc::new(self.clone())
    }
}

#[async_trait]
impl Storage for SqlCache {
    /// A value that cannot be shared, or is not to be, lives here, and all others in the database.
    fn peek(&self, at: Lookup<'_>) -> Option<Entry> {
        self.unshared.get()?.peek(at)
    }

    fn visit(&self, show: &mut dyn FnMut(&Entry)) {
        if let Some(unshared) = self.unshared.get() {
            unshared.visit(show);
        }
    }

    fn reads_further(&self) -> bool {
        true
    }

    async fn read(&self, keys: &[Lookup<'_>], of: ValueType) -> Vec<Option<Entry>> {
        self.remote.read(&self.core, keys, of).await
    }

    async fn write(&self, entries: &[Entry]) -> Result<()> {
        let written = self.remote.write(&self.core, entries).await;
        for entry in entries {
            if stays_here(entry) {
                let unshared = || self.remote.log.memory(&MemoryCache::new(UNSHARED));
                keep(self.unshared.get_or_init(unshared), std::slice::from_ref(entry));
            } else if let Some(unshared) = self.unshared.get() {
                discard(unshared, entry);
            }
        }
        written
    }

    fn apply(&self, scopes: &[Scope]) -> Invalidating {
        self.remote.log.invalidate(&self.core, scopes)
    }

    fn mark_stale(&self, scopes: &[Scope]) -> Invalidating {
        self.remote.log.mark_stale(&self.core, scopes)
    }

    fn shared(&self) -> Option<&dyn SharedStorage> {
        Some(self)
    }

    fn kept(&self) -> Kept {
        self.unshared.get().map(Storage::kept).unwrap_or_default()
    }
}

impl fmt::Debug for SqlCache {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SqlCache").field("link", &self.link()).finish_non_exhaustive()
    }
}
