//! The log's connections.

use std::{borrow::Cow, error::Error as StdError, fmt, sync::Arc, time::Duration};

use ::redis::{Cmd, Pipeline, RedisError, ServerError, Value, aio::MultiplexedConnection, cmd};
use async_trait::async_trait;
use tokio::time::timeout;

use super::record::FIELD;
use crate::{
    error::{Cause, Error, Kind},
    redis::{
        connection::{ConnectError, io_error},
        in_full::in_full,
        refusal::{self, Refusals, ServerReply},
        server_info::ServerInfo,
    },
};

/// Why the log is out of reach. Never names a password.
#[derive(Debug, Clone)]
pub(crate) struct LogError {
    /// Without the words of its cause.
    reason: Cow<'static, str>,
    /// What mends it, where the server refuses what it will go on refusing.
    mend: Option<Cow<'static, str>>,
    cause: Option<Cause>,
    /// Where there is no connection: all that is known is here.
    connection: Option<Box<ConnectError>>,
}

/// What mends a log that is something else.
const NO_LOG: &str =
    "delete the key `<prefix>:log`, which another program wrote, and give larder a prefix of its own";

impl LogError {
    pub(crate) fn new(reason: impl Into<Cow<'static, str>>) -> Self {
        Self { reason: reason.into(), mend: None, cause: None, connection: None }
    }

    /// The same, with what it came from.
    pub(super) fn caused_by(self, cause: impl StdError + Send + Sync + 'static) -> Self {
        Self { cause: Some(Arc::new(cause)), ..self }
    }

    /// The same, with these words in the place of the reason.
    pub(super) fn saying(self, reason: String) -> Self {
        Self { reason: reason.into(), ..self }
    }

    /// What a server said against a command.
    pub(super) fn refused(error: &ServerError) -> Self {
        let reply = ServerReply::from(error);
        let is_no_log = reply.0.contains("WRONGTYPE");
        let mend = refusal::mend(&reply.0).or(is_no_log.then_some(NO_LOG)).map(Cow::Borrowed);
        Self { mend, ..Self::new("the server refuses a command").caused_by(reply) }
    }

    /// What the server said, if it said something.
    pub(super) fn reply(&self) -> Option<&str> {
        self.cause.as_deref()?.downcast_ref::<ServerReply>().map(|reply| &*reply.0)
    }

    /// What mends it, where the server will go on refusing it.
    pub(super) fn mend(&self) -> Option<&str> {
        match &self.connection {
            Some(error) => error.mend(),
            None => self.mend.as_deref(),
        }
    }

    /// The same, with all rights that are known to be missing.
    pub(super) fn completed(mut self, refusals: &Refusals) -> Self {
        if let (Some(reply), Some(mend)) = (self.reply(), self.mend.as_deref()) {
            self.mend = Some(refusals.completed(reply, mend).into_owned().into());
        }
        self
    }

    /// Why there is no connection, if that is it.
    pub(super) fn connection(&self) -> Option<&ConnectError> {
        self.connection.as_deref()
    }
}

/// In full, with what it came from: for a log, which shows no causes.
impl fmt::Display for LogError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.connection, &self.cause) {
            (Some(error), _) => write!(f, "cannot connect to {}: {}", error.server(), error.in_full()),
            (None, cause) => f.write_str(&in_full(&self.reason, cause.as_ref())),
        }
    }
}

impl From<ConnectError> for LogError {
    fn from(error: ConnectError) -> Self {
        Self { connection: Some(Box::new(error)), ..Self::new("") }
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

impl From<LogError> for Error {
    fn from(failure: LogError) -> Self {
        match failure {
            LogError { connection: Some(error), .. } => (*error).into(),
            LogError { reason, mend, cause, .. } => {
                let reason = match mend {
                    Some(mend) => format!("{reason}; {mend}"),
                    None => reason.into_owned(),
                };
                Kind::Connect { address: "the invalidation log".to_owned(), reason, cause }.into()
            }
        }
    }
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

/// What stands in the way of appending, by the answer to that.
fn objection(answer: &Value) -> Option<LogError> {
    match answer {
        Value::ServerError(error) => Some(LogError::refused(error)).filter(|failure| failure.mend.is_some()),
        _ => None,
    }
}

/// A connection, and the server that it leads to.
pub(super) struct LogConnection {
    connection: MultiplexedConnection,
    server_info: ServerInfo,
    asking: bool,
    objection: Option<LogError>,
    _alive: KeptAlive,
}

/// What ends a connection when it is dropped.
pub(crate) type KeptAlive = Box<dyn std::any::Any + Send>;

impl LogConnection {
    pub(super) async fn open(connector: &dyn Connect, purpose: Purpose) -> Result<Self, LogError> {
        let Connected { connection, server_info, asking, answer, alive } = connector.connect(purpose).await?;
        let objection = answer.as_ref().and_then(objection);
        match objection {
            // Records are no text: the server would repeat their bytes in its error, and a reply that is not UTF-8
            // ends the connection (redis 1.8).
            Some(failure) if failure.reply().is_some_and(refusal::is_unknown) => Err(failure),
            objection => Ok(Self { connection, server_info, asking, objection, _alive: alive }),
        }
    }

    pub(super) fn server_info(&self) -> &ServerInfo {
        &self.server_info
    }

    /// What stood in the way of appending when this was opened.
    pub(super) fn objection(&self) -> Option<&LogError> {
        self.objection.as_ref()
    }

    /// Sends commands together, and returns their replies, errors among them.
    pub(super) async fn ask(&mut self, commands: &Pipeline, limit: Duration) -> Result<Vec<Value>, LogError> {
        if self.asking {
            return self.ask_there(commands, limit).await;
        }
        let replies = self.connection.send_packed_commands(commands, 0, commands.len());
        Ok(timeout(limit, replies).await.map_err(|_| LogError::new("no reply in time"))??)
    }

    /// The same where the log's slot is on its way.
    async fn ask_there(&mut self, commands: &Pipeline, limit: Duration) -> Result<Vec<Value>, LogError> {
        let mut each = Pipeline::with_capacity(commands.len() * 2);
        for command in commands.cmd_iter() {
            each.add_command(cmd("ASKING")).add_command(command.clone());
        }
        let replies = self.connection.send_packed_commands(&each, 0, each.len());
        let replies = timeout(limit, replies).await.map_err(|_| LogError::new("no reply in time"))??;
        Ok(replies.into_iter().skip(1).step_by(2).collect())
    }
}
