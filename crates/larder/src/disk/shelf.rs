//! What is known of the segments: where each entry lies.

use std::{
    collections::{BTreeMap, HashMap, VecDeque},
    fs::File,
    sync::Arc,
};

use super::record::HEAD;
use crate::epoch::ReadVersion;

/// Into how many parts entries are divided.
const PARTS: usize = 64;

/// How many files are open at most, but for the one that is written: a process may open 1,024 where nothing else is set.
const MOST_OPEN: usize = 128;

/// A segment, as its readers need it.
#[derive(Debug)]
pub(super) struct Segment {
    /// If it is open.
    file: Option<Arc<File>>,
    /// Something in it may not be safe from a power cut.
    unsafe_yet: bool,
    /// How long its file is.
    pub(super) length: u64,
    /// In which order its entries are dated.
    pub(super) order: u64,
    /// The highest epoch of an entry in it.
    highest: u64,
    /// The keys of all entries that were ever found in it: looking for them among all others would take too long.
    keys: Vec<u64>,
}

impl Segment {
    pub(super) fn new(length: u64, order: u64) -> Self {
        Self { file: None, unsafe_yet: true, length, order, highest: 0, keys: Vec::new() }
    }
}

/// Where an entry lies. There is one in memory for each entry on disk: 32 bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Slot {
    pub(super) segment: u32,
    /// Of its head.
    pub(super) offset: u32,
    /// Of its message.
    pub(super) length: u32,
    /// When it is over, in milliseconds since 1970.
    pub(super) expires: u64,
    /// The last change before it was found valid, in this process; [`EARLIER`](Self::EARLIER) if another one did that.
    pub(super) since: u64,
}

impl Slot {
    pub(super) const EARLIER: u64 = u64::MAX;

    /// When it was found valid; none if an earlier process did that.
    pub(super) fn since(&self) -> Option<ReadVersion> {
        (self.since != Self::EARLIER).then(|| ReadVersion::after_change(self.since))
    }

    /// What it takes in its segment.
    pub(super) fn size(&self) -> u64 {
        HEAD as u64 + u64::from(self.length)
    }

    /// Its place in the order in which everything was written.
    pub(super) fn position(&self) -> u64 {
        position(self.segment, self.offset)
    }
}

/// The place of a record in the order in which everything was written.
pub(super) fn position(segment: u32, offset: u32) -> u64 {
    u64::from(segment) << 32 | u64::from(offset)
}

/// Where an entry was found.
pub(super) struct Found {
    pub(super) slot: Slot,
    /// If it is open.
    pub(super) file: Option<Arc<File>>,
    /// In which order it is dated.
    pub(super) order: u64,
}

/// The newest entry of each key.
type Slots = HashMap<u64, Slot, foldhash::fast::RandomState>;

/// All segments, and the newest entry of each key. Keys are known by the hashes of their scopes.
///
/// A lock is held while it is looked at, for which callers wait. So nothing here takes longer the more entries there are,
/// but for [`drop_all`](Self::drop_all), [`clear_entries`](Self::clear_entries) and the start.
#[derive(Debug)]
pub(super) struct Shelf {
    /// In parts: one that grows is moved as a whole.
    entries: [Slots; PARTS],
    segments: BTreeMap<u32, Segment>,
    /// Those whose files are open, and some that were: those opened first in front.
    opened: VecDeque<u32>,
    /// The bytes of all entries that can be found.
    live: u64,
}

impl Default for Shelf {
    fn default() -> Self {
        Self {
            entries: std::array::from_fn(|_| Slots::default()),
            segments: BTreeMap::new(),
            opened: VecDeque::new(),
            live: 0,
        }
    }
}

impl Shelf {
    fn part(&self, key: u64) -> &Slots {
        &self.entries[key as usize % PARTS]
    }

    fn part_mut(&mut self, key: u64) -> &mut Slots {
        &mut self.entries[key as usize % PARTS]
    }

    pub(super) fn find(&self, key: u64) -> Option<Found> {
        let slot = *self.part(key).get(&key)?;
        let segment = self.segments.get(&slot.segment)?;
        Some(Found { slot, file: segment.file.clone(), order: segment.order })
    }

    pub(super) fn contains(&self, key: u64) -> bool {
        self.part(key).contains_key(&key)
    }

