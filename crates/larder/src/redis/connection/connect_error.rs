//! Why there is no connection.

use std::{borrow::Cow, error::Error as StdError, fmt, io, sync::Arc};

use ::redis::RedisError;

use crate::{
    error::{Cause, Error, Kind},
    error_chain::in_full,
    redis::refusal::{self, ServerReply},
};

/// Why there is no connection. Holds no secret.
#[derive(Debug, Clone)]
pub(crate) struct ConnectError {
    /// What was connected to.
    server: String,
    /// What went wrong, in our words: without those of its cause.
    reason: Cow<'static, str>,
    /// What mends it, where the server is there and cannot be used.
    mend: Option<Cow<'static, str>>,
    cause: Option<Cause>,
    is_permanent: bool,
}

impl ConnectError {
    /// Another attempt may succeed.
    pub(super) fn transient(reason: impl Into<Cow<'static, str>>) -> Self {
        Self { server: String::new(), reason: reason.into(), mend: None, cause: None, is_permanent: false }
    }

    /// Another attempt would come to the same.
    pub(super) fn permanent(reason: impl Into<Cow<'static, str>>) -> Self {
        Self { is_permanent: true, ..Self::transient(reason) }
    }

    /// What mends it.
    pub(super) fn mended_by(self, mend: impl Into<Cow<'static, str>>) -> Self {
        Self { mend: Some(mend.into()), ..self }
    }

    /// What it came from.
    pub(super) fn caused_by(self, cause: impl StdError + Send + Sync + 'static) -> Self {
        Self { cause: Some(Arc::new(cause)), ..self }
    }

    /// The same, of this server, unless it names one already.
    pub(super) fn of(mut self, server: impl fmt::Display) -> Self {
        if self.server.is_empty() {
            self.server = server.to_string();
        }
        self
    }

    /// Whether another attempt would come to the same.
    pub(super) fn is_permanent(&self) -> bool {
        self.is_permanent
    }

    /// Whether the server does not know a command that it was sent.
    pub(super) fn is_unknown_command(&self) -> bool {
        self.cause_as::<ServerReply>().is_some_and(|reply| refusal::is_unknown(&reply.0))
    }

    /// What the server said, if it said something.
    pub(super) fn reply(&self) -> Option<&str> {
        self.cause_as::<ServerReply>().map(|reply| &*reply.0)
    }

    fn cause_as<E: StdError + 'static>(&self) -> Option<&E> {
        self.cause.as_deref()?.downcast_ref()
    }

    /// What mends it, where the server is there and cannot be used.
    pub(crate) fn mend(&self) -> Option<&str> {
        self.mend.as_deref()
    }

    /// What was connected to.
    pub(crate) fn server(&self) -> &str {
        &self.server
    }

    /// What went wrong and what that came from, in one line.
    pub(crate) fn in_full(&self) -> String {
        in_full(&self.reason, self.cause.as_ref())
    }

    #[cfg(test)]
    pub(super) fn reason(&self) -> &str {
        &self.reason
    }
}

impl From<ConnectError> for Error {
    fn from(error: ConnectError) -> Self {
        let reason = match &error.mend {
            Some(mend) => format!("{}; {mend}", error.reason),
            None => error.reason.into_owned(),
        };
        let mend = error.mend.map(Cow::into_owned);
        Kind::Connect { address: error.server, reason, mend, cause: error.cause }.into()
    }
}

impl From<io::Error> for ConnectError {
    fn from(error: io::Error) -> Self {
        use io::ErrorKind as Is;
        let reason = match error.kind() {
            Is::ConnectionRefused => "no server listens there",
            Is::NotFound => "there is no such socket",
            Is::PermissionDenied => "the system does not allow it",
            Is::TimedOut => "it does not answer",
            Is::HostUnreachable | Is::NetworkUnreachable => "no network leads there",
            Is::ConnectionReset | Is::ConnectionAborted | Is::BrokenPipe | Is::UnexpectedEof => {
                "the connection was closed"
            }
            _ => "the connection failed",
        };
        Self::transient(reason).caused_by(error)
    }
}

impl From<RedisError> for ConnectError {
    fn from(error: RedisError) -> Self {
        match io_error(&error) {
            Some(error) => error.into(),
            None => Self::transient("the connection failed").caused_by(error),
        }
    }
}

/// The error of the system that the crate's error stands for. The crate's own says the same as its source.
pub(crate) fn io_error(error: &RedisError) -> Option<io::Error> {
    let error = error.source()?.downcast_ref::<io::Error>()?;
    Some(match error.raw_os_error() {
        Some(code) => io::Error::from_raw_os_error(code),
        None => io::Error::new(error.kind(), error.to_string()),
    })
}
