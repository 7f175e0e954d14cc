//! A command, and what comes of it.

use std::{
    fmt,
    io::{self, Write},
    sync::Arc,
};

use ::redis::{Cmd, RedisError, RedisWrite, ServerError, ToRedisArgs, Value};

use super::connect_error::io_error;
use crate::{
    error::{Cause, Error, Kind},
    redis::refusal::ServerReply,
};

/// A command, which knows the key that decides where it goes in a cluster.
#[derive(Debug, Clone)]
pub(crate) struct Command {
    pub(super) words: Cmd,
    key: Option<DecidingKey>,
    /// How many keys it has.
    keys: usize,
}

/// The key that decides where a command goes in a cluster.
#[derive(Debug, Clone)]
enum DecidingKey {
    /// It is this word.
    Word(usize),
    /// It is none of the words.
    Apart(String),
}

impl Command {
    pub(crate) fn new(name: &str) -> Self {
        Self::with_room(name, (0, 0))
    }

    /// With room for so many words and bytes besides its name: then it need not grow.
    pub(crate) fn with_room(name: &str, (words, bytes): (usize, usize)) -> Self {
        let mut words = Cmd::with_capacity(1 + words, name.len() + bytes);
        words.arg(name);
        Self { words, key: None, keys: 0 }
    }

    /// Reads a key.
    pub(crate) fn get(key: &(impl CommandKey + ?Sized)) -> Self {
        let mut command = Self::with_room("GET", (1, key.length()));
        command.push_key(key);
        command
    }

    /// Reads several keys.
    pub(crate) fn get_all(keys: impl ExactSizeIterator<Item: CommandKey> + Clone) -> Self {
        let bytes = keys.clone().map(|key| key.length()).sum();
        let mut command = Self::with_room("MGET", (keys.len(), bytes));
        keys.for_each(|key| command.push_key(&key));
        command
    }

    /// Appends a key. The first one decides where the command goes; without any, it goes to some node.
    pub(crate) fn key(mut self, key: impl AsRef<[u8]>) -> Self {
        self.push_key(key.as_ref());
        self
    }

    fn push_key(&mut self, key: &(impl CommandKey + ?Sized)) {
        self.keys += 1;
        let index = self.words.args_iter().len();
        self.key.get_or_insert(DecidingKey::Word(index));
        let mut word = self.words.writer_for_next_arg();
        // It has all memory for what it takes.
        key.write(|part| word.write_all(part).expect("a command takes all bytes"));
    }

    /// Sends it where this key lies, which is none of its words.
    pub(crate) fn beside(mut self, key: String) -> Self {
        self.key = Some(DecidingKey::Apart(key));
        self
    }

    /// Appends one word, or several.
    pub(crate) fn arg(mut self, word: impl ToRedisArgs) -> Self {
        self.words.arg(word);
        self
    }

    /// The key that decides where it goes.
    pub(super) fn deciding_key(&self) -> Option<&[u8]> {
        match self.key.as_ref()? {
            DecidingKey::Word(index) => self.word(*index),
            DecidingKey::Apart(key) => Some(key.as_bytes()),
        }
    }

    /// Whether it is a `GET`.
    pub(crate) fn is_get(&self) -> bool {
        self.word(0) == Some(b"GET")
    }

    fn word(&self, index: usize) -> Option<&[u8]> {
        match self.words.args_iter().nth(index) {
            Some(::redis::Arg::Simple(word)) => Some(word),
            _ => None,
        }
    }

    /// How many commands of one key it stands for.
    pub(super) fn keys(&self) -> usize {
        self.keys.max(1)
    }

    pub(super) fn size(&self) -> usize {
        // Per word, what the protocol puts around it.
        self.words
            .args_iter()
            .map(|word| match word {
                ::redis::Arg::Simple(word) => word.len() + 16,
                _ => 16,
            })
            .sum()
    }
}

/// A key as a command takes it: in parts, so that they need not be one text before.
pub(crate) trait CommandKey {
    fn length(&self) -> usize;

    fn write(&self, to: impl FnMut(&[u8]));
}

