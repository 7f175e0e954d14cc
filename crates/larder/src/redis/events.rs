//! Events in Redis: a stream for each kind of event, with a consumer group for each group of those who hear of it, and a
//! channel of the same name.
//!
//! All processes of a group are one consumer: an event belongs to the one that was given it last for as long as that
//! says so, and to the next one after it was silent for a time.

use std::{sync::Arc, time::Duration};

use ::redis::{
    Value,
    aio::{PubSub, PubSubSink, PubSubStream},
};
use futures_util::StreamExt as _;
use tokio::task::JoinSet;

use super::{
    RedisCache,
    connection::{Command, subscribe},
    remote::Remote,
    script::{RemoteCall, milliseconds},
    stream::{
        Listener, RawRecord,
        reply::{self, strange},
    },
};
use crate::{backoff::Backoff, error::Result, link::Operation};

/// The one consumer of each group.
const CONSUMER: &str = "larder";

/// The field that has the event.
pub(crate) const VALUE: &str = "v";

/// A kind of event, as one process uses it.
#[derive(Clone)]
pub(crate) struct EventStream {
    remote: Arc<Remote>,
    name: String,
    stream: String,
}

/// What was fetched.
pub(crate) struct RawEvents {
    pub(crate) records: Vec<RawRecord>,
    /// The last ID in the stream before that.
    pub(crate) newest: Option<String>,
}

impl EventStream {
    pub(crate) fn new(cache: &RedisCache, name: &str) -> Self {
        Self { stream: cache.remote.names.events(name), remote: cache.remote.clone(), name: name.to_owned() }
    }

    /// What waits on the stream, over a connection of its own.
    pub(crate) fn listener(&self) -> Listener {
        Listener::new(self.remote.config.clone(), self.stream.clone())
    }

    /// What is published on the channel, over a connection of its own.
    pub(crate) fn subscriber(&self) -> Subscriber {
        Subscriber { events: self.clone(), link: None, backoff: Backoff::new() }
    }

    fn command(&self, name: &str) -> Command {
        Command::new(name).key(&self.stream)
    }

    async fn send(&self, command: Command) -> Result<Value> {
        let reply = self.remote.call_one(RemoteCall::Command(Operation::Events, command)).await;
        reply.map_err(|failure| failure.of(format_args!("the events {:?}", self.name)))
    }

    /// Appends an event, and drops the oldest where there are more than about so many.
    pub(crate) async fn publish(&self, event: Vec<u8>, retained: u64) -> Result<String> {
        reply::text(&self.send(self.append(retained).arg(VALUE).arg(event)).await?)
    }

    fn append(&self, retained: u64) -> Command {
        self.command("XADD").arg("MAXLEN").arg("~").arg(retained).arg("*")
    }

    /// Tells those who listen now.
    pub(crate) async fn broadcast(&self, event: Vec<u8>) -> Result<()> {
        self.send(Command::new("PUBLISH").key(&self.stream).arg(event)).await.map(drop)
    }

    /// Makes a group, unless there is one.
    pub(crate) async fn join(&self, group: &str, from_oldest: bool) -> Result<()> {
        let from = if from_oldest { "0" } else { "$" };
        let create =
            Command::new("XGROUP").arg("CREATE").key(&self.stream).arg(group).arg(from).arg("MKSTREAM");
        match self.remote.call_one(RemoteCall::Command(Operation::Events, create)).await {
            Err(super::connection::CommandFailure::Refused(error)) if error.code() == "BUSYGROUP" => Ok(()),
            made => made.map(drop).map_err(|failure| failure.of(format_args!("the events {:?}", self.name))),
        }
    }

    /// Takes up to `count` events that no process of the group was given so far.
    pub(crate) async fn fetch(&self, group: &str, count: usize) -> Result<RawEvents> {
        let newest = self.command("XREVRANGE").arg("+").arg("-").arg("COUNT").arg(1);
        let read = Command::new("XREADGROUP").arg("GROUP").arg(group).arg(CONSUMER).arg("COUNT").arg(count);
        let read = read.arg("STREAMS").key(&self.stream).arg(">");
        // In this order: what comes after the first is after the ID that is waited for.
        let mut replies = self.remote.send_many(Operation::Events, vec![newest, read]).await.into_iter();
        let (Some(newest), Some(read)) = (replies.next(), replies.next()) else { return Err(strange()) };
        let of = |failure: super::connection::CommandFailure| {
            failure.of(format_args!("the events {:?}", self.name))
        };
        let records = match read {
            Ok(Value::Nil) => Vec::new(),
            Ok(streams) => reply::of_stream(&streams)?,
            // It went with its stream: whatever is there now, it has not seen.
            Err(super::connection::CommandFailure::Refused(error)) if error.code() == "NOGROUP" => {
                self.join(group, true).await?;
                Vec::new()
            }
            Err(failure) => return Err(of(failure)),
        };
        let newest = reply::records(&newest.map_err(of)?)?.pop().map(|record| record.id);
        Ok(RawEvents { records, newest })
    }

