//! Numbers of the counter that generations are taken from, and what they are in this process.
//!
//! The counter is one item: a number that grows, below 40 bits, under 24 random bits, and 32 more in the item's flags. The random
//! ones are its *incarnation*: a counter that was lost is made anew with others. Numbers of two incarnations cannot be compared,
//! and an entry of one is not valid by generations of another.

use std::{
    collections::VecDeque,
    sync::{Mutex, MutexGuard, PoisonError},
};

use larder::{
    Epoch,
    internal::shared::{epoch_of, number_of},
};

use crate::client::Item;

/// How many bits count.
const BITS: u32 = 40;
const COUNT: u64 = (1 << BITS) - 1;

/// How many incarnations are remembered. Entries of older ones are misses.
const MOST: usize = 64;

/// What the counter was at some time; or what a generation has, which was taken from it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Stamp {
    /// The flags of the item.
    pub(crate) flags: u32,
    /// The number that memcached counts with.
    pub(crate) number: u64,
}

impl Stamp {
    /// A counter that is made anew.
    pub(crate) fn anew() -> Self {
        // A new incarnation each time, from the seed that the operating system gave the process.
        let random = random();
        Self { flags: random as u32, number: random & !COUNT | 1 }
    }

    /// Of an item; none if it is no number, as that of a generation is not that is about to begin.
    pub(crate) fn of(item: &Item) -> Option<Self> {
        let text = std::str::from_utf8(&item.data).ok()?;
        Some(Self { flags: item.flags, number: text.trim_end().parse().ok()? })
    }

    /// As the text of an item.
    pub(crate) fn text(self) -> String {
        self.number.to_string()
    }

    /// Whether both are of one incarnation.
    pub(crate) fn is_comparable(self, other: Self) -> bool {
        self.flags == other.flags && self.number >> BITS == other.number >> BITS
    }

    /// Whether a scope that has this generation was not begun anew since `read`.
    pub(crate) fn covers(self, read: Self) -> bool {
        self.is_comparable(read) && self.number <= read.number
    }
}

/// Random bits that no other process has: `RandomState` takes them from the operating system.
pub(crate) fn random() -> u64 {
    use std::hash::{BuildHasher, RandomState};
    RandomState::new().hash_one((std::process::id(), std::time::Instant::now(), fastrand::u64(..)))
}

/// Which epochs stamps are in this process: those of an incarnation that was found later are later.
#[derive(Debug, Default)]
pub(crate) struct Incarnations(Mutex<Known>);

#[derive(Debug, Default)]
struct Known {
    /// A stamp of each, oldest first.
    stamps: VecDeque<Stamp>,
    forgotten: u64,
}

impl Incarnations {
    /// The epoch of what the counter itself was seen to be. None once there were too many incarnations to count.
    pub(crate) fn seen(&self, stamp: Stamp) -> Option<Epoch> {
        let mut known = self.known();
        if known.place(stamp).is_none() {
            known.stamps.push_back(stamp);
            if known.stamps.len() > MOST {
                known.stamps.pop_front();
                known.forgotten += 1;
            }
        }
        known.epoch(stamp)
    }

    /// The epoch of what an entry carries: none if its incarnation is not known here. It may be an older one than any that is.
    pub(crate) fn epoch(&self, stamp: Stamp) -> Option<Epoch> {
        self.known().epoch(stamp)
    }

    /// The stamp of an epoch, as long as its incarnation is remembered.
    pub(crate) fn stamp(&self, epoch: Epoch) -> Option<Stamp> {
        let (known, number) = (self.known(), number_of(epoch));
        let index = (number >> BITS).checked_sub(1 + known.forgotten)?;
        let of = known.stamps.get(usize::try_from(index).ok()?)?;
        Some(Stamp { flags: of.flags, number: of.number & !COUNT | number & COUNT })
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Known {
    fn place(&self, stamp: Stamp) -> Option<u64> {
        let index = self.stamps.iter().rposition(|known| known.is_comparable(stamp))?;
        Some(index as u64 + self.forgotten)
    }

    fn epoch(&self, stamp: Stamp) -> Option<Epoch> {
        const LAST: u64 = 1 << (u64::BITS - BITS);
        let place = self.place(stamp)? + 1;
        (place < LAST).then(|| epoch_of(place << BITS | stamp.number & COUNT))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn later_incarnations_are_later_and_unknown_ones_are_none() {
        let incarnations = Incarnations::default();
        let [first, second, third] = [Stamp::anew(), Stamp::anew(), Stamp::anew()];
        let more = Stamp { number: first.number + 1_000, ..first };
        let seen = [first, more, second].map(|stamp| incarnations.seen(stamp).unwrap());
        assert!(seen.is_sorted() && seen[0] < seen[1] && seen[1] < seen[2]);
        assert_eq!(incarnations.seen(more), Some(seen[1]), "a late reply moves nothing");
        assert_eq!(incarnations.epoch(third), None);
        for stamp in [first, more, second] {
            assert_eq!(incarnations.stamp(incarnations.epoch(stamp).unwrap()), Some(stamp));
        }
        assert_eq!(incarnations.stamp(Epoch::ZERO), None);
        for _ in 0..MOST {
            let stamp = Stamp::anew();
            let epoch = incarnations.seen(stamp).unwrap();
            assert!(epoch > seen[2]);
            assert_eq!(incarnations.stamp(epoch), Some(stamp));
        }
        assert_eq!(incarnations.epoch(first), None, "it is forgotten");
        assert_eq!(incarnations.stamp(seen[0]), None);
    }

    #[test]
    fn numbers_of_two_incarnations_cannot_be_compared() {
        let (of, other) = (Stamp::anew(), Stamp::anew());
        let later = Stamp { number: of.number + 1, ..of };
        assert!(of.covers(of) && of.covers(later) && !later.covers(of));
        assert!(!other.covers(of) && !of.covers(other));
        let flags = Stamp { flags: of.flags ^ 1, ..of };
        assert!(!flags.covers(later));
    }
}
