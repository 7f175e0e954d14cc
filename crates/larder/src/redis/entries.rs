//! Entries in Redis: reading, judging, writing.

use std::time::Instant;

use ::redis::Value;
use smallvec::SmallVec;

use super::{
    connection::{Command, CommandFailure, Reply, Unavailable},
    remote::Remote,
    script::{RemoteCall, Script},
};
use crate::{
    cache_core::{Core, Lookup},
    entry::Entry,
    error::Result,
    link::Operation,
    shared_entries::{Prepared, StoreOutcome, offload::LARGE},
    stats::Group,
    value::ValueType,
    wire::Unencodable,
};

/// Stores a message, unless one of a newer epoch is there: that would be a step back, though no wrong one, since
/// an entry is judged when it is read. What has no lifetime is none of ours, and would stand in the way forever; so
/// would what has an epoch that no reader accepts.
///
/// `KEYS[1]` the entry, `ARGV[1]` the message, `ARGV[2]` its lifetime in milliseconds, `ARGV[3]` the latest possible
/// epoch. Epochs are compared byte by byte: Lua's own comparison of strings goes by the server's locale.
static STORE: Script = Script::new(
    Operation::Store,
    r"
    local function is_above(one, first, other, second)
      for i = 0, 7 do
        local left, right = string.byte(one, first + i), string.byte(other, second + i)
        if left ~= right then return left > right end
      end
      return false
    end
    local there = redis.pcall('GETRANGE', KEYS[1], 0, 23)
    if type(there) == 'string' and #there == 24 and string.sub(there, 1, 4) == string.sub(ARGV[1], 1, 4)
        and is_above(there, 17, ARGV[1], 17) and not is_above(there, 17, ARGV[3], 1)
        and redis.call('PTTL', KEYS[1]) > 0 then
      return 0
    end
    redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
    return 1",
);

/// Stores a message as [`STORE`] does.
#[cfg(feature = "inspect")]
pub(super) fn store_unless_later(
    name: String,
    message: Vec<u8>,
    lifetime: String,
    latest: Vec<u8>,
) -> RemoteCall {
    STORE.on(name, [message, lifetime.into_bytes(), latest])
}

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
            return self.read_one_from_replica(core, at, of).await;
        }
        self.read_one_from_master(core, at, of, Instant::now()).await
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
        let replies = self.send_many(Operation::Read, self.gets(keys)).await;
        core.statistics().read(began.elapsed());
        for (&at, reply) in keys.iter().zip(replies) {
            entries.push(self.take_over(core, at, of, reply).await);
        }
        entries
    }

    pub(super) fn gets(&self, keys: &[Lookup<'_>]) -> Vec<Command> {
        keys.iter().map(|at| Command::get(&self.names.entry(at.key))).collect()
    }

    /// The same for one key.
    pub(super) async fn read_one_from_master(
        &self,
        core: &Core,
        at: Lookup<'_>,
        of: ValueType,
        began: Instant,
    ) -> Option<Entry> {
        let get = Command::get(&self.names.entry(at.key));
        let reply = self.send(Operation::Read, &get).await;
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

    /// Stores what is valid still, and can be judged by other processes. What cannot be shared is marked.
    pub(crate) async fn write(&self, core: &Core, entries: &[Entry]) -> Result<()> {
        let entries: SmallVec<[&Entry; 1]> = entries.iter().filter(|entry| !entry.is_local()).collect();
        if entries.is_empty() {
            return Ok(());
        }
        let mut stores = Vec::with_capacity(entries.len());
        let mut groups = SmallVec::<[Group; 1]>::new();
        let mut outcome = Ok(());
        if !self.findings.capabilities.has_set() {
            self.findings.refusals.again(Operation::Store);
            for entry in entries {
                StoreOutcome::Refused.count(core, entry.0.group);
            }
            return Ok(());
        }
        let runs_scripts = self.runs_scripts_now();
        let patience = Instant::now() + self.deadline;
        for entry in entries {
            match self.store(core, entry, (patience, runs_scripts)).await {
                Ok(Ok(store)) => {
                    stores.push(store);
                    groups.push(entry.0.group);
                }
                Ok(Err(unwanted)) => unwanted.count(core, entry.0.group),
                Err(reason) => outcome = outcome.and(self.entries.refuse(core, entry, reason)),
            }
        }
        for (reply, group) in self.call(stores).await.into_iter().zip(groups) {
            let stored = match reply {
                Ok(Value::Int(0)) => StoreOutcome::Later,
                Ok(_) => StoreOutcome::Yes,
                Err(failure) => {
                    crate::panic_guard::report!(debug, %failure, "an entry is not stored in Redis");
                    StoreOutcome::from(&failure)
                }
            };
            stored.count(core, group);
        }
        outcome
    }

    /// What stores an entry, if it is to be stored.
    async fn store(
        &self,
        core: &Core,
        entry: &Entry,
        (patience, runs_scripts): (Instant, bool),
    ) -> Result<Result<RemoteCall, Prepared>, Unencodable> {
        if self.has_just_failed() && entry.0.foreign_dependencies().is_empty() {
            return Ok(Err(Prepared::OutOfReach));
        }
        let within_reach = || self.is_within_reach();
        let message = match self.entries.prepare(core, entry, patience, &within_reach).await? {
            Prepared::Wanted(message) => message,
            unwanted => return Ok(Err(unwanted)),
        };
        let name = self.names.entry(entry.key());
        let lifetime = message.lifetime.as_millis().to_string();
        let message = message.bytes;
        let stored = message.len() as u64;
        core.statistics().add_in(entry.0.group, |counters| &counters.shared_stored_bytes, stored);
        Ok(Ok(if message.len() <= LARGE && runs_scripts {
            // What no process of this log accepts is no reason to keep it.
            let latest = self.log.order().latest_comparable();
            STORE.on(name, [message, lifetime.into_bytes(), latest.number().to_be_bytes().to_vec()])
        } else {
            // A script would copy a large one.
            let set = Command::new("SET").key(name).arg(message).arg("PX").arg(lifetime);
            RemoteCall::Command(Operation::Store, set)
        }))
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
