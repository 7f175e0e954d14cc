//! What the log's handle, its reader and its sender share.

use std::{
    fmt,
    hash::{BuildHasher, RandomState},
    sync::{
        Arc, Weak,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use tokio::sync::{Notify, watch};

use super::{
    contract::{LogError, LogObserver, LogServer, LogStore},
    report::report,
    settings::{LogSettings, OnWake},
};
use crate::{
    epoch::{
        Watchers,
        shared::{Contact, Instant, LogOrder, SharedEpochs},
    },
    link::Operation,
    scope::ScopeHash,
    sync::plain::{Mutex, MutexGuard, lock},
};

/// How long a read blocks that finds nothing, unless a caller wants to know sooner.
const LONGEST_READ: Duration = Duration::from_secs(1);

/// How much longer than it may block a read may take at least. A server ends it up to a tenth of a second late, and
/// short deadlines are no wish for a new connection each time that the server was busy.
const LEAST_SLACK: Duration = Duration::from_millis(250);

/// Why the log is followed anew.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Cause {
    /// It was not followed before.
    First,
    /// Records were trimmed before they were read.
    Gap,
    /// It is gone, or what is there is not what was there.
    Loss,
    /// The server has another history of data.
    Replica,
    /// It has IDs that neither its server nor a reset can have given.
    Leap,
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::First => "the first start",
            Self::Gap => "records were trimmed before this process read them",
            Self::Loss => "the log was deleted, evicted, flushed or set back",
            Self::Replica => "the server was replaced by another one",
            Self::Leap => "the log has an ID far above its server's clock",
        })
    }
}

/// How following the log has gone so far.
#[derive(Debug, Clone, Default)]
pub(super) struct Starts {
    /// The history of data on which the last completed new start was made.
    pub(super) history: Option<Arc<str>>,
    /// New starts completed, whatever their cause.
    pub(super) completed: u64,
    /// The log was read after one.
    pub(super) has_read: bool,
    /// What stands in the way of the first one, and of the first read.
    pub(super) failure: Option<LogError>,
}

/// Numbers for people.
#[derive(Debug, Default)]
pub(super) struct Counts {
    pub(super) applied: AtomicU64,
    pub(super) starts: [AtomicU64; 5],
    pub(super) resets: AtomicU64,
    pub(super) malformed: AtomicU64,
}

pub(super) fn count(counter: &AtomicU64, by: usize) {
    counter.fetch_add(by as u64, Ordering::Relaxed);
}

pub(crate) struct Shared {
    /// What the log is called: for people.
    pub(super) name: String,
    pub(super) epochs: SharedEpochs,
    /// Who appends, as the records say.
    identity: AtomicU64,
    /// From the entropy of the operating system, which the hashes of the standard library are seeded with.
    pub(super) seed: RandomState,
    pub(super) store: Arc<dyn LogStore>,
    pub(super) deadline: Duration,
    pub(super) starts: watch::Sender<Starts>,
    /// The position has moved, or may have.
    pub(super) moved: Notify,
    /// Something is wrong with the server, or is so no longer, as others found out: the reader looks at once.
    pub(super) recheck: Notify,
    /// The log is followed again: the sender need not wait any longer.
    pub(super) found: Notify,
    /// Callers wait for a record of this process to be read back: the reader need not pause any longer.
    pub(super) awaited: Notify,
    /// Whether the last read of the log succeeded.
    followed: AtomicBool,
    /// Whether the last append was refused, as the next one would be.
    refuses_records: AtomicBool,
    pub(super) counts: Counts,
    listeners: Mutex<Vec<Weak<OnWake>>>,
    pub(super) observer: Arc<dyn LogObserver>,
}

impl Shared {
    pub(super) fn new(store: Arc<dyn LogStore>, settings: LogSettings) -> Self {
        let LogSettings { name, order, slots, freshness, deadline, observer } = settings;
        let shared = Self {
            epochs: SharedEpochs::new(order, slots),
            identity: AtomicU64::new(0),
            seed: RandomState::new(),
            name,
            store,
            deadline,
            starts: watch::Sender::default(),
            moved: Notify::new(),
            recheck: Notify::new(),
            found: Notify::new(),
            awaited: Notify::new(),
            followed: AtomicBool::new(false),
            refuses_records: AtomicBool::new(false),
            counts: Counts::default(),
            listeners: Mutex::default(),
            observer,
        };
        shared.wants(freshness);
        shared
    }

    /// What is known of the log.
    pub(crate) fn log(&self) -> &LogOrder {
        &self.epochs.log
    }

    /// The caches that hear of what happens to all on this log.
    pub(super) fn watchers(&self) -> &Watchers {
        self.epochs.local.watchers()
    }

    /// Tells them whether the log is followed.
    pub(super) fn tell_link(&self, up: bool) {
        self.watchers().tell(|watcher| watcher.link(&self.name, up));
    }