impl CommandKey for [u8] {
    fn length(&self) -> usize {
        self.len()
    }

    fn write(&self, mut to: impl FnMut(&[u8])) {
        to(self);
    }
}

impl CommandKey for str {
    fn length(&self) -> usize {
        self.len()
    }

    fn write(&self, to: impl FnMut(&[u8])) {
        self.as_bytes().write(to);
    }
}

#[cfg(test)]
impl CommandKey for &str {
    fn length(&self) -> usize {
        self.len()
    }

    fn write(&self, to: impl FnMut(&[u8])) {
        self.as_bytes().write(to);
    }
}

impl From<Cmd> for Command {
    /// A command without a key: it goes to some node.
    fn from(words: Cmd) -> Self {
        Self { words, key: None, keys: 0 }
    }
}

/// What comes of a command.
pub(crate) type Reply = Result<Value, CommandFailure>;

/// Why a command has no value.
#[derive(Debug, Clone)]
pub(crate) enum CommandFailure {
    /// The server answered with an error: `WRONGTYPE`, `OOM`, `NOSCRIPT`, …
    Refused(ServerError),
    /// There is no answer. Whether the command was executed is not known, unless the reason is one of
    /// `Open`, `Connect`, `NoRuntime`, `Get` and `Scripts`: then it was not sent.
    Unavailable(Unavailable),
}

impl From<Unavailable> for CommandFailure {
    fn from(reason: Unavailable) -> Self {
        Self::Unavailable(reason)
    }
}

impl From<CommandFailure> for Error {
    fn from(failure: CommandFailure) -> Self {
        failure.of("the command")
    }
}

impl CommandFailure {
    /// Whether the command may have been executed all the same, or be yet.
    pub(crate) const fn may_have_run(&self) -> bool {
        matches!(self, Self::Unavailable(Unavailable::Deadline | Unavailable::Io(_)))
    }

    /// The error of `what` cannot do without an answer: a counter, say.
    pub(crate) fn of(self, what: impl fmt::Display) -> Error {
        match self {
            Self::Refused(error) => Kind::Unavailable {
                reason: format!("it refuses {what}"),
                cause: Some(Arc::new(ServerReply::from(&error))),
            },
            Self::Unavailable(reason) => {
                Kind::Unavailable { reason: reason.to_string(), cause: reason.into_cause() }
            }
        }
        .into()
    }
}

impl fmt::Display for CommandFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused(error) => error.fmt(f),
            Self::Unavailable(reason) => reason.fmt(f),
        }
    }
}

/// Why there is no answer.
#[derive(Debug, Clone)]
pub(crate) enum Unavailable {
    /// The breaker is open; why the last attempt to connect failed, if one did.
    Open(Option<Cause>),
    /// It took too long.
    Deadline,
    /// There is no connection; why the last attempt failed, if one did.
    Connect(Option<Cause>),
    /// The caller is not in a tokio runtime.
    NoRuntime,
    /// The connection broke; of what, if that is known.
    Io(Option<Cause>),
    /// The server has no `GET`: it was not sent.
    Get,
    /// The server runs no scripts: it was not sent.
    Scripts,
}

impl Unavailable {
    /// The connection broke of this.
    pub(super) fn broken(error: RedisError) -> Self {
        let error = io_error(&error).unwrap_or_else(|| io::Error::other(error));
        Self::Io(Some(Arc::new(error)))
    }

    /// What it came from, if that is known.
    pub(crate) fn into_cause(self) -> Option<Cause> {
        match self {
            Self::Open(cause) | Self::Connect(cause) | Self::Io(cause) => cause,
            Self::Deadline | Self::NoRuntime | Self::Get | Self::Scripts => None,
        }
    }
}

impl fmt::Display for Unavailable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Open(_) => "redis failed too often and is not asked",
            Self::Deadline => "redis did not answer in time",
            Self::Connect(_) => "there is no connection to redis",
            Self::NoRuntime => "redis can only be asked from within a tokio runtime",
            Self::Io(_) => "the connection to redis broke",
            Self::Get => "redis has no GET, which this needs",
            Self::Scripts => "redis runs no scripts, which this needs",
        })
    }
}
