//! What was found out about the servers of one log, by all caches on it.

use super::{capabilities::Capabilities, idle_timeout::IdleTimeout, refusal::ServerRefusals};
use crate::{
    epoch::Watchers, link::Operation, recent_timeout::RecentTimeout, shared_entries::rejections::Rejections,
    shared_log::contract::LogObserver,
};
use std::{
    sync::{
        Arc, OnceLock,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    time::Duration,
};

/// What was found out about the servers of one log.
#[derive(Debug, Default)]
pub(super) struct Findings {
    pub(super) refusals: ServerRefusals,
    pub(super) rejections: Arc<Rejections>,
    pub(super) capabilities: Capabilities,
    pub(super) idle: IdleTimeout,
    pub(super) recent_timeout: RecentTimeout,
    /// How many servers a warning says are unavailable.
    unavailable: AtomicUsize,
    /// The caches that hear of it.
    watchers: OnceLock<Arc<Watchers>>,
}

impl Findings {
    /// For this ACL user, and keys that begin so.
    pub(super) fn new(user: Option<&str>, prefix: &str) -> Self {
        Self { refusals: ServerRefusals::new(user, prefix), ..Self::default() }
    }

    /// Has these hear of servers that come and go.
    pub(super) fn tell(&self, watchers: &Arc<Watchers>) {
        let _ = self.watchers.set(watchers.clone());
    }

    fn tell_link(&self, server: &str, up: bool) {
        if let Some(watchers) = self.watchers.get() {
            watchers.tell(|watcher| watcher.link(server, up));
        }
    }

    /// A warning says that a server is unavailable.
    pub(super) fn reported_down(&self, server: &str) {
        self.unavailable.fetch_add(1, Relaxed);
        self.tell_link(server, false);
    }

    /// It is available again.
    pub(super) fn reported_up(&self, server: &str) {
        self.no_longer_down();
        self.tell_link(server, true);
    }

    /// It is no longer of interest.
    pub(super) fn no_longer_down(&self) {
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
