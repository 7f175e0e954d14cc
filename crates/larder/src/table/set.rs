//! One set of the table: sixteen places for entries, and what is known of them without looking at them.

use std::{
    array,
    sync::{
        Arc,
        atomic::{AtomicU8, AtomicU32, AtomicU64, Ordering},
    },
};

use smallvec::SmallVec;

use crate::{
    entry::Stored,
    sync::plain::{RwLock, RwLockWriteGuard, read, write},
};

/// The places of a set.
pub(super) const WAYS: usize = 16;

/// How many of the entries that went a set remembers.
const GHOSTS: usize = 8;

/// The highest mark that hits give. Higher ones would keep for long what was used once upon a time.
const MOST_USED: u8 = 7;

/// The first 64 bytes are a cache line that a reader goes by; the entries fill two more.
#[repr(C, align(64))]
pub(super) struct Set {
    pub(super) outline: Outline,
    ways: RwLock<Ways>,
}

#[cfg(target_pointer_width = "64")]
const _: () = assert!(size_of::<Set>() == 64 + WAYS * 8, "a reader goes by one cache line");

/// What is known of the entries of a set without a lock. What is not in here is not in the set.
#[derive(Default)]
pub(super) struct Outline {
    /// A tag for each way, eight to a number.
    tags: [AtomicU64; WAYS / 8],
    marks: [AtomicU8; WAYS],
}

/// What is under the lock of a set. It is held for no longer than it takes to compare a key, or to put an entry in its way.
#[repr(C)]
#[derive(Default)]
struct Ways {
    /// Parts of the hashes of the last entries that went, the latest first; zero for none.
    ghosts: [u16; GHOSTS],
    entries: [Option<Arc<Stored>>; WAYS],
}

/// The weight of each way's entry, where weights differ: written under the lock of its set.
pub(super) type Weights = [AtomicU32; WAYS];

/// Some of the ways: a bit for each.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct WaySet(u16);

impl WaySet {
    const NONE: Self = Self(0);
}

impl Iterator for WaySet {
    type Item = usize;

    #[inline]
    fn next(&mut self) -> Option<usize> {
        let next = (*self != Self::NONE).then_some(self.0.trailing_zeros() as usize);
        self.0 &= self.0.wrapping_sub(1);
        next
    }
}

/// What is least used in a set.
#[derive(Debug, Clone, Copy)]
pub(super) struct Victim {
    pub(super) use_: u8,
    pub(super) way: usize,
}

impl Set {
    pub(super) fn new() -> Self {
        Self { outline: Outline::default(), ways: RwLock::default() }
    }

    /// The way of a key, and its entry. What is not there is seen without a lock.
    #[inline]
    pub(super) fn find(&self, hash: u64, key: &[u8]) -> Option<(usize, Arc<Stored>)> {
        let likely = self.outline.tagged(tag(hash));
        if likely == WaySet::NONE {
            return None;
        }
        let ways = read(&self.ways);
        let (way, entry) = ways.find(likely, hash, key)?;
        Some((way, entry.clone()))
    }

    /// Whether there is an entry under a key.
    #[inline]
    pub(super) fn has(&self, hash: u64, key: &[u8]) -> bool {
        let likely = self.outline.tagged(tag(hash));
        likely != WaySet::NONE && read(&self.ways).find(likely, hash, key).is_some()
    }

    /// Whether there may be an entry with this hash. What is not there is seen without a lock.
    pub(super) fn may_have(&self, hash: u64) -> bool {
        self.outline.tagged(tag(hash)) != WaySet::NONE
    }

    /// The entries, with their ways.
    pub(super) fn entries(&self) -> SmallVec<[(usize, Arc<Stored>); WAYS]> {
        let taken = self.outline.taken();
        // In a table that is not full, many sets are empty.
        if taken == WaySet::NONE {
            return SmallVec::new();
        }
        let ways = read(&self.ways);
        taken.filter_map(|way| Some((way, ways.entries[way].clone()?))).collect()
    }

    /// With the weights of its entries, if they differ.
    pub(super) fn lock<'s>(&'s self, weights: Option<&'s Weights>) -> Locked<'s> {
        Locked { outline: &self.outline, ways: write(&self.ways), weights }
    }
}

impl Outline {
    /// The ways that have this tag.
    #[inline]
    fn tagged(&self, tag: u8) -> WaySet {
        let tag = u64::from(tag) * EACH_BYTE;
        // Acquire: that a tag is gone says that the entry's new set was made known.
        let [low, high] = array::from_fn(|eight| zero_bytes(self.tags[eight].load(Ordering::Acquire) ^ tag));
        WaySet(low | high << 8)
    }

