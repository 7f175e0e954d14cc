//! A bounded table of points in time by key: what has passed need not be kept.

use crate::sync::plain::{Mutex, lock};

use super::{KeyHash, Rate, Usage, hash::Seed, take};

/// How many keys a set holds.
const WAYS: usize = 16;

/// Sets of keys, each behind a lock of its own, that take memory once they are used.
///
/// A key has its time in one set. One that has passed is as good as none, and gives way to any other. Of a set in which none
/// has passed, the earliest time gives way, and the set remembers the latest that it let go: its *floor*. A key that the set
/// does not have may be one that it let go, and begins there. So no key is ever taken for less used than it was; new keys
/// of a full set are taken for more, and share what the floor leaves.
#[derive(Debug)]
pub(super) struct Table {
    sets: Box<[Mutex<Option<Box<Set>>>]>,
    seed: Seed,
    /// Whether a key that is not there counts as one that was let go.
    has_floors: bool,
}

#[derive(Debug, Default)]
struct Set {
    tags: [u64; WAYS],
    times: [u64; WAYS],
    floor: u64,
}

impl Table {
    /// For so many keys at once: there is room for twice as many, since some sets are fuller than others.
    pub(super) fn new(keys: usize) -> Self {
        let sets = keys.saturating_mul(2).div_ceil(WAYS).clamp(1, 1 << 24);
        let sets = std::iter::repeat_with(Mutex::default).take(sets).collect();
        Self { sets, seed: Seed::new(), has_floors: true }
    }

    /// The same for what does no harm when it is forgotten.
    pub(super) fn forgetful(keys: usize) -> Self {
        Self { has_floors: false, ..Self::new(keys) }
    }

    pub(super) fn hash(&self, key: &str, rate: &Rate) -> KeyHash {
        self.seed.hash(key, rate)
    }

    /// Asks for units of a key.
    pub(super) fn take(&self, key: KeyHash, now: u64, rate: &Rate, units: u32) -> Usage {
        let mut set = lock(self.set(key));
        let set = set.get_or_insert_default();
        let place = set.find(key.tag);
        let floor = if self.has_floors { set.floor } else { 0 };
        let tat = place.map_or(floor, |place| set.times[place]);
        let (usage, admitted) = take(tat, now, rate, units);
        if let Some(new) = admitted.filter(|new| *new > now) {
            set.put(place, key.tag, new, now);
        }
        usage
    }

    /// The time that was kept for a key: one that has passed too, while it is there.
    pub(super) fn time(&self, key: KeyHash) -> Option<u64> {
        let set = lock(self.set(key));
        let set = set.as_deref()?;
        set.find(key.tag).map(|place| set.times[place])
    }

    /// Keeps a time for a key, unless a later one is kept.
    pub(super) fn keep(&self, key: KeyHash, time: u64, now: u64) {
        let mut set = lock(self.set(key));
        let set = set.get_or_insert_default();
        let place = set.find(key.tag);
        if place.is_none_or(|place| set.times[place] < time) {
            set.put(place, key.tag, time, now);
        }
    }

    #[expect(clippy::cast_possible_truncation, reason = "less than the number of sets")]
    fn set(&self, key: KeyHash) -> &Mutex<Option<Box<Set>>> {
        // The upper half of the product: any set is as likely as any other.
        let place = (u128::from(key.place) * self.sets.len() as u128) >> 64;
        &self.sets[place as usize]
    }
}

impl Set {
    fn find(&self, tag: u64) -> Option<usize> {
        self.tags.iter().position(|there| *there == tag)
    }

    /// Keeps a time: in the key's own place, in that of one that has passed, or in that of the earliest, unless it is earlier
    /// itself.
    fn put(&mut self, place: Option<usize>, tag: u64, time: u64, now: u64) {
        let earliest = || (0..WAYS).min_by_key(|place| self.times[*place]).unwrap_or_default();
        let place = place.unwrap_or_else(earliest);
        let is_own = self.tags[place] == tag;
        let there = self.times[place];
        if !is_own && there > now {
            self.floor = self.floor.max(there.min(time));
            if time <= there {
                return;
            }
        }
        self.tags[place] = tag;
        self.times[place] = time;
    }
}

#[cfg(test)]
mod tests;
