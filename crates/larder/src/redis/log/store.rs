//! Where the log is in Redis, and how it is connected to.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;

use super::{
    connect::{Connect, Connected},
    connection::{RedisLogConnection, objection},
    server_check::client_number,
    settings::{RedisLogSettings, Unlink},
};
use crate::{
    redis::{key_names::KeyNames, refusal, server_findings::Findings, server_info::ServerInfo},
    shared_log::{
        LogSettings,
        contract::{LogConnection, LogError, LogServer, LogStore, Purpose},
        report::report,
    },
};

/// The log of one prefix.
pub(super) struct RedisLogStore {
    /// The log's key.
    key: String,
    /// What keys are called.
    names: KeyNames,
    connector: Arc<dyn Connect>,
    unlink: Option<Arc<Unlink>>,
    findings: Arc<Findings>,
    deadline: Duration,
    warned_of_eviction: AtomicBool,
    warned_of_history: AtomicBool,
}

impl RedisLogStore {
    /// And how it is followed.
    pub(super) fn new(
        prefix: &str,
        connector: Arc<dyn Connect>,
        settings: RedisLogSettings,
    ) -> (Self, LogSettings) {
        let RedisLogSettings { order, slots, freshness, deadline, unlink, names, findings } = settings;
        let names = KeyNames::new(prefix).hashed(names);
        let key = names.log();
        let [warned_of_eviction, warned_of_history] = [(); 2].map(|()| AtomicBool::new(false));
        let settings =
            LogSettings { name: key.clone(), order, slots, freshness, deadline, observer: findings.clone() };
        let store =
            Self { key, names, connector, unlink, findings, deadline, warned_of_eviction, warned_of_history };
        (store, settings)
    }

    /// Warns of a server that does not tell which data it has, once.
    fn look_at_history(&self, server_info: &ServerInfo) {
        if server_info.replication_id.is_empty() && !self.warned_of_history.swap(true, Ordering::Relaxed) {
            report(|| {
                tracing::warn!(
                    log = self.key,
                    mend = "have the server, or the proxy before it, tell its master_replid in INFO, or its run_id",
                    "the server does not tell whether it has taken the place of another one: a failover that loses \
                     invalidations is found out by processes alone that have read the newest of them"
                );
            });
        }
    }

    /// Warns of a server that may evict the log, once.
    fn look_at_eviction(&self, server_info: &ServerInfo) {
        if server_info.evicts_everything() && !self.warned_of_eviction.swap(true, Ordering::Relaxed) {
            report(|| {
                tracing::warn!(
                    policy = server_info.eviction,
                    log = self.key,
                    mend = "set the server's maxmemory-policy to noeviction or to one that begins with volatile-",
                    "the server may evict the invalidation log, and everything cached with it becomes invalid then"
                );
            });
        }
    }
}

#[async_trait]
impl LogStore for RedisLogStore {
    async fn connect(&self, purpose: Purpose) -> Result<Box<dyn LogConnection>, LogError> {
        let Connected { mut connection, server_info, asking, answer, alive } =
            self.connector.connect(purpose).await?;
        let objection = match answer.as_ref().and_then(objection) {
            // Records are no text: the server would repeat their bytes in its error, and a reply that is not UTF-8
            // ends the connection (redis 1.8).
            Some(failure) if failure.reply().is_some_and(refusal::is_unknown) => return Err(failure),
            objection => objection,
        };
        let number = match purpose {
            Purpose::Read => {
                self.look_at_eviction(&server_info);
                self.look_at_history(&server_info);
                client_number(&mut connection, self.deadline).await?
            }
            Purpose::Append => 0,
        };
        let server = LogServer {
            history: server_info.replication_id.clone(),
            connection: number,
            time_ms: server_info.time_ms,
        };
        let connection = RedisLogConnection::new(
            (connection, asking, alive),
            (server, server_info, objection),
            (self.key.clone(), self.names.clone()),
            (self.unlink.clone(), self.findings.clone()),
        );
        Ok(Box::new(connection))
    }
}
