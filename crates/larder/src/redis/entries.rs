//! Entries in Redis: reading, judging, writing.

use std::time::Instant;

use ::redis::Value;
use smallvec::SmallVec;

use super::{
    Remote,
    apart::{LARGE, apart},
    connection::{Command, CommandFailure, Reply, Unavailable},
    in_full::in_full,
    script::{RemoteCall, Script},
    unshareable,
};
use crate::{
    cache_core::{Core, Lookup},
    clock::Moment,
    entry::{Entry, sharing::Received},
    epoch::Epoch,
    error::{Kind, Result},
    link::Operation,
    mutant::{self, Rule},
    scope::ScopeHash,
    stats::Group,
    value::ValueType,
    wire::{Coding, Header, Limits, Rejected, Unencodable, Wire},
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

/// What is to be done about an entry that should be stored.
enum StoreDecision {
    Wanted(RemoteCall),
    /// Others must not, or need not, have it.
    Skipped,
    OutOfReach,
}

impl Remote {
    /// The entries under these keys that are valid as far as this process knows.
    pub(super) async fn read(&self, core: &Core, keys: &[Lookup<'_>], of: ValueType) -> Vec<Option<Entry>> {
        if self.reads_replicas {
            return self.read_from_replicas(core, keys, of).await;
        }
        self.read_from_masters(core, keys, of, Instant::now()).await
    }

    /// The same for one key.
    pub(super) async fn read_one(&self, core: &Core, at: Lookup<'_>, of: ValueType) -> Option<Entry> {
        if self.reads_replicas {
            return self.read_one_from_replica(core, at, of).await;
        }
        self.read_one_from_master(core, at, of, Instant::now()).await
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
        let entry = match reply {
            Ok(Value::BulkString(message)) => {
                let length = message.len() as u64;
                core.statistics().add_in(of.group, |counters| &counters.shared_read_bytes, length);
                self.receive(core, at, of, message).await
            }
            Ok(_) => None,
            Err(failure) => {
                count_failure(core, of.group, &failure);
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
    pub(super) async fn receive(
        &self,
        core: &Core,
        at: Lookup<'_>,
        of: ValueType,
        message: Vec<u8>,
    ) -> Option<Entry> {
        match self.try_receive(core, at, of, message).await {
            Ok(entry) => entry,
            Err(rejected) => {
                core.count_in(of.group, |counters| &counters.shared_rejected);
                if rejected == Rejected::Shape {
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
                self.findings.rejections.note(rejected, of.name());
                crate::panic_guard::report!(debug, key = at.key, %rejected, wanted = of.name(), "what is stored in Redis is not accepted");
                None
            }
        }
    }

    async fn try_receive(
        &self,
        core: &Core,
        at: Lookup<'_>,
        of: ValueType,
        message: Vec<u8>,
    ) -> Result<Option<Entry>, Rejected> {
        // Before anything of it is looked at.
        let message = self.sealing.opened(|| self.names.entry(at.key), message, &self.wire.limits).await?;
        let header = Header::parse(&message, &self.wire.limits)?;
        self.wire.codecs.of_number(header.codec)?;
        let envelope = &header.envelope;
        if !envelope.scopes.contains(&ScopeHash::key(at.key)) {
            return Err(Rejected::Header);
        }
        if envelope.epoch > self.log.order().latest_possible() {
            return Err(Rejected::Future);
        }
        let Some(since) = self.log.judge(&envelope.scopes, envelope.epoch) else {
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
                apart(move || match decode(&wire) {
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
        let marked = self.log.marked(&scopes, epoch, life.stored);
        let received = Received { is_from_disk: false, since, life, marked, scopes, value, value_type, cost };
        Ok(Some(Entry::received((at.key.into(), at.hash), received)))
    }

    /// Stores what is valid still, and can be judged by other processes. What cannot be shared is marked.
    pub(super) async fn write(&self, core: &Core, entries: &[Entry]) -> Result<()> {
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
                core.count_in(entry.0.group, |counters| &counters.shared_failures);
                core.count_in(entry.0.group, |counters| &counters.shared_refused);
            }
            return Ok(());
        }
        let runs_scripts = self.runs_scripts().await;
        let patience = Instant::now() + self.deadline;
        for entry in entries {
            match self.store(core, entry, (patience, runs_scripts)).await {
                Ok(StoreDecision::Wanted(store)) => {
                    stores.push(store);
                    groups.push(entry.0.group);
                }
                Ok(StoreDecision::Skipped) => {
                    core.count_in(entry.0.group, |counters| &counters.shared_skipped)
                }
                Ok(StoreDecision::OutOfReach) => {
                    core.count_in(entry.0.group, |counters| &counters.shared_failures);
                    core.count_in(entry.0.group, |counters| &counters.shared_unreachable);
                }
                Err(reason) => {
                    entry.0.set_unshared();
                    unshareable::count_unshared((core, entry.0.group), type_name(entry), &reason);
                    self.findings.unshared.note(type_name(entry), &reason);
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
                        outcome = outcome.and(Err(Kind::Unencodable { key, reason: text, cause }.into()));
                    }
                }
            }
        }
        for (reply, group) in self.call(stores).await.into_iter().zip(groups) {
            match reply {
                Ok(Value::Int(0)) => core.count_in(group, |counters| &counters.shared_skipped),
                Ok(_) => core.count_in(group, |counters| &counters.shared_stores),
                Err(failure) => {
                    count_failure(core, group, &failure);
                    crate::panic_guard::report!(debug, %failure, "an entry is not stored in Redis");
                }
            }
        }
        outcome
    }

    /// What stores an entry, if it is valid still and can be judged by the log alone. What takes waiting for is
    /// waited for until `patience` ends.
    async fn store(
        &self,
        core: &Core,
        entry: &Entry,
        (patience, runs_scripts): (Instant, bool),
    ) -> Result<StoreDecision, Unencodable> {
        if !entry.0.foreign_dependencies().is_empty() {
            return Ok(StoreDecision::Skipped);
        }
        if self.has_just_failed() {
            return Ok(StoreDecision::OutOfReach);
        }
        let Some(epoch) = self.epoch_of(core, entry, patience).await else {
            return Ok(StoreDecision::OutOfReach);
        };
        // After the position was loaded, so that this covers no more than what is looked at.
        let is_valid = entry.0.is_valid(core.epochs()) || mutant::is(Rule::WriteStampedAtEnd);
        if epoch == Epoch::ZERO || !is_valid || entry.0.is_marked() {
            return Ok(StoreDecision::Skipped);
        }
        let now = core.now();
        let lifetime = entry.retention_left(now).as_millis();
        if lifetime == 0 {
            return Ok(StoreDecision::Skipped);
        }
        let message = self.encode(entry, epoch, (now, self.server_now())).await?;
        let statistics = core.statistics();
        statistics.add_in(
            entry.0.group,
            |counters| &counters.shared_raw_bytes,
            Header::raw_length_of(&message),
        );
        let name = self.names.entry(entry.key());
        let message = self.sealing.sealed(&name, message).await?;
        statistics.add_in(entry.0.group, |counters| &counters.shared_stored_bytes, message.len() as u64);
        Ok(StoreDecision::Wanted(if message.len() <= LARGE && runs_scripts {
            // What no process of this log accepts is no reason to keep it.
            let latest = self.log.order().latest_comparable();
            let lifetime = lifetime.to_string().into_bytes();
            STORE.on(name, [message, lifetime, latest.number().to_be_bytes().to_vec()])
        } else {
            // A script would copy a large one.
            let set = Command::new("SET").key(name).arg(message).arg("PX").arg(lifetime.to_string());
            RemoteCall::Command(Operation::Store, set)
        }))
    }

    /// The epoch from which on others judge an entry. That of a replacement is known once its invalidation was
    /// read back from the log: everything up to there was there before it.
    async fn epoch_of(&self, core: &Core, entry: &Entry, patience: Instant) -> Option<Epoch> {
        let log = self.log.order();
        let Some(announcement) = entry.0.announcement() else {
            let since = if mutant::is(Rule::WriteStampedAtEnd) { core.begin() } else { entry.0.since() };
            return Some(since.epoch_in(log).unwrap_or(Epoch::ZERO));
        };
        if !self.is_within_reach() {
            return None;
        }
        let left = patience.saturating_duration_since(Instant::now());
        tokio::time::timeout(left, announcement.echoed()).await.ok()?;
        Some(log.position())
    }

    /// The time on the log's server, by which entries are dated: no two processes have to agree on theirs.
    fn server_now(&self) -> u64 {
        // Without any contact so far nothing is accepted and nothing written.
        self.log.contact().server_now_ms().unwrap_or(0)
    }

    /// The message of an entry. A large one is made where it holds up no other call.
    async fn encode(&self, entry: &Entry, epoch: Epoch, now: (Moment, u64)) -> Result<Vec<u8>, Unencodable> {
        let small = Wire {
            limits: Limits { largest_raw: LARGE.min(self.wire.limits.largest_raw), ..self.wire.limits },
            ..self.wire.clone()
        };
        if self.unshareable.postpones(entry.0.hash) {
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
                apart(move || match wire.message(&entry, epoch, now) {
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

/// Counts a command that came to nothing, by the reason.
pub(super) fn count_failure(core: &Core, group: Group, failure: &CommandFailure) {
    core.count_in(group, |counters| &counters.shared_failures);
    core.count_in(group, |counters| match failure {
        CommandFailure::Refused(_) => &counters.shared_refused,
        CommandFailure::Unavailable(Unavailable::Deadline) => &counters.shared_timeouts,
        CommandFailure::Unavailable(_) => &counters.shared_unreachable,
    });
}

/// The name of the type of an entry's value: for people.
fn type_name(entry: &Entry) -> &'static str {
    entry
        .0
        .portable()
        .map_or("a value of this process alone", |(_, transport)| Coding::of(transport).type_name())
}

/// Runs what needs more stack than a thread of a runtime has; none if there is no memory for that.
fn on_large_stack<R: Send>(run: impl FnOnce() -> R + Send) -> Option<R> {
    std::thread::scope(|scope| {
        let thread = std::thread::Builder::new().stack_size(Limits::STACK).spawn_scoped(scope, run).ok()?;
        Some(thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
    })
}

#[cfg(all(test, not(larder_loom)))]
mod tests;
