//! What was found out about the servers of one log, by all caches on it.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    time::Duration,
};

use super::{capabilities::Capabilities, idle_timeout::IdleTimeout, refusal::Refusals};
use crate::{link::Operation, shared_entries::rejections::Rejections, shared_log::contract::LogObserver};

/// What was found out about the servers of one log.
#[derive(Debug, Default)]
pub(super) struct Findings {
    pub(super) refusals: Refusals,
    pub(super) rejections: Arc<Rejections>,
    pub(super) capabilities: Capabilities,
    pub(super) idle: IdleTimeout,
    /// How many servers a warning says are unavailable.
    unavailable: AtomicUsize,
}

impl Findings {
    /// For this ACL user, and keys that begin so.
    pub(super) fn new(user: Option<&str>, prefix: &str) -> Self {
        Self { refusals: Refusals::new(user, prefix), ..Self::default() }
    }

    /// A warning says that a server is unavailable.
    pub(super) fn reported_down(&self) {
        self.unavailable.fetch_add(1, Relaxed);
    }

    /// It is available again, or no longer of interest.
    pub(super) fn reported_up(&self) {
        self.unavailable.fetch_sub(1, Relaxed);
    }
}

impl LogObserver for Findings {
    fn refused(&self, operation: Operation, reply: &str, mend: &str) {
        self.refusals.refused(operation, reply, mend);
    }

    fn accepted(&self, operation: Operation) {
        self.refusals.accepted(operation);
    }

    fn completed(&self, reply: &str, mend: &str) -> String {
        self.refusals.completed(reply, mend).into_owned()
    }

    /// The log need not say so again.
    fn is_reported_down(&self) -> bool {
        self.unavailable.load(Relaxed) > 0
    }

    fn keep_alive(&self) -> Option<Duration> {
        self.idle.keep_alive()
    }
}
