//! The front cache: the entries that were hit last, one load away.
//!
//! Direct-mapped and small: for what is asked for most, a look here costs half of one in the store. The store decides
//! what is kept, and is told of some of the hits so that its frequencies stay true. What lies here is judged when it is
//! read, like any other entry, so an entry may lie here too long without harm.
//!
//! An entry that is hit in the table comes here at once if its place is free, and one time in eight if another one has it: so
//! of those that share a place, it is mostly the one that is asked for most that has it.
//!
//! As long as the store has evicted nothing, it does not matter what it knows of the hits, and most of what is kept may
//! lie here. From the first eviction on that matters, and only the hottest entries do ([`FrontCache::narrow`]).

use std::{
    fmt, ptr,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use arc_swap::{ArcSwapOption, Guard};

use crate::entry::Stored;

/// The most slots: a larger front cache would not stay in the processor's caches.
const MOST: usize = 1 << 20;

/// A fixed table of entries, indexed by the hash of their keys.
pub(crate) struct FrontCache {
    slots: Box<[ArcSwapOption<Stored>]>,
    /// Which bits of a hash choose a slot.
    mask: AtomicUsize,
    /// Which do from the first eviction on.
    narrow: usize,
}

impl FrontCache {
    /// With at least `slots` slots (a power of two), none for zero; and at least as many as `wide` until it is narrowed.
    pub(crate) fn new(slots: usize, wide: usize) -> Self {
        let power = |slots: usize| if slots == 0 { 0 } else { slots.min(MOST).next_power_of_two() };
        let (narrow, wide) = (power(slots), if slots == 0 { 0 } else { power(slots.max(wide)) });
        Self {
            slots: std::iter::repeat_with(ArcSwapOption::empty).take(wide).collect(),
            mask: AtomicUsize::new(wide.saturating_sub(1)),
            narrow: narrow.saturating_sub(1),
        }
    }

    /// Has only the hottest entries lie here from now on: what is kept is no longer all that was stored. Drops no value.
    pub(crate) fn narrow(&self) {
        if self.mask.load(Ordering::Relaxed) != self.narrow {
            self.narrow_now();
        }
    }

    #[cold]
    fn narrow_now(&self) {
        // Before the slots are cleared: see `offer`.
        self.mask.store(self.narrow, Ordering::SeqCst);
        let slots = self.slots.iter().skip(self.narrow + 1);
        slots.filter_map(|slot| slot.swap(None)).for_each(Stored::drop_later);
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
            // Narrowed in the meantime: it would not be looked at there, or cleared.
            if self.slot(hash).is_none_or(|now| !ptr::eq(now, slot)) {
                slot.swap(None).into_iter().for_each(Stored::drop_later);
            }
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
        self.slots.get(hash as usize & self.mask.load(Ordering::SeqCst))
    }
}

impl fmt::Debug for FrontCache {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FrontCache").field("slots", &self.slots.len()).finish_non_exhaustive()
    }
}
