//! The invalidation log in Redis: one stream for each prefix, by the [contract](crate::shared_log::contract) of all logs.

mod appending;
mod connect;
mod connection;
#[cfg(feature = "inspect")]
mod history;
mod reply;
mod server_check;
mod settings;
mod store;

use std::{
    collections::HashMap,
    ops::Deref,
    sync::{Arc, LazyLock, Weak},
};

pub(crate) use self::connect::{Connect, Connected, question};
#[cfg(feature = "inspect")]
pub use self::history::{Follower, History, LogEvent, LogExtent, Verdict, is_mark, mark_of};
pub(crate) use self::settings::{RedisLogSettings, Unlink};
use self::store::RedisLogStore;
use super::server_findings::Findings;
pub(crate) use crate::shared_log::contract::{LogError, Purpose};
use crate::{
    shared_log,
    sync::plain::{Mutex, lock},
};

/// A log in Redis that this process follows, for as long as a handle to it is held.
#[derive(Debug)]
pub(crate) struct RedisLog {
    log: Arc<shared_log::Log>,
    findings: Arc<Findings>,
}

type Registry = HashMap<(String, String), Weak<RedisLog>>;

impl RedisLog {
    /// The log of this prefix on this server: the one that this process follows already, or a new one. The settings of
    /// the one that opens it first are those of all, but for the freshness: the smallest is.
    ///
    /// `identity` tells servers apart, or clusters.
    pub(crate) fn open(
        identity: String,
        prefix: &str,
        connector: impl FnOnce() -> Arc<dyn Connect>,
        settings: RedisLogSettings,
    ) -> Arc<Self> {
        static LOGS: LazyLock<Mutex<Registry>> = LazyLock::new(Mutex::default);
        let mut logs = lock(&LOGS);
        let place = (identity, prefix.to_owned());
        if let Some(log) = logs.get(&place).and_then(Weak::upgrade) {
            log.wants(settings.freshness);
            return log;
        }
        logs.retain(|_, log| log.strong_count() > 0);
        let log = Self::start(prefix, connector(), settings);
        logs.insert(place, Arc::downgrade(&log));
        log
    }

    /// A log of its own, which no other cache of this process is given.
    fn start(prefix: &str, connector: Arc<dyn Connect>, settings: RedisLogSettings) -> Arc<Self> {
        let findings = settings.findings.clone();
        let (store, settings) = RedisLogStore::new(prefix, connector, settings);
        let log = shared_log::Log::start(Arc::new(store), settings);
        findings.tell(log.epochs().watchers());
        Arc::new(Self { log: Arc::new(log), findings })
    }

    /// The same, as what stores entries knows it.
    pub(crate) fn log(&self) -> &Arc<shared_log::Log> {
        &self.log
    }

    /// What was found out about its servers, by all who share it.
    pub(crate) fn findings(&self) -> &Arc<Findings> {
        &self.findings
    }
}

impl Deref for RedisLog {
    type Target = shared_log::Log;

    fn deref(&self) -> &shared_log::Log {
        &self.log
    }
}

#[cfg(all(test, not(larder_loom)))]
mod tests;
