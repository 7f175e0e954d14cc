//! Looking at a queue, and at what was given up.

use ::redis::Value;

use super::{RedisQueue, scripts};
use crate::{
    error::Result,
    link::Operation,
    redis::{
        connection::Command,
        script::RemoteCall,
        stream::{
            RawRecord,
            reply::{self, strange},
        },
    },
};

/// How much lies in a queue.
#[derive(Debug, Clone, Copy)]
pub(crate) struct QueueExtent {
    pub(crate) waiting: u64,
    pub(crate) dead: u64,
}

/// A write that was given up.
pub(crate) struct RawDead {
    /// Its ID among those that were given up, and its fields.
    pub(crate) record: RawRecord,
    pub(crate) reason: String,
    /// The ID that the write had.
    pub(crate) write: String,
}

impl RedisQueue {
    /// Whether a commit of this cache key is under way.
    pub(crate) async fn is_committing(&self, cache_key: &str) -> Result<bool> {
        let command = Command::new("HEXISTS").key(&self.keys.keys).arg(format!("c:{cache_key}"));
        Ok(self.send(command).await? == Value::Int(1))
    }

    /// The last write of this cache key that waits.
    pub(crate) async fn last_of(&self, cache_key: &str) -> Result<Option<String>> {
        let command = Command::new("HGET").key(&self.keys.keys).arg(format!("l:{cache_key}"));
        match self.send(command).await? {
            Value::Nil => Ok(None),
            id => reply::text(&id).map(Some),
        }
    }

    /// What was begun with [`begin_alone`](Self::begin_alone) came to an end.
    pub(crate) async fn end_alone(&self, id: &str) -> Result<()> {
        self.send(Command::new("HDEL").key(&self.keys.keys).arg(format!("a:{id}"))).await.map(drop)
    }

    /// The oldest write that waits.
    pub(crate) async fn oldest(&self) -> Result<Option<String>> {
        self.first(Command::new("XRANGE").key(&self.keys.stream).arg("-").arg("+")).await
    }

    /// The newest write that waits.
    pub(crate) async fn newest(&self) -> Result<Option<String>> {
        self.first(Command::new("XREVRANGE").key(&self.keys.stream).arg("+").arg("-")).await
    }

    async fn first(&self, command: Command) -> Result<Option<String>> {
        let records = reply::records(&self.send(command.arg("COUNT").arg(1)).await?)?;
        Ok(records.into_iter().next().map(|record| record.id))
    }

    /// How much lies there.
    pub(crate) async fn extent(&self) -> Result<QueueExtent> {
        let length = |key: &str| self.send(Command::new("XLEN").key(key));
        let (waiting, dead) = (length(&self.keys.stream).await?, length(&self.keys.dead).await?);
        Ok(QueueExtent { waiting: reply::number(&waiting)?, dead: reply::number(&dead)? })
    }

    /// The oldest of what was given up, up to `count`.
    pub(crate) async fn dead(&self, count: usize) -> Result<Vec<RawDead>> {
        let range = Command::new("XRANGE")
            .key(&self.keys.dead)
            .arg("-")
            .arg("+")
            .arg("COUNT")
            .arg(reply::count(count));
        let records = reply::records(&self.send(range).await?)?;
        Ok(records.into_iter().map(RawDead::from).collect())
    }

    /// Appends these dead letters again; says how many were there.
    pub(crate) async fn replay(&self, ids: &[String]) -> Result<u64> {
        let arguments = ids.iter().map(|id| id.clone().into_bytes()).collect();
        reply::number(&self.ask(&scripts::REPLAY, arguments).await?)
    }

    /// Deletes these dead letters; says how many were there.
    pub(crate) async fn discard(&self, ids: &[String]) -> Result<u64> {
        if ids.is_empty() {
            return Ok(0);
        }
        reply::number(&self.send(Command::new("XDEL").key(&self.keys.dead).arg(ids)).await?)
    }

    async fn send(&self, command: Command) -> Result<Value> {
        let call = RemoteCall::Command(Operation::Queue, command);
        let reply = self.remote.call_one(call).await;
        match reply.map_err(|failure| failure.of(format_args!("the queue {:?}", self.name)))? {
            Value::ServerError(_) => Err(strange()),
            value => Ok(value),
        }
    }
}

impl From<RawRecord> for RawDead {
    /// The last two fields are those that were added when it was given up.
    fn from(mut record: RawRecord) -> Self {
        let own = record.fields.len().saturating_sub(2);
        let added = RawRecord { id: String::new(), fields: record.fields.split_off(own) };
        let text = |name| added.text(name).unwrap_or_default().to_owned();
        Self { reason: text("reason"), write: text("id"), record }
    }
}
