//! Leases: one computation of a key in all processes that share a store.
//!
//! A lease is a row, or a key, with the holder's token, the position at which its computation began, and a mark
//! that a caller waits. It ends by itself unless the holder renews it, so that a holder that died holds up
//! no caller for long. Callers that wait are woken through the log when the holder is done; polling is the fallback. They
//! wait for one lifetime at most from their arrival on, however often the lease is renewed, and in a batch for as many
//! keys as there may be: two processes that wait for each other, or a holder that hangs, stop no caller for longer.
//!
//! A lease decides who computes, and nothing else. Whether a value is valid is never its matter, so that it does
//! no harm if two processes hold one, after a failover or a pause.

mod waiters;

use std::{
    fmt,
    sync::Arc,
    time::{Duration, Instant},
};

use async_trait::async_trait;
use tokio::{runtime::Handle, task::AbortHandle};

use self::waiters::LeaseWaiters;
use crate::{
    cache::{HeldLease, Lease, Leased},
    cache_core::{Core, Lookup},
    clock::instant_after,
    entry::{Entry, Freshness},
    epoch::{Epoch, shared::GenerationOrder},
    scope::ScopeHash,
    shared_log::{Log, OnWake},
    value::ValueType,
};

/// A lease that is not renewed ends after this part of the time that others wait for it at most: those who
/// waited for a holder that died have time left to wait for the next one.
const PARTS: u32 = 3;

/// How often a lease is renewed in the time after which it would end.
const RENEWALS: u32 = 3;

/// The first and the longest pause between two looks at a lease that another process holds.
const PAUSES: (Duration, Duration) = (Duration::from_millis(10), Duration::from_millis(200));

/// Who holds a lease: a token, and the position at which the computation began.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LeaseHolder([u8; Self::LENGTH]);

impl LeaseHolder {
    const LENGTH: usize = 24;

    fn new(epoch: Epoch) -> Self {
        let mut bytes = [0; Self::LENGTH];
        bytes[..8].copy_from_slice(&fastrand::u64(..).to_be_bytes());
        bytes[8..16].copy_from_slice(&fastrand::u64(..).to_be_bytes());
        bytes[16..].copy_from_slice(&epoch.number().to_be_bytes());
        Self(bytes)
    }

    /// From the bytes that a store has; what is behind them does not count.
    #[must_use]
    pub fn parse(there: &[u8]) -> Option<Self> {
        there.get(..Self::LENGTH).and_then(|bytes| bytes.try_into().ok()).map(Self)
    }

    /// What a store has of it.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.0
    }

    /// The bytes that tell it from all others.
    #[must_use]
    pub fn token(&self) -> &[u8] {
        &self.0[..16]
    }

    fn epoch(&self) -> Epoch {
        Epoch::from_number(u64::from_be_bytes(self.0[16..].try_into().expect("eight bytes are left")))
    }
}

/// What is asked of a store.
#[derive(Debug, Clone, Copy)]
pub struct LeaseRequest {
    /// Who is to have the lease, if it is free.
    pub own: LeaseHolder,
    /// It counts as free if this one has it.
    pub outdated: Option<LeaseHolder>,
    /// Whether the caller waits for another holder, who is to know.
    pub waits: bool,
    /// After how long it ends unless it is renewed.
    pub lifetime: Duration,
}

/// What came of one attempt, with the entry if there is a valid one.
#[derive(Debug)]
pub enum LeaseAttempt {
    /// It was free.
    Acquired(Option<Entry>),
    /// Another process has it.
    HeldBy(LeaseHolder, Option<Entry>),
    /// Nothing is known.
    OutOfReach,
}

