//! Finding what an earlier process left.

use std::io;

use super::{
    folder::{self, Folder, Unusable},
    late_reads::LateReads,
    queue::Queue,
    record::{self, Boot},
    scan::{self, Record},
    settings::DiskSettings,
    shelf::{Segment, Shelf, Slot, position},
    state::{Disk, Limits, wall_clock},
};
use crate::{
    epoch::{DEFAULT_SLOTS, PastChanges},
    scope::ScopeHash,
    wire::Wire,
};

/// Of an entry; and of one file, where the capacity is not so large that there would be too many.
const LARGE: u64 = 16 << 20;

/// How long one file is.
///
/// A sixteenth of the capacity, 16 MiB at most: few entries go with it. But there are some 128 of them at most, which can all
/// be open; until one is as long as is to be read at once at a start.
fn segment_size(capacity: u64) -> u64 {
    const SMALLEST: u64 = 64 << 10;
    const LARGEST: u64 = 512 << 20;
    (capacity / 16).clamp(SMALLEST, LARGE).max(capacity / 128).min(LARGEST)
}

/// What is found, segment by segment.
struct Finding {
    shelf: Shelf,
    past: PastChanges,
    now: u64,
    /// Of the last segment.
    last: Option<(Boot, bool)>,
}

/// Opens a folder, and reads what is there.
pub(super) fn open(settings: &DiskSettings) -> Result<Disk, Unusable> {
    let folder = Folder::open(&settings.path)?;
    let boot = folder::boot();
    let found = Finding::of(&folder, boot)?;
    let segment = segment_size(settings.capacity);
    Ok(Disk {
        limits: Limits { capacity: settings.capacity, segment, entry: segment.min(LARGE) },
        wire: Wire::default(),
        queue: Queue::default(),
        past: found.past,
        boot,
        binding: None.into(),
        safe: found.last.is_none_or(|(_, clean)| clean).into(),
        shelf: found.shelf.into(),
        warned: false.into(),
        warned_of_full: false.into(),
        late_reads: LateReads::default(),
        folder,
    })
}

impl Finding {
    fn new() -> Self {
        Self { shelf: Shelf::default(), past: PastChanges::new(DEFAULT_SLOTS), now: wall_clock(), last: None }
    }

    fn of(folder: &Folder, boot: Option<Boot>) -> io::Result<Self> {
        let numbers = folder.segments()?;
        let Some(&newest) = numbers.last() else { return Ok(Self::new()) };
        let mut found = Self::new();
        let (mut buffer, mut previous) = (Vec::new(), None);
        for number in numbers {
            if previous.is_some_and(|previous: u32| previous + 1 != number) {
                found.forget(folder, number - 1, "a segment is missing")?;
            }
            previous = Some(number);
            // What cannot be read is as good as damaged.
            match scan::scan(&folder.path_of(number), number, &mut buffer).unwrap_or(None) {
                Some(scanned) => found.add(number, scanned, buffer.len() as u64),
                None => {
                    found.forget(folder, number, "a segment is damaged, or was written by another release")?
                }
            }
        }
        // Segments are made one after the other, and the last one that was made is known.
        if folder.newest().is_none_or(|made| made > newest) {
            found.forget(folder, newest, "the newest segment is missing")?;
        }
        if found.last.is_some_and(|(begun_in, clean)| !clean && boot.unwrap_or_default() != begun_in) {
            found.forget(folder, newest, "the machine was started anew, and may not have written all")?;
        }
        Ok(found)
    }

    fn add(&mut self, number: u32, scanned: scan::Scanned, length: u64) {
        self.shelf.add_segment(number, Segment::new(length, scanned.order));
        self.last = Some((scanned.boot, scanned.clean));
        for (offset, record) in scanned.records {
            match record {
                Record::Entry(head) if head.expires > self.now => {
                    let record::EntryHead { length, expires, .. } = head;
                    let slot = Slot { segment: number, offset, length, expires, since: Slot::EARLIER };
                    self.shelf.put(head.key, slot, head.epoch);
                }
                // In the place of an older one, which is not to come back.
                Record::Entry(head) => self.shelf.remove(head.key),
                Record::Changes(scopes) => self.change(&scopes, position(number, offset)),
            }
        }
    }

    fn change(&mut self, scopes: &[ScopeHash], position: u64) {
        self.past.add(scopes, position);
        scopes.iter().filter(|scope| !scope.is_wide()).for_each(|scope| self.shelf.remove(scope.get()));
        if scopes.contains(&ScopeHash::ALL) {
            self.shelf.clear_entries();
        }
    }

    /// Drops the segments up to this one: something that stands behind what is in them cannot be known.
    fn forget(&mut self, folder: &Folder, through: u32, why: &str) -> io::Result<()> {
        crate::panic_guard::report!(
            warn,
            path = %folder.path_of(through).display(),
            why,
            "entries on disk cannot be proved to be valid, and are dropped"
        );
        folder.remove_through(through)?;
        self.shelf.drop_through(through);
        self.last = None;
        Ok(())
    }
}

#[cfg(all(test, not(larder_loom)))]
mod tests {
    use super::*;

    #[test]
    fn a_large_tier_has_as_many_files_as_are_kept_open() {
        let files = |capacity| capacity / segment_size(capacity);
        assert_eq!([1 << 20, 64 << 20, 1 << 30].map(files), [16, 16, 64]);
        for gibibytes in [2, 4, 16, 64] {
            assert_eq!(files(gibibytes << 30), 128);
        }
        assert_eq!(files(256 << 30), 512);
        // The places of records are numbers of 32 bits.
        assert!(segment_size(u64::MAX) < 1 << 32);
    }
}
