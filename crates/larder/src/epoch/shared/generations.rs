//! The one rule between processes that have no log: what one process knows where every scope has a *generation* in a
//! shared store.
//!
//! A generation is a number that was taken from a counter when the scope was last begun anew. An entry carries what the
//! counter was before its computation began, and is valid if the generation of each of its scopes is there, and not above
//! that. Who reads an entry reads the generations, and so sees what any process has invalidated, without hearing of it. What is
//! kept here is the rest:
//!
//! - the **position**: what the counter was when it was last seen, for computations that begin now;
//! - the **outbox**: what this process has invalidated, and the store does not have. It counts against every entry;
//! - the **slots**: what has left the outbox, and what the counter was after that. A reader that has read the generations
//!   before they were begun anew, and looks after that, finds it there.
//!
//! They are looked at in the order outbox, slots, and filled in the opposite one.

mod queue;

use std::{num::NonZeroU64, sync::Arc};

use self::queue::Queue;
pub(crate) use self::queue::{Lanes, Taken};
use crate::{
    cache_padded::CachePadded,
    epoch::{Announcement, Epoch, Epochs, LocalOrder, LogId, ReadVersion, SharedOrder, slots::Slots},
    scope::ScopeHash,
    sync::{
        AtomicU64, Ordering,
        plain::{Mutex, lock},
    },
};

/// What a process knows of changes where scopes have generations.
pub(crate) struct GenerationOrder {
    id: LogId,
    position: CachePadded<AtomicU64>,
    slots: Slots,
    /// Held while the slots are raised: they have one writer at a time.
    raises: Mutex<()>,
    queue: Queue,
}

impl GenerationOrder {
    pub(crate) fn new(slots: usize, lanes: Lanes) -> Self {
        static LAST: std::sync::atomic::AtomicU64 = std::sync::atomic::AtomicU64::new(0);
        let number = LAST.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        Self {
            // Apart from those of logs.
            id: LogId(NonZeroU64::MIN.saturating_add(number | 1 << 63)),
            position: CachePadded::new(AtomicU64::new(0)),
            slots: Slots::new(slots),
            raises: Mutex::new(()),
            queue: Queue::new(lanes),
        }
    }

    pub(crate) fn queue(&self) -> &Queue {
        &self.queue
    }

    /// What the counter was when it was last seen; zero before that.
    pub(crate) fn position(&self) -> Epoch {
        Epoch(self.position.load(Ordering::Acquire))
    }

    /// The counter was seen. What is read at its source from now on may carry this.
    pub(crate) fn advance(&self, epoch: Epoch) {
        self.position.fetch_max(epoch.0, Ordering::AcqRel);
    }

    /// Where a point lies in this order.
    pub(crate) fn epoch_of(&self, since: ReadVersion) -> Option<Epoch> {
        since.log.filter(|(id, _)| *id == self.id).map(|(_, epoch)| epoch)
    }

    /// Whether an entry whose generations were read is valid as far as this process' own changes go.
    pub(crate) fn accepts(&self, scopes: &[ScopeHash], epoch: Epoch) -> bool {
        // `Acquire` in there: who no longer finds a change in the outbox sees the slots.
        !self.queue.covers(scopes) && self.slots.unchanged(scopes, epoch.0)
    }

    /// The generations of these scopes are begun anew, and what the counter was after that is known: entries below it were
    /// computed before, or need not be accepted.
    pub(crate) fn settle(&self, taken: &[Taken], after: Epoch) {
        let scopes: Vec<_> = taken.iter().map(|taken| taken.scope).collect();
        {
            let _raises = lock(&self.raises);
            self.slots.raise(&scopes, after.0);
        }
        // Before callers hear of it: an insert takes the position for its own value.
        self.advance(after);
        self.queue.settle(taken);
    }
}

impl SharedOrder for GenerationOrder {
    fn position(&self) -> (LogId, Epoch) {
        (self.id, Self::position(self))
    }

    fn announce(&self, scopes: &[ScopeHash], keys: &mut dyn Iterator<Item = Arc<str>>) -> Arc<Announcement> {
        self.queue.add(scopes, keys)
    }

    fn announce_replacement(&self, keys: &[ScopeHash]) -> Arc<Announcement> {
        self.queue.add_replaced(keys)
    }

    fn ring(&self) {
        self.queue.ring();
    }

    fn in_touch(&self) -> bool {
        true
    }

    /// What local order refuses was changed by this process.
    fn accepts(&self, _: &[ScopeHash], _: Epoch) -> bool {
        false
    }

    fn unmarked(&self, _: &[ScopeHash], _: Epoch) -> bool {
        false
    }

    fn hears_others(&self) -> bool {
        false
    }
}

impl std::fmt::Debug for GenerationOrder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let waiting = self.queue.len();
        f.debug_struct("GenerationOrder")
            .field("position", &self.position())
            .field("waiting", &waiting)
            .finish_non_exhaustive()
    }
}

/// What a process knows of changes: in its own order, and by generations.
#[derive(Debug, Clone)]
pub(crate) struct GenerationEpochs {
    pub(crate) local: Arc<Epochs>,
    pub(crate) order: Arc<GenerationOrder>,
}

impl GenerationEpochs {
    pub(crate) fn new(slots: usize, lanes: Lanes) -> Self {
        let order = Arc::new(GenerationOrder::new(slots, lanes));
        let local = Epochs { log: Some(order.clone()), ..Epochs::new(LocalOrder::of_process(), slots) };
        Self { local: Arc::new(local), order }
    }

    /// Takes what is to be delivered to the store next. Whatever is taken is a local change already: see
    /// [`SharedEpochs::take`](super::SharedEpochs::take).
    pub(crate) fn take(&self, lane: usize, most: usize) -> Vec<Taken> {
        self.local.order.between_changes(|| self.order.queue.take(lane, most))
    }

    /// Judges an entry whose generations were read. Its stamp in memory is from before the look.
    pub(crate) fn judge(&self, scopes: &[ScopeHash], epoch: Epoch) -> Option<ReadVersion> {
        let local = self.local.order.now();
        let accepts = self.order.accepts(scopes, epoch);
        accepts.then(|| ReadVersion { local, log: Some((self.order.id, epoch)) })
    }
}

#[cfg(all(test, not(larder_loom)))]
mod tests;
