//! Entries that processes share, as messages: judged and decoded on their way in, judged and encoded on their way out.

mod encoding;
#[cfg(feature = "inspect")]
mod header_standing;
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
    offload::{LARGE, offload, on_large_stack},
    rejections::Rejections,
    unshareable::{Unshareable, UnsharedTypes},
};
use crate::{
    cache_core::{Core, Lookup},
    entry::{Entry, sharing::Received},
    epoch::Epoch,
    error::Result,
    mutant::{self, Rule},
    scope::ScopeHash,
    stats::{Counters, Group},
    value::ValueType,
    wire::{Header, Rejected, Wire},
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

    /// The entry that a message holds, if it is valid: by the epoch that its header names, or by this one. What is sealed is
    /// opened before anything of it is looked at.
    pub(crate) async fn opened(
        &self,
        core: &Core,
        at: Lookup<'_>,
        of: ValueType,
        (message, epoch): (Vec<u8>, Option<Epoch>),
    ) -> Option<Entry> {
        let message = self.sealing.opened(|| (self.stored_as)(at.key), message, &self.wire.limits).await;
        let entry = match message {
            Ok(message) => self.try_receive(core, at, of, (message, epoch)).await,
            Err(rejected) => Err(rejected),
        };
        match entry {
            Ok(entry) => entry,
            Err(rejected) => {
                if matches!(rejected, Rejected::Shape | Rejected::Untyped) {
                    core.count_in(of.group, |counters| &counters.shared_other_shape);
                }
                if matches!(rejected, Rejected::Codec(_)) {
                    core.count_in(of.group, |counters| &counters.shared_other_codec);
                }
                if rejected.is_by_seal() {
                    core.count_in(of.group, |counters| &counters.shared_not_authentic);
                }
                if rejected.is_by_type() {
                    core.count_in(of.group, |counters| &counters.shared_unreadable);
                }
                // After the reasons that it is a sum of.
                core.count_in(of.group, |counters| &counters.shared_rejected);
                self.rejections.note(rejected, of.name());
                crate::panic_guard::report!(debug, key = at.key, %rejected, wanted = of.name(), "what is stored is not accepted");
                None
            }
        }
    }

    async fn try_receive(
        &self,
        core: &Core,
        at: Lookup<'_>,
        of: ValueType,
        (message, epoch): (Vec<u8>, Option<Epoch>),
    ) -> Result<Option<Entry>, Rejected> {
        let mut header = Header::parse(&message, &self.wire.limits)?;
        header.envelope.epoch = epoch.unwrap_or(header.envelope.epoch);
        self.wire.codecs.of_number(header.codec)?;
        let envelope = &header.envelope;
        if !envelope.scopes.contains(&ScopeHash::key(at.key)) {
            return Err(Rejected::Header);
        }
        if envelope.epoch > self.order.latest_possible() {
            return Err(Rejected::Future);
        }
        let Some(since) = self.order.judge(&envelope.scopes, envelope.epoch) else {
            core.count_in(of.group, |counters| &counters.invalidated_reads);
            return Ok(None);
        };
        let (now, remaining) = (core.now(), envelope.times.remaining(self.server_now()));
        let here = match header.raw_length() <= LARGE {
            true => self.wire.value(of, &header, &message),
            false => Err(Rejected::TooDeep),
        };
        let (header, (value, value_type)) = match here {
            // It has nothing for this reader, and nothing is wrong with it.
            Err(Rejected::Shape) if self.wire.has_kept_error(of, &header) => return Ok(None),
            Err(Rejected::TooDeep) => {
                let wire = self.wire.clone();
                let decode = move |wire: &Wire| {
                    let value = wire.value(of, &header, &message)?;
                    Ok((header.clone(), value))
                };
                offload(move || match decode(&wire) {
                    Err(Rejected::TooDeep) => {
                        on_large_stack(|| decode(&wire.deep())).unwrap_or(Err(Rejected::TooDeep))
                    }
                    decoded => decoded,
                })
                .await?
            }
            here => (header, here?),
        };
        let since = if mutant::is(Rule::PromotionStampedAtInsertion) { core.begin() } else { since };
        let (life, epoch, scopes) = (
            remaining.life(now).in_memory(now, of.memory_limit()),
            header.envelope.epoch,
            header.envelope.scopes,
        );
        let cost = core.statistics().usual_cost(of.group);
        let marked = self.order.marked(&scopes, epoch, life.stored);
        let received = Received { is_from_disk: false, since, life, marked, scopes, value, value_type, cost };
        Ok(Some(Entry::received((at.key.into(), at.hash), received)))
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
