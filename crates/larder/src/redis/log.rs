//! The invalidation log: one stream for each prefix, which all processes follow.
//!
//! A log has a thread of its own with two connections: one blocks on the stream and applies what comes, the other
//! appends what waits in the outbox. What is known of the log is in [`Epochs`]; what makes it right is
//! written there, and searched in the model of the `tests` package.

mod appending;
mod connect;
#[cfg(feature = "inspect")]
mod history;
mod pace;
mod reader;
mod record;
mod reply;
mod report;
mod sender;
mod server_check;
mod settings;
mod shared;
mod start;
mod thread;

use std::{
    collections::HashMap,
    fmt,
    sync::{Arc, LazyLock, Weak, atomic::Ordering},
    time::{Duration, Instant},
};

use tokio::{
    sync::{mpsc, watch},
    time::timeout_at,
};

pub(crate) use self::connect::{Connect, Connected, LogError, Purpose, question};
#[cfg(feature = "inspect")]
pub use self::history::{Follower, History, LogEvent, LogExtent, Verdict, is_mark, mark_of};
pub(crate) use self::settings::{LogSettings, OnWake, Unlink};
use self::{
    sender::Wake,
    shared::{Cause, Shared},
};
use super::findings::Findings;
use crate::{
    clock::Moment,
    epoch::{
        Epoch, Epochs, Marked, ReadVersion,
        shared::{Contact, LogOrder},
    },
    scope::ScopeHash,
    sync::plain::{Mutex, lock},
};

/// How many wakes wait for the sender at most.
const MOST_WAKES: usize = 1024;

/// How a log is doing.
#[derive(Debug, Clone)]
pub(crate) struct LogStatus {
    /// Through which epoch every record is applied.
    pub(crate) position: Epoch,
    /// For how long nothing is known to be up to date; [`Duration::MAX`] before the first contact.
    pub(crate) out_of_touch: Duration,
    /// Scopes that wait for their echo.
    pub(crate) outbox: u64,
    /// Records applied.
    pub(crate) applied: u64,
    /// First starts: one, or none so far.
    #[cfg(test)]
    pub(crate) first_starts: u64,
    /// New starts because records were trimmed before they were read.
    pub(crate) gaps: u64,
    /// New starts because the log was lost.
    pub(crate) losses: u64,
    /// New starts because the log had IDs that no server gives.
    pub(crate) leaps: u64,
    /// New starts because the server was replaced.
    pub(crate) replacements: u64,
    /// Times that this process made the log: the first one, or one that was lost.
    pub(crate) resets: u64,
    /// Records that could not be read.
    pub(crate) malformed: u64,
}

/// A log that this process follows, for as long as a handle to it is held.
pub(crate) struct Log {
    shared: Arc<Shared>,
    wakes: mpsc::Sender<Wake>,
    /// The thread ends when it is dropped.
    _open: watch::Sender<()>,
}

type Registry = HashMap<(String, String), Weak<Log>>;

impl Log {
    /// The log of this prefix on this server: the one that this process follows already, or a new one. The settings of
    /// the one that opens it first are those of all, but for the freshness: the smallest is.
    ///
    /// `identity` tells servers apart, or clusters.
    pub(crate) fn open(
        identity: String,
        prefix: &str,
        connector: impl FnOnce() -> Arc<dyn Connect>,
        settings: LogSettings,
    ) -> Arc<Self> {
        static LOGS: LazyLock<Mutex<Registry>> = LazyLock::new(Mutex::default);
        let mut logs = lock(&LOGS);
        let place = (identity, prefix.to_owned());
        if let Some(log) = logs.get(&place).and_then(Weak::upgrade) {
            log.shared.wants(settings.freshness);
            return log;
        }
        logs.retain(|_, log| log.strong_count() > 0);
        let log = Self::start(prefix, connector(), settings);
        logs.insert(place, Arc::downgrade(&log));
        log
    }

    /// A log of its own, which no other cache of this process is given.
    fn start(prefix: &str, connector: Arc<dyn Connect>, settings: LogSettings) -> Arc<Self> {
        Self::start_with(Shared::new(prefix, connector, settings))
    }

    fn start_with(shared: Shared) -> Arc<Self> {
        let shared = Arc::new(shared);
        let (wakes, received) = mpsc::channel(MOST_WAKES);
        let (open, closed) = watch::channel(());
        thread::start(&shared, received, closed);
        Arc::new(Self { shared, wakes, _open: open })
    }

