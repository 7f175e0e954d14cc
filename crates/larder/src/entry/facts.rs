//! What is true of an entry, or is not.

use std::sync::atomic::{AtomicU8, Ordering};

/// Something that is true of an entry, or is not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Fact {
    /// The value cannot be shared: it is kept in this process alone.
    Unshared = 1,
    /// It was made from what was marked stale, or marked when it came from a server: its `ttl` ended then.
    Marked = 1 << 1,
    /// The value is not to leave this process.
    Local = 1 << 2,
    /// It was read from disk.
    FromDisk = 1 << 3,
    /// The value is an error, kept in place of one.
    Error = 1 << 4,
    /// It has foreign dependencies.
    DependsOnOthers = 1 << 5,
}

/// All that is true of an entry, a bit for each: a hit looks at one of them.
#[derive(Debug)]
pub(super) struct Facts(AtomicU8);

impl Facts {
    pub(super) fn of(facts: impl IntoIterator<Item = (Fact, bool)>) -> Self {
        let bits = facts.into_iter().filter(|(_, holds)| *holds).map(|(fact, _)| fact as u8);
        Self(AtomicU8::new(bits.fold(0, |all, bit| all | bit)))
    }

    /// The same for a copy of the entry.
    pub(super) fn of_copy(&self) -> Self {
        Self(AtomicU8::new(self.0.load(Ordering::Relaxed)))
    }

    #[inline]
    pub(super) fn has(&self, fact: Fact) -> bool {
        self.0.load(Ordering::Relaxed) & fact as u8 != 0
    }

    pub(super) fn set(&self, fact: Fact) {
        self.0.fetch_or(fact as u8, Ordering::Relaxed);
    }
}
