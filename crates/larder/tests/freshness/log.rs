//! What happened.

use std::collections::HashMap;

use serde::{Deserialize, Serialize};

/// A moment: all moments of a run have one order.
pub(crate) type Tick = u64;

/// A value, with all that the checker has to know of its making.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Made {
    pub(crate) key: usize,
    /// Before anything was read that it is made from. For an insert: before the call.
    pub(crate) began: Tick,
    /// What the source had, for a value that is read there; none for one that is put in by hand, whose
    /// writer may have been overtaken by another one.
    pub(crate) version: Option<Tick>,
    pub(crate) parts: Vec<Part>,
}

/// What a computation read: the key, and what was under it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Part {
    pub(crate) key: usize,
    pub(crate) found: Option<Made>,
}

/// A read that gave a value.
#[derive(Debug)]
pub(crate) struct Read {
    pub(crate) start: Tick,
    /// It finds only what is fresh: nothing of it was marked stale.
    pub(crate) finds_fresh: bool,
    pub(crate) value: Made,
}

/// An invalidation, or a mark, and the write at the source before it.
#[derive(Debug)]
pub(crate) struct Change {
    pub(crate) scope: usize,
    /// It is a mark.
    pub(crate) soft: bool,
    pub(crate) written: Option<(usize, Tick)>,
    pub(crate) called: Tick,
    pub(crate) returned: Tick,
}

#[derive(Debug, Default)]
pub(crate) struct Log {
    pub(crate) reads: Vec<Read>,
    pub(crate) changes: Vec<Change>,
    /// When an insert returned, by when it began. Its value counts as read at some moment in between.
    pub(crate) inserts: HashMap<Tick, Tick>,
    pub(crate) reads_made: usize,
    pub(crate) values_read: usize,
    pub(crate) from_cache: usize,
    pub(crate) changes_made: usize,
    /// How often a computation kept an old value.
    pub(crate) kept: usize,
}

impl Log {
    pub(crate) fn append(&mut self, other: Self) {
        self.reads_made += other.reads_made;
        self.kept += other.kept;
        self.reads.extend(other.reads);
        self.changes.extend(other.changes);
        self.inserts.extend(other.inserts);
    }

    /// Adds the numbers of another log, and not what is in it.
    pub(crate) fn count(&mut self, other: &Self) {
        self.reads_made += other.reads_made;
        self.kept += other.kept;
        self.values_read += other.reads.len();
        self.from_cache += other.reads.iter().filter(|read| read.value.began < read.start).count();
        self.changes_made += other.changes.len();
    }
}
