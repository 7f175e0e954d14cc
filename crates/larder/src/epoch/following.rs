//! Following the log: how its records become local changes, and how an entry of the server becomes one of
//! memory.

use std::sync::Arc;

use super::{Epoch, Epochs, LocalOrder, LogOrder, Parcel, ReadVersion, Record};
use crate::{mutant, scope::ScopeHash};

impl Epoch {
    /// From what [`number`](Self::number) gave.
    pub(crate) const fn from_number(number: u64) -> Self {
        Self(number)
    }

    /// Milliseconds and sequence in one number, in which a later epoch is a greater one.
    pub(crate) const fn number(self) -> u64 {
        self.0
    }

    /// Where epochs end, in milliseconds: ten years before they would leave their bits, in 2099. No clock gives such
    /// an ID in this century, and above it there would be no room to make a log anew.
    const END: u64 = (1 << (u64::BITS - Self::SEQUENCE_BITS)) - 10 * 365 * 86_400_000;

    /// Whether no server gives such an ID by itself.
    pub(crate) const fn is_beyond_the_end(self) -> bool {
        self.milliseconds() >= Self::END
    }

    /// The last one that is not more than `margin` milliseconds above this one, or above this time.
    pub(crate) fn within(highest: Self, milliseconds: u64, margin: u64) -> Self {
        let latest = highest.milliseconds().max(milliseconds).saturating_add(margin).min(Self::END - 1);
        Self(latest << Self::SEQUENCE_BITS | ((1 << Self::SEQUENCE_BITS) - 1))
    }

    /// The one above it.
    pub(crate) fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }

    /// Far above `highest` and above this time, both by `margin` milliseconds: where a log is made anew.
    pub(crate) fn after(highest: Self, milliseconds: u64, margin: u64) -> Option<Self> {
        Self::from_id(highest.milliseconds().max(milliseconds).saturating_add(margin), 0)
    }

    /// The first one of the next millisecond, if the sequence is about to leave its 22 bits.
    pub(crate) fn next_millisecond_near_end(self) -> Option<Self> {
        const NEAR: u64 = 1_000;
        (self.sequence() + NEAR >= 1 << Self::SEQUENCE_BITS)
            .then(|| Self::from_id(self.milliseconds() + 1, 0))
            .flatten()
    }
}

impl ReadVersion {
    /// The point in the order of this log.
    pub(crate) fn epoch_in(self, log: &LogOrder) -> Option<Epoch> {
        self.log.filter(|(id, _)| *id == log.id()).map(|(_, epoch)| epoch)
    }
}

impl Epochs {
    /// What is known of the log, where there is one.
    pub(crate) fn log(&self) -> Option<&LogOrder> {
        self.log.as_ref()
    }

    /// The same, with a log that other processes share.
    pub(crate) fn with_log(order: Arc<LocalOrder>, slots: usize) -> Self {
        Self { log: Some(LogOrder::new(slots)), ..Self::new(order, slots) }
    }

    /// Takes out of the outbox what is to be appended next, `most` scopes at most. Whatever is taken is a local
    /// change already: were it appended before that, a value made from an entry that it covers could go to the
    /// server with a position that includes it.
    pub(crate) fn take(&self, most: usize) -> Option<Parcel> {
        let log = self.log.as_ref()?;
        self.order.between_changes(|| log.outbox().take(most))
    }

    /// Applies what was read from the log, in its order: every record from the position through `to`. For
    /// the log's one reader.
    ///
    /// What this process appended itself was a local change when it was called, and is none now.
    pub(crate) fn follow(&self, records: &[Record], to: Epoch) {
        let Some(log) = &self.log else { return };
        // Before `now`: a reader that judges an entry of the server after this change must meet it in the slots.
        for record in records {
            log.raise(&record.scopes, record.epoch);
        }
        if records.iter().any(|record| record.own.is_none() && !record.scopes.is_empty()) {
            self.order.apply(|number| {
                for record in records.iter().filter(|record| record.own.is_none()) {
                    self.raise(&record.scopes, number);
                }
            });
        }
        // Before the echoes: who waits for one takes the position for his own value.
        log.move_to(to);
        for record in records {
            if let Some(attempt) = record.own {
                log.outbox().echo(attempt, &record.scopes, record.epoch);
            }
        }
    }

    /// Begins to follow the log anew, from its `tip` on: nothing that was known before can be proved any longer.
    /// For the log's one reader.
    pub(crate) fn start_anew(&self, tip: Epoch) {
        let Some(log) = &self.log else { return };
        let is_first = log.position() == Epoch::ZERO;
        let floorless = mutant::is(if is_first { "no-floor-at-start" } else { "no-floor-after-a-trim" });
        // Before `now`, as in `follow`.
        log.raise_start_floor(if floorless { Epoch::ZERO } else { tip });
        if !mutant::is("floor-rise-is-no-local-change") {
            self.order.apply(|number| self.raise(&[ScopeHash::ALL], number));
        }
        log.move_to(tip);
        log.outbox().append_again();
    }

    /// Whether an entry that local order refuses is valid in log order, in which it has the epoch of `since`.
    ///
    /// A record that is older than the entry raises the local slots when it is read, however late that is: what
    /// the entry is made from was read after it. Each order alone proves an entry valid. What covers everything
    /// is final: a new start makes everything in memory invalid, whatever epoch it has.
    #[cold]
    pub(crate) fn valid_in_log_order(
        &self,
        scopes: &[ScopeHash],
        stamp: ReadVersion,
        since: ReadVersion,
    ) -> bool {
        let Some(log) = &self.log else { return false };
        let Some(epoch) = since.epoch_in(log) else { return false };
        self.slots.unchanged(&[], stamp.local) && log.accepts(scopes, epoch)
    }

    /// Judges an entry of the server by log order. Its stamp in memory is from before the look.
    pub(crate) fn judge(&self, scopes: &[ScopeHash], epoch: Epoch) -> Option<ReadVersion> {
        let log = self.log.as_ref()?;
        // Contact first: see `ValidAt::holds`.
        if !log.contact().permits() {
            return None;
        }
        let local = self.order.now();
        let accepts = log.accepts(scopes, epoch) || mutant::is("promotion-without-check");
        accepts.then(|| ReadVersion { local, log: Some((log.id(), epoch)) })
    }
}
