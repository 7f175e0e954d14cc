//! Entries in Redis: reading and judging.

use std::time::Instant;

use ::redis::Value;

use super::{
    connection::{CommandFailure, Reply, Unavailable},
    entry_reads::EntryReads,
    remote::Remote,
};
use crate::{
    cache_core::{Core, Lookup},
    entry::Entry,
    link::Operation,
    shared_entries::StoreOutcome,
    value::ValueType,
};

impl Remote {
    /// The entries under these keys that are valid as far as this process knows.
    pub(super) async fn read(&self, core: &Core, keys: &[Lookup<'_>], of: ValueType) -> Vec<Option<Entry>> {
        if self.asks_replicas() {
            return self.read_from_replicas(core, keys, of).await;
        }
        self.read_from_masters(core, keys, of, Instant::now()).await
    }

    /// The same for one key.
    pub(crate) async fn read_one(&self, core: &Core, at: Lookup<'_>, of: ValueType) -> Option<Entry> {
        if self.asks_replicas() {
            return Box::pin(self.read_one_from_replica(core, at, of)).await;
        }
        let now = tokio::time::Instant::now();
        self.read_one_from_master(core, at, of, (now.into_std(), now)).await
    }

    fn asks_replicas(&self) -> bool {
        self.reads_replicas && self.findings.capabilities.has_get()
    }

    /// What [`read`](Self::read) gives, of the masters. It began then.
    pub(super) async fn read_from_masters(
        &self,
        core: &Core,
        keys: &[Lookup<'_>],
        of: ValueType,
        began: Instant,
    ) -> Vec<Option<Entry>> {
        let mut entries = Vec::with_capacity(keys.len());
        let EntryReads { commands, spread } = self.entry_reads(keys);
        let replies = self.send_many(Operation::Read, commands).await;
        core.statistics().read(began.elapsed());
        self.note_refused_reads(&spread, &replies);
        for (&at, reply) in keys.iter().zip(spread.over(replies)) {
            entries.push(self.take_over(core, at, of, reply).await);
        }
        entries
    }

    /// The same for one key. The master is asked now.
    pub(super) async fn read_one_from_master(
        &self,
        core: &Core,
        at: Lookup<'_>,
        of: ValueType,
        (began, now): (Instant, tokio::time::Instant),
    ) -> Option<Entry> {
        let reply = self.send_now(now, Operation::Read, &self.entry_read(at.key)).await;
        core.statistics().read(began.elapsed());
        self.take_over(core, at, of, reply).await
    }

    /// The entry in the reply to a `GET`, if there is a valid one; counted either way.
    async fn take_over(&self, core: &Core, at: Lookup<'_>, of: ValueType, reply: Reply) -> Option<Entry> {
        let message = match reply {
            Ok(Value::BulkString(message)) => Some((message, None)),
            Ok(_) => None,
            Err(failure) => {
                StoreOutcome::from(&failure).count(core, of.group);
                crate::panic_guard::report!(debug, key = at.key, %failure, "an entry is not read from Redis");
                None
            }
        };
        self.entries.receive_at(core, at, of, message).await
    }
}

impl From<&CommandFailure> for StoreOutcome {
    fn from(failure: &CommandFailure) -> Self {
        match failure {
            CommandFailure::Refused(_) | CommandFailure::Unavailable(Unavailable::Get) => Self::Refused,
            CommandFailure::Unavailable(Unavailable::Deadline) => Self::TimedOut,
            CommandFailure::Unavailable(_) => Self::Unreachable,
        }
    }
}

#[cfg(all(test, not(larder_loom)))]
mod tests;