    /// Who appends, as the records say. The reader recognises by it what is our own.
    pub(crate) fn identity(&self) -> u64 {
        self.identity.load(Ordering::Relaxed)
    }

    /// Takes another identity, that of a new connection on which the log is read. What was appended under the one
    /// before is recognised by its exact epoch from then on, where the store has named that; the rest is appended again
    /// once the log is read: see [`Outbox::disown`](crate::epoch::shared::Outbox::disown).
    ///
    /// Two machines that were cloned while they ran have the same memory, random numbers included. What they cannot
    /// share is a connection: before either reads what the other one appends, it has connected anew, as a client of
    /// another number, at another time.
    pub(super) fn renew_identity(&self, server: &LogServer) {
        let now = Instant::now().number();
        let identity = self.seed.hash_one((server.connection, &server.history, server.time_ms, now));
        // Zero is the sender of a reset.
        self.identity.store(identity.max(1), Ordering::Relaxed);
    }

    /// Whether the last read of the log succeeded.
    pub(super) fn is_followed(&self) -> bool {
        self.followed.load(Ordering::Relaxed)
    }

    /// Notes whether it did. Returns what was noted before.
    pub(super) fn set_followed(&self, followed: bool) -> bool {
        self.followed.swap(followed, Ordering::Relaxed)
    }

    /// Whether what is known is up to date.
    pub(super) fn contact(&self) -> &Contact {
        self.log().contact()
    }

    /// Nothing is to be served once this process has been disconnected for longer than this.
    pub(super) fn wants(&self, freshness: Option<Duration>) {
        if let Some(limit) = freshness {
            self.contact().restrict(limit);
        }
    }

    /// How long a read may block that finds nothing: contact is proven from when it was sent, until the next one
    /// ends.
    pub(super) fn longest_read(&self) -> Duration {
        self.nudge_every().unwrap_or(LONGEST_READ)
    }

    /// How much longer than it may block a read may take.
    pub(super) fn slack(&self) -> Duration {
        self.deadline.max(LEAST_SLACK)
    }

    /// Whether the log is heard of as often as one that is idle. What was proven lies one read back, and the next one
    /// may be about to end.
    pub(super) fn is_heard(&self) -> bool {
        self.contact().within((self.longest_read() + self.slack()) * 2)
    }

    /// How often the server needs a nudge to end such a read in time, if at all. When nothing happens it looks for
    /// expired reads only as often as its `hz` says, by default ten times a second: any command on another connection
    /// has it look at once. Where idle connections are closed, something is said on both of them as well.
    pub(super) fn nudge_every(&self) -> Option<Duration> {
        let freshness = self.contact().limit();
        // A read takes up to two of these, and two reads must fit.
        let fresh = freshness.map(|freshness| freshness / 6).filter(|pause| *pause < LONGEST_READ / 2);
        let shortest = fresh.into_iter().chain(self.observer.keep_alive()).min()?;
        Some(shortest.clamp(Duration::from_millis(1), LONGEST_READ))
    }

    /// The server said something against an operation.
    pub(super) fn refused(&self, operation: Operation, failure: &LogError) {
        let Some(mend) = failure.mend() else { return };
        let (operation, reply) = match failure.connection() {
            // The connections for commands say the same.
            Some(error) => (Operation::Connect, format!("{}: {}", error.server, error.in_full)),
            None => (operation, failure.reply().map_or_else(|| failure.to_string(), str::to_owned)),
        };
        if operation == Operation::Append {
            self.refuses_records.store(true, Ordering::Relaxed);
        }
        report(|| self.observer.refused(operation, &reply, mend));
    }

    /// An operation went well.
    pub(super) fn accepted(&self, operation: Operation) {
        if operation == Operation::Append {
            self.refuses_records.store(false, Ordering::Relaxed);
        }
        report(|| self.observer.accepted(operation));
    }

    /// Whether the last append was refused, as the next one would be.
    pub(super) fn refuses_records(&self) -> bool {
        self.refuses_records.load(Ordering::Relaxed)
    }

    /// Whether this is the server on which the last new start was made.
    pub(crate) fn admits(&self, history: &str) -> bool {
        self.starts.borrow().history.as_deref() == Some(history)
    }

    fn listeners(&self) -> MutexGuard<'_, Vec<Weak<OnWake>>> {
        lock(&self.listeners)
    }

    /// Has a listener told of wakes, for as long as it lives.
    pub(super) fn listen(&self, listener: Weak<OnWake>) {
        let mut listeners = self.listeners();
        listeners.retain(|listener| listener.strong_count() > 0);
        listeners.push(listener);
    }

    pub(super) fn tell_of_wake(&self, key: ScopeHash, filled: bool) {
        // Cloned, so that no lock is held while they are called.
        let listeners: Vec<_> = self.listeners().iter().filter_map(Weak::upgrade).collect();
        for listener in listeners {
            listener(key, filled);
        }
    }
}
