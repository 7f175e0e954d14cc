//! Fixed tables that remember a number for each scope.

use crate::{
    scope::ScopeHash,
    sync::{AtomicU64, Ordering},
};

/// How many slots a table has at most.
const MOST_SLOTS: usize = 1 << 28;

/// When each scope last changed, in some order: two tables, for keys and for wider scopes, so that traffic on
/// keys never wipes a prefix. Two scopes that share a slot look as if both had changed.
///
/// `Relaxed` throughout: what a reader must see of a change is ordered by what is written after it.
pub(super) struct Slots {
    keys: Box<[AtomicU64]>,
    wide: Box<[AtomicU64]>,
    all: AtomicU64,
}

impl Slots {
    /// With at least `slots` slots in each table.
    pub(super) fn new(slots: usize) -> Self {
        let slots = slots.clamp(1, MOST_SLOTS).next_power_of_two();
        Self { keys: zeroed(slots), wide: zeroed(slots), all: AtomicU64::new(0) }
    }

    /// How many slots each table has.
    pub(super) fn len(&self) -> usize {
        self.keys.len()
    }

    /// Remembers `number` for each of these scopes; it is above whatever they had.
    pub(super) fn raise(&self, scopes: &[ScopeHash], number: u64) {
        for &scope in scopes {
            self.slot(scope).store(number, Ordering::Relaxed);
        }
    }

    /// The same, where a slot may be above `number` already: it keeps the higher one.
    #[cfg(feature = "redis")]
    pub(super) fn raise_to_at_least(&self, scopes: &[ScopeHash], number: u64) {
        for &scope in scopes {
            self.slot(scope).fetch_max(number, Ordering::Relaxed);
        }
    }

    /// Whether none of these scopes, nor everything, changed after `number`.
    #[inline]
    pub(super) fn unchanged(&self, scopes: &[ScopeHash], number: u64) -> bool {
        self.all.load(Ordering::Relaxed) <= number && scopes.iter().all(|&scope| self.last(scope) <= number)
    }

    /// What is remembered for this scope; zero before the first change.
    #[inline]
    pub(super) fn last(&self, scope: ScopeHash) -> u64 {
        self.slot(scope).load(Ordering::Relaxed)
    }

    #[inline]
    fn slot(&self, scope: ScopeHash) -> &AtomicU64 {
        let table = match scope {
            ScopeHash::ALL => return &self.all,
            scope if scope.is_wide() => &self.wide,
            _ => &self.keys,
        };
        // Truncation is fine: it is the low bits that choose the slot.
        &table[scope.get() as usize & (table.len() - 1)]
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
