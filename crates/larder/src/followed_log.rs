//! The invalidation log of a cache, wherever it is kept: following it, and invalidating by it.

use std::{
    fmt,
    sync::Arc,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use crate::{
    cache::{Cache, Invalidating},
    cache_core::Core,
    clock::instant_after,
    epoch::{Announcement, Epoch, LocalOrder},
    error::Result,
    link::{Link, Operation, Server},
    memory::MemoryCache,
    panic_guard,
    refusals::Refusals,
    scope::Scope,
    shared_entries::SharedEntries,
    shared_leases::Leases,
    shared_log::{
        Log, LogSettings,
        contract::{LogError, LogStore},
        delivery::{deliver, until_delivered},
        disconnect_policy::DisconnectPolicy,
    },
};

/// How a log is followed.
#[derive(Debug)]
pub struct FollowedLogSettings {
    /// What the log is called: for people.
    pub name: String,
    /// How many scopes' changes are remembered: see [`CoreBuilder::scope_slots`](crate::CoreBuilder::scope_slots).
    pub scope_slots: usize,
    /// What to serve while it is disconnected.
    pub on_disconnect: DisconnectPolicy,
    /// How long a caller waits for its invalidation to be appended. What follows the log waits for a second at least: no
    /// caller does there.
    pub deadline: Duration,
    /// What the store is called in warnings: `the database`.
    pub store_name: &'static str,
}

/// A log that this process follows, on a thread of its own, for as long as a clone of this is held. Cheap to clone.
#[derive(Clone)]
pub struct FollowedLog {
    log: Arc<Log>,
    deadline: Duration,
    refusals: Arc<Refusals>,
}

impl FollowedLog {
    /// Begins to follow a log, now. It is followed on as long as this lives, whatever becomes of its store.
    #[must_use]
    pub fn start(store: Arc<dyn LogStore>, settings: FollowedLogSettings) -> Self {
        let FollowedLogSettings { name, scope_slots, on_disconnect, deadline, store_name } = settings;
        const PATIENCE: Duration = Duration::from_secs(1);
        let refusals = Arc::new(Refusals::new(store_name));
        let settings = LogSettings {
            name,
            order: LocalOrder::of_process(),
            slots: scope_slots,
            freshness: on_disconnect.freshness(),
            deadline: deadline.max(PATIENCE),
            observer: refusals.clone(),
        };
        Self { log: Arc::new(Log::start(store, settings)), deadline, refusals }
    }

    /// A log that is followed already, whose store has refused nothing.
    #[cfg(feature = "redis")]
    pub(crate) fn of(log: Arc<Log>, deadline: Duration) -> Self {
        Self { log, deadline, refusals: Arc::new(Refusals::new("redis")) }
    }

    /// The store has refused an operation on entries, leases, locks or counters, in these words, and will go on refusing it
    /// until that is done which `mend` names. Said in a warning, at most once a minute, and shown by [`link`](Self::link).
    pub fn refused(&self, operation: Operation, reply: &str, mend: &str) {
        self.refusals.refused(operation, reply, mend);
    }

    /// The store has done what it may have refused before.
    pub fn accepted(&self, operation: Operation) {
        self.refusals.accepted(operation);
    }

    /// Returns when the log is followed, or `patience` is over. An attempt to connect that fails then is given `slack` to
    /// say why.
    ///
    /// # Errors
    ///
    /// If it is not followed by then.
    pub async fn started(&self, patience: Duration, slack: Duration) -> Result<()> {
        const PAUSE: Duration = Duration::from_millis(10);
        let end = instant_after(patience);
        loop {
            let left = end.saturating_duration_since(Instant::now());
            match tokio::time::timeout(left + slack, self.log.started()).await {
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

    /// An empty memory with the settings of another one, whose changes are in the order of this log. A disk tier is left out, which is
    /// warned of.
    #[must_use]
    pub fn memory(&self, settings: &MemoryCache) -> MemoryCache {
        if settings.storage().memory().is_some_and(|memory| memory.disk().is_some()) {
            panic_guard::report!(
                warn,
                "the disk tier of a cache is not used: in front of this store there is none, only in front of Redis"
            );
        }
        settings.anew(self.log.epochs().clone())
    }

    /// Turns entries into messages, by the order of this log.
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
        let server = Server { name: name.to_owned(), address: None, available, connected: self.is_heard() };
        self.link_to(vec![server], entries)
    }

    /// How this process stands with the log, which lies on these servers.
    pub(crate) fn link_to(&self, servers: Vec<Server>, entries: &SharedEntries) -> Link {
        let status = self.log.status();
        Link {
            out_of_touch: status.out_of_touch,
            position: status.position,
            waiting: status.outbox,
            stalled: status.stalled,
            records: status.applied,
            restarts: status.gaps + status.losses + status.replacements + status.leaps,
            resets: status.resets,
            malformed: status.malformed,
            servers,
            replicas: Vec::new(),
            refusals: self.refusals.list(),
            rejections: entries.rejections(),
            unshared: entries.unshared(),
        }
    }

    /// Invalidates: applies it here, and has it appended. That is not waited for unless the log is heard, and what appends
    /// to it is `within_reach`.
    #[must_use]
    pub fn invalidate(
        &self,
        core: &Core,
        scopes: &[Scope],
        within_reach: impl Fn() -> bool + Send + 'static,
    ) -> Invalidating {
        self.deliver((core.announce(scopes), scopes), within_reach)
    }

    /// Marks as stale: applies it here, and has it appended, as [`invalidate`](Self::invalidate) does.
    #[must_use]
    pub fn mark_stale(
        &self,
        core: &Core,
        scopes: &[Scope],
        within_reach: impl Fn() -> bool + Send + 'static,
    ) -> Invalidating {
        self.deliver((core.announce_marks(scopes), scopes), within_reach)
    }

    fn deliver(
        &self,
        announced: (Option<Arc<Announcement>>, &[Scope]),
        within_reach: impl Fn() -> bool + Send + 'static,
    ) -> Invalidating {
        let log = self.log.clone();
        let within_reach = move || log.is_heard() && !log.refuses_records() && within_reach();
        deliver(announced, self.deadline, within_reach)
    }

    /// Whether every record through `epoch` is applied here, within a second.
    pub async fn wait_for(&self, epoch: Epoch) -> bool {
        /// A reader pauses for 20 ms at most, and a server may hold up for a second what it copies.
        const SOON: Duration = Duration::from_secs(1);
        epoch == Epoch::ZERO || self.log.wait_for(epoch, Instant::now() + SOON).await
    }

    /// Whether all that was invalidated here is in the log, within `limit`.
    pub async fn flush(&self, limit: Duration) -> bool {
        until_delivered(|| self.log.status().outbox, limit).await
    }
}

impl fmt::Debug for FollowedLog {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("FollowedLog").field(&self.log).finish()
    }
}
