//! From a builder to a cache that is connected.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use futures_util::future::try_join;

use super::{
    RedisCache,
    config::{self, Config, RedisCacheBuilder},
    connection::Connections,
    heartbeat_fields::LastTidying,
    key_names::KeyNames,
    log_connector,
    remote::Remote,
};
use crate::{
    error::Result, followed_log::FollowedLog, runtime_check::check_runtime, shared_entries::SharedEntries,
    unshared_values::UnsharedValues,
};

impl RedisCacheBuilder {
    /// Connects, and begins to follow the invalidation log.
    ///
    /// # Errors
    ///
    /// If a setting is wrong, if the tokio runtime has no timers or no I/O (`enable_all`), if a server refuses (a wrong
    /// password, too old a release), or if no connection could be made after [`connect_attempts`](Self::connect_attempts).
    pub async fn connect(self) -> Result<RedisCache> {
        /// The log's own attempt to connect takes as long as that, and says more.
        const SLACK: Duration = Duration::from_millis(250);
        check_runtime()?;
        let patience = self.patience();
        let cache = self.connect_lazily()?;
        let remote = &cache.remote;
        // Together: a connection is admitted once the log is followed.
        try_join(remote.connections.ready(), remote.followed.started(patience, SLACK)).await?;
        Ok(cache)
    }

    /// A cache that connects as soon as it can, beginning now: to start a program while Redis is down, so that
    /// everything is a miss. Outside of a tokio runtime, the first call begins. In a runtime without timers or I/O it never
    /// connects, which is not looked at here.
    ///
    /// # Errors
    ///
    /// If a setting is wrong.
    pub fn connect_lazily(self) -> Result<RedisCache> {
        let settings = self.settings.clone();
        settings.check()?;
        let config = Arc::new(self.config()?);
        if !config.has_own_prefix {
            warn_of_default_prefix();
        }
        let log = log_connector::open_log(&config, &settings);
        // What one cache on this log finds out, all of them know.
        let findings = log.findings().clone();
        let config = Arc::new(Config { findings: findings.clone(), ..Config::clone(&config) });
        let connections = Connections::new(config.clone(), Some(log_connector::admission(&log)));
        connections.begin();
        let followed = FollowedLog::of(log.log().clone(), config.deadline);
        let core = followed.core();
        let names =
            KeyNames::new(&config.prefix).hashed(settings.sealing.names()).in_cluster(config.is_cluster());
        let entries = SharedEntries::with(log.log().clone(), settings.wire, findings.rejections.clone());
        let stored_as = names.clone();
        let remote = Remote {
            connections,
            names,
            entries: entries.sealed_with(settings.sealing.clone(), move |key| stored_as.entry(key)),
            sealing: settings.sealing,
            leases: followed.leases(settings.lease_lifetime),
            last_tidying: LastTidying::default(),
            findings,
            config: config.clone(),
            deadline: config.deadline,
            reads_replicas: config.reads_replicas,
            has_own_prefix: config.has_own_prefix,
            log,
            followed,
        };
        Ok(RedisCache { core, remote: Arc::new(remote), unshared: UnsharedValues::default() })
    }
}

/// Says once that others may have the same prefix.
fn warn_of_default_prefix() {
    // No `Once`: it would be poisoned for ever by a subscriber that panics.
    static SAID: AtomicBool = AtomicBool::new(false);
    if !SAID.swap(true, Ordering::Relaxed) {
        crate::panic_guard::report!(
            warn,
            prefix = config::DEFAULT_PREFIX,
            mend = "name one of your own: ?prefix=shop in the URL, LARDER_PREFIX=shop in the environment, or \
                    RedisCacheBuilder::prefix",
            "the keys in Redis begin with the default prefix, which every program has that names none: two of them on \
             one server read each other's values"
        );
    }
}
