//! Writing entries: what is stored, and over what.

use std::time::Instant;

use ::redis::Value;
use smallvec::SmallVec;

use super::{
    connection::{Command, Reply},
    remote::Remote,
    script::{RemoteCall, Script},
};
use crate::{
    cache_core::Core,
    entry::Entry,
    error::Result,
    link::Operation,
    shared_entries::{Prepared, StoreOutcome, offload::LARGE},
    stats::Group,
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

/// A message on its way.
struct EntryStore {
    name: String,
    message: Vec<u8>,
    lifetime: String,
    over: Over,
    group: Group,
}

/// Over what a message is stored.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Over {
    /// Whatever is there: a script would copy a large message.
    All,
    /// What is older.
    Older,
    /// Nothing, and what is older if something is there after all. For many at once: mostly nothing is there, and a plain
    /// command takes the server a fraction of the time of a script. For a single one, a second round trip would cost more.
    Nothing,
}

impl EntryStore {
    /// What is sent first.
    fn first(&mut self, remote: &Remote) -> RemoteCall {
        if self.over == Over::Older {
            return self.over_older(remote);
        }
        let room = self.name.len() + self.message.len() + self.lifetime.len() + "PXNX".len();
        let set = Command::with_room("SET", (5, room)).key(&self.name).arg(&self.message[..]);
        let set = set.arg("PX").arg(&self.lifetime);
        let set = if self.over == Over::Nothing { set.arg("NX") } else { set };
        RemoteCall::Command(Operation::Store, set)
    }

    /// What is sent last: the message goes with it.
    fn over_older(&mut self, remote: &Remote) -> RemoteCall {
        let take = std::mem::take::<String>;
        let [message, lifetime] = [std::mem::take(&mut self.message), take(&mut self.lifetime).into_bytes()];
        // What no process of this log accepts is no reason to keep it.
        let latest = remote.log.order().latest_comparable();
        STORE.on(take(&mut self.name), [message, lifetime, latest.number().to_be_bytes().to_vec()])
    }

    /// Whether something is there after all.
    fn is_open(&self, reply: &Reply) -> bool {
        self.over == Over::Nothing && matches!(reply, Ok(Value::Nil))
    }
}

impl Remote {
    /// Stores what is valid still, and can be judged by other processes. What cannot be shared is marked.
    pub(crate) async fn write(&self, core: &Core, entries: &[Entry]) -> Result<()> {
        let entries: SmallVec<[&Entry; 1]> = entries.iter().filter(|entry| !entry.is_local()).collect();
        if entries.is_empty() {
            return Ok(());
        }
        let mut stores = Vec::with_capacity(entries.len());
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
        let over = match runs_scripts {
            false => Over::All,
            true if entries.len() > 1 => Over::Nothing,
            true => Over::Older,
        };
        for entry in entries {
            match self.store(core, entry, (patience, over)).await {
                Ok(Ok(store)) => stores.push(store),
                Ok(Err(unwanted)) => unwanted.count(core, entry.0.group),
                Err(reason) => outcome = outcome.and(self.entries.refuse(core, entry, reason)),
            }
        }
        let replies = self.send_stores(&mut stores).await;
        for (reply, store) in replies.into_iter().zip(stores) {
            let stored = match reply {
                // There is something that is not older.
                Ok(Value::Int(0)) => StoreOutcome::Later,
                Ok(_) => StoreOutcome::Yes,
                Err(failure) => {
                    crate::panic_guard::report!(debug, %failure, "an entry is not stored in Redis");
                    StoreOutcome::from(&failure)
                }
            };
            stored.count(core, store.group);
        }
        outcome
    }

    /// A reply for each, by one deadline for both what is sent first and what is sent last.
    async fn send_stores(&self, stores: &mut [EntryStore]) -> Vec<Reply> {
        let first = stores.iter_mut().map(|store| store.first(self)).collect();
        let (mut replies, deadline) = self.call_by(None, first).await;
        let open: Vec<_> = (0..stores.len()).filter(|&at| stores[at].is_open(&replies[at])).collect();
        if !open.is_empty() {
            let again = open.iter().map(|&at| stores[at].over_older(self)).collect();
            let (again, _) = Box::pin(self.call_by(deadline, again)).await;
            for (at, reply) in open.into_iter().zip(again) {
                replies[at] = reply;
            }
        }
        replies
    }

    /// What stores an entry, if it is to be stored.
    async fn store(
        &self,
        core: &Core,
        entry: &Entry,
        (patience, over): (Instant, Over),
    ) -> Result<Result<EntryStore, Prepared>, Unencodable> {
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
        let over = if message.len() <= LARGE { over } else { Over::All };
        Ok(Ok(EntryStore { name, message, lifetime, over, group: entry.0.group }))
    }
}