    /// The order of changes in this process and in the log.
    pub(crate) fn epochs(&self) -> &Arc<Epochs> {
        &self.shared.epochs.local
    }

    /// What is known of the log.
    pub(crate) fn order(&self) -> &LogOrder {
        self.shared.log()
    }

    /// Judges an entry of the server: see [`SharedEpochs::judge`](crate::epoch::shared::SharedEpochs::judge).
    pub(crate) fn judge(&self, scopes: &[ScopeHash], epoch: Epoch) -> Option<ReadVersion> {
        self.shared.epochs.judge(scopes, epoch)
    }

    /// When an entry of the server was marked stale: see [`SharedEpochs::marked`](crate::epoch::shared::SharedEpochs::marked).
    pub(crate) fn marked(&self, scopes: &[ScopeHash], epoch: Epoch, stored: Moment) -> Option<Marked> {
        self.shared.epochs.marked(scopes, epoch, stored)
    }

    /// What was found out about its servers, by all who share it.
    pub(crate) fn findings(&self) -> &Arc<Findings> {
        &self.shared.findings
    }

    /// Whether what is known is up to date, and the server's clock.
    pub(crate) fn contact(&self) -> &Contact {
        self.shared.contact()
    }

    /// Whether the log is heard of as often as one that is idle: if not, there is no link, or no server.
    pub(crate) fn is_heard(&self) -> bool {
        self.shared.is_heard()
    }

    /// Returns when the log is followed, or could not be at the first attempt: attempts go on. Dropping the future
    /// changes nothing.
    pub(crate) async fn started(&self) -> Result<(), LogError> {
        let mut starts = self.shared.starts.subscribe();
        let told = starts.wait_for(|starts| starts.completed > 0 || starts.failure.is_some()).await;
        let failure = told.map_err(|_| LogError::new("the log is closed"))?.failure.clone();
        failure.map_or(Ok(()), Err)
    }

    /// Whether every record through `epoch` is applied here, by `deadline` at the latest. Dropping the future changes
    /// nothing.
    pub(crate) async fn wait_for(&self, epoch: Epoch, deadline: Instant) -> bool {
        let reached = || self.shared.log().position() >= epoch;
        let waiting = async {
            loop {
                // Before the look: what comes after it wakes this one.
                let moved = self.shared.moved.notified();
                if reached() {
                    return;
                }
                moved.await;
            }
        };
        timeout_at(deadline.into(), waiting).await.is_ok() || reached()
    }

    /// Whether a connection to a server with this `master_replid` may be used for entries: the log is followed on that
    /// very server. If not, the reader looks at once whether the server was replaced.
    pub(crate) fn admits(&self, replid: &str) -> bool {
        let admits = self.shared.admits(replid);
        // Before the first start the reader is on its way already.
        if !admits && self.shared.starts.borrow().replid.is_some() {
            self.shared.recheck.notify_one();
        }
        admits
    }

    /// Tells all processes, this one included, that callers that wait for this key should look again: there is a value now
    /// (`filled`), or there will be none. Not told at all where the link is down.
    pub(crate) fn wake(&self, key: ScopeHash, filled: bool) {
        // Full only while the sender is stuck.
        _ = self.wakes.try_send((key, filled));
    }

    /// Has `listener` told of wakes, for as long as it lives.
    pub(crate) fn on_wake(&self, listener: Weak<OnWake>) {
        self.shared.listen(listener);
    }

    /// How it is doing.
    pub(crate) fn status(&self) -> LogStatus {
        let counts = &self.shared.counts;
        let starts = |cause: Cause| counts.starts[cause as usize].load(Ordering::Relaxed);
        LogStatus {
            position: self.shared.log().position(),
            out_of_touch: self.shared.contact().out_of_touch(),
            outbox: self.shared.log().outbox().len(),
            applied: counts.applied.load(Ordering::Relaxed),
            #[cfg(test)]
            first_starts: starts(Cause::First),
            gaps: starts(Cause::Gap),
            losses: starts(Cause::Loss),
            leaps: starts(Cause::Leap),
            replacements: starts(Cause::Replica),
            resets: counts.resets.load(Ordering::Relaxed),
            malformed: counts.malformed.load(Ordering::Relaxed),
        }
    }
}

impl fmt::Debug for Log {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Log")
            .field("key", &self.shared.key)
            .field("status", &self.status())
            .finish_non_exhaustive()
    }
}

#[cfg(all(test, not(larder_loom)))]
mod tests;
