//! The front cache: the entries that were hit last, one load away.
//!
//! Direct-mapped and small: for what is asked for most, a look here costs half of one in the store. The store decides
//! what is kept, and is told of some of the hits so that its frequencies stay true. What lies here is judged when it is
//! read, like any other entry, so an entry may lie here too long without harm.

use std::{fmt, sync::Arc};

use arc_swap::{ArcSwapOption, Guard};

use crate::entry::Stored;

/// The most slots: a larger front cache would not stay in the processor's caches.
const MOST: usize = 1 << 20;

/// A fixed table of entries, indexed by the hash of their keys.
pub(crate) struct FrontCache {
    slots: Box<[ArcSwapOption<Stored>]>,
}

impl FrontCache {
    /// With at least `slots` slots (a power of two); none for zero.
    pub(crate) fn new(slots: usize) -> Self {
        let slots = if slots == 0 { 0 } else { slots.min(MOST).next_power_of_two() };
        Self { slots: std::iter::repeat_with(ArcSwapOption::empty).take(slots).collect() }
    }

    /// What lies where an entry with this hash would.
    #[inline]
    pub(crate) fn get(&self, hash: u64) -> Option<Guard<Option<Arc<Stored>>>> {
        Some(self.slot(hash)?.load())
    }

    /// Puts an entry in its place, if that is free or has what was under the same key; or in any case,
    /// if it is told to `replace`.
    pub(crate) fn offer(&self, entry: &Arc<Stored>, replace: bool) {
        let Some(slot) = self.slot(entry.hash) else { return };
        let hash = entry.hash;
        if replace || slot.load().as_ref().is_none_or(|here| here.hash == hash) {
            slot.store(Some(entry.clone()));
        }
    }

    /// Clears an entry's place, if it is this very entry that lies there. Drops no value: a store calls this while it
    /// holds its locks.
    pub(crate) fn clear(&self, entry: &Arc<Stored>) {
        let Some(slot) = self.slot(entry.hash) else { return };
        let seen = Guard::into_inner(slot.load());
        if seen.as_ref().is_some_and(|here| Arc::ptr_eq(here, entry)) {
            let before = Guard::into_inner(slot.compare_and_swap(entry, None));
            before.into_iter().for_each(Stored::drop_later);
        }
        // Another entry, perhaps, which was replaced since.
        seen.into_iter().for_each(Stored::drop_later);
    }

    #[inline]
    fn slot(&self, hash: u64) -> Option<&ArcSwapOption<Stored>> {
        // Truncation is fine: it is the low bits that choose the slot.
        self.slots.get(hash as usize & self.slots.len().wrapping_sub(1))
    }
}

impl fmt::Debug for FrontCache {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FrontCache").field("slots", &self.slots.len()).finish_non_exhaustive()
    }
}
