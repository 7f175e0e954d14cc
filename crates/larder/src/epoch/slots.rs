//! Fixed tables that remember a number for each scope.

use std::hash::{BuildHasher, RandomState};

use crate::{
    scope::ScopeHash,
    sync::{AtomicU64, Ordering},
};

/// How many slots a table has at most.
const MOST_SLOTS: usize = 1 << 28;

/// When each scope last changed, in some order: two tables, for keys and for wider scopes, so that traffic on
/// keys never wipes a prefix. Two scopes that share a slot look as if both had changed.
///
/// Which scopes share a slot is a secret of the table: else a stranger who may choose what he invalidates, by the
/// name of his account for instance, would find a name offline that keeps the entry of another one out of the cache.
///
/// `Relaxed` throughout: what a reader must see of a change is ordered by what is written after it.
pub(super) struct Slots {
    keys: Box<[AtomicU64]>,
    wide: Box<[AtomicU64]>,
    all: AtomicU64,
    secret: Secret,
}

/// Chooses a place for each scope, by a secret of this process.
#[derive(Clone, Copy)]
struct Secret {
    mask: u64,
    multiplier: u64,
}

impl Secret {
    /// From the entropy of the operating system, which the hashes of the standard library are seeded with.
    fn new() -> Self {
        let random = RandomState::new();
        Self { mask: random.hash_one("mask"), multiplier: random.hash_one("multiplier") | 1 }
    }

    /// A number whose low bits choose the slot: both halves of the product depend on all bits of the scope.
    #[inline]
    fn place(self, scope: ScopeHash) -> u64 {
        let product = u128::from(scope.get() ^ self.mask) * u128::from(self.multiplier);
        (product >> 64) as u64 ^ product as u64
    }
}

impl Slots {
    /// With at least `slots` slots in each table.
    pub(super) fn new(slots: usize) -> Self {
        let slots = slots.clamp(1, MOST_SLOTS).next_power_of_two();
        Self { keys: zeroed(slots), wide: zeroed(slots), all: AtomicU64::new(0), secret: Secret::new() }
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
    #[cfg_attr(not(feature = "redis"), expect(dead_code, reason = "for what processes share"))]
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
        &table[self.secret.place(scope) as usize & (table.len() - 1)]
    }
}

/// Zeroed by the allocator, so that untouched pages cost nothing.
#[cfg(not(larder_loom))]
pub(super) fn zeroed(slots: usize) -> Box<[AtomicU64]> {
    bytemuck::zeroed_slice_box(slots)
}

#[cfg(larder_loom)]
pub(super) fn zeroed(slots: usize) -> Box<[AtomicU64]> {
    (0..slots).map(|_| AtomicU64::new(0)).collect()
}

#[cfg(all(test, not(larder_loom)))]
mod tests {
    use super::*;
    use crate::scope::Scope;

    /// Names that a stranger would choose who knows the hash, but not the secret.
    #[test]
    fn a_name_found_offline_shares_no_slot() {
        const SLOTS: usize = 1 << 16;
        const NAMES: usize = 8;
        let slots = Slots::new(SLOTS);
        let low = |scope: ScopeHash| scope.get() as usize & (SLOTS - 1);
        for (victim, scope) in [
            (Scope::key("dashboard:global").hash(), Scope::key as fn(String) -> Scope),
            (Scope::prefix("dashboard").hash(), Scope::tag),
        ] {
            let names = (0_u64..).map(|n| scope(format!("user:mallory{n}")).hash());
            let found = names.filter(|name| low(*name) == low(victim)).take(NAMES);
            // One of them may share it by chance: once in 8,000 runs.
            let shared = found.filter(|name| std::ptr::eq(slots.slot(*name), slots.slot(victim))).count();
            assert!(shared <= 1, "{shared} of {NAMES}");
        }
    }

    #[test]
    fn two_tables_have_two_secrets() {
        let place = |slots: Slots| slots.secret.place(Scope::key("a").hash());
        assert_ne!(place(Slots::new(1)), place(Slots::new(1)));
    }
}
