//! Making room in the table: which entry goes.

use std::sync::{Arc, atomic::Ordering};

use super::{
    Dropped, Eviction, Table,
    dropped::Went,
    set::{Locked, Outline, Victim},
    sets::{index, second},
};
use crate::entry::Stored;

impl Table {
    /// How many sets the hand looks at for a new entry.
    const HAND: usize = 3;

    /// In one round of this many, the hand lowers the marks of all that it passes.
    const AGING: usize = 32;

    /// Puts an entry in the place of one in its set that was not used, in one step: most often there is one when the
    /// table is full. False if there is none.
    pub(super) fn put_instead(&self, stored: &Arc<Stored>, dropped: &mut Dropped) -> bool {
        if self.weighs || self.eviction != Eviction::TinyLfu {
            return false;
        }
        let mut set = self.lock(stored.hash);
        let Some(Victim { use_: 0, way }) = self.victim_in(set.outline) else { return false };
        if set.way_of(stored.hash, stored.key.as_bytes()).is_some() {
            return false;
        }
        let mark = u8::from(set.recall(stored.hash));
        let before = set.put(way, stored.clone(), mark, 1);
        before.iter().for_each(|before| set.remember(before.hash));
        self.usage.weight.fetch_sub(1, Ordering::Relaxed);
        before.into_iter().for_each(|before| dropped.push(before, Went::ToMakeRoom));
        true
    }

    /// Evicts until all is within the capacity, what is about to be stored included; false if there is nothing left to
    /// evict.
    pub(super) fn make_room(&self, hash: u64, dropped: &mut Dropped) -> bool {
        while self.usage.weight.load(Ordering::Relaxed) > self.capacity {
            if !self.evict_one(hash, dropped) {
                return false;
            }
        }
        true
    }

    /// Makes room for an entry that is about to be stored under this key, if much has to go for it: storing it may happen
    /// under a lock of the whole cache. None if little has to.
    pub(crate) fn make_room_ahead(&self, hash: u64, key: &str, weight: u32) -> Option<Dropped> {
        /// That many times as heavy as others.
        const HEAVY: u64 = 64;
        let of_all = u64::from(weight).saturating_mul(self.len() as u64);
        if !self.weighs || u64::from(weight) > self.capacity || of_all < self.weight().saturating_mul(HEAVY) {
            return None;
        }
        let mut dropped = Dropped::default();
        let replaced = |picks| {
            let set = self.lock(picks);
            u64::from(set.way_of(hash, key.as_bytes()).map_or(0, |way| set.weight(way)))
        };
        // Each time anew: what is replaced may be evicted too.
        let more = || u64::from(weight).saturating_sub(replaced(hash) + replaced(second(hash)));
        while self.weight() > self.capacity - more() && self.evict_one(hash, &mut dropped) {}
        Some(dropped)
    }

    /// Evicts one entry, unless another thread takes it out at the same time; false if there is nothing left to evict.
    fn evict_one(&self, hash: u64, dropped: &mut Dropped) -> bool {
        let Some((index, way)) = self.victim(hash) else { return false };
        let mut set = self.sets.lock(index);
        // Unless another thread took it out in between.
        if set.has(way) {
            self.evict_from(&mut set, way, dropped);
        }
        true
    }

    /// What is least used in the set of this hash and in the next ones at the hand: the number of its set, and its way.
    fn victim(&self, hash: u64) -> Option<(usize, usize)> {
        let count = self.sets.count();
        let own = index(hash, count);
        let mut least = self.victim_in(&self.sets.at(own).outline).map(|victim| (victim, own));
        let mut looked_at = 0;
        // Where entries are few and heavy, most sets are empty.
        for _ in 0..count.max(Self::HAND) {
            if looked_at == Self::HAND || least.is_some_and(|(victim, _)| victim.use_ == 0) {
                break;
            }
            let step = self.usage.hand.fetch_add(1, Ordering::Relaxed);
            let next = step % count;
            let outline = &self.sets.at(next).outline;
            if self.eviction == Eviction::TinyLfu && (step / count).is_multiple_of(Self::AGING) {
                outline.age();
            }
            if let Some(victim) = self.victim_in(outline) {
                looked_at += 1;
                if least.is_none_or(|(least, _)| victim.use_ < least.use_) {
                    least = Some((victim, next));
                }
            }
        }
        least.map(|(victim, index)| (index, victim.way))
    }

    pub(super) fn victim_in(&self, set: &Outline) -> Option<Victim> {
        match self.eviction {
            Eviction::TinyLfu => set.least(|mark| mark),
            Eviction::Lru => {
                let now = self.time.load(Ordering::Relaxed);
                // Marks go round: what counts is how long ago it was.
                set.least(|mark| u8::MAX - now.wrapping_sub(mark))
            }
        }
    }

    pub(super) fn evict_from(&self, set: &mut Locked<'_>, way: usize, dropped: &mut Dropped) {
        let mark = self.remove_from(set, way, Went::ToMakeRoom, dropped);
        if self.eviction == Eviction::TinyLfu && mark > 0 {
            set.outline.age();
        }
    }
}
