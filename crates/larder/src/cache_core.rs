//! The core of a cache: its shared state (epochs, computations in flight, table of entries, statistics).

mod admission;
mod changes;
mod claims;
mod counters;
mod happenings;
mod hits;
mod hot;
#[cfg(feature = "limit")]
mod limits;
mod refused;
mod switch;
#[cfg(feature = "counters")]
mod tallies;
#[cfg(feature = "counters")]
mod tallying;

use std::{
    hash::{BuildHasher, Hasher},
    sync::{
        Arc, OnceLock,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
};

use crossbeam_utils::CachePadded;
use foldhash::quality::RandomState;

pub use self::claims::{Function, Site};
use self::{claims::Claims, counters::LocalCounters, hot::Hot, switch::Switch};
#[cfg(feature = "limit")]
use crate::gcra::LocalLimits;
use crate::{
    adaptive::AdaptiveLifetimes,
    cache_events::Hub,
    clock::{Clock, Moment},
    drop_later::{self, DropDeferred},
    entry::{Entry, Freshness},
    epoch::{DEFAULT_SLOTS, Epochs, LocalOrder, ReadVersion, Replacement},
    front_cache::FrontCache,
    lock::LocalLocks,
    retry_pauses::RetryPauses,
    scope::ScopeHash,
    singleflight::Singleflight,
    stats::{CacheStats, Counters, FunctionStats, Group, Histogram, Stats},
    table::{Eviction, Table},
    turns::Turns,
};

/// The identity of a cache: its order of changes, its computations under way, what hits are answered
/// from, and its statistics. Shared by the cache's clones and namespaces. Cheap to clone.
///
/// An implementation of [`Cache`](crate::Cache) makes one with [`Core::builder`] and hands it out.
#[derive(Debug, Clone)]
pub struct Core(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    /// No other cache of the process has it. Not zero, and not near to that of another one.
    number: u64,
    claims: Claims,
    front: FrontCache,
    /// The store, where it is larder's own.
    table: Option<Table>,
    epochs: Arc<Epochs>,
    hasher: RandomState,
    clock: Clock,
    stats: Stats,
    events: Arc<Hub>,
    hot: Hot,
    switch: Switch,
    singleflight: Singleflight,
    turns: Arc<Turns>,
    pauses: RetryPauses,
    adaptive: AdaptiveLifetimes,
    /// Raised by one when a computed value was stored, before its computation completes.
    stores: CachePadded<AtomicU64>,
    /// Whether it was said that a value had too many scopes.
    warned_too_wide: AtomicBool,
    /// Whether it was said that a key has values of two types.
    warned_other_type: AtomicBool,
    /// What it was installed as: for people.
    name: OnceLock<String>,
    locks: LocalLocks,
    counters: LocalCounters,
    #[cfg(feature = "limit")]
    limits: LocalLimits,
    #[cfg(feature = "counters")]
    tallies: tallies::LocalTallies,
}

/// A full key, and the hash by which its cache places it: seeded anew for each cache, so that keys that
/// collide cannot be chosen from outside.
#[derive(Debug, Clone, Copy)]
pub struct Lookup<'k> {
    /// The full key, namespaces included.
    pub key: &'k str,
    /// Its hash.
    pub hash: u64,
}

