//! The callers that wait for what is inside to be delivered.

use std::{collections::HashMap, mem, sync::Arc};

use crate::epoch::{Announcement, Epoch};

/// For how many attempts callers are remembered at most, while nothing is read back.
pub(super) const MOST_UNDER_WAY: usize = 1 << 12;

/// The callers of what is inside.
#[derive(Default)]
pub(super) struct Callers {
    /// Those of what was added since nothing last waited.
    pub(super) latest: Option<Arc<Announcement>>,
    /// Those of attempts that failed.
    pub(super) failed: Vec<Arc<Announcement>>,
    pub(super) under_way: HashMap<u64, AttemptUnderWay>,
}

/// The callers of an attempt.
#[derive(Default)]
pub(super) struct AttemptUnderWay {
    callers: Vec<Arc<Announcement>>,
    /// The epoch of the record, as the server named it.
    named: Option<Epoch>,
    /// The epoch of the record that was read back.
    echoed: Option<Epoch>,
}

impl Callers {
    /// The attempt takes along the last of what waits.
    pub(super) fn set_out(&mut self, attempt: u64) {
        let mut callers = mem::take(&mut self.failed);
        callers.extend(self.latest.take());
        callers.iter().for_each(|announcement| announcement.set_sent());
        if self.under_way.len() < MOST_UNDER_WAY {
            self.under_way.insert(attempt, AttemptUnderWay { callers, ..AttemptUnderWay::default() });
        }
    }

    /// Those whose records wait.
    pub(super) fn waiting(&self) -> Vec<Arc<Announcement>> {
        self.failed.iter().chain(&self.latest).cloned().collect()
    }

    /// Whether there are any left for whom this attempt's record is still to be read back.
    pub(super) fn await_echo_of(&self, attempt: u64) -> bool {
        self.under_way
            .get(&attempt)
            .is_some_and(|under_way| under_way.echoed.is_none() && under_way.callers.iter().any(is_held))
    }

    /// The server named the epoch of an attempt.
    pub(super) fn named(&mut self, attempt: u64, epoch: Epoch) -> Vec<Arc<Announcement>> {
        self.change(attempt, |under_way| under_way.named = Some(epoch))
    }

    /// Whether the record of this attempt is the one at this epoch, as far as the server has named it.
    pub(super) fn is_at(&self, attempt: u64, epoch: Epoch) -> bool {
        self.under_way.get(&attempt).is_some_and(|under_way| under_way.named == Some(epoch))
    }

    /// The record of an attempt was read back.
    pub(super) fn echoed(&mut self, attempt: u64, epoch: Epoch) -> Vec<Arc<Announcement>> {
        self.change(attempt, |under_way| under_way.echoed = Some(epoch))
    }

    /// An attempt is over when it was named and read back, in either order.
    fn change(&mut self, attempt: u64, change: impl FnOnce(&mut AttemptUnderWay)) -> Vec<Arc<Announcement>> {
        let Some(under_way) = self.under_way.get_mut(&attempt) else { return Vec::new() };
        change(under_way);
        if under_way.named.is_some() && under_way.echoed.is_some() {
            return self.under_way.remove(&attempt).unwrap_or_default().callers;
        }
        under_way.callers.clone()
    }

    /// An attempt failed. If its record was read back all the same, and all that went out before it with the same callers
    /// (`is_whole`), gives those who were not told of its epoch.
    pub(super) fn come_back(
        &mut self,
        attempt: u64,
        is_whole: bool,
    ) -> Option<(Epoch, Vec<Arc<Announcement>>)> {
        let AttemptUnderWay { callers, echoed, .. } = self.under_way.remove(&attempt)?;
        if let Some(epoch) = echoed.filter(|_| is_whole) {
            return Some((epoch, callers));
        }
        self.failed.extend(callers);
        self.forget_gone();
        None
    }

    /// What was read back by now is delivered, whatever becomes of the server.
    pub(super) fn all_come_back(&mut self) {
        self.all_come_back_if(|_, _| true);
    }

    /// The same, of those whose record the server has not named: what it has named can be read back still.
    pub(super) fn unnamed_come_back(&mut self) {
        self.all_come_back_if(|_, under_way| under_way.named.is_none());
    }

    /// The same, of those up to this attempt that the server has named: their records are lost.
    pub(super) fn named_come_back(&mut self, last: u64) {
        self.all_come_back_if(|attempt, under_way| attempt <= last && under_way.named.is_some());
    }

    fn all_come_back_if(&mut self, condition: impl Fn(u64, &AttemptUnderWay) -> bool) {
        let unread = |number: &u64, under_way: &mut AttemptUnderWay| {
            under_way.echoed.is_none() && condition(*number, under_way)
        };
        let mut under_way: Vec<_> = self.under_way.extract_if(unread).collect();
        under_way.sort_by_key(|(attempt, _)| *attempt);
        self.failed.extend(under_way.into_iter().flat_map(|(_, attempt)| attempt.callers));
        self.forget_gone();
    }

    /// Those who no longer wait are forgotten: a server may be away for days.
    fn forget_gone(&mut self) {
        self.failed.retain(is_held);
    }
}

/// Whether the caller has it as well.
fn is_held(announcement: &Arc<Announcement>) -> bool {
    Arc::strong_count(announcement) > 1
}
