//! What can be set of a cache, and how it connects.

use std::{fmt, sync::Arc, time::Duration};

use larder::{
    Compression, OutOfTouch, Result,
    codec::{Codec, MessagePack},
    internal::shared::{
        DEFAULT_SCOPE_SLOTS, FollowedLog, FollowedLogSettings, LogObserver, LogStore, refused_setting,
    },
};

use crate::{
    cache::{Remote, SqlCache},
    database::Database,
    tables::Tables,
};

/// Builds a [`SqlCache`]; made by [`SqlCache::builder`].
#[derive(Clone)]
#[must_use = "a builder does nothing until `connect` is called"]
pub struct SqlCacheBuilder {
    url: String,
    prefix: String,
    connections: u32,
    deadline: Duration,
    connect_timeout: Duration,
    out_of_touch: OutOfTouch,
    scope_slots: usize,
    codec: Arc<dyn Encode>,
    compression: Compression,
}

/// A codec that is given to entries when they are made.
trait Encode: Send + Sync {
    fn give(
        &self,
        entries: larder::internal::shared::SharedEntries,
        compression: Compression,
    ) -> Result<larder::internal::shared::SharedEntries>;
}

impl<C: Codec + Clone> Encode for C {
    fn give(
        &self,
        entries: larder::internal::shared::SharedEntries,
        compression: Compression,
    ) -> Result<larder::internal::shared::SharedEntries> {
        entries.written_with(self.clone(), compression)
    }
}

impl Default for SqlCacheBuilder {
    fn default() -> Self {
        Self {
            url: String::new(),
            prefix: "larder".to_owned(),
            connections: 5,
            deadline: Duration::from_millis(250),
            connect_timeout: Duration::from_secs(5),
            out_of_touch: OutOfTouch::default(),
            scope_slots: DEFAULT_SCOPE_SLOTS,
            codec: Arc::new(MessagePack),
            compression: Compression::default(),
        }
    }
}

impl SqlCacheBuilder {
    /// Where the database is: `postgres://user:password@host/database`, or `sqlite:///path/to/file`, with what sqlx knows
    /// of parameters. Each needs the feature of its name.
    ///
    /// A file of SQLite must lie on a disk of this machine, and is best one of its own: a transaction that writes to it
    /// holds up all others.
    pub fn url(mut self, url: impl Into<String>) -> Self {
        self.url = url.into();
        self
    }

    /// What the names of the tables begin with: 1 to 40 of `a-z`, `0-9` and `_`; `larder` by default. Caches of one prefix
    /// in one database share entries and invalidations: take one for each application.
    pub fn prefix(mut self, prefix: impl Into<String>) -> Self {
        self.prefix = prefix.into();
        self
    }

    /// How many connections carry entries at most; 5 by default. Two more follow the log and append to it.
    pub fn connections(mut self, connections: u32) -> Self {
        self.connections = connections;
        self
    }

    /// How long a call waits for the database at most, beyond its computation; 250 ms by default.
    pub fn deadline(mut self, deadline: Duration) -> Self {
        self.deadline = deadline;
        self
    }

    /// How long [`connect`](Self::connect) tries; 5 s by default.
    pub fn connect_timeout(mut self, timeout: Duration) -> Self {
        self.connect_timeout = timeout;
        self
    }

    /// What to do while changes made by other processes are not heard of; [`OutOfTouch::Serve`] by default.
    pub fn out_of_touch(mut self, policy: OutOfTouch) -> Self {
        self.out_of_touch = policy;
        self
    }

    /// See [`CoreBuilder::scope_slots`](larder::CoreBuilder::scope_slots). Here as many again are for the order of the log.
    pub fn scope_slots(mut self, slots: usize) -> Self {
        self.scope_slots = slots;
        self
    }

    /// How values are encoded: [`MessagePack`] by default.
    pub fn codec(mut self, codec: impl Codec + Clone) -> Self {
        self.codec = Arc::new(codec);
        self
    }

