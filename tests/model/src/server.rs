//! The Redis server: the log and the entries, whose commands are atomic.

use super::scope::{Key, Scopes};
use super::value::{Mask, Value};

/// Records that the log has room for; an append to a full one is beyond the bounds of the search.
const ROOM: usize = 6;

/// By how much the first record of a process after a new start is above all that it has seen: more IDs than a server
/// can have given, and lost, before another one took its place.
pub(crate) const LEAP: u8 = 4;

/// Where IDs start: well above the reset margin, so that a log can be created anew below it.
pub(crate) const FIRST_ID: u8 = 32;

/// "A minute", in IDs: more than all appends of one run, so that IDs of two logs never coincide.
pub(crate) const MINUTE: u8 = 16;

#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub(crate) struct Record {
    pub(crate) id: u8,
    pub(crate) scope: Scopes,
    /// The sender's process plus one; 0 for the record of a reset.
    pub(crate) sender: u8,
    /// Ghost: the invalidations that it carries.
    pub(crate) carries: Mask,
}

#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) struct Server {
    pub(crate) replid: u8,
    pub(crate) log_exists: bool,
    records: [Record; ROOM],
    len: u8,
    /// The stream's last generated ID, which outlives the record that had it.
    pub(crate) last: u8,
    /// The server's clock, read only where an ID is made: 0 is far in the past.
    pub(crate) clock: u8,
    pub(crate) entries: [Option<Value>; 2],
    /// Ghost: every invalidation appended to this server or to what it replicated.
    pub(crate) appended: Mask,
}

impl Server {
    pub(crate) fn new() -> Self {
        let mut server = Self {
            replid: 0,
            log_exists: false,
            records: [Record::default(); ROOM],
            len: 0,
            last: 0,
            clock: 0,
            entries: [None; 2],
            appended: 0,
        };
        server.append_at(FIRST_ID, Record::default());
        server
    }

    pub(crate) fn records(&self) -> &[Record] {
        &self.records[..usize::from(self.len)]
    }

    pub(crate) fn entry(&self, key: Key) -> Option<Value> {
        self.entries[key as usize]
    }

    /// The ID that `XADD *` would give.
    pub(crate) fn next_id(&self) -> u8 {
        self.clock.max(self.last + 1)
    }

    /// `XADD NOMKSTREAM *`.
    pub(crate) fn append(&mut self, record: Record) -> Option<u8> {
        let id = self.next_id();
        (self.log_exists && self.append_at(id, record)).then_some(id)
    }

    /// `XADD` with an explicit ID, which creates the log; refused at or below the last ID.
    pub(crate) fn append_at(&mut self, id: u8, record: Record) -> bool {
        let len = usize::from(self.len);
        if len == ROOM || (self.log_exists && id <= self.last) {
            return false;
        }
        self.log_exists = true;
        self.records[len] = Record { id, ..record };
        self.len += 1;
        self.last = id;
        self.appended |= record.carries;
        true
    }

    pub(crate) fn trim(&mut self) -> bool {
        if self.len < 2 {
            return false;
        }
        self.records.rotate_left(1);
        self.len -= 1;
        self.records[usize::from(self.len)] = Record::default();
        true
    }

    /// `DEL`, an eviction or a flush of the log.
    pub(crate) fn lose_log(&mut self) {
        self.records = [Record::default(); ROOM];
        self.len = 0;
        self.last = 0;
        self.log_exists = false;
    }
}