    fn free(&self) -> WaySet {
        self.tagged(FREE)
    }

    fn taken(&self) -> WaySet {
        WaySet(!self.free().0)
    }

    /// Called by the one that holds the lock.
    fn set_tag(&self, way: usize, tag: u8) {
        let tags = &self.tags[way / 8];
        let mut bytes = tags.load(Ordering::Relaxed).to_le_bytes();
        bytes[way % 8] = tag;
        tags.store(u64::from_le_bytes(bytes), Ordering::Release);
    }

    /// Raises a mark. Two readers at once may raise it by one: it is an estimate.
    #[inline]
    pub(super) fn use_more(&self, way: usize) {
        let mark = &self.marks[way % WAYS];
        let before = mark.load(Ordering::Relaxed);
        // What is used much is not written to, so that readers do not take the line from each other.
        if before < MOST_USED {
            mark.store(before + 1, Ordering::Relaxed);
        }
    }

    /// Raises a mark to the highest that hits give.
    pub(super) fn use_most(&self, way: usize) {
        self.marks[way % WAYS].store(MOST_USED, Ordering::Relaxed);
    }

    /// Lowers all marks by one.
    pub(super) fn age(&self) {
        for mark in &self.marks {
            mark.store(mark.load(Ordering::Relaxed).saturating_sub(1), Ordering::Relaxed);
        }
    }

    /// Sets a mark.
    #[inline]
    pub(super) fn mark(&self, way: usize, mark: u8) {
        let place = &self.marks[way % WAYS];
        if place.load(Ordering::Relaxed) != mark {
            place.store(mark, Ordering::Relaxed);
        }
    }

    /// What is least used, if `use_of` tells it of a mark.
    #[inline]
    pub(super) fn least(&self, use_of: impl Fn(u8) -> u8) -> Option<Victim> {
        let mut least: Option<Victim> = None;
        for way in self.taken() {
            let use_ = use_of(self.marks[way % WAYS].load(Ordering::Relaxed));
            if least.is_none_or(|least| use_ < least.use_) {
                least = Some(Victim { use_, way });
                if use_ == 0 {
                    break;
                }
            }
        }
        least
    }
}

impl Ways {
    /// The one of these ways that has this key, and its entry.
    #[inline]
    fn find(&self, mut likely: WaySet, hash: u64, key: &[u8]) -> Option<(usize, &Arc<Stored>)> {
        likely.find_map(|way| {
            let entry = self.entries[way % WAYS].as_ref()?;
            entry.is_under(key, hash).then_some((way, entry))
        })
    }
}

/// A set, and the right to write to it.
pub(super) struct Locked<'s> {
    pub(super) outline: &'s Outline,
    ways: RwLockWriteGuard<'s, Ways>,
    weights: Option<&'s Weights>,
}

impl Locked<'_> {
    /// The way of a key, and its entry.
    pub(super) fn find(&self, hash: u64, key: &[u8]) -> Option<(usize, &Arc<Stored>)> {
        self.ways.find(self.outline.tagged(tag(hash)), hash, key)
    }

    pub(super) fn way_of(&self, hash: u64, key: &[u8]) -> Option<usize> {
        Some(self.find(hash, key)?.0)
    }

    pub(super) fn free_way(&self) -> Option<usize> {
        self.outline.free().next()
    }

    /// Whether a way is not free.
    pub(super) fn has(&self, way: usize) -> bool {
        self.ways.entries[way].is_some()
    }

    pub(super) fn entry(&self, way: usize) -> Option<&Arc<Stored>> {
        self.ways.entries[way].as_ref()
    }

    pub(super) fn weight(&self, way: usize) -> u32 {
        self.weights.map_or(1, |weights| weights[way].load(Ordering::Relaxed))
    }

    /// Puts an entry in a way, and gives what was there.
    pub(super) fn put(
        &mut self,
        way: usize,
        entry: Arc<Stored>,
        mark: u8,
        weight: u32,
    ) -> Option<Arc<Stored>> {
        self.outline.marks[way].store(mark, Ordering::Relaxed);
        self.outline.set_tag(way, tag(entry.hash));
        self.swap(way, entry, weight)
    }

    /// Puts an entry in the place of one with the same key. No reader finds neither.
    pub(super) fn swap(&mut self, way: usize, entry: Arc<Stored>, weight: u32) -> Option<Arc<Stored>> {
        if let Some(weights) = self.weights {
            weights[way].store(weight, Ordering::Relaxed);
        }
        self.ways.entries[way].replace(entry)
    }

    /// Takes an entry and its mark.
    pub(super) fn remove(&mut self, way: usize) -> (Option<Arc<Stored>>, u8) {
        self.outline.set_tag(way, FREE);
        (self.ways.entries[way].take(), self.outline.marks[way].load(Ordering::Relaxed))
    }

    /// Remembers a hash, in the place of the eighth last one.
    pub(super) fn remember(&mut self, hash: u64) {
        let [later @ .., _] = self.ways.ghosts;
        self.ways.ghosts[1..].copy_from_slice(&later);
        self.ways.ghosts[0] = ghost(hash);
    }

    /// Whether a hash is remembered. It is not from here on.
    pub(super) fn recall(&mut self, hash: u64) -> bool {
        let remembered = self.ways.ghosts.iter_mut().find(|here| **here == ghost(hash));
        remembered.map(|here| *here = 0).is_some()
    }

    /// Moves what belongs in `new`, which is empty, with what that needs to judge it by. Until it is made known that they
    /// are there, by `publish`, readers are led here, and wait.
    pub(super) fn split(
        &mut self,
        new: &mut Locked<'_>,
        belongs: impl Fn(u64) -> bool,
        publish: impl FnOnce(),
    ) {
        new.ways.ghosts = self.ways.ghosts;
        let mut moved = SmallVec::<[usize; WAYS]>::new();
        for way in 0..WAYS {
            let Some(entry) = self.ways.entries[way].take_if(|entry| belongs(entry.hash)) else { continue };
            let mark = self.outline.marks[way].load(Ordering::Relaxed);
            new.put(way, entry, mark, self.weight(way));
            moved.push(way);
        }
        publish();
        moved.into_iter().for_each(|way| self.outline.set_tag(way, FREE));
    }
}

