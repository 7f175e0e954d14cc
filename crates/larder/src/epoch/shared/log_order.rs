//! The one rule between processes, in log order: what this process knows of the log that all of them share.
//!
//! A process' **position** is the epoch through which it has applied every record. An entry on the server
//! carries the position that its writer had when the computation began. It is valid for a reader whose outbox,
//! floors and log slots know nothing newer that covers it. They are looked at in this order, and filled in the
//! opposite one: a reader that no longer finds a change in the outbox finds it in the slots.
//!
//! Only the log's reader writes position, floors and slots.

use std::{num::NonZeroU64, sync::Arc};

use super::{contact::Contact, outbox::Outbox};
use crate::{
    cache_padded::CachePadded,
    epoch::{Announcement, Epoch, LogId, SharedOrder, slots::Slots},
    mutant::{self, Rule},
    scope::ScopeHash,
    sync::{AtomicBool, AtomicU64, Ordering},
};

/// How far above everything that was ever seen a log is made anew, in milliseconds: more than clocks differ, and than
/// was appended without any process that lives having seen it.
pub(crate) const RESET_MARGIN: u64 = 60_000;

/// So much more at most, in milliseconds, by chance: a log that is lost again, and made anew by a process that has seen
/// nothing of the one in between, must not give the same IDs.
pub(crate) const RESET_SPREAD: u64 = 60_000;

/// How far above the server's clock an entry may be that this process has not come to in the log, in milliseconds. More
/// than two estimates of the clock differ, and less than a log is made anew above it.
const AHEAD: u64 = RESET_MARGIN / 2;

/// How far above the server's clock, and above everything that was seen, the IDs of a log may be at most, in
/// milliseconds: thirty resets in a row, or more, that this process has not followed.
const LONGEST_LEAP: u64 = 60 * RESET_MARGIN;

/// A record of the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Record {
    /// Its ID.
    pub(crate) epoch: Epoch,
    /// The attempt of this process' outbox that appended it; none if another process did.
    pub(crate) own: Option<u64>,
    /// What was invalidated.
    pub(crate) scopes: Vec<ScopeHash>,
}

impl Record {
    /// Whether it tells of what another process invalidated.
    pub(crate) fn is_news(&self) -> bool {
        self.own.is_none() && !self.scopes.is_empty()
    }
}

/// What a process knows of its log.
pub(crate) struct LogOrder {
    id: LogId,
    position: CachePadded<AtomicU64>,
    /// What it was when the log was followed first.
    first_position: AtomicU64,
    /// Entries below it were made before this process began to follow, or while it could not.
    start_floor: AtomicU64,
    /// Entries below it were made before a record that covers everything.
    reset_floor: AtomicU64,
    /// The highest epoch seen, wherever.
    highest: AtomicU64,
    /// Whether there was any mark.
    has_marks: AtomicBool,
    /// Whether all that was retained at the first start was taken in.
    is_read_back: AtomicBool,
    slots: Slots,
    outbox: Outbox,
    contact: Contact,
}

impl LogOrder {
    /// Before its first start: no entry of the server is accepted.
    pub(crate) fn new(slots: usize) -> Self {
        static LAST: std::sync::atomic::AtomicU64 = std::sync::atomic::AtomicU64::new(0);
        let number = LAST.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        Self {
            id: LogId(NonZeroU64::MIN.saturating_add(number)),
            position: CachePadded::new(AtomicU64::new(0)),
            first_position: AtomicU64::new(0),
            start_floor: AtomicU64::new(u64::MAX),
            reset_floor: AtomicU64::new(0),
            highest: AtomicU64::new(0),
            has_marks: AtomicBool::new(false),
            is_read_back: AtomicBool::new(false),
            slots: Slots::new(slots),
            outbox: Outbox::default(),
            contact: Contact::new(),
        }
    }

    pub(crate) fn id(&self) -> LogId {
        self.id
    }

    /// Whether what is known is up to date.
    pub(crate) fn contact(&self) -> &Contact {
        &self.contact
    }

    pub(crate) fn outbox(&self) -> &Outbox {
        &self.outbox
    }

    /// The epoch through which every record was applied.
    pub(crate) fn position(&self) -> Epoch {
        Epoch(self.position.load(Ordering::Acquire))
    }

    /// The epoch through which the log went when this process followed it first; zero before that.
    #[cfg(feature = "disk")]
    pub(crate) fn first_position(&self) -> Epoch {
        Epoch(self.first_position.load(Ordering::Acquire))
    }

    /// The newest record that covers everything: zero if all that is retained was read, and there is none; none if that is
    /// not known yet.
    #[cfg(feature = "disk")]
    pub(crate) fn newest_reset(&self) -> Option<Epoch> {
        // Before the floor: what was read by then is in it.
        let is_whole = self.is_read_back.load(Ordering::Acquire);
        let floor = self.reset_floor.load(Ordering::Acquire);
        (is_whole || floor != 0).then_some(Epoch(floor))
    }

    /// All that is retained of the log from before this process' start was taken in.
    pub(crate) fn set_read_back(&self) {
        self.is_read_back.store(true, Ordering::Release);
    }

    /// The highest epoch seen, in the log or in what was heard of it.
    pub(crate) fn highest(&self) -> Epoch {
        Epoch(self.highest.load(Ordering::Relaxed))
    }

    /// The latest epoch that an entry can have which was written so far: positions are not above the log's tip, and
    /// the tip is not more than one reset above what this process has seen, or above the server's clock. What claims
    /// a later one was forged, or harmed: nothing that is invalidated would ever cover it.
    ///
    /// The clock alone would not do. After resets, or with a server whose clock was set back, IDs are above it for as
    /// long as it takes to catch up.
    pub(crate) fn latest_possible(&self) -> Epoch {
        let now = self.contact.server_now_ms().unwrap_or(0);
        Epoch::within(self.highest(), now, RESET_MARGIN + RESET_SPREAD)
    }