    /// Takes the oldest event that a process was given and has not settled, nor said for so long that it is at it. With how
    /// often it was given, this time included.
    ///
    /// One alone: each is counted when it is about to be handled, and not for what another one did to its process.
    pub(crate) async fn claim(&self, group: &str, silent: Duration) -> Result<Option<(RawRecord, u64)>> {
        /// So often another process may be faster.
        const TRIES: usize = 16;
        let silent = milliseconds(silent);
        for _ in 0..TRIES {
            let pending = self.command("XPENDING").arg(group).arg("IDLE").arg(silent);
            let Value::Array(list) = self.send(pending.arg("-").arg("+").arg(1)).await? else {
                return Err(strange());
            };
            let Some(Value::Array(fields)) = list.first() else { return Ok(None) };
            let [id, _, _, times] = &fields[..] else { return Err(strange()) };
            let (id, times) = (reply::text(id)?, reply::number(times)?);
            let claim = self.command("XCLAIM").arg(group).arg(CONSUMER).arg(silent).arg(&id);
            let reply = self.send(claim).await?;
            if let Some(record) = reply::records(&reply)?.pop() {
                return Ok(Some((record, times.saturating_add(1))));
            }
            // A nil, which Redis before 7.0 has for one that is no longer in the stream. Later ones forget it by themselves.
            if matches!(reply, Value::Array(ref records) if !records.is_empty()) {
                self.acknowledge(group, &id).await?;
            }
        }
        Ok(None)
    }

    /// Says that this process is at these events, or, with a time, that it has been silent about them for so long.
    pub(crate) async fn keep(&self, group: &str, ids: &[String], silent: Duration) -> Result<()> {
        let claim = self.command("XCLAIM").arg(group).arg(CONSUMER).arg(0).arg(ids);
        let silent = u64::try_from(silent.as_millis()).unwrap_or(u64::MAX);
        self.send(claim.arg("IDLE").arg(silent).arg("JUSTID")).await.map(drop)
    }

    /// An event is over for a group.
    pub(crate) async fn acknowledge(&self, group: &str, id: &str) -> Result<()> {
        self.send(self.command("XACK").arg(group).arg(id)).await.map(drop)
    }

    /// Keeps an event as a dead letter of a group. It is still to be acknowledged: a process that ends in between leaves
    /// two letters, and never none.
    pub(crate) async fn bury(&self, group: &str, record: &RawRecord, reason: &str) -> Result<()> {
        /// Those before it are dropped.
        const KEPT: usize = 10_000;
        let add = Command::new("XADD").key(self.dead_of(group)).arg("MAXLEN").arg("~").arg(KEPT).arg("*");
        let add = record.fields.iter().fold(add, |add, (name, value)| add.arg(&name[..]).arg(&value[..]));
        self.send(add.arg("reason").arg(reason).arg("id").arg(&record.id)).await.map(drop)
    }

    /// The oldest dead letters of a group.
    pub(crate) async fn dead(&self, group: &str, count: usize) -> Result<Vec<RawRecord>> {
        let range = Command::new("XRANGE").key(self.dead_of(group)).arg("-").arg("+");
        let range = range.arg("COUNT").arg(reply::count(count));
        reply::records(&self.send(range).await?)
    }

    /// Appends a dead letter as it was before; says whether it was there.
    pub(crate) async fn replay(&self, group: &str, id: &str, retained: u64) -> Result<bool> {
        let range = Command::new("XRANGE").key(self.dead_of(group)).arg(id).arg(id);
        let Some(letter) = reply::records(&self.send(range).await?)?.pop() else { return Ok(false) };
        // The last two were added to it.
        let own = &letter.fields[..letter.fields.len().saturating_sub(2)];
        let add =
            own.iter().fold(self.append(retained), |add, (name, value)| add.arg(&name[..]).arg(&value[..]));
        self.send(add).await.map(|_| true)
    }

    /// Deletes a dead letter; says whether it was there.
    pub(crate) async fn discard(&self, group: &str, id: &str) -> Result<bool> {
        Ok(reply::number(&self.send(Command::new("XDEL").key(self.dead_of(group)).arg(id)).await?)? > 0)
    }

    fn dead_of(&self, group: &str) -> String {
        [&self.stream, ":dead:", group].concat()
    }
}

/// Hears what is published on a channel.
pub(crate) struct Subscriber {
    events: EventStream,
    link: Option<Subscribed>,
    backoff: Backoff,
}

/// A connection on which messages come.
struct Subscribed {
    messages: PubSubStream,
    /// Ends when the server gives no sign of life: messages may not come for days, and TCP tells of no server that lost
    /// its power.
    proof: JoinSet<()>,
}

impl Subscribed {
    fn new(link: PubSub, deadline: Duration) -> Self {
        let (sink, messages) = link.split();
        let mut proof = JoinSet::new();
        proof.spawn(prove(sink, deadline));
        Self { messages, proof }
    }
}

/// Returns when the server does not answer.
async fn prove(mut sink: PubSubSink, deadline: Duration) {
    let pause = (deadline * 10).clamp(Duration::from_secs(1), Duration::from_secs(10));
    loop {
        tokio::time::sleep(pause).await;
        match tokio::time::timeout(deadline, sink.ping::<Value>()).await {
            // A refusal is an answer.
            Ok(Err(error)) if error.is_io_error() || error.is_connection_dropped() => return,
            Ok(_) => {}
            Err(_) => return,
        }
    }
}

impl Subscriber {
    /// Connects, if there is no connection.
    pub(crate) async fn connect(&mut self) -> Result<()> {
        if self.link.is_none() {
            let EventStream { remote, stream, .. } = &self.events;
            let link = subscribe(&remote.config, stream).await?;
            self.link = Some(Subscribed::new(link, remote.config.deadline));
        }
        Ok(())
    }

    /// The next event, or none if the connection has ended: what was published meanwhile is lost. Dropping the future
    /// loses nothing.
    pub(crate) async fn next(&mut self) -> Option<Vec<u8>> {
        if self.connect().await.is_err() {
            self.backoff.wait().await;
            return None;
        }
        let Subscribed { messages, proof } = self.link.as_mut()?;
        let message = tokio::select! {
            biased;
            message = messages.next() => message,
            _ = proof.join_next() => None,
        };
        match message {
            Some(message) => {
                self.backoff.reset();
                Some(message.get_payload_bytes().to_vec())
            }
            None => {
                self.link = None;
                None
            }
        }
    }
}
