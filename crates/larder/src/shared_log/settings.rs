//! How a log is followed, and whom it calls.

use std::{sync::Arc, time::Duration};

use super::contract::LogObserver;
use crate::{epoch::LocalOrder, scope::ScopeHash};

/// Told of wakes on the log's thread: must return at once.
pub(crate) type OnWake = dyn Fn(ScopeHash, bool) + Send + Sync;

/// How a log is followed.
pub(crate) struct LogSettings {
    /// What it is called: for people.
    pub(crate) name: String,
    /// The order of changes of this process.
    pub(crate) order: Arc<LocalOrder>,
    /// How many scopes' changes are remembered, in local order and in log order.
    pub(crate) slots: usize,
    /// For how long entries may be served while disconnected, where a cache sets a limit.
    pub(crate) freshness: Option<Duration>,
    /// How long a call may take.
    pub(crate) deadline: Duration,
    /// Told of how it is doing.
    pub(crate) observer: Arc<dyn LogObserver>,
}
