//! The log's connections.

use std::{fmt, sync::Arc, time::Duration};

use ::redis::{Cmd, Pipeline, RedisError, ServerError, Value, aio::MultiplexedConnection, cmd};
use async_trait::async_trait;
use tokio::time::timeout;

use super::record::FIELD;
use crate::redis::refusal;

/// Why the log is out of reach. Never names a password.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{text}")]
pub(crate) struct Trouble {
    text: Arc<str>,
    /// What mends it, where the server refuses what it will go on refusing.
    mend: Option<&'static str>,
}

impl Trouble {
    pub(crate) fn new(what: impl fmt::Display) -> Self {
        Self { text: what.to_string().into(), mend: None }
    }

    /// What a server said against a command.
    pub(super) fn refused(error: &ServerError) -> Self {
        let text = refusal::plain(error);
        Self { mend: refusal::mend(&text), text: text.into() }
    }

    /// What mends it, where the server will go on refusing it.
    pub(super) fn mend(&self) -> Option<&'static str> {
        self.mend
    }
}

impl From<RedisError> for Trouble {
    fn from(error: RedisError) -> Self {
        Self::new(error)
    }
}

/// What a server says of itself.
#[derive(Debug, Clone)]
pub(crate) struct Facts {
    /// Which history of data it has: another one after a failover.
    pub(crate) replid: String,
    /// Whether it takes writes.
    pub(crate) is_master: bool,
    /// What it does when its memory is full.
    pub(crate) eviction: String,
    /// Its clock, in milliseconds since 1970.
    pub(crate) time_ms: u64,
}

/// What a connection is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// It blocks on the log.
    Read,
    /// It appends to the log.
    Append,
}

impl Purpose {
    /// A word for the connection's name.
    pub(crate) fn suffix(self) -> &'static str {
        match self {
            Self::Read => "-log",
            Self::Append => "-outbox",
        }
    }
}

/// A new connection, and the server that it leads to.
pub(crate) struct Connected {
    pub(crate) connection: MultiplexedConnection,
    pub(crate) facts: Facts,
    /// Whether each command needs an `ASKING` before it: the log is there, and its slot of the cluster is not yet.
    pub(crate) asking: bool,
    /// What the server said to [`question`].
    pub(crate) answer: Option<Value>,
    /// What ends the connection when it is dropped.
    pub(crate) alive: KeptAlive,
}

/// Connects to the server that has the log.
#[async_trait]
pub(crate) trait Connect: Send + Sync + 'static {
    /// A new connection that is not shared, without a response timeout of its own, to the server that is to
    /// take writes of the log's key now; and what that server says of itself on it. Must end within a time of its own.
    async fn connect(&self, purpose: Purpose) -> Result<Connected, Trouble>;
}

/// What is asked about the log on a new connection. The answer is always an error, and appends nothing: no record has
/// that ID. It tells whether appending is allowed, and in a cluster where the log is.
pub(crate) fn question(key: &str) -> Cmd {
    let mut question = cmd("XADD");
    question.arg(key).arg("NOMKSTREAM").arg("0-0").arg(FIELD).arg("");
    question
}

/// What stands in the way of appending, by the answer to that.
fn objection(answer: &Value) -> Option<Trouble> {
    match answer {
        Value::ServerError(error) => Some(Trouble::refused(error)).filter(|trouble| trouble.mend.is_some()),
        _ => None,
    }
}

/// A connection, and the server that it leads to.
pub(super) struct Link {
    connection: MultiplexedConnection,
    facts: Facts,
    asking: bool,
    objection: Option<Trouble>,
    _alive: KeptAlive,
}

/// What ends a connection when it is dropped.
pub(crate) type KeptAlive = Box<dyn std::any::Any + Send>;

impl Link {
    pub(super) async fn open(connector: &dyn Connect, purpose: Purpose) -> Result<Self, Trouble> {
        let Connected { connection, facts, asking, answer, alive } = connector.connect(purpose).await?;
        if !facts.is_master {
            // Neither what it lacks nor what it has too much would show.
            return Err(Trouble::new("the server is a replica"));
        }
        let objection = answer.as_ref().and_then(objection);
        match objection {
            // Records are no text: the server would repeat their bytes in its error, and a reply that is not UTF-8
            // ends the connection (redis 1.8).
            Some(trouble) if refusal::is_unknown(&trouble.text) => Err(trouble),
            objection => Ok(Self { connection, facts, asking, objection, _alive: alive }),
        }
    }

    pub(super) fn facts(&self) -> &Facts {
        &self.facts
    }

    /// What stood in the way of appending when this was opened.
    pub(super) fn objection(&self) -> Option<&Trouble> {
        self.objection.as_ref()
    }

    /// Sends commands together, and returns their replies, errors among them.
    pub(super) async fn ask(&mut self, commands: &Pipeline, limit: Duration) -> Result<Vec<Value>, Trouble> {
        if self.asking {
            return self.ask_there(commands, limit).await;
        }
        let replies = self.connection.send_packed_commands(commands, 0, commands.len());
        Ok(timeout(limit, replies).await.map_err(|_| Trouble::new("no reply in time"))??)
    }

    /// The same where the log's slot is on its way.
    async fn ask_there(&mut self, commands: &Pipeline, limit: Duration) -> Result<Vec<Value>, Trouble> {
        let mut each = Pipeline::with_capacity(commands.len() * 2);
        for command in commands.cmd_iter() {
            each.add_command(cmd("ASKING")).add_command(command.clone());
        }
        let replies = self.connection.send_packed_commands(&each, 0, each.len());
        let replies = timeout(limit, replies).await.map_err(|_| Trouble::new("no reply in time"))??;
        Ok(replies.into_iter().skip(1).step_by(2).collect())
    }
}
