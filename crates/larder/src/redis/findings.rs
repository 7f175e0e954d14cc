//! What was found out about the servers of one log, by all caches on it.

use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use super::{
    capabilities::Capabilities, idle_timeout::IdleTimeout, refusal::Refusals, rejections::Rejections,
};

/// What was found out about the servers of one log.
#[derive(Debug, Default)]
pub(super) struct Findings {
    pub(super) refusals: Refusals,
    pub(super) rejections: Rejections,
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

    /// Whether the last warning about a connection says that there is none: the log need not say so again.
    pub(super) fn is_reported_down(&self) -> bool {
        self.unavailable.load(Relaxed) > 0
    }
}
