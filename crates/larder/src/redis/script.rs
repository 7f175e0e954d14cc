//! Lua scripts of one key, known to the server by their hash.

use std::{sync::OnceLock, time::Duration};

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
        Call::Script(Prepared { script: self, key, arguments: arguments.into_iter().collect() })
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
    Script(Prepared),
}

/// A script on a key: sent by its hash, and as it is if the server does not know that.
#[derive(Debug)]
pub(super) struct Prepared {
    script: &'static Script,
    key: String,
    arguments: Vec<Vec<u8>>,
}

impl Prepared {
    fn by_hash(&self) -> Command {
        self.complete(Command::new("EVALSHA").arg(self.script.hash()))
    }

    fn by_source(&self) -> Command {
        self.complete(Command::new("EVAL").arg(self.script.source))
    }

    fn complete(&self, command: Command) -> Command {
        let command = command.arg(1).key(&self.key);
        self.arguments.iter().fold(command, |command, argument| command.arg(&argument[..]))
    }
}

impl Remote {
    /// Sends these calls in one round trip, and the source of a script after them if the server does not know it
    /// (any more). Gives the replies in the order of the calls.
    pub(super) async fn call(&self, calls: Vec<Call>) -> Vec<Reply> {
        let mut scripts = Vec::new();
        let mut commands = Vec::with_capacity(calls.len());
        for (index, call) in calls.into_iter().enumerate() {
            commands.push(match call {
                Call::Command(command) => command,
                Call::Script(script) => {
                    let command = script.by_hash();
                    scripts.push((index, script));
                    command
                }
            });
        }
        let mut replies = self.send_many(commands).await;
        scripts.retain(|&(index, _)| is_unknown(&replies[index]));
        if !scripts.is_empty() {
            let again = scripts.iter().map(|(_, script)| script.by_source()).collect();
            for ((index, _), reply) in scripts.into_iter().zip(self.send_many(again).await) {
                replies[index] = reply;
            }
        }
        replies
    }

    /// The same, for one call.
    pub(super) async fn call_one(&self, call: Call) -> Reply {
        match call {
            Call::Command(command) => self.send(&command).await,
            Call::Script(script) => match self.send(&script.by_hash()).await {
                reply if is_unknown(&reply) => self.send(&script.by_source()).await,
                reply => reply,
            },
        }
    }
}

/// A lifetime as Redis takes it: at least one, for none at all would be an end; and no more than a date can be.
pub(super) fn milliseconds(lifetime: Duration) -> u64 {
    const A_CENTURY: u64 = 100 * 365 * 86_400_000;
    u64::try_from(lifetime.as_millis()).unwrap_or(u64::MAX).clamp(1, A_CENTURY)
}

fn is_unknown(reply: &Reply) -> bool {
    matches!(reply, Err(Failure::Refused(error)) if error.code() == "NOSCRIPT")
}
