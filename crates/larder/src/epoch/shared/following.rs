//! Following the log: how its records become local changes, and how an entry of the server becomes one of
//! memory.

use std::sync::Arc;

use super::{LogOrder, OutboxBatch, Record};
use crate::{
    clock::Moment,
    epoch::{Epoch, Epochs, LocalOrder, Marked, ReadVersion, marks::After},
    mutant::{self, Rule},
    scope::ScopeHash,
};

impl ReadVersion {
    /// The point in the order of this log.
    pub(crate) fn epoch_in(self, log: &LogOrder) -> Option<Epoch> {
        self.log.filter(|(id, _)| *id == log.id()).map(|(_, epoch)| epoch)
    }
}

/// What a process knows of changes: in its own order, and in that of the log that it shares.
#[derive(Debug, Clone)]
pub(crate) struct SharedEpochs {
    pub(crate) local: Arc<Epochs>,
    pub(crate) log: Arc<LogOrder>,
}

impl SharedEpochs {
    /// With tables of at least `slots` slots each.
    pub(crate) fn new(order: Arc<LocalOrder>, slots: usize) -> Self {
        let log = Arc::new(LogOrder::new(slots));
        let local = Arc::new(Epochs { log: Some(log.clone()), ..Epochs::new(order, slots) });
        Self { local, log }
    }

    /// Takes out of the outbox what is to be appended next, `most` scopes at most. Whatever is taken is a local
    /// change already: were it appended before that, a value made from an entry that it covers could go to the
    /// server with a position that includes it.
    pub(crate) fn take(&self, most: usize) -> Option<OutboxBatch> {
        self.local.order.between_changes(|| self.log.outbox().take(most))
    }

    /// Applies what was read from the log, in its order: every record from the position through `to`. For
    /// the log's one reader.
    ///
    /// What this process appended itself was a local change when it was called, and is none now.
    pub(crate) fn follow(&self, records: &[Record], to: Epoch) {
        let Self { local, log } = self;
        // Before `now`: a reader that judges an entry of the server after this change must meet it in the slots.
        for record in records {
            log.raise(&record.scopes, record.epoch);
        }
        if records.iter().any(Record::is_news) {
            local.order.apply(|number| {
                for record in records.iter().filter(|record| record.own.is_none()) {
                    local.raise(&record.scopes, number);
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

    /// Begins to follow the log anew, from its `tip` on: nothing that was known before can be proved any longer. Entries
    /// of the server are accepted once the log was read from there, and not while it can only be looked at: see
    /// [`LogOrder::lower_start_floor`]. For the log's one reader.
    pub(crate) fn start_anew(&self, tip: Epoch) {
        let Self { local, log } = self;
        let is_first = log.position() == Epoch::ZERO;
        let floorless = mutant::is(if is_first { Rule::NoFloorAtStart } else { Rule::NoFloorAfterATrim });
        // Before `now`, as in `follow`.
        log.raise_start_floor();
        if floorless {
            log.lower_start_floor(Epoch::ZERO);
        }
        if !mutant::is(Rule::FloorRiseIsNoLocalChange) {
            local.order.apply(|number| local.raise(&[ScopeHash::ALL], number));
        }
        log.move_to(tip);
        log.outbox().append_again();
    }

    /// When an entry of the server was marked stale, if it was: one that was stored at this time, and found valid by
    /// [`judge`](Self::judge) before. A mark that comes later is one in local order, and newer than the stamp.
    pub(crate) fn marked(&self, scopes: &[ScopeHash], epoch: Epoch, stored: Moment) -> Option<Marked> {
        let Self { local, log } = self;
        let first = || Marked(local.marks.first(scopes, After::Time(stored)));
        (!log.unmarked(scopes, epoch)).then(first)
    }

    /// Judges an entry of the server by log order. Its stamp in memory is from before the look.
    pub(crate) fn judge(&self, scopes: &[ScopeHash], epoch: Epoch) -> Option<ReadVersion> {
        let Self { local, log } = self;
        // Contact first: see `ValidAt::holds`.
        if !log.contact().permits() {
            return None;
        }
        let local = local.order.now();
        let accepts = log.accepts(scopes, epoch) || mutant::is(Rule::PromotionWithoutCheck);
        accepts.then(|| ReadVersion { local, log: Some((log.id(), epoch)) })
    }
}
