//! How a log in Redis is followed.

use std::{future::Future, pin::Pin, sync::Arc, time::Duration};

use crate::{epoch::LocalOrder, redis::server_findings::Findings, shared_entries::NameHashing};

/// Deletes keys where they do not lie on the server that has the log. Its errors are its own.
pub(crate) type Unlink = dyn Fn(Vec<String>) -> Pin<Box<dyn Future<Output = ()> + Send>> + Send + Sync;

/// How a log in Redis is followed.
pub(crate) struct RedisLogSettings {
    /// The order of changes of this process.
    pub(crate) order: Arc<LocalOrder>,
    /// How many scopes' changes are remembered, in local order and in log order.
    pub(crate) slots: usize,
    /// For how long entries may be served while disconnected, where a cache sets a limit.
    pub(crate) freshness: Option<Duration>,
    /// How long a command may take.
    pub(crate) deadline: Duration,
    /// How keys are deleted; with the append where there is none.
    pub(crate) unlink: Option<Arc<Unlink>>,
    /// How keys are named that are deleted.
    pub(crate) names: NameHashing,
    /// What was found out about the servers.
    pub(crate) findings: Arc<Findings>,
}