/// Why an entry may not be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unusable {
    /// Its value is of another type.
    OtherType,
    /// Its `ttl` and its stale windows are over.
    Expired,
    /// The one rule forbids it.
    Invalidated,
}

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
            tallies: tallies::LocalTallies::new(self.counters),
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

    /// Tells that the store no longer keeps this entry, to stay within its capacity (`evicted`) or for
    /// any other reason.
    pub fn forget(&self, entry: &Entry, evicted: bool) {
        if evicted {
            self.note_evicted(&entry.0);
        }
        self.0.front.clear(&entry.0);
    }

    /// What the cache did so far.
    #[must_use]
    pub fn stats(&self) -> CacheStats {
        self.0.stats.sum()
    }

    /// Whether calls use the cache: see [`CacheExt::disable`](crate::CacheExt::disable).
    #[must_use]
    #[inline]
    pub fn is_enabled(&self) -> bool {
        self.0.switch.is_on()
    }

    /// Has calls use the cache, or pass it by.
    pub(crate) fn turn(&self, on: bool) {
        self.0.switch.turn(on);
    }

    /// The same by function and namespace: see [`CacheExt::function_stats`](crate::CacheExt::function_stats).
    #[must_use]
    pub fn function_stats(&self) -> Vec<FunctionStats> {
        self.0.stats.by_function()
    }

    /// How long reads from a shared server took.
    #[must_use]
    pub fn reading(&self) -> Histogram {
        self.0.stats.reading()
    }

    /// Turns this cache's clock forward, so that a test need not wait for an entry to expire.
    #[cfg(any(test, feature = "test-util"))]
    #[cfg_attr(docsrs, doc(cfg(feature = "test-util")))]
    pub fn advance(&self, by: std::time::Duration) {
        self.0.clock.advance(by);
    }

    /// The table, if it is the store.
    pub(crate) fn store(&self) -> Option<&Table> {
        self.0.table.as_ref()
    }

    /// Whether an entry of any type may be used now, and how: the one answer for all reads but the hit in the front
    /// cache. Its age is judged first, and then the one rule, so that what is counted as invalidated would have been
    /// used.
    pub(crate) fn judge(&self, entry: &Entry) -> Result<Freshness, Unusable> {
        let now = self.now();
        if entry.0.is_expired(now) {
            return Err(Unusable::Expired);
        }
        match entry.0.freshness_in(entry.0.standing(self.epochs()), now) {
            None => Err(Unusable::Invalidated),
            Some(Freshness::Expired) => Err(Unusable::Expired),
            Some(freshness) => Ok(freshness),
        }
    }

    /// The same, of an entry whose value is to be a `V`.
    pub(crate) fn judge_as<V: 'static>(&self, entry: &Entry) -> Result<Freshness, Unusable> {
        entry.value::<V>().ok_or(Unusable::OtherType).and_then(|_| self.judge(entry))
    }

    /// Where this cache looks for a key.
    #[inline]
    pub(crate) fn lookup<'k>(&self, key: &'k str) -> Lookup<'k> {
        let mut hasher = self.0.hasher.build_hasher();
        hasher.write(key.as_bytes());
        Lookup { key, hash: hasher.finish() }
    }

    /// Applies the replacement of keys: see [`Epochs::replace`].
    pub(crate) fn replace<R>(&self, keys: &[ScopeHash], place: impl FnOnce(Replacement) -> R) -> R {
        drop_later::hold_up(|| self.0.epochs.replace(keys, place))
    }

    /// The same if it stands: see [`Epochs::replace_if`].
    pub(crate) fn replace_if<T, R>(
        &self,
        keys: &[ScopeHash],
        new: &mut T,
        stands: impl FnOnce(&T) -> bool,
        place: impl FnOnce(&mut T, Replacement) -> R,
    ) -> Option<R> {
        drop_later::hold_up(|| self.0.epochs.replace_if(keys, new, stands, place))
    }

    pub(crate) fn begin(&self) -> ReadVersion {
        self.0.epochs.begin()
    }

    pub(crate) fn begin_at_hand(&self) -> ReadVersion {
        self.0.epochs.begin_at_hand()
    }

    pub(crate) fn now(&self) -> Moment {
        self.0.clock.now()
    }

    pub(crate) fn epochs(&self) -> &Arc<Epochs> {
        &self.0.epochs
    }

    pub(crate) fn counters(&self) -> &LocalCounters {
        &self.0.counters
    }

    pub(crate) fn locks(&self) -> &LocalLocks {
        &self.0.locks
    }

    /// Of those whose computation's failure could not be given to them.
    pub(crate) fn turns(&self) -> &Arc<Turns> {
        &self.0.turns
    }

    /// After failures in whose place old values are served.
    pub(crate) fn pauses(&self) -> &RetryPauses {
        &self.0.pauses
    }

    /// What is known of values whose lifetime is chosen.
    pub(crate) fn adaptive(&self) -> &AdaptiveLifetimes {
        &self.0.adaptive
    }

    pub(crate) fn singleflight(&self) -> &Singleflight {
        &self.0.singleflight
    }

    /// How often values were stored: what was not there when this was the same is not there now.
    pub(crate) fn stores(&self) -> u64 {
        self.0.stores.load(Ordering::Acquire)
    }

    /// A computed value was stored.
    pub(crate) fn stored(&self, entry: &Entry) {
        // Whichever store it is.
        let _dropping = DropDeferred;
        self.note_written(entry, entry.0.group);
        self.note_stored();
    }

    /// A value is where it can be found.
    pub(crate) fn note_stored(&self) {
        self.0.stores.fetch_add(1, Ordering::Release);
    }

    /// Counts one of what `counter` picks, which no single function does.
    #[cfg(any(feature = "counters", feature = "disk", feature = "limit"))]
    pub(crate) fn count(&self, counter: impl FnOnce(&Counters) -> &AtomicU64) {
        self.0.stats.count(counter);
    }

    /// Counts one of what `counter` picks, for a function.
    pub(crate) fn count_in(&self, group: Group, counter: impl FnOnce(&Counters) -> &AtomicU64) {
        self.0.stats.add_in(group, counter, 1);
    }

    /// It is installed as this.
    pub(crate) fn set_name(&self, name: &str) {
        // Another name for the same cache: the first one stays.
        let _ = self.0.name.set(name.to_owned());
    }

    /// What it is installed as, or nothing.
    pub(crate) fn name(&self) -> &str {
        self.0.name.get().map_or("", String::as_str)
    }

    pub(crate) fn statistics(&self) -> &Stats {
        &self.0.stats
    }

    /// Whether both are of the same cache.
    #[must_use]
    pub fn same_cache(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}