/// Where leases are kept.
#[async_trait]
pub trait LeaseStore: Send + Sync + 'static {
    /// What is known of its leases in this process.
    fn leases(&self) -> &Leases;

    /// Whether it is worth asking.
    fn may_be_asked(&self) -> bool;

    /// Takes the lease of a key that is free, or marks that a caller waits for it; then looks at the entry. That should not be
    /// older than the lease's last release, where the store can see to it at no further cost: else a value that was stored
    /// just before it is computed once more.
    async fn acquire(
        &self,
        core: &Core,
        at: Lookup<'_>,
        of: ValueType,
        request: LeaseRequest,
    ) -> LeaseAttempt;

    /// The entry, where what was stored last is.
    async fn look(&self, core: &Core, at: Lookup<'_>, of: ValueType) -> Option<Entry>;

    /// Gives a holder that much time from now on. False if it is known that the lease is lost.
    async fn renew(&self, key: &str, holder: LeaseHolder, lifetime: Duration) -> bool;

    /// Ends the lease of a holder. True if a caller waits for it.
    async fn release(&self, key: &str, holder: LeaseHolder) -> bool;
}

/// What decides whether a computation that is under way is wanted still.
pub(crate) trait LeaseOrder: Send + Sync {
    /// What a computation that begins now carries.
    fn position(&self) -> Epoch;

    /// Whether nothing that this process knows of has changed these scopes since then.
    fn accepts(&self, scopes: &[ScopeHash], epoch: Epoch) -> bool;

    /// Has those look again, in all processes, who wait for a key: it is `filled`, or will not be.
    fn wake(&self, key: ScopeHash, filled: bool);
}

impl LeaseOrder for Log {
    fn position(&self) -> Epoch {
        self.order().position()
    }

    fn accepts(&self, scopes: &[ScopeHash], epoch: Epoch) -> bool {
        self.order().accepts(scopes, epoch)
    }

    fn wake(&self, key: ScopeHash, filled: bool) {
        Self::wake(self, key, filled);
    }
}

/// Nothing tells other processes: they look from time to time.
impl LeaseOrder for GenerationOrder {
    fn position(&self) -> Epoch {
        Self::position(self)
    }

    fn accepts(&self, scopes: &[ScopeHash], epoch: Epoch) -> bool {
        Self::accepts(self, scopes, epoch)
    }

    fn wake(&self, _: ScopeHash, _: bool) {}
}

/// The leases of one store, in this process.
pub struct Leases {
    order: Arc<dyn LeaseOrder>,
    waiters: Arc<LeaseWaiters>,
    /// How long a caller waits for another process' computation at most.
    lifetime: Duration,
    /// Listens to the log for as long as it is here, if there is one.
    _on_wake: Option<Arc<OnWake>>,
}

impl fmt::Debug for Leases {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Leases").field("lifetime", &self.lifetime).finish_non_exhaustive()
    }
}

impl Leases {
    pub(crate) fn new(log: Arc<Log>, lifetime: Duration) -> Self {
        let waiters = Arc::new(LeaseWaiters::default());
        let on_wake: Arc<OnWake> = Arc::new({
            let waiters = waiters.clone();
            move |key, filled| waiters.wake(key, filled)
        });
        log.on_wake(Arc::downgrade(&on_wake));
        Self { order: log, waiters, lifetime, _on_wake: Some(on_wake) }
    }

    /// Where there is no log.
    pub(crate) fn by_generations(order: Arc<GenerationOrder>, lifetime: Duration) -> Self {
        Self { order, waiters: Arc::default(), lifetime, _on_wake: None }
    }

    /// How long a caller waits for another process' computation at most.
    #[must_use]
    pub fn lifetime(&self) -> Duration {
        self.lifetime
    }
}