    /// Takes in an entry with this epoch, in the place of what is there under its key.
    pub(super) fn put(&mut self, key: u64, slot: Slot, epoch: u64) {
        self.live += slot.size();
        if let Some(segment) = self.segments.get_mut(&slot.segment) {
            segment.highest = segment.highest.max(epoch);
            segment.keys.push(key);
        }
        if let Some(old) = self.part_mut(key).insert(key, slot) {
            self.live -= old.size();
        }
    }

    /// Forgets the entry of a key.
    pub(super) fn remove(&mut self, key: u64) {
        if let Some(old) = self.part_mut(key).remove(&key) {
            self.live -= old.size();
        }
    }

    /// Forgets an entry, unless another one took its place.
    pub(super) fn remove_if(&mut self, key: u64, slot: &Slot) {
        if self.part(key).get(&key) == Some(slot) {
            self.remove(key);
        }
    }

    pub(super) fn add_segment(&mut self, number: u32, segment: Segment) {
        self.segments.insert(number, segment);
    }

    /// The file of a segment, if that is there and open.
    pub(super) fn file(&self, number: u32) -> Option<Arc<File>> {
        self.segments.get(&number)?.file.clone()
    }

    /// Keeps the file of a segment open, if that is there. Gives what is closed for it, or is not kept: to be dropped under no
    /// lock.
    #[must_use]
    pub(super) fn keep_open(&mut self, number: u32, file: Arc<File>) -> Option<Arc<File>> {
        let Some(segment) = self.segments.get_mut(&number) else { return Some(file) };
        let before = segment.file.replace(file);
        if before.is_some() {
            return before;
        }
        self.opened.push_back(number);
        (self.opened.len() > MOST_OPEN).then(|| self.close_first())?
    }

    fn close_first(&mut self) -> Option<Arc<File>> {
        let first = self.opened.pop_front()?;
        self.segments.get_mut(&first)?.file.take()
    }

    /// Closes all files, which are opened again when they are read. To be dropped under no lock.
    #[must_use]
    pub(super) fn close_all(&mut self) -> Vec<Arc<File>> {
        let opened = std::mem::take(&mut self.opened);
        opened.into_iter().filter_map(|number| self.segments.get_mut(&number)?.file.take()).collect()
    }

    /// A segment is complete, and as long as this.
    pub(super) fn set_length(&mut self, number: u32, length: u64) {
        if let Some(segment) = self.segments.get_mut(&number) {
            segment.length = length;
        }
    }

    /// Takes the keys of all entries that were ever found in a segment, some of them several times: it is to be dropped, and
    /// what lies there is forgotten by [`forget`](Self::forget).
    pub(super) fn take_keys(&mut self, number: u32) -> Vec<u64> {
        self.segments.get_mut(&number).map(|segment| std::mem::take(&mut segment.keys)).unwrap_or_default()
    }

    /// Forgets those of these keys whose entries lie in this segment.
    pub(super) fn forget(&mut self, number: u32, keys: &[u64]) {
        for &key in keys {
            if self.part(key).get(&key).is_some_and(|slot| slot.segment == number) {
                self.remove(key);
            }
        }
    }

    /// Forgets a segment in which no entry lies any more: gives what it was, to be closed under no lock.
    #[must_use]
    pub(super) fn drop_segment(&mut self, number: u32) -> Option<Segment> {
        self.opened.retain(|opened| *opened != number);
        self.segments.remove(&number)
    }

    /// Forgets the segments up to this one, and all that is in them.
    pub(super) fn drop_through(&mut self, through: u32) {
        while let Some(oldest) = self.oldest().filter(|oldest| *oldest <= through) {
            let keys = self.take_keys(oldest);
            self.forget(oldest, &keys);
            drop(self.drop_segment(oldest));
        }
    }

    /// Forgets everything: gives what it was, to be dropped under no lock.
    #[must_use]
    pub(super) fn drop_all(&mut self) -> Self {
        std::mem::take(self)
    }

    /// Forgets all entries, and no segment.
    pub(super) fn clear_entries(&mut self) {
        self.entries.iter_mut().for_each(HashMap::clear);
        self.segments.values_mut().for_each(|segment| segment.keys = Vec::new());
        self.live = 0;
    }

    pub(super) fn oldest(&self) -> Option<u32> {
        self.segments.keys().next().copied()
    }

    pub(super) fn newest(&self) -> Option<u32> {
        self.segments.keys().next_back().copied()
    }

