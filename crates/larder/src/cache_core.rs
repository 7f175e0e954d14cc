//! The core of a cache: its shared state (epochs, computations in flight, table of entries, statistics).

mod admission;
mod builder;
mod changes;
mod claims;
mod counters;
mod event_reporting;
mod hits;
mod hot;
#[cfg(feature = "limit")]
mod rate_limit_state;
mod refusal_warnings;
mod switch;
#[cfg(feature = "counters")]
mod tallies;
#[cfg(feature = "counters")]
mod tally_state;

use std::{
    hash::{BuildHasher, Hasher},
    sync::{
        Arc, OnceLock,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
};

use foldhash::quality::RandomState;

pub use self::{
    builder::CoreBuilder,
    claims::{Function, Site},
};
use self::{claims::Claims, counters::LocalCounters, hot::Hot, switch::Switch};
#[cfg(feature = "limit")]
use crate::gcra::LocalLimits;
use crate::{
    adaptive::AdaptiveLifetimes,
    cache_events::Hub,
    cache_padded::CachePadded,
    clock::{Clock, Moment},
    compute_turns::Turns,
    drop_later::{self, DropDeferred},
    entry::{Entry, Freshness},
    epoch::{Epochs, ReadVersion, Replacement},
    front_cache::FrontCache,
    lock::LocalLocks,
    retry_pauses::RetryPauses,
    scope::ScopeHash,
    singleflight::Singleflight,
    stats::{CacheStats, Counters, FunctionStats, Group, Histogram, Stats},
    table::Table,
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

impl Core {
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
        Lookup { key, hash: self.hash(key.as_bytes()) }
    }

    /// The hash of a key with this text.
    #[inline]
    pub(crate) fn hash(&self, key: &[u8]) -> u64 {
        let mut hasher = self.0.hasher.build_hasher();
        hasher.write(key);
        hasher.finish()
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
