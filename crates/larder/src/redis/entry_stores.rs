//! Writing entries: many at once by few commands.

use std::time::Instant;

use ::redis::Value;
use smallvec::SmallVec;

use super::{
    connection::Command,
    remote::Remote,
    script::{RemoteCall, Script},
};
use crate::{
    cache_core::Core,
    entry::Entry,
    epoch::Epoch,
    error::Result,
    link::Operation,
    shared_entries::{Prepared, StoreOutcome, offload::LARGE},
    stats::Group,
    wire::Unencodable,
};

/// Stores messages, each unless one of a newer epoch is there: that would be a step back, though no wrong one, since
/// an entry is judged when it is read. What has no lifetime is none of ours, and would stand in the way forever; so
/// would what has an epoch that no reader accepts.
///
/// `KEYS` the entries, `ARGV[1]` the latest possible epoch, and for each entry its message and its lifetime in milliseconds.
/// Epochs are compared byte by byte: Lua's own comparison of strings goes by the server's locale. Gives for each 1, or
/// 0 if it is not stored.
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
    local stored = {}
    for i, key in ipairs(KEYS) do
      local message = ARGV[2 * i]
      local there = redis.pcall('GETRANGE', key, 0, 23)
      if type(there) == 'string' and #there == 24 and string.sub(there, 1, 4) == string.sub(message, 1, 4)
          and is_above(there, 17, message, 17) and not is_above(there, 17, ARGV[1], 1)
          and redis.call('PTTL', key) > 0 then
        stored[i] = 0
      else
        redis.call('SET', key, message, 'PX', ARGV[2 * i + 1])
        stored[i] = 1
      end
    end
    return stored",
);

/// Bytes of messages that one script stores, unless one message has more.
const TOGETHER_BYTES: usize = 256 << 10;

/// A message under a name, for so many milliseconds.
pub(super) struct NamedMessage {
    pub(super) name: String,
    pub(super) message: Vec<u8>,
    pub(super) lifetime: String,
}

/// Stores a message as [`STORE`] does.
#[cfg(feature = "inspect")]
pub(super) fn store_unless_later(message: NamedMessage, latest: Vec<u8>) -> RemoteCall {
    let NamedMessage { name, message, lifetime } = message;
    STORE.on(name, [latest, message, lifetime.into_bytes()])
}

/// Whether the message with this index among those that a call stored was not: something later is there.
pub(super) fn is_later(reply: &Value, index: usize) -> bool {
    matches!(reply, Value::Array(stored) if stored.get(index) == Some(&Value::Int(0)))
}

/// Calls that store messages, each with the groups of those that it stores, in order.
#[derive(Default)]
struct Stores {
    calls: Vec<RemoteCall>,
    groups: Vec<SmallVec<[Group; 1]>>,
    /// What the next script stores, and with how many bytes.
    names: Vec<String>,
    arguments: Vec<Vec<u8>>,
    of: SmallVec<[Group; 1]>,
    bytes: usize,
}

impl Stores {
    /// By a command of its own, over whatever is there.
    fn set(&mut self, NamedMessage { name, message, lifetime }: NamedMessage, group: Group) {
        let room = name.len() + message.len() + lifetime.len() + "PX".len();
        let set = Command::with_room("SET", (4, room)).key(name).arg(message).arg("PX").arg(lifetime);
        self.calls.push(RemoteCall::Command(Operation::Store, set));
        self.groups.push(SmallVec::from_elem(group, 1));
    }

    /// By a script, with up to so many others.
    fn store(&mut self, message: NamedMessage, group: Group, (together, latest): (usize, Epoch)) {
        let NamedMessage { name, message, lifetime } = message;
        let is_full = self.names.len() >= together || self.bytes + message.len() > TOGETHER_BYTES;
        if is_full && !self.names.is_empty() {
            self.close();
        }
        if self.names.is_empty() {
            self.arguments.push(latest.number().to_be_bytes().to_vec());
        }
        self.bytes += message.len();
        self.names.push(name);
        self.arguments.extend([message, lifetime.into_bytes()]);
        self.of.push(group);
    }

    /// What comes next goes into another script.
    fn close(&mut self) {
        if !self.names.is_empty() {
            let Self { names, arguments, of, .. } = self;
            self.calls.push(STORE.on_all(std::mem::take(names), std::mem::take(arguments)));
            self.groups.push(std::mem::take(of));
            self.bytes = 0;
        }
    }
}

impl Remote {
    /// Stores what is valid still, and can be judged by other processes. What cannot be shared is marked.
    pub(crate) async fn write(&self, core: &Core, entries: &[Entry]) -> Result<()> {
        let entries: SmallVec<[&Entry; 1]> = entries.iter().filter(|entry| !entry.is_local()).collect();
        if entries.is_empty() {
            return Ok(());
        }
        if !self.findings.capabilities.has_set() {
            self.findings.refusals.again(Operation::Store);
            for entry in entries {
                StoreOutcome::Refused.count(core, entry.0.group);
            }
            return Ok(());
        }
        let mut stores = Stores::default();
        let mut outcome = Ok(());
        let runs_scripts = self.runs_scripts_now();
        let together = self.keys_together();
        let patience = Instant::now() + self.deadline;
        for entry in entries {
            let group = entry.0.group;
            match self.prepared(core, entry, patience).await {
                // A script would copy a large one.
                Ok(Ok(message)) if message.message.len() > LARGE || !runs_scripts => {
                    stores.set(message, group);
                }
                // What no process of this log accepts is no reason to keep it.
                Ok(Ok(message)) => {
                    stores.store(message, group, (together, self.log.order().latest_comparable()));
                }
                Ok(Err(unwanted)) => unwanted.count(core, group),
                Err(reason) => outcome = outcome.and(self.entries.refuse(core, entry, reason)),
            }
        }
        stores.close();
        for (reply, groups) in self.call(stores.calls).await.into_iter().zip(stores.groups) {
            if let Err(failure) = &reply {
                self.findings.capabilities.learn_where_keys_lie(failure);
                crate::panic_guard::report!(debug, %failure, "entries are not stored in Redis");
            }
            for (index, group) in groups.into_iter().enumerate() {
                let stored = match &reply {
                    Ok(reply) if is_later(reply, index) => StoreOutcome::Later,
                    Ok(_) => StoreOutcome::Yes,
                    Err(failure) => StoreOutcome::from(failure),
                };
                stored.count(core, group);
            }
        }
        outcome
    }

    /// What is to be stored of an entry, if anything is.
    async fn prepared(
        &self,
        core: &Core,
        entry: &Entry,
        patience: Instant,
    ) -> Result<Result<NamedMessage, Prepared>, Unencodable> {
        if self.has_just_failed() && entry.0.foreign_dependencies().is_empty() {
            return Ok(Err(Prepared::OutOfReach));
        }
        let within_reach = || self.is_within_reach();
        let message = match self.entries.prepare(core, entry, patience, &within_reach).await? {
            Prepared::Wanted(message) => message,
            unwanted => return Ok(Err(unwanted)),
        };
        let stored = message.bytes.len() as u64;
        core.statistics().add_in(entry.0.group, |counters| &counters.shared_stored_bytes, stored);
        let name = self.names.entry(entry.key());
        Ok(Ok(NamedMessage {
            name,
            message: message.bytes,
            lifetime: message.lifetime.as_millis().to_string(),
        }))
    }
}
