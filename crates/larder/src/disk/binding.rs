//! Which cache uses a disk, and how what lies there is judged.

use std::{fmt, sync::Arc};

use super::record::EntryHead;
use crate::{
    cache_core::Core,
    clock::Moment,
    entry::Entry,
    epoch::{Epoch, Marked, ReadVersion},
    scope::ScopeHash,
};

/// How entries are judged in an order that processes share.
pub(crate) trait SharedJudge: fmt::Debug + Send + Sync {
    /// Which order it is, in each process the same. Not zero.
    fn id(&self) -> u64;

    /// The epoch of an entry that is about to be written; none if it is not known.
    fn epoch_of(&self, entry: &Entry) -> Option<Epoch>;

    /// The newest record that covers everything: zero if all that is left of the order was looked at, and there is none. None
    /// if that is not known yet.
    fn newest_reset(&self) -> Option<Epoch>;

    /// How far the order went when this process followed it first: zero before that.
    fn first_position(&self) -> Epoch;

    /// See [`SharedEpochs::judge`](crate::epoch::shared::SharedEpochs::judge).
    fn judge(&self, scopes: &[ScopeHash], epoch: Epoch) -> Option<ReadVersion>;

    /// See [`SharedEpochs::marked`](crate::epoch::shared::SharedEpochs::marked).
    fn marked(&self, scopes: &[ScopeHash], epoch: Epoch, stored: Moment) -> Option<Marked>;
}

/// The cache that uses a disk.
#[derive(Debug)]
pub(super) struct Binding {
    pub(super) core: Core,
    pub(super) judge: Option<Arc<dyn SharedJudge>>,
    /// When it began to.
    pub(super) since: ReadVersion,
    /// The highest epoch that earlier processes saw, as far as entries tell.
    highest: Epoch,
}

impl Binding {
    pub(super) fn new(core: &Core, judge: Option<Arc<dyn SharedJudge>>, highest: Epoch) -> Self {
        Self { core: core.clone(), judge, since: core.begin(), highest }
    }

    /// In which order entries are dated: zero for that of one process.
    pub(super) fn order(&self) -> u64 {
        self.judge.as_ref().map_or(0, |judge| judge.id())
    }

    /// Whether the order that is followed is the one in which an earlier process wrote an entry, for all that is known by
    /// now. One that was lost and made anew begins with a record that covers everything; its epochs may be below those of the
    /// lost one, and so tell nothing. And one that does not get as far as those processes saw it has lost its end.
    pub(super) fn continues(&self, judge: &dyn SharedJudge, head: &EntryHead) -> bool {
        let first = judge.first_position();
        let got_as_far = first != Epoch::ZERO && first >= self.highest;
        // Long after it, that record is no longer there.
        let is_same = |reset: Epoch| reset == Epoch::ZERO || reset.number() == head.reset;
        got_as_far && judge.newest_reset().is_some_and(is_same)
    }
}
