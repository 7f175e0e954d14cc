//! The invalidation log that processes share, wherever it is kept: what follows it, and what appends to it.
//!
//! A log has a thread of its own with two connections: one waits for records and applies what comes, the other appends
//! what waits in the outbox. What is known of the log is in [`Epochs`]; what makes it right is written there, and searched
//! in the model of the `tests` package. What keeps a log implements the [`contract`].

pub(crate) mod contract;
pub(crate) mod delivery;
pub(crate) mod disconnect_policy;
mod pace;
mod reader;
pub(crate) mod record;
pub(crate) mod report;
mod sender;
mod settings;
mod start;
mod state;
mod thread;

use std::{
    fmt,
    sync::{Arc, Weak, atomic::Ordering},
    time::{Duration, Instant},
};

use tokio::sync::{mpsc, watch};

pub(crate) use self::settings::{LogSettings, OnWake};
use self::state::Shared;
use self::{
    contract::{LogError, LogStore},
    sender::Wake,
    state::Cause,
};
use crate::{
    alarm::within,
    clock::Moment,
    epoch::{
        Epoch, Epochs, Marked, ReadVersion,
        shared::{Contact, LogOrder},
    },
    scope::ScopeHash,
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
    /// For how long none of them had one.
    pub(crate) stalled: Duration,
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

impl Log {
    /// Begins to follow a log: one of its own, which no other cache of this process is given.
    pub(crate) fn start(store: Arc<dyn LogStore>, settings: LogSettings) -> Self {
        Self::start_with(Shared::new(store, settings))
    }

    fn start_with(shared: Shared) -> Self {
        let shared = Arc::new(shared);
        let (wakes, received) = mpsc::channel(MOST_WAKES);
        let (open, closed) = watch::channel(());
        thread::start(&shared, received, closed);
        Self { shared, wakes, _open: open }
    }

    /// Has nothing served once this process has been disconnected for longer than this.
    #[cfg_attr(not(feature = "redis"), expect(dead_code, reason = "for caches that share one"))]
    pub(crate) fn wants(&self, freshness: Option<Duration>) {
        self.shared.wants(freshness);
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

    /// Whether what is known is up to date, and the server's clock.
    pub(crate) fn contact(&self) -> &Contact {
        self.shared.contact()
    }

    /// Whether the log is heard of as often as one that is idle: if not, there is no link, or no server.
    pub(crate) fn is_heard(&self) -> bool {
        self.shared.is_heard()
    }

    /// Whether its store refuses records until that is mended: what is invalidated waits, and no epoch or echo is to come.
    pub(crate) fn refuses_records(&self) -> bool {
        self.shared.refuses_records()
    }

    /// Returns when the log is followed, or could not be at the first attempt: attempts go on. A log that can be looked
    /// at and not be read is no error: what is refused is told of elsewhere. Dropping the future changes nothing.
    pub(crate) async fn started(&self) -> Result<(), LogError> {
        let mut starts = self.shared.starts.subscribe();
        let told = starts.wait_for(|starts| starts.has_read || starts.failure.is_some()).await;
        let told = told.map_err(|_| LogError::new("the log is closed"))?;
        match &told.failure {
            Some(failure) if told.completed == 0 => Err(failure.clone()),
            _ => Ok(()),
        }
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
        // Not by a timer of tokio's: a thread may wait that is in no runtime.
        reached()
            || within(deadline.saturating_duration_since(Instant::now()), waiting).await.is_some()
            || reached()
    }

    /// Whether a connection to a server with this history of data may be used for entries: the log is followed on that
    /// very server. If not, the reader looks at once whether the server was replaced.
    #[cfg_attr(not(feature = "redis"), expect(dead_code, reason = "for connections that are not the log's"))]
    pub(crate) fn admits(&self, history: &str) -> bool {
        let admits = self.shared.admits(history);
        // Before the first start the reader is on its way already.
        if !admits && self.shared.starts.borrow().history.is_some() {
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

    /// What its handle, its reader and its sender share.
    #[cfg(all(test, not(larder_loom)))]
    pub(crate) fn shared(&self) -> &Shared {
        &self.shared
    }

    /// A log whose process has the memory of another one.
    #[cfg(all(test, not(larder_loom)))]
    pub(crate) fn start_clones(of: [(Arc<dyn LogStore>, LogSettings); 2]) -> [Self; 2] {
        let [original, mut clone] = of.map(|(store, settings)| Shared::new(store, settings));
        clone.seed = original.seed.clone();
        [original, clone].map(Self::start_with)
    }

    /// How it is doing.
    pub(crate) fn status(&self) -> LogStatus {
        let counts = &self.shared.counts;
        let starts = |cause: Cause| counts.starts[cause as usize].load(Ordering::Relaxed);
        LogStatus {
            position: self.shared.log().position(),
            out_of_touch: self.shared.contact().out_of_touch(),
            outbox: self.shared.log().outbox().len(),
            stalled: self.shared.log().outbox().stalled(),
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
            .field("name", &self.shared.name)
            .field("status", &self.status())
            .finish_non_exhaustive()
    }
}
