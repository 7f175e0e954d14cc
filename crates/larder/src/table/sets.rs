//! The sets of the table, which become more one at a time: [linear hashing](https://en.wikipedia.org/wiki/Linear_hashing).
//!
//! With n sets, a hash picks the set of its lowest bits: of as many as number 2n sets at least, or of one bit fewer if
//! that set is not there yet. So when set n is added, all that belongs there comes from one other set, which is split in
//! two. Sets never move. They are allocated in segments of which each is an eighth of all before it, or less.

use std::{
    array, iter,
    sync::{
        OnceLock,
        atomic::{AtomicUsize, Ordering},
    },
};

use super::set::{Locked, Set, Weights};

/// Segments of one size: the next eight are twice as large.
const EQUAL_SEGMENTS: usize = 8;

/// As many as 2^32 sets need.
const SEGMENTS: usize = EQUAL_SEGMENTS * 30;

pub(super) struct Sets {
    count: AtomicUsize,
    /// Whether entries have weights of their own.
    weighs: bool,
    segments: [OnceLock<Segment>; SEGMENTS],
}

struct Segment {
    sets: Box<[Set]>,
    /// None, where all weights are one.
    weights: Box<[Weights]>,
}

impl Sets {
    /// Entries for each set. Those that are not split yet, and will be, have up to twice as many; and it is unlikely for
    /// one with twice as many on average to have more than its ways, and next to impossible for two of them.
    pub(super) const LOAD: usize = 4;

    /// So many that it is next to impossible for both sets of a hash to be full while the table is not; 12 KiB.
    pub(super) const FEW: usize = 64;

    pub(super) fn new(weighs: bool) -> Self {
        let segments = array::from_fn(|_| OnceLock::new());
        let sets = Self { count: AtomicUsize::new(1), weighs, segments };
        sets.allocate(0);
        sets
    }

    /// How many there are.
    #[inline]
    pub(super) fn count(&self) -> usize {
        self.count.load(Ordering::Acquire)
    }

    /// The set of a hash, where there are `count`.
    #[inline]
    pub(super) fn of(&self, hash: u64, count: usize) -> &Set {
        self.at(index(hash, count))
    }

    /// The set with this index.
    #[inline]
    pub(super) fn at(&self, index: usize) -> &Set {
        let (segment, place) = self.locate(index);
        &segment.sets[place]
    }

    /// The same, locked.
    pub(super) fn lock(&self, index: usize) -> Locked<'_> {
        let (segment, place) = self.locate(index);
        segment.sets[place].lock(segment.weights.get(place))
    }

    #[inline]
    fn locate(&self, index: usize) -> (&Segment, usize) {
        let (segment, place) = locate(index);
        (self.segments[segment].get().expect("it was allocated before it was counted"), place)
    }

    fn allocate(&self, index: usize) {
        let (segment, _) = locate(index);
        let size = 1 << (segment / EQUAL_SEGMENTS);
        self.segments[segment].get_or_init(|| Segment {
            sets: iter::repeat_with(Set::new).take(size).collect(),
            weights: iter::repeat_with(Weights::default).take(if self.weighs { size } else { 0 }).collect(),
        });
    }

    /// Adds a set, and moves there what belongs there. Called by one thread at a time.
    pub(super) fn split_next(&self) {
        let new = self.count();
        self.allocate(new);
        let stays = index(new as u64, new);
        // What one of its two picks still leads to is found where it is.
        let moves = |hash| [hash, second(hash)].iter().all(|picks| index(*picks, new + 1) != stays);
        // A reader who does not find something where it was looks at the count again.
        let publish = || self.count.store(new + 1, Ordering::Release);
        self.lock(stays).split(&mut self.lock(new), moves, publish);
    }
}

/// The bits of a hash that pick its second set.
#[inline]
pub(super) fn second(hash: u64) -> u64 {
    hash.rotate_right(24)
}

/// Which set these bits pick, where there are `count`.
#[inline]
pub(super) fn index(hash: u64, count: usize) -> usize {
    let mask = usize::MAX >> count.leading_zeros();
    // Truncation is fine: the low bits are what is wanted.
    let index = hash as usize & mask;
    if index < count { index } else { index & (mask >> 1) }
}

/// In which segment a set lies, and where.
#[inline]
fn locate(index: usize) -> (usize, usize) {
    let shifted = index + EQUAL_SEGMENTS;
    let doublings = shifted.ilog2() - EQUAL_SEGMENTS.ilog2();
    let segment = doublings as usize * EQUAL_SEGMENTS + (shifted >> doublings) % EQUAL_SEGMENTS;
    (segment, shifted & ((1 << doublings) - 1))
}
