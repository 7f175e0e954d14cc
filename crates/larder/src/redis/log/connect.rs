//! The log's connections.

use std::{fmt, sync::Arc, time::Duration};

use ::redis::{Pipeline, RedisError, Value, aio::MultiplexedConnection};
use async_trait::async_trait;
use tokio::time::timeout;

/// How long it may take to connect, and to learn the facts.
pub(super) const CONNECT: Duration = Duration::from_secs(2);

/// Why the log is out of reach. Never names a password.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{0}")]
pub(crate) struct Trouble(Arc<str>);

impl Trouble {
    pub(crate) fn new(what: impl fmt::Display) -> Self {
        Self(what.to_string().into())
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

/// Connects to the server that has the log.
#[async_trait]
pub(crate) trait Connect: Send + Sync + 'static {
    /// A new connection that is not shared, without a response timeout of its own, to the server that is to
    /// take writes of the log's key now; and what that server says of itself on it.
    async fn connect(&self, purpose: Purpose) -> Result<(MultiplexedConnection, Facts, KeptAlive), Trouble>;
}

/// A connection, and the server that it leads to.
pub(super) struct Link {
    connection: MultiplexedConnection,
    facts: Facts,
    _alive: KeptAlive,
}

/// What ends a connection when it is dropped.
pub(crate) type KeptAlive = Box<dyn std::any::Any + Send>;

impl Link {
    pub(super) async fn open(connector: &dyn Connect, purpose: Purpose) -> Result<Self, Trouble> {
        let connected = timeout(CONNECT, connector.connect(purpose)).await;
        let (connection, facts, alive) =
            connected.map_err(|_| Trouble::new("connecting took too long"))??;
        if facts.is_master {
            Ok(Self { connection, facts, _alive: alive })
        } else {
            // Neither what it lacks nor what it has too much would show.
            Err(Trouble::new("the server is a replica"))
        }
    }

    pub(super) fn facts(&self) -> &Facts {
        &self.facts
    }

    /// Sends commands together, and returns their replies, errors among them.
    pub(super) async fn ask(&mut self, commands: &Pipeline, limit: Duration) -> Result<Vec<Value>, Trouble> {
        let replies = self.connection.send_packed_commands(commands, 0, commands.len());
        Ok(timeout(limit, replies).await.map_err(|_| Trouble::new("no reply in time"))??)
    }
}
