//! Points in the order of changes: where a value was read, and where it was last found valid.

use super::id::{Epoch, LogId};
use crate::sync::{AtomicU64, Ordering};

/// A point before which a value was not yet read: taken by [`begin`](crate::CacheExt::begin), given to
/// [`insert_since`](crate::CacheExt::insert_since) of the same cache.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReadVersion {
    /// In local order.
    pub(super) local: u64,
    /// In the order of one log.
    pub(super) log: Option<(LogId, Epoch)>,
}

impl ReadVersion {
    /// The earlier one of two points. In log order too, if both are of the same log.
    pub(crate) fn earlier(self, other: Self) -> Self {
        let log = match (self.log, other.log) {
            (Some((id, this)), Some((other_id, other))) if id == other_id => Some((id, this.min(other))),
            _ => None,
        };
        Self { local: self.local.min(other.local), log }
    }

    /// The number of the last change before it, in local order.
    #[cfg(feature = "disk")]
    pub(crate) fn last_change(self) -> u64 {
        self.local
    }

    /// The point after the change with this number, in local order alone.
    #[cfg(feature = "disk")]
    pub(crate) fn after_change(number: u64) -> Self {
        Self { local: number, log: None }
    }

    /// The same point in local order, with that of another one in the order that processes share.
    pub(crate) fn proved_by(self, read: Self) -> Self {
        Self { log: read.log, ..self }
    }

    /// Whether it is later in local order.
    pub(crate) fn is_after(self, other: Self) -> bool {
        self.local > other.local
    }
}

/// The stamp of an entry: the counter when its computation began, later the counter when the entry was
/// last found valid.
#[derive(Debug)]
pub(crate) struct ValidAt(AtomicU64);

impl ValidAt {
    pub(crate) fn new(since: ReadVersion) -> Self {
        Self(AtomicU64::new(since.local))
    }

    /// Another stamp, before any other thread can find the entry.
    pub(crate) fn set(&self, since: ReadVersion) {
        self.0.store(since.local, Ordering::Relaxed);
    }

    /// The same for a copy of the entry.
    pub(crate) fn of_copy(&self) -> Self {
        Self(AtomicU64::new(self.0.load(Ordering::Relaxed)))
    }

    /// Whether nothing covers the entry that was changed since; `unchanged` looks at its slots. Nothing at
    /// all has changed in most cases, and then it is not asked. `now` gives the counter, and is asked first.
    ///
    /// Contact with every log that counts for the entry is asked for *before* this (`Epochs::in_touch`): a
    /// record that is applied, and contact proven, after this look must not vouch for it.
    #[expect(clippy::inline_always, reason = "a call costs as much again, and the compiler makes one")]
    #[inline(always)]
    pub(super) fn holds(
        &self,
        now: impl FnOnce() -> u64,
        unchanged: impl FnOnce(ReadVersion) -> bool,
    ) -> bool {
        let now = now();
        let valid_at = self.0.load(Ordering::Relaxed);
        valid_at == now
            || self.move_up(now, valid_at, || unchanged(ReadVersion { local: valid_at, log: None }))
    }

    /// Looks, and only then moves up, to what the counter was before the look.
    ///
    /// Two threads may do so at once: each of their counters is one at which the entry was valid. None of them moves it
    /// down: what is part of a change has the number of that before the counter does (`Epochs::replace`).
    #[inline(never)]
    fn move_up(&self, now: u64, valid_at: u64, unchanged: impl FnOnce() -> bool) -> bool {
        let valid = unchanged();
        if valid && now > valid_at {
            self.0.store(now, Ordering::Relaxed);
        }
        valid
    }
}

impl ValidAt {
    /// The stamp as a point in local order.
    pub(crate) fn read_version(&self) -> ReadVersion {
        ReadVersion { local: self.0.load(Ordering::Relaxed), log: None }
    }
}