    /// How encoded values above 1 KiB are compressed; [`Compression::Lz4`] by default.
    pub fn compression(mut self, compression: Compression) -> Self {
        self.compression = compression;
        self
    }

    /// Connects, makes the tables that are missing, and begins to follow the invalidation log.
    ///
    /// Connections for entries belong to the tokio runtime that this is called in; the log has a thread of its own.
    ///
    /// # Errors
    ///
    /// If a setting is wrong, or the database cannot be used within [`connect_timeout`](Self::connect_timeout). To start a
    /// program while it is down, take [`connect_lazily`](Self::connect_lazily).
    pub async fn connect(self) -> Result<SqlCache> {
        let patience = self.connect_timeout;
        let cache = self.connect_lazily()?;
        // First: it finds the tables there, as the log does.
        let remote = cache.remote();
        let begun = tokio::time::Instant::now();
        let tidied = tokio::time::timeout(patience, remote.tidy()).await;
        remote.log().started(patience.saturating_sub(begun.elapsed())).await?;
        if let Ok(Err(error)) = tidied {
            tracing::warn!(%error, "the tables of the cache cannot be made, or tidied");
        }
        Ok(cache)
    }

    /// A cache that connects as soon as it can, beginning now: everything is a miss until then.
    ///
    /// # Errors
    ///
    /// If a setting is wrong.
    ///
    /// # Panics
    ///
    /// Outside of a tokio runtime.
    pub fn connect_lazily(self) -> Result<SqlCache> {
        let tables = Tables::new(&self.prefix)?;
        for (name, limit) in [("deadline", self.deadline), ("connect_timeout", self.connect_timeout)] {
            if limit.is_zero() || limit > Duration::from_secs(86_400) {
                return Err(refused_setting(format!("{name} is {limit:?}: more than nothing and at most a day")));
            }
        }
        if !(1..=1_000).contains(&self.connections) {
            return Err(refused_setting(format!("{} connections: 1 to 1,000 are allowed", self.connections)));
        }
        let (database, store, address) = self.open(&tables)?;
        let settings = FollowedLogSettings {
            name: tables.log.clone(),
            scope_slots: self.scope_slots,
            out_of_touch: self.out_of_touch,
            deadline: self.deadline,
            observer: Arc::new(Observer),
        };
        let log = FollowedLog::start(store, settings);
        let entries = self.codec.give(log.entries(), self.compression)?;
        Ok(SqlCache::new(Remote::start((database, address), log, entries, (tables, self.deadline))))
    }

    #[cfg_attr(not(any(feature = "postgres", feature = "sqlite")), expect(unused_variables, reason = "no database"))]
    fn open(&self, tables: &Tables) -> Result<(Arc<dyn Database>, Arc<dyn LogStore>, String)> {
        let scheme = self.url.split(':').next().unwrap_or_default();
        match scheme {
            #[cfg(feature = "postgres")]
            "postgres" | "postgresql" => {
                crate::postgres::open(&self.url, tables, (self.connections, self.deadline))
            }
            #[cfg(feature = "sqlite")]
            "sqlite" => crate::sqlite::open(&self.url, tables, (self.connections, self.deadline)),
            #[cfg(not(feature = "postgres"))]
            "postgres" | "postgresql" => Err(refused_setting("PostgreSQL needs larder-sql's feature `postgres`")),
            #[cfg(not(feature = "sqlite"))]
            "sqlite" => Err(refused_setting("SQLite needs larder-sql's feature `sqlite`")),
            // Not repeated: it may have a password in it.
            _ => Err(refused_setting("the URL begins neither with postgres:// nor with sqlite://")),
        }
    }
}

/// Without the URL, which may have a password in it.
impl fmt::Debug for SqlCacheBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SqlCacheBuilder")
            .field("prefix", &self.prefix)
            .field("connections", &self.connections)
            .field("deadline", &self.deadline)
            .finish_non_exhaustive()
    }
}

/// What the log says is logged.
#[derive(Debug)]
struct Observer;

impl LogObserver for Observer {}
