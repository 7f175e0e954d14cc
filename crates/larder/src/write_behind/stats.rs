//! The figures of a queue in this process.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use crate::sync::plain::{Mutex, lock};

/// What this process did with a queue so far. Of writes that other processes made or consumed, they know.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct WriteBehindStats {
    /// Writes that were acknowledged.
    pub acknowledged: u64,
    /// Writes that failed because the queue was full.
    pub full: u64,
    /// Writes that failed because Redis could not be asked, or refused: some of them may be in the queue all the same.
    pub unacknowledged: u64,
    /// Writes that reached the database, those that were coalesced included.
    pub written: u64,
    /// Writes that were not sent to the sink, because a later one of the same batch stands for them.
    pub coalesced: u64,
    /// Batches that the sink wrote, wholly or in part.
    pub batches: u64,
    /// Batches that the sink did not write: it failed, panicked, or took too long.
    pub failed_batches: u64,
    /// Single writes that failed, of batches that were written otherwise and when they were tried alone.
    pub failed_writes: u64,
    /// Writes that became dead letters.
    pub dead: u64,
    /// Among them, those that were no writes of this queue's type.
    pub undecodable: u64,
    /// How often this process became the one that consumes.
    pub takeovers: u64,
    /// Whether it is now.
    pub consuming: bool,
    /// Why the last batch or write failed, if one did; empty again after one that was written.
    pub last_failure: String,
}

#[derive(Debug, Default)]
pub(super) struct Figures {
    pub(super) acknowledged: AtomicU64,
    pub(super) full: AtomicU64,
    pub(super) unacknowledged: AtomicU64,
    pub(super) written: AtomicU64,
    pub(super) coalesced: AtomicU64,
    pub(super) batches: AtomicU64,
    pub(super) failed_batches: AtomicU64,
    pub(super) failed_writes: AtomicU64,
    pub(super) dead: AtomicU64,
    pub(super) undecodable: AtomicU64,
    pub(super) takeovers: AtomicU64,
    pub(super) consuming: AtomicU64,
    last_failure: Mutex<String>,
}

impl Figures {
    pub(super) fn add(counter: &AtomicU64, count: usize) {
        counter.fetch_add(count as u64, Relaxed);
    }

    pub(super) fn failed(&self, reason: &str) {
        reason.clone_into(&mut lock(&self.last_failure));
    }

    pub(super) fn succeeded(&self) {
        lock(&self.last_failure).clear();
    }

    pub(super) fn is_consuming(&self) -> bool {
        self.consuming.load(Relaxed) > 0
    }

    pub(super) fn all(&self) -> WriteBehindStats {
        let of = |counter: &AtomicU64| counter.load(Relaxed);
        WriteBehindStats {
            acknowledged: of(&self.acknowledged),
            full: of(&self.full),
            unacknowledged: of(&self.unacknowledged),
            written: of(&self.written),
            coalesced: of(&self.coalesced),
            batches: of(&self.batches),
            failed_batches: of(&self.failed_batches),
            failed_writes: of(&self.failed_writes),
            dead: of(&self.dead),
            undecodable: of(&self.undecodable),
            takeovers: of(&self.takeovers),
            consuming: self.is_consuming(),
            last_failure: lock(&self.last_failure).clone(),
        }
    }
}
