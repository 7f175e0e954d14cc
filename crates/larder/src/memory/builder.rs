//! What can be set of a [`MemoryCache`](super::MemoryCache).

use std::{fmt, sync::Arc};

use super::persistent_tier::OpenPersistentTier;
use crate::{entry::Entry, epoch::DEFAULT_SLOTS, table::Eviction};

/// What keeps the entries of a [`MemoryCache`](crate::MemoryCache).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Store {
    /// larder's own table, which [`MemoryCache`](crate::MemoryCache) describes: the fastest in all that was measured, hits, misses and
    /// invalidations, on one thread and on several.
    #[default]
    Table,
    /// [moka](https://docs.rs/moka), with a front cache of the entries that were hit last. Take it where a mix of reads
    /// is known to fare better with its policy: reads that go round more than is kept, say, or entries of very different
    /// weights, of which moka does not let a heavy new one in at the cost of many used ones. Its upkeep makes misses and
    /// evictions some times dearer, and memory is given back a little later.
    #[cfg(feature = "moka")]
    #[cfg_attr(docsrs, doc(cfg(feature = "moka")))]
    Moka,
}

/// How many entries are kept unless told otherwise.
const DEFAULT_CAPACITY: u64 = 10_000;

/// The most slots by default: a capacity that stands for "no bound" is no reason to take gigabytes.
const MOST_DEFAULT_SLOTS: usize = 1 << 24;

type Weigher = Arc<dyn Fn(&str, &Entry) -> u32 + Send + Sync>;

/// Builds a [`MemoryCache`](crate::MemoryCache); made by [`MemoryCache::builder`](crate::MemoryCache::builder).
#[derive(Clone)]
#[must_use = "a builder does nothing until `build` is called"]
pub struct MemoryCacheBuilder {
    pub(super) capacity: u64,
    pub(super) weigher: Option<Weigher>,
    pub(super) eviction: Eviction,
    pub(super) store: Store,
    pub(super) front_cache_slots: Option<usize>,
    pub(super) scope_slots: Option<usize>,
    pub(super) disk: Option<Arc<dyn OpenPersistentTier>>,
}

impl MemoryCacheBuilder {
    /// The most that is kept: a number of entries, or of whatever a [`weigher`](Self::weigher) measures.
    /// 10,000 by default.
    pub fn capacity(mut self, capacity: u64) -> Self {
        self.capacity = capacity;
        self
    }

    /// Measures entries: `capacity` is then the sum of their weights, in the weigher's unit. Called once
    /// for each entry stored, before it is, and under no lock. An entry that weighs more than the capacity is not kept. A
    /// weight of 0 counts as 1, so that the number of entries is bounded too.
    pub fn weigher(mut self, weigher: impl Fn(&str, &Entry) -> u32 + Send + Sync + 'static) -> Self {
        self.weigher = Some(Arc::new(weigher));
        self
    }

    /// By which rule entries are kept; [`Eviction::TinyLfu`] by default.
    pub fn eviction(mut self, eviction: Eviction) -> Self {
        self.eviction = eviction;
        self
    }

    /// What keeps the entries; [`Store::Table`] by default.
    pub fn store(mut self, store: Store) -> Self {
        self.store = store;
        self
    }

    /// How many recently hit entries lie in a front cache, for which a hit costs least. By default as many as are kept,
    /// 16,384 at most, until an entry is evicted for the first time; and a tenth of the capacity from then on, 4,096 at
    /// most. Zero turns it off.
    pub fn front_cache_slots(mut self, slots: usize) -> Self {
        self.front_cache_slots = Some(slots);
        self
    }

    /// See [`CoreBuilder::scope_slots`](crate::CoreBuilder::scope_slots). By default at least as many as entries are
    /// kept, since each insert is a change of its key; 2^24 at most, which take 256 MiB.
    pub fn scope_slots(mut self, slots: usize) -> Self {
        self.scope_slots = Some(slots);
        self
    }

    /// How many entries are expected. With a weigher, the capacity does not tell.
    pub(super) fn entries_or_default(&self) -> u64 {
        if self.weigher.is_some() { DEFAULT_CAPACITY } else { self.capacity }
    }

    pub(super) fn scope_slots_or_default(&self) -> usize {
        let entries = usize::try_from(self.entries_or_default()).unwrap_or(usize::MAX);
        self.scope_slots.unwrap_or(entries.clamp(DEFAULT_SLOTS, MOST_DEFAULT_SLOTS))
    }

    /// The slots of the front cache, and those that it has until it is narrowed.
    pub(super) fn front_cache_slots_or_default(&self) -> (usize, usize) {
        let slots = |slots: u64, most: u64| usize::try_from(slots.clamp(1, most)).expect("the most fits");
        match self.front_cache_slots {
            Some(slots) => (slots, slots),
            None => (slots(self.capacity / 10, 4_096), slots(self.entries_or_default(), 16_384)),
        }
    }
}

impl Default for MemoryCacheBuilder {
    fn default() -> Self {
        Self {
            capacity: DEFAULT_CAPACITY,
            weigher: None,
            eviction: Eviction::default(),
            store: Store::default(),
            front_cache_slots: None,
            scope_slots: None,
            disk: None,
        }
    }
}

impl fmt::Debug for MemoryCacheBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryCacheBuilder")
            .field("store", &self.store)
            .field("capacity", &self.capacity)
            .field("weigher", &self.weigher.as_ref().map(|_| "…"))
            .field("eviction", &self.eviction)
            .field("scope_slots", &self.scope_slots)
            .finish_non_exhaustive()
    }
}