/// The tag of a way that is free.
const FREE: u8 = 0;

/// A byte of the hash other than those that pick the set; never that of a free way.
#[inline]
fn tag(hash: u64) -> u8 {
    ((hash >> 56) as u8).max(1)
}

/// Sixteen bits of it; never zero.
fn ghost(hash: u64) -> u16 {
    ((hash >> 40) as u16).max(1)
}

const EACH_BYTE: u64 = 0x0101_0101_0101_0101;

/// Which bytes are zero: a bit for each, beginning with the lowest.
#[inline]
fn zero_bytes(bytes: u64) -> u16 {
    const LOW_BITS: u64 = 0x7f * EACH_BYTE;
    // The highest bit of each byte is set if any bit of it is: what is added carries into no other byte.
    let any = ((bytes & LOW_BITS) + LOW_BITS) | bytes;
    let zero = !any >> 7 & EACH_BYTE;
    // Gathers the lowest bit of each byte in the highest byte.
    (zero.wrapping_mul(0x0102_0408_1020_4080) >> 56) as u16
}

#[cfg(all(test, not(larder_loom)))]
mod tests {
    use std::{
        thread,
        time::{Duration, Instant},
    };

    use super::*;

    /// Runs it on a thread of its own: one that waits for a lock for ever is noticed.
    fn ends(look: impl FnOnce() + Send) {
        thread::scope(|scope| {
            let looking = scope.spawn(look);
            let begun = Instant::now();
            while !looking.is_finished() {
                // The test would wait for the thread.
                if begun.elapsed() > Duration::from_secs(60) {
                    std::process::abort();
                }
                thread::sleep(Duration::from_millis(1));
            }
        });
    }

    #[test]
    fn what_is_not_there_is_seen_without_a_lock() {
        let set = Set::new();
        let _locked = set.lock(None);
        ends(|| assert!(set.find(7, b"a").is_none() && !set.has(7, b"a") && set.entries().is_empty()));
    }

    #[test]
    fn readers_do_not_wait_for_each_other() {
        let set = Set::new();
        set.outline.set_tag(3, tag(7));
        let _reading = read(&set.ways);
        ends(|| assert!(set.find(7, b"a").is_none() && !set.has(7, b"a") && set.entries().is_empty()));
    }

    #[test]
    fn zero_bytes_are_found_and_no_others() {
        for seed in 0..1_000 {
            let mut random = fastrand::Rng::with_seed(seed);
            let bytes: [u8; 8] = array::from_fn(|_| *random.choice(&[0, 0, 1, 0x7f, 0x80, 0xff]).unwrap());
            let zero: Vec<usize> = (0..8).filter(|at| bytes[*at] == 0).collect();
            let found = WaySet(zero_bytes(u64::from_le_bytes(bytes)));
            assert_eq!(found.collect::<Vec<_>>(), zero, "{bytes:?}");
        }
    }
}
