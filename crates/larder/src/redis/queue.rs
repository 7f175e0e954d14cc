//! A write-behind queue in Redis: what is written, read and settled there, as bytes.
//!
//! A queue is a stream with a consumer group. One process consumes at a time: the one whose token is the lease's. Each
//! script that reads or gives up writes looks at that token first, so that a process whose lease has ended by the
//! server's clock takes nothing any more, whatever it believes.

mod commands;
mod scripts;

use std::{sync::Arc, time::Duration};

use ::redis::Value;

pub(crate) use self::commands::{QueueExtent, RawDead};
use super::{
    RedisCache,
    connection::CommandFailure,
    key_names::QueueNames,
    refusal::{self, ServerReply},
    remote::Remote,
    script::{self, Script},
    stream::{
        Listener, RawRecord,
        reply::{self, strange},
    },
};
use crate::error::{Error, Kind, Result};

/// The names of the fields of a write.
pub(crate) const KEY: &str = "k";
pub(crate) const VALUE: &str = "v";
pub(crate) const CACHE_KEY: &str = "c";

/// A queue, as one process uses it.
pub(crate) struct RedisQueue {
    remote: Arc<Remote>,
    name: String,
    keys: QueueNames,
    /// This process, as the consumer that it may be.
    token: String,
}

/// A write that is to be appended.
pub(crate) struct RawDraft<'w> {
    pub(crate) key: &'w str,
    pub(crate) value: &'w [u8],
    /// Empty where nothing shows it in the cache.
    pub(crate) cache_key: &'w str,
}

/// What came of appending writes.
pub(crate) enum RawAppended {
    /// They have these IDs. A commit of one of their cache keys is under way, or not.
    Kept { ids: Vec<String>, committing: bool },
    /// There are as many as may be.
    Full { waiting: u64, dead: u64 },
}

/// What a consumer was given.
#[derive(Default)]
pub(crate) struct RawFetched {
    pub(crate) records: Vec<RawRecord>,
    /// The IDs of those that several consumers were given, and none has settled.
    pub(crate) often: Vec<String>,
    /// Where the next reading of what was given before begins; none once all of that was read.
    pub(crate) cursor: Option<String>,
    /// The last ID in the stream, where nothing was read.
    pub(crate) newest: Option<String>,
}

/// What the consumer has: by it a server is known that lacks the last of what was settled.
pub(crate) struct RawInHand {
    /// The oldest of those that it was given and has not settled.
    pub(crate) oldest: String,
    /// How many these are; none while others are still to be claimed.
    pub(crate) count: Option<usize>,
    /// What was given from here on never arrived.
    pub(crate) next: String,
}

impl RawInHand {
    fn arguments(&self) -> [Vec<u8>; 3] {
        let count = self.count.map(|count| count.to_string()).unwrap_or_default();
        [self.oldest.clone().into(), count.into(), self.next.clone().into()]
    }
}

/// What is to be settled at once.
pub(crate) struct RawSettled<'s> {
    /// Writes that are over.
    pub(crate) done: &'s [String],
    /// Writes that are given up, each with the reason.
    pub(crate) dead: &'s [(String, String)],
    /// Cache keys whose commit this ends, each with its last write.
    pub(crate) cache_keys: &'s [(String, String)],
}

impl RedisQueue {
    pub(crate) fn new(cache: &RedisCache, name: &str) -> Self {
        Self {
            remote: cache.remote.clone(),
            keys: cache.remote.names.queue(name),
            name: name.to_owned(),
            token: format!("{:016x}{:016x}", fastrand::u64(..), fastrand::u64(..)),
        }
    }

    /// What waits on the stream, over a connection of its own.
    pub(crate) fn listener(&self) -> Listener {
        Listener::new(self.remote.config.clone(), self.keys.stream.clone())
    }

