//! The table behind [`Slots`](super::Slots): sets of a few ways, as in a processor's cache.

use crate::{
    epoch::zeroed::zeroed,
    sync::{AtomicU32, AtomicU64, Ordering},
};

/// How many scopes a set has room for. With two sets to choose from, 20 leave none of a million scopes without a place
/// in 1.27 million ways (16 left some in steady use), and are 80 bytes of tags to look through.
pub(super) const WAYS: usize = if cfg!(larder_loom) { 2 } else { 20 };

/// What a set takes: its ways, what it forgot of two kinds, and a word of [`Table::lasts`].
pub(super) const SET_BYTES: usize = size_of::<Words>() + size_of::<u64>();

/// The tag of a way that no scope has.
const FREE: u32 = 0;

/// Where a scope belongs, and what tells it from the others there.
///
/// Two scopes that have the same tag and one set in common have both sets in common: they cannot be told from each
/// other anywhere, and count as one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) sets: [usize; 2],
    pub(super) tag: Tag,
}

/// 30 bits of a scope, whether it is wide, and one bit that is always set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Tag(u32);

impl Tag {
    const USED: u32 = 1;
    const WIDE: u32 = 2;

    #[inline]
    pub(super) fn new(bits: u32, is_wide: bool) -> Self {
        Self(bits & !Self::WIDE | u32::from(is_wide) << 1 | Self::USED)
    }

    #[inline]
    fn is_wide(self) -> bool {
        self.0 & Self::WIDE != 0
    }
}

/// Remembers a number for each scope, as long as there is room: see [`Slots`](super::Slots) for the rules.
///
/// One writer, readers without locks. A reader that has to see a change, because the change happened before it, finds
/// the change's number or a higher one, whatever the writer does meanwhile:
///
/// - The writer gives a way to another scope in this order: first `forgotten`, then the number, then the tag, both of them
///   by `Release`. A reader that finds anything of that by `Acquire` sees `forgotten` raised to what the way lost.
/// - The reader loads tags first, then the number, then `forgotten`, and takes the higher one of these two. So a number
///   that does not belong to the tag does no harm. It is none from before the tag, since numbers are written first; and
///   if it is one from after the tag, what the way lost in between is in `forgotten`.
/// - A word of `lasts` never falls: it needs no order.
pub(super) struct Table {
    /// The highest number of all scopes that have the same first set, forgotten or not: where it is not above what a
    /// reader asks about, no more need be looked at.
    lasts: Box<[AtomicU64]>,
    words: Box<[Words]>,
    sets: u32,
}

/// The memory of a set, all in one place: as in [`Set`].
type Words = ([AtomicU32; WAYS], [AtomicU64; 2], [AtomicU64; WAYS]);

/// A set of a table.
#[derive(Clone, Copy)]
struct Set<'t> {
    /// Those that are free come last.
    tags: &'t [AtomicU32; WAYS],
    /// The highest number that the set had to forget, of keys and of wider scopes; no number of a way of that kind is
    /// below it.
    forgotten: &'t [AtomicU64; 2],
    numbers: &'t [AtomicU64; WAYS],
}

/// What the writer finds in a set.
enum Found {
    Way(usize),
    Free(usize),
    Full,
}

/// What a set can best forget.
struct Oldest {
    way: usize,
    tag: Tag,
    number: u64,
}

impl Table {
    pub(super) fn new(sets: u32) -> Self {
        let len = sets as usize;
        Self { lasts: zeroed(len), words: zeroed(len), sets }
    }

    /// How many sets it has.
    #[cfg(test)]
    pub(super) fn sets(&self) -> u32 {
        self.sets
    }

    /// The place of a scope with this tag, by other bits of it.
    #[inline]
    pub(super) fn place(&self, bits: u32, tag: Tag) -> Place {
        let scale = |bits: u32| (u64::from(bits) * u64::from(self.sets)) >> 32;
        let (one, sum) = (scale(bits), scale(tag.0));
        // The two add up to what the tag alone tells, so that each one with the tag tells the other.
        let other = if sum >= one { sum - one } else { sum + u64::from(self.sets) - one };
        Place { sets: [one as usize, other as usize], tag }
    }

    /// Whether the scope there did not change after `number`, as far as is remembered.
    #[inline]
    pub(super) fn unchanged(&self, place: Place, number: u64) -> bool {
        self.lasts[place.sets[0]].load(Ordering::Relaxed) <= number || self.last(place) <= number
    }

