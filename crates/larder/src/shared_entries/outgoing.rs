//! Entries on their way out: which of them are stored, and as what.

use std::time::Instant;

use super::{
    Message, Prepared, SharedEntries,
    offload::{LARGE, offload, on_large_stack},
    unshareable,
};
use crate::{
    cache_core::Core,
    clock::Moment,
    entry::Entry,
    epoch::Epoch,
    error::{Kind, Result},
    error_chain::in_full,
    mutant::{self, Rule},
    wire::{Coding, Header, Limits, Unencodable, Wire},
};

impl SharedEntries {
    /// Messages of the entries that are valid still, and can be judged by other processes. What cannot be shared is
    /// marked, and stays in this process. What takes waiting for is waited for until `patience` ends, and not at all if
    /// the store is not `within_reach`.
    ///
    /// # Errors
    ///
    /// If a value cannot be encoded.
    pub async fn messages(
        &self,
        core: &Core,
        entries: &[Entry],
        patience: Instant,
        within_reach: &(dyn Fn() -> bool + Sync),
    ) -> (Vec<Message>, Result<()>) {
        let (mut messages, mut outcome) = (Vec::with_capacity(entries.len()), Ok(()));
        for entry in entries.iter().filter(|entry| !entry.is_local()) {
            let prepared = match within_reach() {
                true => self.prepare(core, entry, patience, within_reach).await,
                false => Ok(Prepared::OutOfReach),
            };
            match prepared {
                Ok(Prepared::Wanted(message)) => messages.push(message),
                Ok(prepared) => prepared.count(core, entry.0.group),
                Err(reason) => outcome = outcome.and(self.refuse(core, entry, reason)),
            }
        }
        count_bytes(core, &messages);
        (messages, outcome)
    }

    /// Whether an entry takes the place of what its own change has invalidated, and may be proved from that on: where others
    /// are not heard of, what was read before its call may not.
    #[must_use]
    pub fn is_replacement(&self, entry: &Entry) -> bool {
        entry.0.announcement().is_some() && self.order.takes_replacement(entry.0.since())
    }

    /// Messages of [replacements](Self::is_replacement) that the store has proved from this epoch on, in place of what
    /// [`messages`](Self::messages) waits for.
    ///
    /// # Errors
    ///
    /// If a value cannot be encoded.
    pub async fn replacements(
        &self,
        core: &Core,
        entries: &[Entry],
        proved: impl Fn(&Entry) -> Option<Epoch>,
    ) -> (Vec<Message>, Result<()>) {
        let (mut messages, mut outcome) = (Vec::with_capacity(entries.len()), Ok(()));
        for entry in entries {
            let Some(epoch) = proved(entry) else {
                Prepared::Skipped.count(core, entry.0.group);
                continue;
            };
            match self.prepare_at(core, entry, epoch).await {
                Ok(Prepared::Wanted(message)) => messages.push(message),
                Ok(prepared) => prepared.count(core, entry.0.group),
                Err(reason) => outcome = outcome.and(self.refuse(core, entry, reason)),
            }
        }
        count_bytes(core, &messages);
        (messages, outcome)
    }

    /// Marks an entry that cannot be shared, and counts it.
    pub(crate) fn refuse(&self, core: &Core, entry: &Entry, reason: Unencodable) -> Result<()> {
        entry.0.set_unshared();
        unshareable::count_unshared((core, entry.0.group), type_name(entry), &reason);
        self.unshared.note(type_name(entry), &reason);
        let is_too_large = matches!(reason, Unencodable::TooLarge { .. });
        let (text, cause) = (reason.to_string(), reason.cause());
        crate::panic_guard::report!(
            debug,
            key = entry.key(),
            reason = in_full(&text, cause),
            "a value is not shared"
        );
        // That is no mistake of the caller's.
        if !is_too_large {
            let (key, cause) = (entry.key().to_owned(), cause.cloned());
            return Err(Kind::Unencodable { key, reason: text, cause }.into());
        }
        Ok(())
    }

    /// What stores an entry, if it is valid still and can be judged by the log alone. What takes waiting for is
    /// waited for until `patience` ends.
    pub(crate) async fn prepare(
        &self,
        core: &Core,
        entry: &Entry,
        patience: Instant,
        within_reach: &(dyn Fn() -> bool + Sync),
    ) -> Result<Prepared, Unencodable> {
        if !entry.0.foreign_dependencies().is_empty() {
            return Ok(Prepared::Skipped);
        }
        let Some(epoch) = self.epoch_of(core, entry, patience, within_reach).await else {
            return Ok(Prepared::OutOfReach);
        };
        self.prepare_at(core, entry, epoch).await
    }

