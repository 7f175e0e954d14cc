//! How the invalidation log reaches its server.

use std::{future::Future, pin::Pin, sync::Arc, time::Duration};

use async_trait::async_trait;

use super::{
    config::Config,
    connection::{Admit, Command, Connections, ToLog, connect_to_log},
    key_names::KeyNames,
    log::{self, Connect, Connected, LogError, Purpose, RedisLog},
    settings::Settings,
};
use crate::epoch::LocalOrder;

/// The log of all caches with this prefix on these servers.
pub(super) fn open_log(config: &Arc<Config>, settings: &Settings) -> Arc<RedisLog> {
    /// Longer than a caller waits: no caller does here.
    const PATIENCE: Duration = Duration::from_secs(1);

    let log = log::RedisLogSettings {
        order: LocalOrder::of_process(),
        slots: settings.scope_slots,
        freshness: settings.on_disconnect.freshness(),
        deadline: config.deadline.max(PATIENCE),
        unlink: config.is_cluster().then(|| unlinking(config.clone())),
        names: settings.sealing.names(),
        findings: config.findings.clone(),
    };
    let connector = || Arc::new(LogConnector(config.clone())) as Arc<dyn Connect>;
    // What is deleted behind an invalidation has other names where they are hashed.
    let identity = config.identity() + &settings.sealing.identity();
    RedisLog::open(identity, &config.prefix, connector, log)
}

/// Entries are read and written only on the server whose log is followed.
pub(super) fn admission(log: &Arc<RedisLog>) -> Admit {
    let log = Arc::downgrade(log);
    Arc::new(move |server_info| log.upgrade().is_some_and(|log| log.admits(&server_info.replication_id)))
}

/// In a cluster, a key lies on another node than the log: it is deleted over connections of the log's thread.
fn unlinking(config: Arc<Config>) -> Arc<log::Unlink> {
    let findings = config.findings.clone();
    let connections = Connections::new(config, None);
    Arc::new(move |keys: Vec<String>| {
        let (connections, deletion) = (connections.clone(), findings.capabilities.deletion());
        let unlink = async move {
            let commands = keys.into_iter().map(|key| Command::new(deletion).key(key)).collect();
            for reply in connections.call_many(commands).await {
                if let Err(failure) = reply {
                    crate::panic_guard::report!(debug, %failure, "an invalid entry is not deleted from Redis");
                }
            }
        };
        Box::pin(unlink) as Pin<Box<dyn Future<Output = ()> + Send>>
    })
}

struct LogConnector(Arc<Config>);

#[async_trait]
impl Connect for LogConnector {
    async fn connect(&self, purpose: Purpose) -> Result<Connected, LogError> {
        let log = KeyNames::new(&self.0.prefix).log();
        let question = log::question(&log);
        let connected = connect_to_log(&self.0, &log, purpose.suffix(), &question).await;
        let ToLog { mut dialed, asking } = connected.map_err(LogError::from)?;
        let server_info = dialed.server_info.clone();
        let answer = dialed.answers.pop();
        Ok(Connected {
            connection: dialed.connection.clone(),
            server_info,
            asking,
            answer,
            alive: Box::new(dialed),
        })
    }
}
