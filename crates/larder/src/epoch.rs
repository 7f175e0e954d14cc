//! The one rule, in its local order: **an entry is valid if and only if nothing that covers it was
//! invalidated since its computation began.**
//!
//! A process has one counter, `now` ([`LocalOrder`]). Every cache has slots that remember the counter at
//! the last change of each scope ([`Epochs`]). An entry's stamp is the counter when its computation
//! began; the entry is valid while no slot that covers it is above its stamp. Four details carry the
//! proof, and a model of the rule in the `tests` package finds a stale read when any of them is left out:
//!
//! - the stamp is taken *before* anything is read that the value is made from;
//! - a change raises its slots first, then the counter: whoever sees the new counter sees the slots;
//! - changes are applied one at a time;
//! - the entry is judged whenever it is read, wherever it lay in the meantime. If it is valid, its stamp moves
//!   up, to what the counter was before the look: if nothing at all has changed by the next one, that look is
//!   one comparison.
//!
//! Two scopes that share a slot make an entry look stale, never fresh.

use std::{fmt, sync::Arc};

use crossbeam_utils::CachePadded;

use crate::{
    scope::ScopeHash,
    sync::{AtomicU64, Mutex, Ordering, lock},
};

/// How many slots a table has unless told otherwise: 8 MiB of address space, of which the operating
/// system backs only the pages that were written to.
pub(crate) const DEFAULT_SLOTS: usize = 1 << 20;

/// How many slots a table has at most.
const MOST_SLOTS: usize = 1 << 28;

/// The position of an invalidation in the log that processes share; [`ZERO`](Self::ZERO) where there is
/// no log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Epoch(u64);

impl Epoch {
    /// Before every invalidation of every log.
    pub const ZERO: Self = Self(0);
}

/// Written as a Redis stream ID: milliseconds, `-`, sequence.
impl fmt::Display for Epoch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const SEQUENCE_BITS: u32 = 22;
        write!(f, "{}-{}", self.0 >> SEQUENCE_BITS, self.0 & ((1 << SEQUENCE_BITS) - 1))
    }
}

/// A point before which a value was not yet read: taken by [`begin`](crate::CacheExt::begin), given to
/// [`insert_since`](crate::CacheExt::insert_since).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Since(u64);

/// The stamp of an entry: the counter when its computation began, later the counter when the entry was
/// last found valid.
#[derive(Debug)]
pub(crate) struct Stamp(AtomicU64);

impl Stamp {
    pub(crate) fn new(since: Since) -> Self {
        Self(AtomicU64::new(since.0))
    }

    /// Whether nothing covers the entry that was changed since; `unchanged` looks at its slots. Nothing at
    /// all has changed in most cases, and then it is not asked.
    #[inline]
    pub(crate) fn holds(&self, epochs: &Epochs, unchanged: impl FnOnce(Since) -> bool) -> bool {
        let now = epochs.begin();
        let valid_at = Since(self.0.load(Ordering::Relaxed));
        valid_at == now || self.move_up(now, || unchanged(valid_at))
    }

    /// Looks, and only then moves up, to what the counter was before the look.
    ///
    /// Two threads may do so at once: each of their counters is one at which the entry was valid.
    #[inline(never)]
    fn move_up(&self, now: Since, unchanged: impl FnOnce() -> bool) -> bool {
        let valid = unchanged();
        if valid {
            self.0.store(now.0, Ordering::Relaxed);
        }
        valid
    }
}

/// The order of all changes in one process: the counter, and the right to move it.
///
/// One for all caches of a process, so that a value computed from entries of several caches has one
/// stamp that is right for each of them.
#[derive(Debug)]
pub(crate) struct LocalOrder {
    now: CachePadded<AtomicU64>,
    /// The number of the last change; whoever holds it is the only applier.
    applier: Mutex<u64>,
}

impl LocalOrder {
    pub(crate) fn new() -> Self {
        Self { now: CachePadded::new(AtomicU64::new(0)), applier: Mutex::new(0) }
    }

    /// Begins a computation. What is read afterwards is at least as new as every change up to the stamp.
    #[inline]
    pub(crate) fn begin(&self) -> Since {
        Since(self.now.load(Ordering::Acquire))
    }

