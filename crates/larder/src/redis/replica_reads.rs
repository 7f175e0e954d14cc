//! Entries read from replicas, and from their masters what those do not have.
//!
//! A replica that is behind has an older entry, or none. An older entry carries an older epoch: if it was invalidated
//! since, the log says so to this process, wherever it found the entry. So nothing here decides what is valid.

use std::{
    future::Future,
    time::{Duration, Instant},
};

use ::redis::Value;

use super::{
    connection::{CommandFailure, ReplicaReply, Unavailable},
    entry_reads::EntryReads,
    remote::Remote,
};
use crate::{
    cache_core::{Core, Lookup},
    entry::Entry,
    shared_entries::StoreOutcome,
    value::ValueType,
};

impl Remote {
    /// The entry under a key, of a replica if one has it.
    pub(super) async fn read_one_from_replica(
        &self,
        core: &Core,
        at: Lookup<'_>,
        of: ValueType,
    ) -> Option<Entry> {
        let began = Instant::now();
        let reply = self.connections.call_replica(&self.entry_read(at.key)).await;
        let was_late = is_late(&reply);
        if let Some(entry) = self.take_from_replica(core, at, of, reply).await {
            core.statistics().read(began.elapsed());
            return Some(entry);
        }
        let read = self.read_one_from_master(core, at, of, (began, tokio::time::Instant::now()));
        match self.in_time(read, was_late, began).await {
            Some(entry) => entry,
            None => {
                count_late(core, of);
                None
            }
        }
    }

    /// The same for several keys: one round trip, and a second one for all that replicas do not have.
    pub(super) async fn read_from_replicas(
        &self,
        core: &Core,
        keys: &[Lookup<'_>],
        of: ValueType,
    ) -> Vec<Option<Entry>> {
        let began = Instant::now();
        let EntryReads { commands, spread } = self.entry_reads(keys);
        let replies = self.connections.call_replicas(commands).await;
        self.note_refused_reads(&spread, replies.iter().flatten());
        let replies = spread.over_replicas(replies);
        let was_late = replies.iter().any(is_late);
        let mut entries = Vec::with_capacity(keys.len());
        let mut missing = Vec::new();
        for ((index, &at), reply) in keys.iter().enumerate().zip(replies) {
            let entry = self.take_from_replica(core, at, of, reply).await;
            if entry.is_none() {
                missing.push(index);
            }
            entries.push(entry);
        }
        if missing.is_empty() {
            core.statistics().read(began.elapsed());
            return entries;
        }
        let wanted: Vec<_> = missing.iter().map(|&index| keys[index]).collect();
        let read = self.read_from_masters(core, &wanted, of, began);
        match self.in_time(read, was_late, began).await {
            Some(found) => {
                missing.into_iter().zip(found).for_each(|(index, entry)| entries[index] = entry);
            }
            None => missing.iter().for_each(|_| count_late(core, of)),
        }
        entries
    }

    /// The entry in a replica's reply, if it is valid.
    async fn take_from_replica(
        &self,
        core: &Core,
        at: Lookup<'_>,
        of: ValueType,
        reply: ReplicaReply,
    ) -> Option<Entry> {
        let entry = match reply {
            Some(Ok(Value::BulkString(message))) => {
                let length = message.len() as u64;
                core.statistics().add_in(of.group, |counters| &counters.shared_read_bytes, length);
                self.entries.opened(core, at, of, (message, None)).await
            }
            Some(Ok(_)) => None,
            Some(Err(_)) | None => {
                core.count_in(of.group, |counters| &counters.replica_failures);
                return None;
            }
        };
        if entry.is_some() {
            core.count_in(of.group, |counters| &counters.replica_hits);
            core.count_in(of.group, |counters| &counters.shared_hits);
        } else {
            core.count_in(of.group, |counters| &counters.replica_misses);
        }
        entry
    }

    /// What a master says; none if a replica has taken its time, and the rest of the deadline is over.
    async fn in_time<T>(&self, read: impl Future<Output = T>, was_late: bool, began: Instant) -> Option<T> {
        /// A master that answers at once is heard in any case.
        const SLACK: Duration = Duration::from_millis(10);
        if !was_late {
            return Some(read.await);
        }
        let left = self.deadline.saturating_sub(began.elapsed()).max(SLACK);
        tokio::time::timeout(left, read).await.ok()
    }
}

fn is_late(reply: &ReplicaReply) -> bool {
    matches!(reply, Some(Err(CommandFailure::Unavailable(Unavailable::Deadline))))
}

fn count_late(core: &Core, of: ValueType) {
    StoreOutcome::TimedOut.count(core, of.group);
    core.count_in(of.group, |counters| &counters.shared_misses);
}
