//! One set of the table: sixteen places for entries, and what is known of them without looking at them.

use std::{
    array,
    ops::Deref,
    sync::{
        Arc,
        atomic::{AtomicU8, AtomicU64, Ordering},
    },
};

use arc_swap::{ArcSwapOption, Guard};
use smallvec::SmallVec;

use crate::{
    entry::Stored,
    sync::plain::{Mutex, MutexGuard, lock},
};

/// The places of a set.
pub(super) const WAYS: usize = 16;

/// How many of the entries that went a set remembers.
const GHOSTS: usize = 8;

/// The highest mark that hits give. Higher ones would keep for long what was used once upon a time.
const MOST_USED: u8 = 7;

/// The first 64 bytes are a cache line that a reader goes by; the ways fill two more.
#[repr(C, align(64))]
pub(super) struct Set {
    /// A tag for each way, eight to a number; zero for a way that is free.
    tags: [AtomicU64; WAYS / 8],
    marks: [AtomicU8; WAYS],
    writer: Mutex<Writer>,
    ways: [ArcSwapOption<Stored>; WAYS],
}

#[cfg(target_pointer_width = "64")]
const _: () = assert!(size_of::<Set>() == 64 + WAYS * 8, "a reader goes by one cache line");

/// What only writers need, with the right to write.
#[derive(Default)]
struct Writer {
    /// Parts of the hashes of the last entries that went, the latest first; zero for none.
    ghosts: [u16; GHOSTS],
    /// The weight of each way's entry, where weights differ.
    weights: Option<Box<[u32; WAYS]>>,
}

/// What is least used in a set.
#[derive(Debug, Clone, Copy)]
pub(super) struct Victim {
    pub(super) use_: u8,
    pub(super) way: usize,
}

impl Set {
    pub(super) fn new() -> Self {
        Self {
            tags: Default::default(),
            marks: Default::default(),
            writer: Mutex::default(),
            ways: array::from_fn(|_| ArcSwapOption::empty()),
        }
    }

    /// The way of a key, and its entry.
    #[inline]
    pub(super) fn find(&self, hash: u64, key: &[u8]) -> Option<(usize, Guard<Option<Arc<Stored>>>)> {
        let tag = u64::from(tag(hash)) * EACH_BYTE;
        for (eight, tags) in self.tags.iter().enumerate() {
            // Acquire: that a tag is gone says that the entry's new set was made known.
            let mut matching = zero_bytes(tags.load(Ordering::Acquire) ^ tag);
            while matching != 0 {
                let way = eight * 8 + (matching.trailing_zeros() / 8) as usize;
                let entry = self.ways[way % WAYS].load();
                if entry.as_ref().is_some_and(|entry| entry.is_under(key, hash)) {
                    return Some((way, entry));
                }
                matching &= matching - 1;
            }
        }
        None
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
        let taken = self.taken();
        let mut least: Option<Victim> = None;
        for (way, mark) in self.marks.iter().enumerate() {
            let use_ = use_of(mark.load(Ordering::Relaxed));
            if taken[way / 8][way % 8] != 0 && least.is_none_or(|least| use_ < least.use_) {
                least = Some(Victim { use_, way });
                if use_ == 0 {
                    break;
                }
            }
        }
        least
    }

    /// Those of the entries that are wanted, with their ways.
    #[inline]
    pub(super) fn entries(
        &self,
        wanted: impl Fn(&Stored) -> bool + Copy,
    ) -> impl Iterator<Item = (usize, Arc<Stored>)> {
        self.tags.iter().enumerate().flat_map(move |(eight, tags)| {
            let taken = tags.load(Ordering::Acquire).to_le_bytes();
            // A set that is empty is passed over at once: in a table that is not full, many are.
            let ways = if taken == [0; 8] { 0..0 } else { 0..8 };
            ways.filter(move |way| taken[*way] != 0).filter_map(move |way| {
                let way = eight * 8 + way;
                let entry = self.ways[way].load();
                entry.as_ref().is_some_and(|entry| wanted(entry)).then_some((way, Guard::into_inner(entry)?))
            })
        })
    }

    /// The tags, of which those of free ways are zero.
    fn taken(&self) -> [[u8; 8]; WAYS / 8] {
        array::from_fn(|eight| self.tags[eight].load(Ordering::Acquire).to_le_bytes())
    }

    pub(super) fn lock(&self) -> Locked<'_> {
        Locked { set: self, writer: lock(&self.writer) }
    }
}

/// A set, and the right to write to it.
pub(super) struct Locked<'s> {
    set: &'s Set,
    writer: MutexGuard<'s, Writer>,
}