    /// Appends writes, unless there were more than `limit` of them then, those that were given up included.
    pub(crate) async fn append(&self, limit: u64, drafts: &[RawDraft<'_>]) -> Result<RawAppended> {
        let mut arguments = vec![limit.to_string().into_bytes()];
        for RawDraft { key, value, cache_key } in drafts {
            arguments.extend([(*cache_key).into(), (*key).into(), value.to_vec()]);
        }
        let reply = self.run(&scripts::APPEND, arguments).await;
        let reply = reply.map_err(|failure| self.unacknowledged(drafts, failure))?;
        let Value::Array(parts) = reply else { return Err(strange()) };
        if let [Value::Nil, waiting, dead] = &parts[..] {
            return Ok(RawAppended::Full { waiting: reply::number(waiting)?, dead: reply::number(dead)? });
        }
        let (mut ids, mut committing) = (Vec::with_capacity(drafts.len()), false);
        for part in parts.chunks(2) {
            let [id, Value::Int(commits)] = part else { return Err(strange()) };
            ids.push(reply::text(id)?);
            committing |= *commits == 1;
        }
        if ids.len() == drafts.len() { Ok(RawAppended::Kept { ids, committing }) } else { Err(strange()) }
    }

    /// Says that a write may be lost, and what to do.
    fn unacknowledged(&self, drafts: &[RawDraft<'_>], failure: CommandFailure) -> Error {
        const REPEAT: &str = "make it again (it may be written twice then), or write to the database itself";
        let (why, advice, cause) = match failure {
            CommandFailure::Refused(error) => {
                let advice = refusal::mend(&refusal::plain(&error)).unwrap_or(REPEAT);
                ("it refuses".to_owned(), advice, Some(Arc::new(ServerReply::from(&error)) as _))
            }
            CommandFailure::Unavailable(reason) => (reason.to_string(), REPEAT, reason.into_cause()),
        };
        let name = &self.name;
        let others = drafts.len().saturating_sub(1);
        let key = drafts.first().map_or("", |draft| draft.key);
        let which = match others {
            0 => format!("the write of {key:?} to the queue {name:?} is not acknowledged"),
            _ => format!(
                "the write of {key:?} to the queue {name:?}, and {others} with it, are not acknowledged"
            ),
        };
        let reason = format!("{why}: {which}; {advice}");
        Kind::Unavailable { reason, cause }.into()
    }

    /// Takes the lease, if no other process has it. False if one does.
    pub(crate) async fn take_over(&self, lease: Duration) -> Result<bool> {
        let arguments = vec![self.token.clone().into_bytes(), milliseconds(lease)];
        Ok(self.ask(&scripts::TAKE_OVER, arguments).await? == Value::Int(1))
    }

    /// Prolongs the lease. False if it was lost.
    pub(crate) async fn renew(&self, lease: Duration) -> Result<bool> {
        let arguments = vec![self.token.clone().into_bytes(), milliseconds(lease)];
        Ok(self.ask(&scripts::RENEW, arguments).await? == Value::Int(1))
    }

    /// Gives the lease back.
    pub(crate) async fn release(&self) -> Result<()> {
        self.ask(&scripts::RELEASE, vec![self.token.clone().into_bytes()]).await.map(drop)
    }

    /// Reads writes that no consumer was given so far. None if the lease was lost, or if what was settled waits again. If
    /// writes from `next` on were given, their reply was lost: nothing is read, and they are to be claimed from there.
    pub(crate) async fn fetch(
        &self,
        next: &str,
        count: usize,
        in_hand: &RawInHand,
    ) -> Result<Option<RawFetched>> {
        let mut arguments =
            vec![self.token.clone().into_bytes(), count.to_string().into_bytes(), next.into()];
        arguments.extend(in_hand.arguments());
        match self.ask(&scripts::FETCH, arguments).await? {
            Value::Nil => Ok(None),
            Value::Array(parts) => match &parts[..] {
                [next] => Ok(Some(RawFetched { cursor: Some(reply::text(next)?), ..RawFetched::default() })),
                [records, newest] => Ok(Some(RawFetched {
                    records: reply::of_stream(records)?,
                    newest: reply::text(newest).ok().filter(|id| !id.is_empty()),
                    ..RawFetched::default()
                })),
                _ => Err(strange()),
            },
            _ => Err(strange()),
        }
    }

    /// Claims writes that a consumer before this one was given and has not settled, from `cursor` on. None if the lease
    /// was lost. Those that were given more than `often` times, this time included, are named.
    pub(crate) async fn claim(&self, cursor: &str, count: usize, often: u32) -> Result<Option<RawFetched>> {
        let numbers = [count.to_string().into_bytes(), often.to_string().into_bytes()];
        let arguments = [self.token.clone().into_bytes(), cursor.into()].into_iter().chain(numbers).collect();
        match self.ask(&scripts::CLAIM, arguments).await? {
            Value::Nil => Ok(None),
            Value::Array(parts) => match &parts[..] {
                [next, records, Value::Array(often)] => {
                    let next = reply::text(next)?;
                    Ok(Some(RawFetched {
                        records: reply::records(records)?,
                        often: often.iter().map(reply::text).collect::<Result<_>>()?,
                        cursor: (next != "0-0").then_some(next),
                        newest: None,
                    }))
                }
                _ => Err(strange()),
            },
            _ => Err(strange()),
        }
    }

    /// Counts that a write is about to be written by itself; says how often that was begun and not ended.
    pub(crate) async fn begin_alone(&self, id: &str) -> Result<u64> {
        reply::number(&self.ask(&scripts::BEGIN_ALONE, vec![id.into()]).await?)
    }

    /// Begins the commit of these cache keys, each with the last write that it is about. Says of each whether no later
    /// write of it waits, so that it has to be invalidated.
    pub(crate) async fn begin_commit(&self, cache_keys: &[(String, String)]) -> Result<Vec<bool>> {
        let arguments = cache_keys.iter().flat_map(|(key, id)| [key.clone().into(), id.clone().into()]);
        match self.ask(&scripts::BEGIN_COMMIT, arguments.collect()).await? {
            Value::Array(due) => Ok(due.iter().map(|due| *due == Value::Int(1)).collect()),
            _ => Err(strange()),
        }
    }

    /// Removes writes from the queue. False if this process is no longer the consumer: what is over is removed all the
    /// same, and what is to be given up is left to the one that is. False too, and nothing is removed, if what was settled
    /// before waits again.
    pub(crate) async fn settle(&self, settled: &RawSettled<'_>, in_hand: &RawInHand) -> Result<bool> {
        let mut arguments = vec![self.token.clone().into_bytes()];
        arguments.extend(in_hand.arguments());
        arguments.push(settled.done.len().to_string().into());
        arguments.extend(settled.done.iter().map(|id| id.clone().into_bytes()));
        arguments.push(settled.dead.len().to_string().into());
        for (id, reason) in settled.dead.iter().chain(settled.cache_keys) {
            arguments.extend([id.clone().into_bytes(), reason.clone().into_bytes()]);
        }
        Ok(self.ask(&scripts::SETTLE, arguments).await? == Value::Int(1))
    }

    async fn ask(&self, script: &'static Script, arguments: Vec<Vec<u8>>) -> Result<Value> {
        let reply = self.run(script, arguments).await;
        reply.map_err(|failure| failure.of(format_args!("the queue {:?}", self.name)))
    }

    async fn run(&self, script: &'static Script, arguments: Vec<Vec<u8>>) -> Result<Value, CommandFailure> {
        // Sees to it that scripts are asked for again where they did not run.
        let _ = self.remote.runs_scripts().await;
        let QueueNames { stream, dead, keys, consumer } = &self.keys;
        self.remote
            .call_one(script.on_all([stream, keys, dead, consumer].map(ToString::to_string), arguments))
            .await
    }
}

fn milliseconds(time: Duration) -> Vec<u8> {
    script::milliseconds(time).to_string().into_bytes()
}
