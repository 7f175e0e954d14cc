//! Entries that processes share, as messages: judged and decoded on their way in, judged and encoded on their way out.

mod encoding;
#[cfg(feature = "inspect")]
mod header_standing;
mod incoming;
pub(crate) mod offload;
mod order;
mod outgoing;
pub(crate) mod rejections;
mod sealing;
mod unshareable;

use std::{
    sync::{Arc, atomic::AtomicU64},
    time::Duration,
};

pub(crate) use self::order::EntryOrder;
pub use self::{
    encoding::Encoding,
    sealing::{NameHashing, Sealing},
};
use self::{
    rejections::Rejections,
    unshareable::{Unshareable, UnsharedTypes},
};
use crate::{
    cache_core::{Core, Lookup},
    entry::Entry,
    epoch::Epoch,
    scope::ScopeHash,
    stats::{Counters, Group},
    value::ValueType,
    wire::{Header, Wire},
};

/// Turns entries into messages and messages into entries, by one order that processes share.
pub struct SharedEntries {
    order: Arc<dyn EntryOrder>,
    wire: Wire,
    unshareable: Unshareable,
    unshared: UnsharedTypes,
    rejections: Arc<Rejections>,
    sealing: Sealing,
    /// Under which name the entry of a key is stored: what is sealed is bound to it.
    stored_as: Arc<StoredAs>,
}

type StoredAs = dyn Fn(&str) -> String + Send + Sync;

/// A message to be stored.
#[derive(Debug)]
pub struct Message {
    /// The full key of the entry.
    pub key: String,
    /// What is to be stored under it.
    pub bytes: Vec<u8>,
    /// The epoch from which on others judge it.
    pub epoch: Epoch,
    /// For how long it is to be kept.
    pub lifetime: Duration,
    pub(crate) group: Group,
}

/// What is to be done about an entry that should be stored.
pub(crate) enum Prepared {
    Wanted(Message),
    /// Others must not, or need not, have it.
    Skipped,
    OutOfReach,
}

/// What came of storing a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum StoreOutcome {
    /// It is stored.
    Yes,
    /// What is there has a later epoch.
    Later,
    /// The store could not be reached.
    Unreachable,
    /// The store did not answer in time.
    TimedOut,
    /// The store refused it.
    Refused,
}

impl SharedEntries {
    /// With the defaults for codec and compression.
    #[must_use]
    pub(crate) fn new(order: Arc<dyn EntryOrder>) -> Self {
        Self::with(order, Wire::default(), Arc::default())
    }

    pub(crate) fn with(order: Arc<dyn EntryOrder>, wire: Wire, rejections: Arc<Rejections>) -> Self {
        Self {
            order,
            wire,
            unshareable: Unshareable::default(),
            unshared: UnsharedTypes::default(),
            rejections,
            sealing: Sealing::default(),
            stored_as: Arc::new(str::to_owned),
        }
    }

    /// Seals what goes out, and opens what comes in, if that is what it says: bound to the name under which the entry of a key
    /// is stored.
    #[must_use]
    pub fn sealed_with(
        mut self,
        sealing: Sealing,
        stored_as: impl Fn(&str) -> String + Send + Sync + 'static,
    ) -> Self {
        (self.sealing, self.stored_as) = (sealing, Arc::new(stored_as));
        self
    }

    /// For a store that takes no message of more than so many bytes. A larger value stays in this process.
    #[must_use]
    pub fn limited_to(mut self, bytes: usize) -> Self {
        self.wire.limits.largest_stored = bytes.min(self.wire.limits.largest_stored);
        self
    }

    /// What covers the entry of a message, if it is one: for stores that look up what became of each scope.
    #[must_use]
    pub fn scopes_of(&self, message: &[u8]) -> Option<Vec<ScopeHash>> {
        let header = Header::parse(message, &self.wire.limits).ok()?;
        Some(header.envelope.scopes.to_vec())
    }

    /// The types whose values could not be shared, of the last minutes.
    #[must_use]
    pub fn unshared(&self) -> Vec<crate::Unshared> {
        self.unshared.list()
    }

    /// What could not be read.
    #[must_use]
    pub fn rejections(&self) -> Vec<crate::Rejection> {
        self.rejections.list()
    }

    /// The entry that a message holds, if it is valid as far as this process knows; counted either way. None is no
    /// message.
    pub async fn receive(
        &self,
        core: &Core,
        at: Lookup<'_>,
        of: ValueType,
        message: Option<Vec<u8>>,
    ) -> Option<Entry> {
        self.receive_at(core, at, of, message.map(|message| (message, None))).await
    }

    /// The same, of a message whose epoch is not the one that its header names.
    pub async fn receive_at(
        &self,
        core: &Core,
        at: Lookup<'_>,
        of: ValueType,
        message: Option<(Vec<u8>, Option<Epoch>)>,
    ) -> Option<Entry> {
        let entry = match message {
            Some((message, epoch)) => {
                let length = message.len() as u64;
                core.statistics().add_in(of.group, |counters| &counters.shared_read_bytes, length);
                self.opened(core, at, of, (message, epoch)).await
            }
            None => None,
        };
        core.count_in(of.group, |counters| match entry {
            Some(_) => &counters.shared_hits,
            None => &counters.shared_misses,
        });
        entry
    }

    /// Counts what came of storing a message.
    pub fn count(&self, core: &Core, message: &Message, stored: StoreOutcome) {
        stored.count(core, message.group);
    }

    /// Notes how long a read from the store took.
    pub fn read_took(&self, core: &Core, took: Duration) {
        core.statistics().read(took);
    }

    /// Counts reads that came to nothing because of the store.
    pub fn count_failed_reads(&self, core: &Core, of: ValueType, reads: usize, failed: StoreOutcome) {
        for _ in 0..reads {
            failed.count(core, of.group);
            core.count_in(of.group, |counters| &counters.shared_misses);
        }
    }

    /// The time by which entries are dated: where there is a log, that of its server, so that no two processes have to agree
    /// on theirs.
    fn server_now(&self) -> u64 {
        // Without any contact so far nothing is accepted and nothing written.
        self.order.now_ms().unwrap_or(0)
    }
}

impl StoreOutcome {
    /// Counts it; also what came of reading an entry, or of another command, because of the store.
    pub(crate) fn count(self, core: &Core, group: Group) {
        let failure: fn(&Counters) -> &AtomicU64 = match self {
            Self::Yes => return core.count_in(group, |counters| &counters.shared_stores),
            Self::Later => return core.count_in(group, |counters| &counters.shared_skipped),
            Self::Unreachable => |counters| &counters.shared_unreachable,
            Self::TimedOut => |counters| &counters.shared_timeouts,
            Self::Refused => |counters| &counters.shared_refused,
        };
        core.count_in(group, |counters| &counters.shared_failures);
        core.count_in(group, failure);
    }
}

impl Prepared {
    /// Counts what is not stored.
    pub(crate) fn count(&self, core: &Core, group: Group) {
        match self {
            Self::Wanted(_) => {}
            Self::Skipped => StoreOutcome::Later.count(core, group),
            Self::OutOfReach => StoreOutcome::Unreachable.count(core, group),
        }
    }
}