impl Deref for Locked<'_> {
    type Target = Set;

    fn deref(&self) -> &Set {
        self.set
    }
}

impl Locked<'_> {
    pub(super) fn way_of(&self, hash: u64, key: &str) -> Option<usize> {
        Some(self.find(hash, key.as_bytes())?.0)
    }

    pub(super) fn free_way(&self) -> Option<usize> {
        let tags = self.tags.iter().enumerate();
        let mut free = tags.filter_map(|(eight, tags)| match zero_bytes(tags.load(Ordering::Relaxed)) {
            0 => None,
            free => Some(eight * 8 + (free.trailing_zeros() / 8) as usize),
        });
        free.next()
    }

    /// Whether a way is not free.
    pub(super) fn has(&self, way: usize) -> bool {
        self.tags[way / 8].load(Ordering::Relaxed).to_le_bytes()[way % 8] != 0
    }

    pub(super) fn entry(&self, way: usize) -> Guard<Option<Arc<Stored>>> {
        self.ways[way].load()
    }

    pub(super) fn weight(&self, way: usize) -> u32 {
        self.writer.weights.as_ref().map_or(1, |weights| weights[way])
    }

    /// Puts an entry in a way, and gives what was there. One that has a weight of its own comes with it.
    pub(super) fn put(
        &mut self,
        way: usize,
        entry: &Arc<Stored>,
        mark: u8,
        weight: Option<u32>,
    ) -> Option<Arc<Stored>> {
        if let Some(weight) = weight {
            self.writer.weights.get_or_insert_default()[way] = weight;
        }
        self.marks[way].store(mark, Ordering::Relaxed);
        let before = self.ways[way].swap(Some(entry.clone()));
        // Last: who finds the tag finds the entry.
        self.set_tag(way, tag(entry.hash));
        before
    }

    /// Puts an entry in the place of one with the same key. No reader finds neither.
    pub(super) fn swap(&mut self, way: usize, entry: &Arc<Stored>, weight: u32) -> Option<Arc<Stored>> {
        if let Some(weights) = &mut self.writer.weights {
            weights[way] = weight;
        }
        self.ways[way].swap(Some(entry.clone()))
    }

    /// Takes an entry and its mark.
    pub(super) fn remove(&mut self, way: usize) -> (Option<Arc<Stored>>, u8) {
        self.set_tag(way, 0);
        (self.ways[way].swap(None), self.marks[way].load(Ordering::Relaxed))
    }

    fn set_tag(&mut self, way: usize, tag: u8) {
        let tags = &self.set.tags[way / 8];
        let mut bytes = tags.load(Ordering::Relaxed).to_le_bytes();
        bytes[way % 8] = tag;
        // There is no other writer.
        tags.store(u64::from_le_bytes(bytes), Ordering::Release);
    }

    /// Remembers a hash, in the place of the eighth last one.
    pub(super) fn remember(&mut self, hash: u64) {
        self.writer.ghosts.rotate_right(1);
        self.writer.ghosts[0] = ghost(hash);
    }

    /// Whether a hash is remembered. It is not from here on.
    pub(super) fn recall(&mut self, hash: u64) -> bool {
        let remembered = self.writer.ghosts.iter_mut().find(|here| **here == ghost(hash));
        remembered.map(|here| *here = 0).is_some()
    }

    /// Copies what belongs in `other`, which no one else can reach, and what it needs to judge it by. Gives the ways
    /// that were copied.
    pub(super) fn copy_to(
        &mut self,
        other: &Set,
        belongs: impl Fn(u64) -> bool + Copy,
    ) -> SmallVec<[usize; WAYS]> {
        let mut other = other.lock();
        other.writer.ghosts = self.writer.ghosts;
        let copied = self.entries(|entry| belongs(entry.hash)).map(|(way, entry)| {
            let weight = self.writer.weights.as_ref().map(|weights| weights[way]);
            let before = other.put(way, &entry, self.marks[way].load(Ordering::Relaxed), weight);
            debug_assert!(before.is_none(), "the other one is new");
            way
        });
        copied.collect()
    }
}

/// A byte of the hash other than those that pick the set; never zero.
#[inline]
fn tag(hash: u64) -> u8 {
    ((hash >> 56) as u8).max(1)
}

/// Sixteen bits of it; never zero.
fn ghost(hash: u64) -> u16 {
    ((hash >> 40) as u16).max(1)
}

const EACH_BYTE: u64 = 0x0101_0101_0101_0101;

/// The highest bit of each byte that is zero; perhaps also of some above the lowest such byte.
#[inline]
fn zero_bytes(bytes: u64) -> u64 {
    bytes.wrapping_sub(EACH_BYTE) & !bytes & (EACH_BYTE << 7)
}
