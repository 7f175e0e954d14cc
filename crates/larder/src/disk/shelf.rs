//! What is known of the segments: where each entry lies.

use std::{
    collections::{BTreeMap, HashMap},
    fs::File,
    sync::Arc,
};

use super::record::HEAD;
use crate::epoch::ReadVersion;

/// A segment, as its readers need it.
#[derive(Debug)]
pub(super) struct Segment {
    pub(super) file: Arc<File>,
    /// How long its file is.
    pub(super) length: u64,
    /// In which order its entries are dated.
    pub(super) order: u64,
    /// The highest epoch of an entry in it.
    pub(super) highest: u64,
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
    pub(super) file: Arc<File>,
    /// In which order it is dated.
    pub(super) order: u64,
}

/// All segments, and the newest entry of each key. Keys are known by the hashes of their scopes.
#[derive(Debug, Default)]
pub(super) struct Shelf {
    entries: HashMap<u64, Slot, foldhash::fast::RandomState>,
    segments: BTreeMap<u32, Segment>,
    /// The bytes of all entries that can be found.
    live: u64,
}

impl Shelf {
    pub(super) fn find(&self, key: u64) -> Option<Found> {
        let slot = *self.entries.get(&key)?;
        let segment = self.segments.get(&slot.segment)?;
        Some(Found { slot, file: segment.file.clone(), order: segment.order })
    }

    pub(super) fn contains(&self, key: u64) -> bool {
        self.entries.contains_key(&key)
    }

    /// Takes in an entry with this epoch, in the place of what is there under its key.
    pub(super) fn put(&mut self, key: u64, slot: Slot, epoch: u64) {
        self.live += slot.size();
        if let Some(segment) = self.segments.get_mut(&slot.segment) {
            segment.highest = segment.highest.max(epoch);
        }
        if let Some(old) = self.entries.insert(key, slot) {
            self.live -= old.size();
        }
    }

    /// Forgets the entry of a key.
    pub(super) fn remove(&mut self, key: u64) {
        if let Some(old) = self.entries.remove(&key) {
            self.live -= old.size();
        }
    }

    /// Forgets an entry, unless another one took its place.
    pub(super) fn remove_if(&mut self, key: u64, slot: &Slot) {
        if self.entries.get(&key) == Some(slot) {
            self.remove(key);
        }
    }

    pub(super) fn add_segment(&mut self, number: u32, segment: Segment) {
        self.segments.insert(number, segment);
    }

    /// A segment is complete, and as long as this.
    pub(super) fn set_length(&mut self, number: u32, length: u64) {
        if let Some(segment) = self.segments.get_mut(&number) {
            segment.length = length;
        }
    }

    /// Forgets the segments up to this one, and all that is in them.
    pub(super) fn drop_through(&mut self, number: u32) {
        self.segments.retain(|segment, _| *segment > number);
        let live = &mut self.live;
        self.entries.retain(|_, slot| {
            let stays = slot.segment > number;
            *live -= if stays { 0 } else { slot.size() };
            stays
        });
    }

    /// Forgets all entries, and no segment.
    pub(super) fn clear_entries(&mut self) {
        self.entries.clear();
        self.live = 0;
    }

    /// The keys of a segment that can be found.
    pub(super) fn keys_of(&self, number: u32) -> Vec<u64> {
        self.entries.iter().filter(|(_, slot)| slot.segment == number).map(|(key, _)| *key).collect()
    }

    pub(super) fn oldest(&self) -> Option<u32> {
        self.segments.keys().next().copied()
    }

    pub(super) fn newest(&self) -> Option<u32> {
        self.segments.keys().next_back().copied()
    }

    /// Whether there is no segment.
    pub(super) fn is_empty(&self) -> bool {
        self.segments.is_empty()
    }

    pub(super) fn files(&self) -> Vec<Arc<File>> {
        self.segments.values().map(|segment| segment.file.clone()).collect()
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
