//! `TieredSqlCache`: memory in front of a database.

use std::sync::Arc;

use async_trait::async_trait;
use larder::{
    Cache, Core, Entry, Invalidating, Kept, Link, Lookup, MemoryCache, MemoryTier, Result, Scope, Scopes,
    SharedStorage, Storage, ValueType,
    internal::shared::{free, is_portable, keep, keep_found},
};

use crate::{SqlCache, transaction::InTransaction};

/// Two tiers: entries in this process' memory, and behind it in a database, where every process finds them. Cheap to
/// clone; clones are the same cache.
///
/// A hit in memory never asks the database. What is not there is looked for in the database, and kept in memory for what
/// is left of its time. Invalidations reach the memory of every process through a log in the database.
///
/// ```no_run
/// use larder_sql::TieredSqlCache;
///
/// # async fn start() -> larder::Result<()> {
/// larder::install(TieredSqlCache::connect("postgres://localhost/shop").await?)?;
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct TieredSqlCache {
    memory: MemoryCache,
    sql: SqlCache,
}

impl TieredSqlCache {
    /// A cache with the settings of `memory`, and empty at first, in front of `sql`. A disk tier of it is left out, with a warning.
    #[must_use]
    pub fn new(memory: &MemoryCache, sql: SqlCache) -> Self {
        let memory = sql.remote().log().memory(memory);
        Self { sql: sql.behind(&memory), memory }
    }

    /// A cache of up to 10,000 entries in memory, in front of the database that a URL names: see
    /// [`SqlCacheBuilder::url`](crate::SqlCacheBuilder::url).
    ///
    /// # Errors
    ///
    /// As [`SqlCacheBuilder::connect`](crate::SqlCacheBuilder::connect).
    pub async fn connect(url: impl Into<String>) -> Result<Self> {
        let sql = SqlCache::connect(url).await?;
        Ok(Self::new(&MemoryCache::builder().build()?, sql))
    }

    /// How this process stands with the database.
    #[must_use]
    pub fn link(&self) -> Link {
        self.sql.link()
    }

    /// See [`SqlCache::invalidate_in`].
    ///
    /// # Errors
    ///
    /// As there.
    pub async fn invalidate_in<C: InTransaction>(
        &self,
        connection: &mut C,
        scopes: impl Into<Scopes>,
    ) -> Result<(), sqlx::Error> {
        self.sql.invalidate_in(connection, scopes).await
    }
}

impl Cache for TieredSqlCache {
    #[inline]
    fn core(&self) -> &Core {
        self.memory.core()
    }

    fn storage(&self) -> &dyn Storage {
        self
    }

    fn share(&self) -> Arc<dyn Cache> {
        Arc::new(self.clone())
    }
}

#[async_trait]
impl Storage for TieredSqlCache {
    fn peek(&self, at: Lookup<'_>) -> Option<Entry> {
        self.memory.peek(at)
    }

    fn visit(&self, show: &mut dyn FnMut(&Entry)) {
        self.memory.visit(show);
    }

    fn reads_further(&self) -> bool {
        true
    }

    async fn read(&self, keys: &[Lookup<'_>], of: ValueType) -> Vec<Option<Entry>> {
        let entries = self.sql.remote().read(self.core(), keys, of).await;
        if is_portable(of) {
            entries.iter().flatten().for_each(|entry| keep_found(&self.memory, entry));
        }
        entries
    }

    async fn write(&self, entries: &[Entry]) -> Result<()> {
        keep(&self.memory, entries);
        self.write_further(entries).await
    }

    fn memory(&self) -> Option<&MemoryTier> {
        self.memory.storage().memory()
    }

    async fn write_further(&self, entries: &[Entry]) -> Result<()> {
        self.sql.remote().write(self.core(), entries).await
    }

    fn apply(&self, scopes: &[Scope]) -> Invalidating {
        let invalidating = self.sql.remote().log().invalidate(self.core(), scopes, || true);
        free(&self.memory, scopes);
        invalidating
    }

    fn mark_stale(&self, scopes: &[Scope]) -> Invalidating {
        self.sql.remote().log().mark_stale(self.core(), scopes, || true)
    }

    fn shared(&self) -> Option<&dyn SharedStorage> {
        Some(&self.sql)
    }

    fn kept(&self) -> Kept {
        self.memory.storage().kept()
    }
}
