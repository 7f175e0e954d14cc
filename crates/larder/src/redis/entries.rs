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
        if self.reads_replicas {
            return self.read_from_replicas(core, keys, of).await;
        }
        self.read_from_masters(core, keys, of, Instant::now()).await
    }

    /// The same for one key.
    pub(crate) async fn read_one(&self, core: &Core, at: Lookup<'_>, of: ValueType) -> Option<Entry> {
        if self.reads_replicas {
            return Box::pin(self.read_one_from_replica(core, at, of)).await;
        }
        let now = tokio::time::Instant::now();
        self.read_one_from_master(core, at, of, (now.into_std(), now)).await
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
        let entry = match reply {
            Ok(Value::BulkString(message)) => {
                let length = message.len() as u64;
                core.statistics().add_in(of.group, |counters| &counters.shared_read_bytes, length);
                self.receive(core, at, of, message).await
            }
            Ok(_) => None,
            Err(failure) => {
                StoreOutcome::from(&failure).count(core, of.group);
                crate::panic_guard::report!(debug, key = at.key, %failure, "an entry is not read from Redis");
                None
            }
        };
        core.count_in(of.group, |counters| match entry {
            Some(_) => &counters.shared_hits,
            None => &counters.shared_misses,
        });
        entry
    }

    /// The entry that a message holds, if it is valid.
    pub(super) fn receive(
        &self,
        core: &Core,
        at: Lookup<'_>,
        of: ValueType,
        message: Vec<u8>,
    ) -> impl Future<Output = Option<Entry>> + Send {
        self.entries.opened(core, at, of, (message, None))
    }
}

impl From<&CommandFailure> for StoreOutcome {
    fn from(failure: &CommandFailure) -> Self {
        match failure {
            CommandFailure::Refused(_) => Self::Refused,
            CommandFailure::Unavailable(Unavailable::Deadline) => Self::TimedOut,
            CommandFailure::Unavailable(_) => Self::Unreachable,
        }
    }
}

#[cfg(all(test, not(larder_loom)))]
mod tests;
