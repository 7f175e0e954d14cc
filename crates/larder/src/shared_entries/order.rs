//! By which order entries are judged that processes share.

use std::time::{SystemTime, UNIX_EPOCH};

use crate::{
    clock::Moment,
    epoch::{Epoch, Marked, ReadVersion, shared::GenerationEpochs},
    scope::ScopeHash,
    shared_log::Log,
};

/// An order of changes, as far as entries have to do with it.
pub(crate) trait EntryOrder: Send + Sync {
    /// See [`SharedEpochs::judge`](crate::epoch::shared::SharedEpochs::judge).
    fn judge(&self, scopes: &[ScopeHash], epoch: Epoch) -> Option<ReadVersion>;

    /// See [`SharedEpochs::marked`](crate::epoch::shared::SharedEpochs::marked).
    fn marked(&self, scopes: &[ScopeHash], epoch: Epoch, stored: Moment) -> Option<Marked>;

    /// The epoch of a point in it.
    fn epoch_of(&self, since: ReadVersion) -> Option<Epoch>;

    /// The epoch of what begins now.
    fn position(&self) -> Epoch;

    /// Whether a replacement whose value was read then can be proved from its own change on.
    fn takes_replacement(&self, since: ReadVersion) -> bool;

    /// Whether it is known to refuse what this process changes: then its own change is not waited for.
    fn refuses_records(&self) -> bool {
        false
    }

    /// Whether an entry can have this epoch. One that cannot was forged, or harmed.
    fn is_possible(&self, epoch: Epoch) -> bool;

    /// The time by which entries are dated, in milliseconds since 1970, as far as it is known.
    fn now_ms(&self) -> Option<u64>;
}

impl EntryOrder for Log {
    fn judge(&self, scopes: &[ScopeHash], epoch: Epoch) -> Option<ReadVersion> {
        Self::judge(self, scopes, epoch)
    }

    fn marked(&self, scopes: &[ScopeHash], epoch: Epoch, stored: Moment) -> Option<Marked> {
        Self::marked(self, scopes, epoch, stored)
    }

    fn epoch_of(&self, since: ReadVersion) -> Option<Epoch> {
        since.epoch_in(self.order())
    }

    fn position(&self) -> Epoch {
        self.order().position()
    }

    /// Everything up to the echo of its change was applied, and would have been noticed.
    fn takes_replacement(&self, _: ReadVersion) -> bool {
        true
    }

    fn refuses_records(&self) -> bool {
        Self::refuses_records(self)
    }

    /// The clock is asked only about what this process has not come to.
    fn is_possible(&self, epoch: Epoch) -> bool {
        epoch <= self.order().position() || epoch <= self.order().latest_possible()
    }

    fn now_ms(&self) -> Option<u64> {
        self.contact().server_now_ms()
    }
}

/// Entries are dated by the clocks of their processes.
impl EntryOrder for GenerationEpochs {
    fn judge(&self, scopes: &[ScopeHash], epoch: Epoch) -> Option<ReadVersion> {
        Self::judge(self, scopes, epoch)
    }

    fn marked(&self, _: &[ScopeHash], _: Epoch, _: Moment) -> Option<Marked> {
        None
    }

    fn epoch_of(&self, since: ReadVersion) -> Option<Epoch> {
        self.order.epoch_of(since)
    }

    fn position(&self) -> Epoch {
        self.order.position()
    }

    /// If it was read at its call: what others changed between an earlier read and now was not heard of.
    fn takes_replacement(&self, since: ReadVersion) -> bool {
        self.order.epoch_of(since) == Some(Epoch::MAX)
    }

    fn is_possible(&self, _: Epoch) -> bool {
        true
    }

    fn now_ms(&self) -> Option<u64> {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).ok()?;
        u64::try_from(since.as_millis()).ok()
    }
}
