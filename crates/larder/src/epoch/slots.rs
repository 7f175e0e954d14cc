//! Bounded tables that remember a number for each scope.

mod table;

use std::{
    hash::{BuildHasher, RandomState},
    sync::OnceLock,
};

use self::table::{Place, SET_BYTES, Table, Tag};
use crate::{
    scope::ScopeHash,
    sync::{AtomicU64, Ordering},
};

/// How many slots there are at most.
const MOST_SLOTS: usize = 1 << 28;

/// What a slot takes: two words, as a scope and its number do.
const SLOT_BYTES: usize = 16;

/// The first table is this part of all.
const FIRST: u32 = 64;

/// When each scope last changed, in some order.
///
/// A table of sets, as in a processor's cache. A scope belongs to two sets of twenty ways; a way holds 32 bits that tell
/// its scope from others, and the number of the scope's last change. A new scope takes a free way in the set that has
/// more of them. Where both are full, the one that changed longest ago is forgotten, and its set remembers the highest
/// number that it forgot: every scope that is not found in its sets is taken to have changed then. So what is forgotten
/// makes an entry look stale, never fresh, and only an entry that was not found valid since. Keys and wider scopes share
/// the ways, but neither kind drives the other out of its half of them, and each has what it forgot to itself: traffic
/// on keys never wipes a prefix.
///
/// A table that is full for the first time is left as it is, and another one begun that is 63 times as large: a cache
/// with few changes has a small table. From then on a scope has the higher one of its numbers in both.
///
/// In which sets a scope lies is a secret of the table: else a stranger who may choose what he invalidates, by the name
/// of his account for instance, would find names offline that keep the entry of another one out of the cache.
///
/// One writer at a time; readers take no lock. What a reader must see of a change is ordered by what is written after
/// it, and [`Table`] says what it sees of changes beside it.
pub(super) struct Slots {
    first: Table,
    /// The highest number in the first table, once that is left as it is; until then, higher than any.
    highest_of_first: AtomicU64,
    second: OnceLock<Table>,
    /// How many sets the second one has.
    sets_of_second: u32,
    all: AtomicU64,
    secret: HashSecret,
}

/// Chooses a place for each scope, by a secret of this process.
#[derive(Clone, Copy)]
struct HashSecret {
    mask: u64,
    multiplier: u64,
}

impl HashSecret {
    /// From the entropy of the operating system, which the hashes of the standard library are seeded with.
    fn new() -> Self {
        let random = RandomState::new();
        Self { mask: random.hash_one("mask"), multiplier: random.hash_one("multiplier") | 1 }
    }

    /// The place of a scope in a table: both halves of the product depend on all bits of the scope.
    #[inline]
    fn place(self, scope: ScopeHash, table: &Table) -> Place {
        let product = u128::from(scope.get() ^ self.mask) * u128::from(self.multiplier);
        let bits = (product >> 64) as u64 ^ product as u64;
        table.place(bits as u32, Tag::new((bits >> 32) as u32, scope.is_wide()))
    }
}

impl Slots {
    /// With room for so many scopes, and no more than 16 bytes for each.
    pub(super) fn new(slots: usize) -> Self {
        let sets = slots.clamp(1, MOST_SLOTS) * SLOT_BYTES / SET_BYTES;
        let sets = u32::try_from(sets.max(1)).expect("the most slots are fewer sets");
        let first = (sets / FIRST).max(1);
        Self {
            first: Table::new(first),
            highest_of_first: AtomicU64::new(u64::MAX),
            second: OnceLock::new(),
            sets_of_second: sets - first,
            all: AtomicU64::new(0),
            secret: HashSecret::new(),
        }
    }

    /// Remembers `number` for each of these scopes that has no higher one. Of any age, in any order. For the one writer.
    pub(super) fn raise(&self, scopes: &[ScopeHash], number: u64) {
        for &scope in scopes {
            if scope == ScopeHash::ALL {
                let number = number.max(self.all.load(Ordering::Relaxed));
                self.all.store(number, Ordering::Relaxed);
            } else {
                self.raise_one(scope, number);
            }
        }
    }

    fn raise_one(&self, scope: ScopeHash, number: u64) {
        let raise = |table: &Table, may_forget: bool| {
            table.raise(self.secret.place(scope, table), number, may_forget)
        };
        if let Some(second) = self.second.get() {
            raise(second, true);
        } else if !raise(&self.first, self.sets_of_second == 0) {
            self.highest_of_first.store(self.first.highest(), Ordering::Relaxed);
            raise(self.second.get_or_init(|| Table::new(self.sets_of_second)), true);
        }
    }

    /// Whether none of these scopes, nor everything, changed after `number`.
    #[inline]
    pub(super) fn unchanged(&self, scopes: &[ScopeHash], number: u64) -> bool {
        let unchanged = |table: &Table| {
            scopes.iter().all(|&scope| table.unchanged(self.secret.place(scope, table), number))
        };
        self.all.load(Ordering::Relaxed) <= number
            && (self.highest_of_first.load(Ordering::Relaxed) <= number || unchanged(&self.first))
            && self.second.get().is_none_or(unchanged)
    }

    /// What is remembered for this scope, zero before the first change; too high a number if it was forgotten.
    pub(super) fn last(&self, scope: ScopeHash) -> u64 {
        let last = |table: &Table| table.last(self.secret.place(scope, table));
        if scope == ScopeHash::ALL {
            return self.all.load(Ordering::Relaxed);
        }
        last(&self.first).max(self.second.get().map_or(0, last))
    }
}

#[cfg(all(test, not(larder_loom)))]
mod tests;

#[cfg(all(test, larder_loom))]
mod model;
