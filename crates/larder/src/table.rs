//! The table of entries: the store of a `MemoryCache`.
//!
//! It is a set-associative hash table, as the caches of processors are. The hash of a key picks one set, and an entry
//! lies in one of its 16 ways. Beside the ways stand a tag for each of them, a byte of the hash, by which the way of a
//! key is found in one comparison of eight bytes at a time, and a mark, a byte that tells how much its entry is used.
//! Both, and the lock of the set, fit in one cache line. What is not in a set is seen by its tags, without the lock. A hit
//! holds the lock for as long as it takes to compare the key and to count one more owner of the entry; readers share it,
//! and what is hit most lies in the front cache, which has no locks. So an entry is put in its place, and taken out, by a
//! plain move: where readers take no lock, each write has to look at what all threads read at that moment.
//!
//! When the table is full, a new entry takes the place of another one: of what is least used in its own set and in the
//! next three sets that a hand, which goes round all of them, points at. [`Eviction`] says what "least used" is. By
//! frequency, a hit raises the mark, up to seven; when a used entry has to go, all marks of its set are lowered by one,
//! and so are those of every set when the hand has gone round 32 times: what was used long ago ages, and soonest where
//! places are short. A new entry begins at zero, and so goes before all that was used: a scan drives out itself. A set
//! remembers 16 bits of the hashes of the last eight that went; what comes back soon begins at one. By recency, the mark
//! is the time of the last use, in sixteenths of the time in which as much is stored as the table keeps.
//!
//! While the table is not full, a set may be: one in a thousand, as hashes fall. An entry that finds its set so goes to
//! a second one, which other bits of its hash pick, and a read that does not find its key in the first set looks there
//! ([two choices](https://en.wikipedia.org/wiki/2-choice_hashing)). If both are full in a table of few sets, where that is
//! not so unlikely, there are twice as many from then on; in a larger one an entry is evicted early.
//!
//! The table grows with its use, one set at a time ([`sets`]), and is swept the same way: now and then a call looks at
//! the next set, and drops what can no longer be served ([`Table::sweep`]). Nothing is dropped, and no code that is not
//! larder's runs, under a lock: what a call takes out it hands back in [`Dropped`].

mod dropped;
mod evict;
mod eviction;
mod set;
mod sets;
#[cfg(all(test, not(larder_loom)))]
mod tests;

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicU8, AtomicU64, AtomicUsize, Ordering},
    },
};

pub(crate) use self::dropped::Dropped;
pub use self::eviction::Eviction;
use self::{
    dropped::Went,
    set::{Locked, Outline, Set},
    sets::{Sets, index, second},
};
use crate::{
    cache_padded::CachePadded,
    entry::Stored,
    sync::plain::{Mutex, MutexGuard, lock},
};

/// Entries by the hash of their keys; bounded by the sum of their weights.
pub(crate) struct Table {
    sets: Sets,
    eviction: Eviction,
    capacity: u64,
    /// Whether weights differ. If not, each is one, and none is remembered.
    weighs: bool,
    /// The time by which [`Eviction::Lru`] marks what is used.
    time: AtomicU8,
    /// Held by the one that splits a set.
    growing: Mutex<()>,
    /// What writers write at every turn, apart from what readers read.
    usage: CachePadded<Usage>,
}

/// The set of an entry, its way in there, and the entry.
type Place<'t> = (&'t Set, usize, Arc<Stored>);

#[derive(Default)]
struct Usage {
    entries: AtomicUsize,
    /// The weight of all entries, and of those that are being stored.
    weight: AtomicU64,
    /// The weight of all that was ever stored.
    stored: AtomicU64,
    /// The set to look at next for something to evict.
    hand: AtomicUsize,
    /// The set to sweep next.
    swept: AtomicUsize,
}

impl Table {
    /// The most sets that one call sweeps.
    const SWEEP: usize = 16;

    pub(crate) fn new(capacity: u64, eviction: Eviction, weighs: bool) -> Self {
        Self {
            sets: Sets::new(weighs),
            eviction,
            capacity,
            weighs,
            time: AtomicU8::new(0),
            growing: Mutex::new(()),
            usage: CachePadded::default(),
        }
    }

