//! From a builder to a cache that is connected.

use std::{ops::RangeInclusive, time::Duration};

use larder::{
    Result,
    internal::shared::{
        FollowedLog, FollowedLogSettings, check_limit, check_runtime, contained, refused_setting,
    },
};

use crate::{
    builder::SqlCacheBuilder, cache::SqlCache, cleanup, database::Opened, remote::Remote, row_keys::Places,
    tables::Tables,
};

/// How long a caller may wait for another process' computation.
const LEASE_LIFETIMES: RangeInclusive<Duration> = Duration::from_millis(100)..=Duration::from_secs(86_400);

impl SqlCacheBuilder {
    /// Connects, makes the tables that are missing, and begins to follow the invalidation log.
    ///
    /// Connections for entries belong to the tokio runtime that this is called in, and end with it; the log has a thread of
    /// its own.
    ///
    /// # Errors
    ///
    /// If a setting is wrong, if the tokio runtime has no timers or no I/O (`enable_all`), or if the database cannot be used
    /// within [`connect_timeout`](Self::connect_timeout). To start a program while it is down, take [`connect_lazily`](Self::connect_lazily).
    pub async fn connect(self) -> Result<SqlCache> {
        check_runtime()?;
        let patience = self.connect_timeout;
        let cache = self.connect_lazily()?;
        // First: it finds the tables there, as the log does.
        let remote = cache.remote();
        let begun = tokio::time::Instant::now();
        let tidied = tokio::time::timeout(patience, remote.tidy()).await;
        remote.log().started(patience.saturating_sub(begun.elapsed()), Duration::ZERO).await?;
        if let Ok(Err(error)) = tidied {
            contained(|| tracing::warn!(%error, "the tables of the cache cannot be made, or tidied"));
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
        self.sealing.check()?;
        let places = Places::new(&tables, self.sealing.names());
        check_limit("deadline", self.deadline).map_err(refused_setting)?;
        check_limit("connect_timeout", self.connect_timeout).map_err(refused_setting)?;
        if !(1..=1_000).contains(&self.connections) {
            return Err(refused_setting(format!("{} connections: 1 to 1,000 are allowed", self.connections)));
        }
        if !LEASE_LIFETIMES.contains(&self.lease_lifetime) {
            let text = format!("lease_lifetime is {:?}: 100 ms to a day are allowed", self.lease_lifetime);
            return Err(refused_setting(text));
        }
        let Opened { database, log: store, pending_commits, address } = self.open(&tables, &places)?;
        let settings = FollowedLogSettings {
            name: tables.log.clone(),
            scope_slots: self.scope_slots,
            on_disconnect: self.on_disconnect,
            deadline: self.deadline,
            store_name: "the database",
        };
        let log = FollowedLog::start(store, settings);
        let bound = places.clone();
        let entries = log.entries().written_with(self.encoding)?;
        let entries = entries.sealed_with(self.sealing, move |key| bound.seal(key));
        let leases = log.leases(self.lease_lifetime);
        let remote = Remote::new(
            (database, address),
            (log, pending_commits),
            (entries, leases),
            (tables, places, self.deadline),
        );
        cleanup::start(&remote);
        Ok(SqlCache::new(remote))
    }

    fn open(&self, tables: &Tables, places: &Places) -> Result<Opened> {
        let scheme = self.url.split(':').next().unwrap_or_default();
        match scheme {
            #[cfg(feature = "postgres")]
            "postgres" | "postgresql" => crate::postgres::open(&self.url, (tables, places), self.connections),
            #[cfg(feature = "sqlite")]
            "sqlite" => crate::sqlite::open(&self.url, (tables, places), (self.connections, self.deadline)),
            #[cfg(not(feature = "postgres"))]
            "postgres" | "postgresql" => {
                Err(refused_setting("PostgreSQL needs larder-sql's feature `postgres`"))
            }
            #[cfg(not(feature = "sqlite"))]
            "sqlite" => Err(refused_setting("SQLite needs larder-sql's feature `sqlite`")),
            // Not repeated: it may have a password in it.
            _ => Err(refused_setting("the URL begins neither with postgres:// nor with sqlite://")),
        }
    }
}