    /// The newest segment whose entries are dated in the order of one process.
    pub(super) fn newest_local(&self) -> Option<u32> {
        self.segments.iter().rev().find(|(_, segment)| segment.order == 0).map(|(number, _)| *number)
    }

    /// Whether there is no segment.
    pub(super) fn is_empty(&self) -> bool {
        self.segments.is_empty()
    }

    /// Whether a segment is there.
    pub(super) fn has(&self, number: u32) -> bool {
        self.segments.contains_key(&number)
    }

    /// The segments that may not be safe from a power cut.
    pub(super) fn unsafe_yet(&self) -> Vec<u32> {
        let segments = self.segments.iter().filter(|(_, segment)| segment.unsafe_yet);
        segments.map(|(number, _)| *number).collect()
    }

    /// All that is there is safe from a power cut.
    pub(super) fn all_is_safe(&mut self) {
        self.segments.values_mut().for_each(|segment| segment.unsafe_yet = false);
    }

    /// The bytes of all files.
    pub(super) fn size(&self) -> u64 {
        self.segments.values().map(|segment| segment.length).sum()
    }

    /// The bytes of all entries that can be found.
    pub(super) fn live(&self) -> u64 {
        self.live
    }

    /// The highest epoch of an entry that is dated in this order.
    pub(super) fn highest_of(&self, order: u64) -> u64 {
        let segments = self.segments.values().filter(|segment| segment.order == order);
        segments.map(|segment| segment.highest).max().unwrap_or(0)
    }
}

#[cfg(all(test, not(larder_loom)))]
mod tests {
    use super::*;

    fn slot(segment: u32, offset: u32) -> Slot {
        Slot { segment, offset, length: 100, expires: 1, since: 0 }
    }

    #[test]
    fn what_lies_in_a_segment_goes_with_it_and_nothing_else() {
        let mut shelf = Shelf::default();
        (1..=3).for_each(|number| shelf.add_segment(number, Segment::new(1_000, 0)));
        for key in 0..1_000 {
            shelf.put(key, slot(1, 1), 0);
            shelf.put(key, slot(1, 2), 0);
        }
        // Newer ones elsewhere, and some that are gone.
        (0..10).for_each(|key| shelf.put(key, slot(3, 1), 0));
        (10..20).for_each(|key| shelf.remove(key));
        (2_000..2_010).for_each(|key| shelf.put(key, slot(2, 1), 0));
        let mut keys = shelf.take_keys(1);
        keys.sort_unstable();
        keys.dedup();
        assert_eq!(keys, (0..1_000).collect::<Vec<_>>());
        shelf.forget(1, &keys);
        assert_eq!(shelf.live(), 20 * slot(1, 1).size());
        assert!(shelf.drop_segment(1).is_some());
        assert!((0..10).all(|key| shelf.contains(key)) && (10..1_000).all(|key| !shelf.contains(key)));
        shelf.drop_through(2);
        assert_eq!((shelf.live(), shelf.oldest()), (10 * slot(1, 1).size(), Some(3)));
        assert_eq!(shelf.drop_all().segments.len(), 1);
        assert!(shelf.live() == 0 && shelf.is_empty() && !shelf.contains(1));
    }

    #[test]
    fn so_many_files_are_open_at_most() {
        let file = Arc::new(tempfile::tempfile().unwrap());
        let mut shelf = Shelf::default();
        let count = 3 * u32::try_from(MOST_OPEN).unwrap();
        for number in 0..count {
            shelf.add_segment(number, Segment::new(1_000, 0));
            drop(shelf.keep_open(number, file.clone()));
            drop(shelf.keep_open(number, file.clone()));
            assert!(Arc::strong_count(&file) <= 1 + MOST_OPEN);
        }
        assert!(shelf.file(0).is_none() && shelf.file(count - 1).is_some());
        drop(shelf.keep_open(0, file.clone()));
        assert!(shelf.file(0).is_some());
        drop(shelf.drop_segment(0));
        assert_eq!(Arc::strong_count(&file), MOST_OPEN);
        assert!(shelf.keep_open(0, file.clone()).is_some(), "it is gone");
        assert_eq!(shelf.close_all().len(), MOST_OPEN - 1);
        assert_eq!(Arc::strong_count(&file), 1);
        assert!(shelf.has(1) && shelf.file(1).is_none());
    }
}