    /// The number of the scope there, or one that is too high if it was forgotten.
    #[inline(never)]
    pub(super) fn last(&self, place: Place) -> u64 {
        let sets = place.sets.map(|set| self.set(set));
        for set in sets {
            if let Some(way) = set.tags.iter().position(|tag| tag.load(Ordering::Acquire) == place.tag.0) {
                let number = set.numbers[way].load(Ordering::Acquire);
                return number.max(set.forgotten(place.tag));
            }
        }
        sets[0].forgotten(place.tag).max(sets[1].forgotten(place.tag))
    }

    /// Remembers `number` for the scope there, unless it has a higher one, and returns true; or false, if it would have to
    /// forget one for it and may not. For the one writer.
    pub(super) fn raise(&self, place: Place, number: u64, may_forget: bool) -> bool {
        let Place { sets, tag } = place;
        let [one, other] = sets.map(|set| self.set(set));
        let forgotten = [one, other].map(|set| set.forgotten(tag));
        match (one.find(tag), other.find(tag)) {
            (Found::Way(way), _) => one.raise(way, number),
            (_, Found::Way(way)) => other.raise(way, number),
            // It was forgotten, with a higher number.
            _ if number <= forgotten[0].max(forgotten[1]) => {}
            (Found::Free(way), Found::Free(others)) if others < way => other.write(others, tag, number),
            (Found::Free(way), _) => one.write(way, tag, number),
            (_, Found::Free(way)) => other.write(way, tag, number),
            _ if !may_forget => return false,
            _ => match (one.oldest(tag), other.oldest(tag)) {
                (oldest, others) if oldest.number <= others.number => one.replace(oldest, tag, number),
                (_, others) => other.replace(others, tag, number),
            },
        }
        let last = &self.lasts[sets[0]];
        last.store(number.max(last.load(Ordering::Relaxed)), Ordering::Relaxed);
        true
    }

    /// The highest number in it.
    pub(super) fn highest(&self) -> u64 {
        self.lasts.iter().map(|last| last.load(Ordering::Relaxed)).max().unwrap_or(0)
    }

    #[inline]
    fn set(&self, set: usize) -> Set<'_> {
        let (tags, forgotten, numbers) = &self.words[set];
        Set { tags, forgotten, numbers }
    }
}

impl Set<'_> {
    /// Loaded after what was looked for: see [`Table`].
    #[inline]
    fn forgotten(self, tag: Tag) -> u64 {
        self.forgotten[usize::from(tag.is_wide())].load(Ordering::Relaxed)
    }

    // What follows is for the writer.

    fn find(self, tag: Tag) -> Found {
        for (way, other) in self.tags.iter().enumerate() {
            match other.load(Ordering::Relaxed) {
                FREE => return Found::Free(way),
                other if other == tag.0 => return Found::Way(way),
                _ => {}
            }
        }
        Found::Full
    }

    /// The scope of this way changed again.
    fn raise(self, way: usize, number: u64) {
        let before = &self.numbers[way];
        if number > before.load(Ordering::Relaxed) {
            // `Release`, for those who take it for the number of a scope that had the way before.
            before.store(number, Ordering::Release);
        }
    }

    /// The way with the lowest number, of the kind that has more than half of the ways, so that neither kind ever drives
    /// the other out of its half; of the kind of `tag`, if both have half.
    fn oldest(self, tag: Tag) -> Oldest {
        let tag_of = |way: usize| Tag(self.tags[way].load(Ordering::Relaxed));
        let wide = (0..WAYS).filter(|way| tag_of(*way).is_wide()).count();
        let is_wide = if wide == WAYS / 2 { tag.is_wide() } else { wide > WAYS / 2 };
        let mut oldest = Oldest { way: 0, tag, number: u64::MAX };
        for way in 0..WAYS {
            let number = self.numbers[way].load(Ordering::Relaxed);
            if number < oldest.number && tag_of(way).is_wide() == is_wide {
                oldest = Oldest { way, tag: tag_of(way), number };
            }
        }
        oldest
    }

    /// Forgets this oldest scope for a new one; or the new one itself, if that is older still.
    fn replace(self, oldest: Oldest, tag: Tag, number: u64) {
        if oldest.tag.is_wide() == tag.is_wide() && number < oldest.number {
            self.forget(tag, number);
        } else {
            self.forget(oldest.tag, oldest.number);
            self.write(oldest.way, tag, number);
        }
    }

    fn forget(self, tag: Tag, number: u64) {
        let forgotten = &self.forgotten[usize::from(tag.is_wide())];
        forgotten.store(number.max(forgotten.load(Ordering::Relaxed)), Ordering::Relaxed);
    }

    /// Gives the way to this scope, once what it had is forgotten. The order is that of [`Table`].
    fn write(self, way: usize, tag: Tag, number: u64) {
        self.numbers[way].store(number, Ordering::Release);
        self.tags[way].store(tag.0, Ordering::Release);
    }
}