/// See [`SharedStorage::lease`](crate::SharedStorage::lease).
pub async fn lease<S: LeaseStore>(
    store: &Arc<S>,
    core: &Core,
    at: Lookup<'_>,
    of: ValueType,
    (cover, patience): (&[ScopeHash], Option<Duration>),
) -> Leased {
    if Handle::try_current().is_err() {
        return Leased::Free;
    }
    let leases = store.leases();
    let order = &leases.order;
    let (waits, end) = (patience.is_some(), instant_after(patience.unwrap_or_default()));
    let mut pause = PAUSES.0;
    let mut outdated = None;
    loop {
        // Before the look: a fill after it wakes this one.
        let wake = leases.waiters.listen(ScopeHash::key(at.key));
        let own = LeaseHolder::new(order.position());
        if !store.may_be_asked() {
            return Leased::Free;
        }
        // Before the attempt: if its caller goes away, or the reply comes too late, it may have succeeded.
        let mut held = Held::new(store, at.key, own);
        let request = LeaseRequest { own, outdated, waits, lifetime: leases.lifetime / PARTS };
        let attempt = store.acquire(core, at, of, request).await.wanted(core, waits);
        held.is_ours = !matches!(attempt, LeaseAttempt::HeldBy(..));
        match attempt {
            LeaseAttempt::OutOfReach => return Leased::Free,
            LeaseAttempt::Acquired(Some(entry)) => {
                // Others may have begun to wait already.
                held.fill();
                return Leased::Found(entry);
            }
            LeaseAttempt::Acquired(None) => {
                held.renew();
                return Leased::Held(Lease::new(held));
            }
            LeaseAttempt::HeldBy(_, Some(entry)) => return Leased::Found(entry),
            LeaseAttempt::HeldBy(holder, None)
                if !order.accepts(cover, holder.epoch()) && outdated != Some(holder) =>
            {
                // Whatever comes of that computation is no longer wanted.
                outdated = Some(holder);
            }
            LeaseAttempt::HeldBy(..) if !waits => return Leased::Elsewhere,
            LeaseAttempt::HeldBy(..) => {
                let left = end.saturating_duration_since(Instant::now());
                if left.is_zero() {
                    core.count_in(of.group, |counters| &counters.lease_timeouts);
                    return Leased::Free;
                }
                match tokio::time::timeout(pause.min(left), wake).await {
                    Ok(filled) if !filled => return Leased::Free,
                    Ok(_) => {
                        if let Some(entry) = store.look(core, at, of).await {
                            return Leased::Found(entry);
                        }
                    }
                    Err(_) => pause = (pause * 3 / 2).min(PAUSES.1),
                }
            }
        }
    }
}

impl LeaseAttempt {
    /// With the entry only if it will do: a caller that does not wait refreshes what there is, and wants something newer.
    fn wanted(self, core: &Core, waits: bool) -> Self {
        let sought = if waits { Freshness::StaleIfError } else { Freshness::RefreshAhead };
        let will_do = |entry: &Entry| entry.0.freshness(core.now()) < sought;
        match self {
            Self::Acquired(entry) => Self::Acquired(entry.filter(will_do)),
            Self::HeldBy(holder, entry) => Self::HeldBy(holder, entry.filter(will_do)),
            Self::OutOfReach => Self::OutOfReach,
        }
    }
}

/// A lease that is held, or may be.
struct Held<S: LeaseStore> {
    store: Arc<S>,
    key: String,
    holder: LeaseHolder,
    /// False once another holder is known.
    is_ours: bool,
    filled: bool,
    renewal: Option<AbortHandle>,
}

impl<S: LeaseStore> Held<S> {
    fn new(store: &Arc<S>, key: &str, holder: LeaseHolder) -> Self {
        let (store, key) = (store.clone(), key.to_owned());
        Self { store, key, holder, is_ours: true, filled: false, renewal: None }
    }

    /// Renews it until it is dropped.
    fn renew(&mut self) {
        let (store, key, holder) = (self.store.clone(), self.key.clone(), self.holder);
        let renewal = tokio::spawn(async move {
            let lifetime = store.leases().lifetime / PARTS;
            let mut interval = tokio::time::interval(lifetime / RENEWALS);
            interval.tick().await;
            loop {
                interval.tick().await;
                if !store.renew(&key, holder, lifetime).await {
                    return;
                }
            }
        });
        self.renewal = Some(renewal.abort_handle());
    }
}

impl<S: LeaseStore> HeldLease for Held<S> {
    fn fill(&mut self) {
        self.filled = true;
    }
}

impl<S: LeaseStore> Drop for Held<S> {
    fn drop(&mut self) {
        if let Some(renewal) = &self.renewal {
            renewal.abort();
        }
        if !self.is_ours {
            return;
        }
        // Without a runtime there is no task to send it; the lease ends by itself.
        let Ok(runtime) = Handle::try_current() else { return };
        let (store, key, filled) = (self.store.clone(), std::mem::take(&mut self.key), self.filled);
        let holder = self.holder;
        runtime.spawn(async move {
            if store.release(&key, holder).await {
                store.leases().order.wake(ScopeHash::key(&key), filled);
            }
        });
    }
}
