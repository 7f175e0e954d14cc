//! Entries as they are written, some at once.

use super::{
    queue::Offer,
    record::{self, EntryHead, Head},
    state::{Disk, wall_clock},
};
use crate::{epoch::ReadVersion, panic_guard, scope::ScopeHash, stats::Group};

/// An entry as it is written.
pub(super) struct Encoded {
    pub(super) head: EntryHead,
    pub(super) message: Vec<u8>,
    pub(super) since: ReadVersion,
}

/// Entries on their way into the newest segment.
#[derive(Default)]
pub(super) struct Batch {
    pub(super) records: Vec<u8>,
    pub(super) places: Vec<Place>,
}

/// Where an entry of a batch lies in it.
pub(super) struct Place {
    pub(super) offset: usize,
    pub(super) head: EntryHead,
    pub(super) since: ReadVersion,
    /// By which it is counted; none if it was on disk before.
    pub(super) group: Option<Group>,
}

impl Batch {
    pub(super) fn add(&mut self, Encoded { head, message, since }: &Encoded, group: Option<Group>) {
        let (offset, head, since) = (self.records.len(), *head, *since);
        self.places.push(Place { offset, head, since, group });
        self.records.extend_from_slice(&Head::Entry(head).to_bytes());
        self.records.extend_from_slice(message);
    }
}

/// An entry as it is to be written, if it is valid, and another process would read the same value from it.
pub(super) fn encode(disk: &Disk, Offer { entry, epoch, reset, binding }: &Offer) -> Option<Encoded> {
    let (core, stored) = (&binding.core, &entry.0);
    let skip = || core.count_in(stored.group, |counters| &counters.disk_skipped);
    if !disk.is_bound(binding) {
        skip();
        return None;
    }
    // Before the look, so that this covers no more than what is looked at.
    let (since, now) = (core.begin(), core.now());
    let lifetime = entry.retention_left(now).as_millis();
    if lifetime == 0 || !stored.is_valid(core.epochs()) {
        skip();
        return None;
    }
    let wall = wall_clock();
    let message = match disk.wire.message(entry, *epoch, (now, wall)) {
        Ok(message) => message,
        Err(reason) => {
            skip();
            panic_guard::report!(debug, key = entry.key(), %reason, "a value is not written to disk");
            return None;
        }
    };
    let head = EntryHead {
        length: u32::try_from(message.len()).ok()?,
        key: ScopeHash::key(entry.key()).get(),
        expires: wall.saturating_add(u64::try_from(lifetime).unwrap_or(u64::MAX)),
        epoch: epoch.number(),
        reset: reset.number(),
        digest: record::digest(entry.key()),
    };
    Some(Encoded { head, message, since })
}
