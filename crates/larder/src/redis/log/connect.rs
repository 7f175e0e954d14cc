//! The log's connections.

use ::redis::{Cmd, RedisError, ServerError, Value, aio::MultiplexedConnection, cmd};
use async_trait::async_trait;

use super::appending::FIELD;
use crate::{
    error::Error,
    redis::{
        connection::{ConnectError, io_error},
        refusal::{self, ServerReply},
        server_info::ServerInfo,
    },
    shared_log::contract::{LogError, NoConnection, Purpose},
};

/// What mends a log that is something else.
const NO_LOG: &str =
    "delete the key `<prefix>:log`, which another program wrote, and give larder a prefix of its own";

/// What a server said against a command.
pub(super) fn refused(error: &ServerError) -> LogError {
    let reply = ServerReply::from(error);
    let is_no_log = reply.0.contains("WRONGTYPE");
    let mend = refusal::mend(&reply.0).or(is_no_log.then_some(NO_LOG)).map(Into::into);
    LogError::new("the server refuses a command").refused(&*reply.0, mend).caused_by(reply)
}

impl From<ConnectError> for LogError {
    fn from(error: ConnectError) -> Self {
        Self::no_connection(NoConnection {
            server: error.server().to_owned(),
            in_full: error.in_full(),
            mend: error.mend().map(str::to_owned),
            error: Error::from(error),
        })
    }
}

impl From<RedisError> for LogError {
    fn from(error: RedisError) -> Self {
        let broken = Self::new("the connection broke");
        match io_error(&error) {
            Some(error) => broken.caused_by(error),
            None => broken.caused_by(error),
        }
    }
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
    pub(crate) server_info: ServerInfo,
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
    /// A new connection that is not shared, without a response timeout of its own, to the master that takes
    /// writes of the log's key now (of a replica, neither what it lacks nor what it has too much would show); and what that server says of itself on it. Must end within a time of its own.
    async fn connect(&self, purpose: Purpose) -> Result<Connected, LogError>;
}

/// What is asked about the log on a new connection. The answer is always an error, and appends nothing: no record has
/// that ID. It tells whether appending is allowed, and in a cluster where the log is.
pub(crate) fn question(key: &str) -> Cmd {
    let mut question = cmd("XADD");
    question.arg(key).arg("NOMKSTREAM").arg("0-0").arg(FIELD).arg("");
    question
}

/// What ends a connection when it is dropped.
pub(crate) type KeptAlive = Box<dyn std::any::Any + Send>;