    /// The same, of one that others judge from this epoch on.
    async fn prepare_at(&self, core: &Core, entry: &Entry, epoch: Epoch) -> Result<Prepared, Unencodable> {
        // After the epoch was found, so that this covers no more than what is looked at.
        let is_valid = entry.0.is_valid(core.epochs()) || mutant::is(Rule::WriteStampedAtEnd);
        if epoch == Epoch::ZERO || !is_valid || entry.0.is_marked() {
            return Ok(Prepared::Skipped);
        }
        let now = core.now();
        let lifetime = entry.retention_left(now);
        if lifetime.as_millis() == 0 {
            return Ok(Prepared::Skipped);
        }
        let bytes = self.encode(entry, epoch, (now, self.server_now())).await?;
        let raw = Header::raw_length_of(&bytes);
        core.statistics().add_in(entry.0.group, |counters| &counters.shared_raw_bytes, raw);
        let (key, group) = (entry.key().to_owned(), entry.0.group);
        let bytes = self.sealing.sealed(|| (self.stored_as)(&key), bytes).await?;
        Ok(Prepared::Wanted(Message { key, bytes, epoch, lifetime, group }))
    }

    /// The epoch from which on others judge an entry. That of a replacement is known once its invalidation was
    /// read back from the log: everything up to there was there before it.
    async fn epoch_of(
        &self,
        core: &Core,
        entry: &Entry,
        patience: Instant,
        within_reach: &(dyn Fn() -> bool + Sync),
    ) -> Option<Epoch> {
        let Some(announcement) = entry.0.announcement() else {
            let since = if mutant::is(Rule::WriteStampedAtEnd) { core.begin() } else { entry.0.since() };
            return Some(self.order.epoch_of(since).unwrap_or(Epoch::ZERO));
        };
        if !self.order.takes_replacement(entry.0.since()) {
            return Some(Epoch::ZERO);
        }
        if !within_reach() || self.order.refuses_records() {
            return None;
        }
        let left = patience.saturating_duration_since(Instant::now());
        tokio::time::timeout(left, announcement.echoed()).await.ok()?;
        Some(self.order.position())
    }

    /// The message of an entry. A large one is made where it holds up no other call.
    async fn encode(&self, entry: &Entry, epoch: Epoch, now: (Moment, u64)) -> Result<Vec<u8>, Unencodable> {
        let small = Wire {
            limits: Limits { largest_raw: LARGE.min(self.wire.limits.largest_raw), ..self.wire.limits },
            ..self.wire.clone()
        };
        // Who stores a value is told of that one, and not of those before it.
        if entry.0.announcement().is_none() && self.unshareable.postpones(entry.0.hash) {
            return Err(Unencodable::Postponed);
        }
        let limit = self.wire.levels();
        let is_too_deep = move |reason: &Unencodable| {
            // Not the codec's own limit, for which a larger stack is no help.
            matches!(*reason, Unencodable::TooDeep { limit: reached, .. } if reached == limit)
        };
        let message = match small.message(entry, epoch, now) {
            Err(reason) if matches!(reason, Unencodable::TooLarge { .. }) || is_too_deep(&reason) => {
                let (wire, entry) = (self.wire.clone(), entry.clone());
                offload(move || match wire.message(&entry, epoch, now) {
                    Err(reason) if is_too_deep(&reason) => {
                        on_large_stack(|| wire.deep().message(&entry, epoch, now)).unwrap_or(Err(reason))
                    }
                    message => message,
                })
                .await
            }
            message => message,
        };
        match message {
            Ok(_) => self.unshareable.clear(entry.0.hash),
            Err(_) => self.unshareable.note(entry.0.hash),
        }
        message
    }
}

fn count_bytes(core: &Core, messages: &[Message]) {
    for message in messages {
        let length = message.bytes.len() as u64;
        core.statistics().add_in(message.group, |counters| &counters.shared_stored_bytes, length);
    }
}

/// The name of the type of an entry's value: for people.
fn type_name(entry: &Entry) -> &'static str {
    entry
        .0
        .portable()
        .map_or("a value of this process alone", |(_, transport)| Coding::of(transport).type_name())
}
