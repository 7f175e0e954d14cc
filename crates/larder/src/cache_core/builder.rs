//! Building the core of a cache.

use std::sync::{
    Arc, OnceLock,
    atomic::{AtomicBool, AtomicU64, Ordering},
};

use foldhash::quality::RandomState;

#[cfg(feature = "counters")]
use super::tallies::LocalTallies;
use super::{Core, Inner, claims::Claims, counters::LocalCounters, hot::Hot, switch::Switch};
#[cfg(feature = "limit")]
use crate::gcra::LocalLimits;
use crate::{
    adaptive::AdaptiveLifetimes,
    cache_padded::CachePadded,
    clock::Clock,
    epoch::{DEFAULT_SLOTS, Epochs, LocalOrder},
    front_cache::FrontCache,
    lock::LocalLocks,
    retry_pauses::RetryPauses,
    singleflight::Singleflight,
    stats::Stats,
    table::{Eviction, Table},
};

/// Builds a [`Core`].
#[derive(Debug, Clone)]
#[must_use = "a builder does nothing until `build` is called"]
pub struct CoreBuilder {
    front_cache_slots: usize,
    front_cache_until_full: usize,
    table: Option<(u64, Eviction, bool)>,
    scope_slots: usize,
    epochs: Option<Arc<Epochs>>,
    counters: u64,
}

/// How many counters a cache keeps in this process, unless its number of entries is known.
const COUNTERS: u64 = 10_000;

impl CoreBuilder {
    /// How many recently hit entries lie in front of the store: none for zero, which is the default, and 2^20
    /// at most.
    pub fn front_cache_slots(mut self, slots: usize) -> Self {
        self.front_cache_slots = slots;
        self
    }

    /// How many recently hit entries lie in front of the store until it evicts one for the first time.
    pub(crate) fn front_cache_until_full(mut self, slots: usize) -> Self {
        self.front_cache_until_full = slots;
        self
    }

    /// Has larder's own table be the store.
    pub(crate) fn store(mut self, capacity: u64, eviction: Eviction, weighs: bool) -> Self {
        self.table = Some((capacity, eviction, weighs));
        self
    }

    /// How many slots remember when scopes last changed, at 16 bytes each; 2^20 by default, and 2^28 at most. The first
    /// 64th of them is used alone until it is full.
    ///
    /// An entry that is still good is never lost if it is read, or stored, once in as many changes of different scopes
    /// as there are slots, less a tenth: its own insert, or its last hit, is then younger than all that is forgotten.
    /// Changes of keys leave half of the slots to prefixes and tags, and those half of them to keys.
    pub fn scope_slots(mut self, slots: usize) -> Self {
        self.scope_slots = slots;
        self
    }

    /// With the order of changes of other caches that share a log.
    pub(crate) fn epochs(mut self, epochs: Arc<Epochs>) -> Self {
        self.epochs = Some(epochs);
        self
    }

    /// How many counters are kept in this process at most.
    pub(crate) fn counters(mut self, counters: u64) -> Self {
        self.counters = counters;
        self
    }

    /// The core of a new cache.
    #[must_use]
    pub fn build(self) -> Core {
        let epochs =
            self.epochs.unwrap_or_else(|| Arc::new(Epochs::new(LocalOrder::of_process(), self.scope_slots)));
        let table = self.table.map(|(capacity, eviction, weighs)| Table::new(capacity, eviction, weighs));
        static NUMBER: AtomicU64 = AtomicU64::new(1);
        Core(Arc::new(Inner {
            number: NUMBER.fetch_add(1, Ordering::Relaxed).wrapping_mul(0x9e37_79b9_7f4a_7c15),
            claims: Claims::default(),
            front: FrontCache::new(self.front_cache_slots, self.front_cache_until_full),
            table,
            epochs,
            hasher: RandomState::default(),
            clock: Clock::default(),
            stats: Stats::new(),
            events: Arc::default(),
            hot: Hot::default(),
            switch: Switch::of_process(),
            singleflight: Singleflight::new(),
            turns: Arc::default(),
            pauses: RetryPauses::default(),
            adaptive: AdaptiveLifetimes::default(),
            stores: CachePadded::default(),
            warned_too_wide: AtomicBool::new(false),
            warned_other_type: AtomicBool::new(false),
            name: OnceLock::new(),
            locks: LocalLocks::default(),
            counters: LocalCounters::new(self.counters),
            #[cfg(feature = "limit")]
            limits: LocalLimits::default(),
            #[cfg(feature = "counters")]
            tallies: LocalTallies::new(self.counters),
        }))
    }
}

impl Core {
    /// Builds a core.
    pub fn builder() -> CoreBuilder {
        CoreBuilder {
            front_cache_slots: 0,
            front_cache_until_full: 0,
            table: None,
            scope_slots: DEFAULT_SLOTS,
            epochs: None,
            counters: COUNTERS,
        }
    }
}
