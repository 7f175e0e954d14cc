//! For crates that share entries between processes through a store that larder itself does not know: as `larder-sql`
//! does, by the [contract of the invalidation log](LogStore) and what follows any such log; or as `larder-memcached` does,
//! where there is no log, by [`Generations`] of scopes. Entries are messages for both.
//!
//! A store implements [`LogStore`] and [`LogConnection`], follows its log by [`FollowedLog`], and moves bytes. Which
//! entries are valid, what becomes of invalidations on their way, and when everything is in doubt is decided here, as it
//! is for Redis.

mod generations;

use std::{
    fmt,
    sync::Arc,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

pub use self::generations::{Generations, Undelivered, is_kept_for, mark_of, replaced, scopes_of};
use crate::{
    cache::{Invalidating, Invalidation},
    cache_core::Core,
    entry::Entry,
    epoch::{Announcement, Epoch, LocalOrder},
    error::{Error, Kind, Result},
    link::{Link, Server},
    memory::MemoryCache,
    scope::{Scope, ScopeHash, Scopes},
    shared_log::{Log, LogSettings, delivery::deliver, out_of_touch::OutOfTouch, record::Content},
};
pub use crate::{
    shared_entries::{Message, SharedEntries, Stored},
    shared_leases::{LeaseAttempt, LeaseHolder, LeaseRequest, LeaseStore, Leases, lease},
    shared_locks::{LockStore, NotTaken, take_lock},
    shared_log::contract::{
        Appended, Appending, LogConnection, LogEnds, LogEntry, LogError, LogObserver, LogRead, LogReply,
        LogServer, LogStore, Placed, Purpose,
    },
};

/// How a log is followed.
#[derive(Debug)]
pub struct FollowedLogSettings {
    /// What the log is called: for people.
    pub name: String,
    /// How many scopes' changes are remembered: see [`CoreBuilder::scope_slots`](crate::CoreBuilder::scope_slots).
    pub scope_slots: usize,
    /// What to do while it is out of touch.
    pub out_of_touch: OutOfTouch,
    /// How long a caller waits for its invalidation to be appended. What follows the log waits for a second at least: no
    /// caller does there.
    pub deadline: Duration,
    /// Told of how it is doing.
    pub observer: Arc<dyn LogObserver>,
}

/// How many scopes' changes are remembered by default.
pub const DEFAULT_SCOPE_SLOTS: usize = crate::epoch::DEFAULT_SLOTS;

/// A log that this process follows, on a thread of its own, for as long as a clone of this is held. Cheap to clone.
#[derive(Clone)]
pub struct FollowedLog {
    log: Arc<Log>,
    deadline: Duration,
}

impl FollowedLog {
    /// Begins to follow a log, now. It is followed on as long as this lives, whatever becomes of its store.
    #[must_use]
    pub fn start(store: Arc<dyn LogStore>, settings: FollowedLogSettings) -> Self {
        let FollowedLogSettings { name, scope_slots, out_of_touch, deadline, observer } = settings;
        const PATIENCE: Duration = Duration::from_secs(1);
        let settings = LogSettings {
            name,
            order: LocalOrder::of_process(),
            slots: scope_slots,
            freshness: out_of_touch.freshness(),
            deadline: deadline.max(PATIENCE),
            observer,
        };
        Self { log: Arc::new(Log::start(store, settings)), deadline }
    }

    /// Returns when the log is followed, or `patience` is over.
    ///
    /// # Errors
    ///
    /// If it is not followed by then.
    pub async fn started(&self, patience: Duration) -> Result<()> {
        const PAUSE: Duration = Duration::from_millis(10);
        let end = Instant::now() + patience;
        loop {
            let left = end.saturating_duration_since(Instant::now());
            match tokio::time::timeout(left, self.log.started()).await {
                Ok(Ok(())) => return Ok(()),
                Ok(Err(failure)) if left.is_zero() => return Err(failure.into()),
                // What stood in the way of this attempt may not stand in the way of the next.
                Ok(Err(_)) => tokio::time::sleep(PAUSE.min(left)).await,
                Err(_) => return Err(LogError::new("it took too long to begin").into()),
            }
        }
    }

    /// The core of a cache whose changes are in the order of this log.
    #[must_use]
    pub fn core(&self) -> Core {
        Core::builder().epochs(self.log.epochs().clone()).build()
    }

    /// An empty memory with the settings of another one, whose changes are in the order of this log.
    #[must_use]
    pub fn memory(&self, settings: &MemoryCache) -> MemoryCache {
        settings.anew(self.log.epochs().clone())
    }

    /// What makes messages of entries, by the order of this log.
    #[must_use]
    pub fn entries(&self) -> SharedEntries {
        SharedEntries::new(self.log.clone())
    }

    /// The leases of a store beside this log, which a caller waits for up to `lifetime`.
    #[must_use]
    pub fn leases(&self, lifetime: Duration) -> Leases {
        Leases::new(self.log.clone(), lifetime)
    }

    /// Whether the log is heard of as often as one that is idle: if not, there is no link, or no store.
    #[must_use]
    pub fn is_heard(&self) -> bool {
        self.log.is_heard()
    }

    /// The time of the store, as far as it is known.
    #[must_use]
    pub fn server_time(&self) -> Option<SystemTime> {
        UNIX_EPOCH.checked_add(Duration::from_millis(self.log.contact().server_now_ms()?))
    }

    /// The latest epoch that can be compared with what this process knows: what claims a later one is no reason to keep it.
    #[must_use]
    pub fn latest_comparable(&self) -> Epoch {
        self.log.order().latest_comparable()
    }

    /// How this process stands with the log; of its store only whether it is `available` is said, under a name.
    #[must_use]
    pub fn link(&self, name: &str, available: bool, entries: &SharedEntries) -> Link {
        let status = self.log.status();
        Link {
            out_of_touch: status.out_of_touch,
            position: status.position,
            waiting: status.outbox,
            records: status.applied,
            restarts: status.gaps + status.losses + status.replacements + status.leaps,
            resets: status.resets,
            malformed: status.malformed,
            servers: vec![Server { name: name.to_owned(), available, connected: self.is_heard() }],
            replicas: Vec::new(),
            refusals: Vec::new(),
            rejections: entries.rejections(),
            unshared: entries.unshared(),
        }
    }

    /// Invalidates: applies it here, and has it appended.
    #[must_use]
    pub fn invalidate(&self, core: &Core, scopes: &[Scope]) -> Invalidating {
        self.deliver(core.announce(scopes), scopes)
    }

    /// Marks as stale: applies it here, and has it appended.
    #[must_use]
    pub fn mark_stale(&self, core: &Core, scopes: &[Scope]) -> Invalidating {
        self.deliver(core.announce_marks(scopes), scopes)
    }

    fn deliver(&self, announcement: Option<Arc<Announcement>>, scopes: &[Scope]) -> Invalidating {
        match announcement {
            Some(announcement) if !scopes.is_empty() => {
                let log = self.log.clone();
                let within_reach = move || {
                    tokio::runtime::Handle::try_current().is_ok() && log.is_heard() && !log.refuses_records()
                };
                deliver(announcement, self.deadline, within_reach)
            }
            _ => Invalidating::done(Invalidation::Delivered(Epoch::ZERO)),
        }
    }

    /// Whether every record through `epoch` is applied here, within a second.
    pub async fn wait_for(&self, epoch: Epoch) -> bool {
        const SOON: Duration = Duration::from_secs(1);
        epoch == Epoch::ZERO || self.log.wait_for(epoch, Instant::now() + SOON).await
    }

    /// Whether all that was invalidated here is in the log, within `limit`.
    pub async fn flush(&self, limit: Duration) -> bool {
        const PAUSE: Duration = Duration::from_millis(2);
        let end = Instant::now() + limit;
        while self.log.status().outbox > 0 {
            if Instant::now() >= end || tokio::runtime::Handle::try_current().is_err() {
                return false;
            }
            tokio::time::sleep(PAUSE).await;
        }
        true
    }
}

impl fmt::Debug for FollowedLog {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("FollowedLog").field(&self.log).finish()
    }
}