    /// Runs `change` as the only applier, with the number of the change; its slots are raised in there.
    /// Readers of the counter see the number once all of that is done.
    fn apply<R>(&self, change: impl FnOnce(u64) -> R) -> R {
        let mut last = lock(&self.applier);
        *last += 1;
        let outcome = change(*last);
        self.now.store(*last, Ordering::Release);
        outcome
    }
}

/// When each scope of one cache last changed.
pub(crate) struct Epochs {
    order: Arc<LocalOrder>,
    /// Keys and wider scopes apart, so that traffic on keys never wipes a prefix.
    keys: Slots,
    wide: Slots,
    all: AtomicU64,
}

impl Epochs {
    /// With two tables of at least `slots` slots each.
    pub(crate) fn new(order: Arc<LocalOrder>, slots: usize) -> Self {
        Self { order, keys: Slots::new(slots), wide: Slots::new(slots), all: AtomicU64::new(0) }
    }

    /// Begins a computation.
    #[inline]
    pub(crate) fn begin(&self) -> Since {
        self.order.begin()
    }

    /// Applies a change of these scopes: no entry that they cover and whose computation has begun is
    /// valid from here on. O(scopes).
    pub(crate) fn apply(&self, scopes: &[ScopeHash]) {
        self.order.apply(|number| self.raise(scopes, number));
    }

    /// Replaces the entries of these keys: applies one change of all of them, and in the same step has it
    /// judged which new values stand. The stamp of those is that change.
    pub(crate) fn replace<R>(&self, keys: &[ScopeHash], judge: impl FnOnce() -> R) -> (R, Since) {
        self.order.apply(|number| {
            let judged = judge();
            self.raise(keys, number);
            (judged, Since(number))
        })
    }

    fn raise(&self, scopes: &[ScopeHash], number: u64) {
        for &scope in scopes {
            self.slot(scope).store(number, Ordering::Relaxed);
        }
    }

    /// Whether nothing among `scopes`, nor everything, was changed since.
    ///
    /// `Relaxed` is enough: a change that happened before this call is seen by coherence alone.
    #[inline]
    pub(crate) fn unchanged(&self, scopes: &[ScopeHash], since: Since) -> bool {
        self.all.load(Ordering::Relaxed) <= since.0
            && scopes.iter().all(|&scope| self.slot(scope).load(Ordering::Relaxed) <= since.0)
    }

    /// The number of the last change in the slot of this scope; zero before the first one.
    pub(crate) fn last_change(&self, scope: ScopeHash) -> u64 {
        self.slot(scope).load(Ordering::Relaxed)
    }

    #[inline]
    fn slot(&self, scope: ScopeHash) -> &AtomicU64 {
        match scope {
            ScopeHash::ALL => &self.all,
            scope if scope.is_wide() => self.wide.get(scope),
            scope => self.keys.get(scope),
        }
    }
}

impl fmt::Debug for Epochs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let slots = self.keys.cells.len();
        f.debug_struct("Epochs").field("order", &self.order).field("slots", &slots).finish_non_exhaustive()
    }
}

/// A fixed table, indexed by hash.
struct Slots {
    cells: Box<[AtomicU64]>,
}

impl Slots {
    fn new(slots: usize) -> Self {
        Self { cells: zeroed(slots.clamp(1, MOST_SLOTS).next_power_of_two()) }
    }

    #[inline]
    fn get(&self, scope: ScopeHash) -> &AtomicU64 {
        // Truncation is fine: it is the low bits that choose the slot.
        &self.cells[scope.get() as usize & (self.cells.len() - 1)]
    }
}

/// Zeroed by the allocator, so that untouched pages cost nothing.
#[cfg(not(larder_loom))]
fn zeroed(slots: usize) -> Box<[AtomicU64]> {
    bytemuck::zeroed_slice_box(slots)
}

#[cfg(larder_loom)]
fn zeroed(slots: usize) -> Box<[AtomicU64]> {
    (0..slots).map(|_| AtomicU64::new(0)).collect()
}

#[cfg(all(test, not(larder_loom)))]
mod tests;

#[cfg(all(test, larder_loom))]
mod model;
