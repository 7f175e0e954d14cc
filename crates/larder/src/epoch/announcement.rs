//! How far invalidations have come, for their callers.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::atomic::{AtomicBool, AtomicU64, Ordering},
};

use tokio::sync::Notify;

use super::Epoch;
use crate::{
    scope::ScopeHash,
    sync::plain::{Mutex, lock},
};

/// How far the invalidations have come that wait together. One for all of them: those of a million calls while the
/// server is away take no more memory than those of one.
#[derive(Debug, Default)]
pub(crate) struct Announcement {
    epoch: AtomicU64,
    echoed: AtomicBool,
    /// The store refuses it, and will do so again.
    refused: AtomicBool,
    changed: Notify,
    marks: Mutex<Vec<(ScopeHash, u64)>>,
}

impl Announcement {
    /// The epoch of the record, once the server has named it.
    #[cfg(test)]
    pub(crate) async fn named(&self) -> Epoch {
        self.wait_for(|| {
            Some(Epoch(self.epoch.load(Ordering::Acquire))).filter(|epoch| *epoch != Epoch::ZERO)
        })
        .await
    }

    /// The epoch of the record, once the server has named it, or none once the store has refused the record: it waits then, and for people.
    pub(crate) async fn named_or_refused(&self) -> Option<Epoch> {
        self.wait_for(|| match self.epoch.load(Ordering::Acquire) {
            0 => self.refused.load(Ordering::Acquire).then_some(None),
            epoch => Some(Some(Epoch(epoch))),
        })
        .await
    }

    /// Returns when the record was read back from the log.
    pub(crate) async fn echoed(&self) {
        self.wait_for(|| self.echoed.load(Ordering::Acquire).then_some(())).await;
    }

    /// Whether it was.
    #[cfg(feature = "disk")]
    pub(crate) fn is_echoed(&self) -> bool {
        self.echoed.load(Ordering::Acquire)
    }

    /// What was left in the place of a scope's generation, where there is no log: see
    /// [`Undelivered::leave_mark`](crate::internal::shared::Undelivered::leave_mark).
    pub(crate) fn mark_of(&self, scope: ScopeHash) -> Option<u64> {
        let marks = lock(&self.marks);
        marks.iter().rev().find(|(of, _)| *of == scope).map(|(_, mark)| *mark)
    }

    pub(crate) fn add_mark(&self, scope: ScopeHash, mark: u64) {
        lock(&self.marks).push((scope, mark));
    }

    async fn wait_for<R>(&self, look: impl Fn() -> Option<R>) -> R {
        loop {
            // Before the look: what comes after it wakes this one.
            let changed = self.changed.notified();
            match look() {
                Some(found) => return found,
                None => changed.await,
            }
        }
    }

    pub(crate) fn set_named(&self, epoch: Epoch) {
        self.epoch.store(epoch.0, Ordering::Release);
        self.notify();
    }

    pub(crate) fn set_refused(&self) {
        self.refused.store(true, Ordering::Release);
        self.notify();
    }

    /// It is sent once more.
    pub(crate) fn set_sent(&self) {
        self.refused.store(false, Ordering::Release);
    }

    pub(crate) fn set_echoed(&self) {
        self.echoed.store(true, Ordering::Release);
        self.notify();
    }

    /// The wakers belong to the caller's executor. What panics in there must not end the log's reader.
    fn notify(&self) {
        _ = catch_unwind(AssertUnwindSafe(|| self.changed.notify_waiters()));
    }
}