/// Records that invalidate these scopes, of no process in particular: all that read them apply them. None without scopes.
///
/// Bounded, as what the outbox has appended: each has some 8 KiB at most, and more than 65,536 scopes become everything.
#[must_use]
pub fn records_of(scopes: impl Into<Scopes>) -> Vec<Vec<u8>> {
    const MOST_IN_ONE: usize = 1_024;
    const MOST: usize = 65_536;
    let mut scopes: Vec<ScopeHash> = scopes.into().0.iter().map(Scope::hash).collect();
    if scopes.len() > MOST {
        scopes = vec![ScopeHash::ALL];
    }
    let record = |scopes: &[ScopeHash]| {
        Content::Invalidation { sender: 0, attempt: 0, scopes: scopes.to_vec() }.encode()
    };
    scopes.chunks(MOST_IN_ONE).map(record).collect()
}

/// An epoch as one number, in which a later epoch is a greater one.
#[must_use]
pub fn number_of(epoch: Epoch) -> u64 {
    epoch.number()
}

/// The epoch of such a number.
#[must_use]
pub fn epoch_of(number: u64) -> Epoch {
    Epoch::from_number(number)
}

/// The first epoch of a millisecond since 1970; none if it is beyond what epochs can hold.
#[must_use]
pub fn first_epoch_of(milliseconds: u64) -> Option<Epoch> {
    Epoch::from_id(milliseconds, 0)
}

/// The latest number of a counter's would leave the range of `i64`.
#[must_use]
pub fn counter_overflow(key: &str) -> Error {
    Error::counter_overflow(key)
}

/// A store that cannot be asked.
#[must_use]
pub fn unavailable(reason: impl Into<String>) -> Error {
    Kind::unavailable(reason).into()
}

/// Settings that are refused.
#[must_use]
pub fn refused_setting(reason: impl Into<String>) -> Error {
    Kind::configuration(reason).into()
}

/// A store that cannot be connected to; `reason` has no secret in it, nor the words of `cause`.
#[must_use]
pub fn no_connection(
    address: impl Into<String>,
    reason: impl Into<String>,
    cause: impl std::error::Error + Send + Sync + 'static,
) -> Error {
    Kind::Connect { address: address.into(), reason: reason.into(), cause: Some(Arc::new(cause)) }.into()
}

/// Whether an entry stays in this process because its value cannot be shared, or is not to be.
#[must_use]
pub fn stays_here(entry: &Entry) -> bool {
    entry.is_local() || entry.0.is_unshared()
}

/// Keeps entries in a memory that a cache has of its own.
pub fn keep(memory: &MemoryCache, entries: &[Entry]) {
    memory.keep(entries);
}

/// Drops what is kept there under the key of an entry.
pub fn discard(memory: &MemoryCache, entry: &Entry) {
    memory.discard(entry);
}

/// Frees what is kept there of what was just invalidated.
pub fn free(memory: &MemoryCache, scopes: &[Scope]) {
    memory.free(scopes);
}

/// Whether a value of this type can be made of a message.
#[must_use]
pub fn is_portable(of: crate::ValueType) -> bool {
    of.transport.is_some()
}
