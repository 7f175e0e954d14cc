//! Lua scripts of one key, known to the server by their hash.

use std::sync::OnceLock;

use super::{
    Remote,
    connection::{Command, Failure, Reply},
};

/// A script.
#[derive(Debug)]
pub(super) struct Script {
    source: &'static str,
    hash: OnceLock<String>,
}

impl Script {
    pub(super) const fn new(source: &'static str) -> Self {
        Self { source, hash: OnceLock::new() }
    }

    /// This script on a key.
    pub(super) fn on(&'static self, key: String, arguments: impl IntoIterator<Item = Vec<u8>>) -> Call {
        Call::Script { script: self, key, arguments: arguments.into_iter().collect() }
    }

    /// The SHA-1 by which a server that has seen it knows it.
    fn hash(&self) -> &str {
        self.hash.get_or_init(|| ::redis::Script::new(self.source).get_hash().to_owned())
    }
}

/// What a server is asked to do.
#[derive(Debug)]
pub(super) enum Call {
    Command(Command),
    Script { script: &'static Script, key: String, arguments: Vec<Vec<u8>> },
}

impl Call {
    pub(super) fn get(key: String) -> Self {
        Self::Command(Command::new("GET").key(key))
    }

    fn command(&self, by_hash: bool) -> Command {
        match self {
            Self::Command(command) => command.clone(),
            Self::Script { script, key, arguments } => {
                let command = match by_hash {
                    true => Command::new("EVALSHA").arg(script.hash()),
                    false => Command::new("EVAL").arg(script.source),
                };
                arguments.iter().fold(command.arg(1).key(key), |command, argument| command.arg(&argument[..]))
            }
        }
    }
}

impl Remote {
    /// Sends these calls in one round trip, and the source of a script after them if the server does not know it
    /// (any more). Gives the replies in the order of the calls.
    pub(super) async fn call(&self, calls: &[Call]) -> Vec<Reply> {
        let mut replies =
            self.connections.call_many(calls.iter().map(|call| call.command(true)).collect()).await;
        let unknown: Vec<_> = (0..replies.len()).filter(|&index| is_unknown(&replies[index])).collect();
        if !unknown.is_empty() {
            let again = unknown.iter().map(|&index| calls[index].command(false)).collect();
            for (index, reply) in unknown.into_iter().zip(self.connections.call_many(again).await) {
                replies[index] = reply;
            }
        }
        replies
    }

    /// The same, for one call.
    pub(super) async fn call_one(&self, call: Call) -> Reply {
        match self.connections.call(&call.command(true)).await {
            reply if is_unknown(&reply) => self.connections.call(&call.command(false)).await,
            reply => reply,
        }
    }
}

fn is_unknown(reply: &Reply) -> bool {
    matches!(reply, Err(Failure::Refused(error)) if error.code() == "NOSCRIPT")
}
