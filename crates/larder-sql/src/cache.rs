//! `SqlCache`: entries that all processes share through a database.

use std::{fmt, sync::Arc};

use async_trait::async_trait;
use larder::{
    Cache, Core, Entry, Invalidating, Kept, Link, Lookup, MemoryCache, Result, Scope, Scopes, SharedStorage,
    Storage, ValueType,
    internal::shared::{UnsharedValues, keep, records_of},
};

use crate::{builder::SqlCacheBuilder, remote::Remote, transaction::InTransaction};

/// A cache in PostgreSQL or SQLite, shared by every process that uses the same database and prefix. Cheap to clone;
/// clones are the same cache.
///
/// Each hit is a query and a decoding. [`TieredSqlCache`](crate::TieredSqlCache) puts memory in front of it, which is
/// what most programs want.
///
/// No call fails or hangs because the database is slow, locked, read-only or gone: what would be read is a miss, what
/// would be written is dropped and counted, and invalidations wait until they can be appended. The exceptions are
/// counters and locks, which return an error. What is promised is in [the crate's documentation](crate).
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
    unshared: UnsharedValues,
    /// In front of it, if that is where this belongs.
    front: Option<MemoryCache>,
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
        Self { core: remote.log().core(), remote, unshared: UnsharedValues::default(), front: None }
    }

    /// The same behind a memory: what is done for it is counted there, and what another process has computed is kept there.
    pub(crate) fn behind(&self, front: &MemoryCache) -> Self {
        let (core, front) = (front.core().clone(), Some(front.clone()));
        Self { core, front, remote: self.remote.clone(), unshared: self.unshared.clone() }
    }

    /// Keeps entries in the memory in front of it.
    pub(crate) fn keep_in_front(&self, entries: &[Entry]) {
        if let Some(front) = &self.front {
            keep(front, entries);
        }
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
    /// This process looks for the commit, every 10 ms at first, and less often the longer the transaction is open; when it
    /// has found it, all others hear of it at once. If this process dies right after the commit, they find it within a second,
    /// and a process that starts finds it first of all. With SQLite each process finds it within some milliseconds. To
    /// read your own write right after the commit, call [`invalidate`](larder::CacheExt::invalidate) there as well: that
    /// deletes a counter of the key too, which this leaves as it is.
    ///
    /// It costs an insert (one for each 1,024 scopes; more than 65,536 become one that covers everything). It takes no lock
    /// that another transaction waits for, and notifies nothing: neither does the commit, which can be prepared
    /// (`PREPARE TRANSACTION`).
    ///
    /// ```no_run
    /// # #[cfg(feature = "postgres")]
    /// # async fn rename(cache: &larder_sql::SqlCache, pool: &sqlx::PgPool) -> Result<(), sqlx::Error> {
    /// let mut tx = pool.begin().await?;
    /// sqlx::query("UPDATE users SET name = 'Ada' WHERE id = 7").execute(&mut *tx).await?;
    /// cache.invalidate_in(&mut *tx, "user:7").await?;
    /// tx.commit().await?;
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
        let records = records_of(scopes);
        if records.is_empty() {
            return Ok(());
        }
        connection.append(&self.remote.tables().pending, records).await?;
        self.remote.pending_commits().begin();
        Ok(())
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
        self.unshared.peek(at)
    }

    fn visit(&self, show: &mut dyn FnMut(&Entry)) {
        self.unshared.visit(show);
    }

    fn reads_further(&self) -> bool {
        true
    }

    async fn read(&self, keys: &[Lookup<'_>], of: ValueType) -> Vec<Option<Entry>> {
        self.remote.read(&self.core, keys, of).await
    }

    async fn write(&self, entries: &[Entry]) -> Result<()> {
        let written = self.remote.write(&self.core, entries).await;
        self.unshared.keep(entries, |settings| self.remote.log().memory(settings));
        written
    }

    fn apply(&self, scopes: &[Scope]) -> Invalidating {
        self.remote.log().invalidate(&self.core, scopes, || true)
    }

    fn mark_stale(&self, scopes: &[Scope]) -> Invalidating {
        self.remote.log().mark_stale(&self.core, scopes, || true)
    }

    fn shared(&self) -> Option<&dyn SharedStorage> {
        Some(self)
    }

    fn kept(&self) -> Kept {
        self.unshared.kept()
    }
}

impl fmt::Debug for SqlCache {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SqlCache").field("link", &self.link()).finish_non_exhaustive()
    }
}