    /// The entry under a key, marked as used.
    #[inline]
    pub(crate) fn get(&self, hash: u64, key: &[u8]) -> Option<Arc<Stored>> {
        loop {
            let count = self.sets.count();
            let set = self.sets.of(hash, count);
            if let Some((way, found)) = set.find(hash, key) {
                self.mark_used(&set.outline, way);
                return Some(found);
            }
            if let Some(found) = self.get_second(hash, key, count) {
                return Some(found);
            }
            // Else it may have moved to another set while it was sought.
            if self.sets.count() == count {
                return None;
            }
        }
    }

    /// The same in the second set of a hash, where there are `count`.
    #[inline(never)]
    fn get_second(&self, hash: u64, key: &[u8], count: usize) -> Option<Arc<Stored>> {
        let set = self.sets.of(second(hash), count);
        let (way, found) = set.find(hash, key)?;
        self.mark_used(&set.outline, way);
        Some(found)
    }

    #[inline]
    fn mark_used(&self, set: &Outline, way: usize) {
        match self.eviction {
            Eviction::TinyLfu => set.use_more(way),
            Eviction::Lru => set.mark(way, self.time.load(Ordering::Relaxed)),
        }
    }

    /// The set that a key lies in, with its way and its entry.
    fn find(&self, hash: u64, key: &[u8]) -> Option<Place<'_>> {
        let count = self.sets.count();
        [hash, second(hash)].into_iter().find_map(|picks| {
            let set = self.sets.of(picks, count);
            set.find(hash, key).map(|(way, found)| (set, way, found))
        })
    }

    /// Marks an entry as used as much as can be: several hits were answered elsewhere. Returns whether it is kept, and no
    /// other one under its key.
    pub(crate) fn use_often(&self, stored: &Arc<Stored>) -> bool {
        let Some((set, way, found)) = self.find(stored.hash, stored.key.as_bytes()) else { return false };
        match self.eviction {
            Eviction::TinyLfu => set.outline.use_most(way),
            Eviction::Lru => set.outline.mark(way, self.time.load(Ordering::Relaxed)),
        }
        Arc::ptr_eq(&found, stored)
    }

    /// All entries, in no order. One that is moved meanwhile may come twice, or not at all.
    pub(crate) fn entries(&self) -> impl Iterator<Item = Arc<Stored>> {
        let sets = (0..self.sets.count()).map(|index| self.sets.at(index));
        sets.flat_map(|set| set.entries().into_iter().map(|(_, stored)| stored))
    }

    /// Whether anything lies under a key.
    pub(crate) fn has(&self, hash: u64, key: &[u8]) -> bool {
        let count = self.sets.count();
        [hash, second(hash)].into_iter().any(|picks| self.sets.of(picks, count).has(hash, key))
    }

    /// Puts an entry in the place of what is under its key, or in a place of its own, unless it is heavier than all that
    /// is kept, or what is under its key is younger ([`Stored::gives_way_to`]). The weight of all entries is within the capacity at every moment: what has to make room is taken out
    /// before.
    pub(crate) fn insert(&self, stored: &Arc<Stored>, weight: u32) -> Dropped {
        let mut dropped = Dropped::default();
        let weight = if self.weighs { weight } else { 1 };
        if self.replace(stored, weight, &mut dropped) || u64::from(weight) > self.capacity {
            return dropped;
        }
        let weights = self.usage.weight.fetch_add(weight.into(), Ordering::Relaxed) + u64::from(weight);
        if weights > self.capacity {
            if self.put_instead(stored, &mut dropped) {
                return dropped;
            }
            if !self.make_room(stored.hash, &mut dropped) {
                // Others store at the same time, and all that is not in the table yet fills it.
                self.usage.weight.fetch_sub(weight.into(), Ordering::Relaxed);
                return dropped;
            }
        }
        self.place(stored, weight, &mut dropped);
        self.grow();
        dropped
    }

    /// Puts an entry in the place of what is under its key, if that is there and not lighter: false if it was not. What
    /// is lighter is taken out; what is younger stays.
    fn replace(&self, stored: &Arc<Stored>, weight: u32, dropped: &mut Dropped) -> bool {
        // If it is being stored or moved at this moment, that is seen when this one is.
        self.has(stored.hash, stored.key.as_bytes())
            && [stored.hash, second(stored.hash)]
                .into_iter()
                .any(|picks| self.replace_in(picks, stored, weight, dropped))
    }

    /// The same in the set that these bits pick.
    fn replace_in(&self, picks: u64, stored: &Arc<Stored>, weight: u32, dropped: &mut Dropped) -> bool {
        let mut set = self.lock(picks);
        let Some((way, found)) = set.find(stored.hash, stored.key.as_bytes()) else { return false };
        if !found.gives_way_to(stored) {
            return true;
        }
        let before = set.weight(way);
        if before < weight {
            self.remove_from(&mut set, way, Went::Away, dropped);
            return false;
        }
        self.usage.weight.fetch_sub((before - weight).into(), Ordering::Relaxed);
        let before = set.swap(way, stored.clone(), weight);
        before.into_iter().for_each(|before| dropped.push(before, Went::Away));
        true
    }

    /// Puts an entry in one of its sets. Its weight was counted.
    fn place(&self, stored: &Arc<Stored>, weight: u32, dropped: &mut Dropped) {
        let time = self.pass_time(weight);
        let picks = stored.hash;
        // Two that store under one key at the same time may leave an entry of it in each set: the one rule judges both.
        while !self.place_in((picks, false), stored, (weight, time), dropped)
            && !self.place_in((second(picks), false), stored, (weight, time), dropped)
        {
            if !self.double_if_small() {
                let _is_placed = self.place_in((picks, true), stored, (weight, time), dropped);
                return;
            }
        }
    }

    /// The same in the set that these bits pick; false if it is full, and may not evict what is least used there.
    fn place_in(
        &self,
        (picks, evicts): (u64, bool),
        stored: &Arc<Stored>,
        (weight, time): (u32, u8),
        dropped: &mut Dropped,
    ) -> bool {
        loop {
            let mut set = self.lock(picks);
            if let Some((way, found)) = set.find(stored.hash, stored.key.as_bytes()) {
                if !found.gives_way_to(stored) {
                    self.usage.weight.fetch_sub(weight.into(), Ordering::Relaxed);
                    return true;
                }
                self.usage.weight.fetch_sub(set.weight(way).into(), Ordering::Relaxed);
                let before = set.swap(way, stored.clone(), weight);
                before.into_iter().for_each(|before| dropped.push(before, Went::Away));
                return true;
            }
            let way = match set.free_way() {
                Some(way) => way,
                None if self.lags() => {
                    // Others store faster than the one that splits sets: there is room, but not yet here.
                    drop(set);
                    self.split(&lock(&self.growing));
                    continue;
                }
                None if !evicts => return false,
                None => {
                    let victim = self.victim_in(set.outline);
                    let way = victim.expect("a set without a free way has entries").way;
                    self.evict_from(&mut set, way, dropped);
                    way
                }
            };
            let mark = match self.eviction {
                Eviction::TinyLfu => u8::from(set.recall(stored.hash)),
                Eviction::Lru => time,
            };
            self.usage.entries.fetch_add(1, Ordering::Relaxed);
            let before = set.put(way, stored.clone(), mark, weight);
            debug_assert!(before.is_none(), "the way was free");
            return true;
        }
    }

    /// Takes out what is in a way. Gives its mark.
    fn remove_from(&self, set: &mut Locked<'_>, way: usize, went: Went, dropped: &mut Dropped) -> u8 {
        self.usage.entries.fetch_sub(1, Ordering::Relaxed);
        self.usage.weight.fetch_sub(set.weight(way).into(), Ordering::Relaxed);
        let (entry, mark) = set.remove(way);
        if let Some(entry) = entry {
            set.remember(entry.hash);
            dropped.push(entry, went);
        }
        mark
    }

    /// Takes out what is under a key.
    pub(crate) fn remove(&self, hash: u64, key: &str) -> Dropped {
        let mut dropped = Dropped::default();
        loop {
            let count = self.sets.count();
            for picks in [hash, second(hash)] {
                if !self.sets.of(picks, count).may_have(hash) {
                    continue;
                }
                let mut set = self.lock(picks);
                if let Some(way) = set.way_of(hash, key.as_bytes()) {
                    self.remove_from(&mut set, way, Went::Away, &mut dropped);
                }
            }
            // Else it may have moved to another set while it was sought.
            if self.sets.count() == count {
                return dropped;
            }
        }
    }

    /// Looks at the next set for entries that can no longer be served, and takes them out. While it finds any it goes on
    /// to the next one, so that a table in which much has ended is soon empty. `note` is called for each of them.
    pub(crate) fn sweep(&self, is_over: impl Fn(&Stored) -> bool + Copy, note: impl Fn(&Stored)) -> Dropped {
        let mut dropped = Dropped::default();
        for _ in 0..Self::SWEEP {
            let index = self.usage.swept.fetch_add(1, Ordering::Relaxed) % self.sets.count();
            let mut over = self.sets.at(index).entries();
            over.retain(|(_, entry)| is_over(entry));
            if over.is_empty() {
                break;
            }
            let mut set = self.sets.lock(index);
            for (way, entry) in &over {
                if set.entry(*way).is_some_and(|here| Arc::ptr_eq(here, entry)) {
                    self.remove_from(&mut set, *way, Went::Away, &mut dropped);
                    note(entry);
                }
            }
            drop(set);
            over.into_iter().for_each(|(_, entry)| dropped.push(entry, Went::Away));
        }
        dropped
    }

    /// Whether there are too many entries for the sets there are.
    fn lags(&self) -> bool {
        self.usage.entries.load(Ordering::Relaxed) > self.sets.count() * Sets::LOAD
    }

    /// Splits sets in two, if there are too many entries for them; unless another thread does so, which does it for all.
    fn grow(&self) {
        if self.lags()
            && let Ok(growing) = self.growing.try_lock()
        {
            self.split(&growing);
        }
    }

    /// Splits all sets in two, if they are few: false if they are not.
    fn double_if_small(&self) -> bool {
        let _growing = lock(&self.growing);
        let count = self.sets.count();
        if count >= Sets::FEW {
            return false;
        }
        (0..count).for_each(|_| self.sets.split_next());
        true
    }

    fn split(&self, _growing: &MutexGuard<'_, ()>) {
        while self.lags() {
            self.sets.split_next();
        }
    }

    /// The set that these bits pick, locked. That it is this one changes under its lock alone.
    fn lock(&self, picks: u64) -> Locked<'_> {
        loop {
            let count = self.sets.count();
            let of_these = index(picks, count);
            let set = self.sets.lock(of_these);
            let now = self.sets.count();
            if now == count || index(picks, now) == of_these {
                return set;
            }
        }
    }

    /// The time, in sixteenths of the time in which as much is stored as is kept.
    fn pass_time(&self, weight: u32) -> u8 {
        if self.eviction != Eviction::Lru {
            return 0;
        }
        let stored = self.usage.stored.fetch_add(weight.into(), Ordering::Relaxed);
        // It goes round; the low byte is what is wanted.
        let time = (stored.wrapping_mul(16) / self.capacity) as u8;
        if self.time.load(Ordering::Relaxed) != time {
            self.time.store(time, Ordering::Relaxed);
        }
        time
    }

    /// How many entries there are.
    pub(crate) fn len(&self) -> usize {
        self.usage.entries.load(Ordering::Relaxed)
    }

    /// The sum of their weights.
    pub(crate) fn weight(&self) -> u64 {
        self.usage.weight.load(Ordering::Relaxed)
    }
}

impl fmt::Debug for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Table")
            .field("entries", &self.len())
            .field("weight", &self.weight())
            .field("capacity", &self.capacity)
            .finish_non_exhaustive()
    }
}