    /// The latest epoch that can be compared with what this process knows: one that it has come to, one of the same
    /// millisecond, or one that the server's clock has reached.
    ///
    /// The IDs of a log that was made anew are ahead of the clock. One that is ahead of it, and not where this process
    /// is, may be of another log: of one that was lost before this process saw it, and whose entries are still written
    /// by a process that does not know that yet. It says nothing of what was invalidated in this log.
    pub(crate) fn latest_comparable(&self) -> Epoch {
        let now = self.contact.server_now_ms().unwrap_or(0);
        Epoch::within(self.position(), now.saturating_add(AHEAD), 0)
    }

    /// Whether the log has got IDs that no server and no reset gave: beyond all that clocks tell, or so far above what
    /// this process has followed that none can have come there by itself. A process that has followed nothing so far
    /// cannot tell the latter.
    pub(crate) fn is_leap(&self, last: Epoch) -> bool {
        last > self.longest_leap()
    }

    /// The highest ID that is none.
    pub(crate) fn longest_leap(&self) -> Epoch {
        let now = self.contact.server_now_ms().unwrap_or(0);
        let leap = if self.highest() == Epoch::ZERO { u64::MAX } else { LONGEST_LEAP };
        Epoch::within(self.highest(), now, leap)
    }

    /// Whether nothing newer than `epoch` is known that covers an entry under these scopes.
    pub(crate) fn accepts(&self, scopes: &[ScopeHash], epoch: Epoch) -> bool {
        // `Acquire`: who no longer finds a change in the outbox, or finds a floor lowered, sees the slots.
        (!self.outbox.covers(scopes) || mutant::is(Rule::OutboxNotLookedAt))
            && epoch.0 >= self.start_floor.load(Ordering::Acquire)
            && epoch.0 >= self.reset_floor.load(Ordering::Acquire)
            // The clock is asked only about what this process has not come to.
            && (epoch <= self.position() || epoch <= self.latest_comparable())
            && self.slots.unchanged(scopes, epoch.0)
    }

    /// Whether no mark newer than `epoch` is known that covers an entry under these scopes. The outbox first, as for what
    /// is invalidated.
    pub(crate) fn unmarked(&self, scopes: &[ScopeHash], epoch: Epoch) -> bool {
        let unmarked = |scope: &ScopeHash| {
            let mark = [scope.mark()];
            !self.outbox.has(mark[0]) && self.slots.unchanged(&mark, epoch.0)
        };
        !self.has_marks.load(Ordering::Acquire) || scopes.iter().chain([&ScopeHash::ALL]).all(unmarked)
    }

    /// Remembers what a record covers. A record of any age may come, in any order.
    pub(super) fn raise(&self, scopes: &[ScopeHash], epoch: Epoch) {
        self.note_marks(scopes);
        self.slots.raise(scopes, epoch.0);
        if scopes.contains(&ScopeHash::ALL) {
            self.reset_floor.fetch_max(epoch.0, Ordering::AcqRel);
        }
        self.saw(epoch);
    }

    fn note_marks(&self, scopes: &[ScopeHash]) {
        if scopes.iter().any(|scope| scope.is_mark()) {
            self.has_marks.store(true, Ordering::Release);
        }
    }

    /// Every record through `epoch` is applied.
    pub(crate) fn move_to(&self, epoch: Epoch) {
        self.saw(epoch);
        if self.position() == Epoch::ZERO {
            self.first_position.store(epoch.0, Ordering::Release);
        }
        self.position.store(epoch.0, Ordering::Release);
    }

    /// No entry of the server is accepted until [`lower_start_floor`](Self::lower_start_floor).
    pub(crate) fn raise_start_floor(&self) {
        self.start_floor.store(u64::MAX, Ordering::Release);
    }

    /// Entries from this epoch on can be judged: the log was read from there.
    pub(crate) fn lower_start_floor(&self, to: Epoch) {
        self.start_floor.fetch_min(to.0, Ordering::Release);
    }

    /// Takes in a retained record from before this process' start. Each call has an older one than the call
    /// before it, with none between them, so that from here on entries as old as the record can be judged.
    pub(crate) fn read_back(&self, record: &Record) {
        self.raise(&record.scopes, record.epoch);
        self.lower_start_floor(record.epoch);
    }

    /// Remembers that there was such an epoch: a log that is made anew goes on above it.
    fn saw(&self, epoch: Epoch) {
        self.highest.fetch_max(epoch.0, Ordering::Relaxed);
    }
}

impl SharedOrder for LogOrder {
    fn position(&self) -> (LogId, Epoch) {
        (self.id, Self::position(self))
    }

    fn announce(&self, scopes: &[ScopeHash], keys: &mut dyn Iterator<Item = Arc<str>>) -> Arc<Announcement> {
        self.note_marks(scopes);
        self.outbox.add(scopes, keys)
    }

    fn ring(&self) {
        self.outbox.ring();
    }

    #[inline]
    fn in_touch(&self) -> bool {
        self.contact.permits()
    }

    fn accepts(&self, scopes: &[ScopeHash], epoch: Epoch) -> bool {
        Self::accepts(self, scopes, epoch)
    }

    fn unmarked(&self, scopes: &[ScopeHash], epoch: Epoch) -> bool {
        Self::unmarked(self, scopes, epoch)
    }
}

impl std::fmt::Debug for LogOrder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("LogOrder").field("position", &self.position()).finish_non_exhaustive()
    }
}

#[cfg(all(test, not(larder_loom)))]
mod tests;
