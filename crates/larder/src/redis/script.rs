//! Lua scripts of one key, known to the server by their hash.

use std::{sync::OnceLock, time::Duration};

use ::redis::Value;
use tokio::runtime::Handle;

use super::{
    capabilities::{self, Scripting},
    connection::{Command, CommandFailure, Connections, Reply, Unavailable},
    refusal,
    remote::Remote,
    server_findings::Findings,
};
use crate::link::Operation;

/// A script.
#[derive(Debug)]
pub(super) struct Script {
    /// What it is for.
    operation: Operation,
    source: &'static str,
    hash: OnceLock<String>,
}

impl Script {
    pub(super) const fn new(operation: Operation, source: &'static str) -> Self {
        Self { operation, source, hash: OnceLock::new() }
    }

    /// This script on a key.
    pub(super) fn on(&'static self, key: String, arguments: impl IntoIterator<Item = Vec<u8>>) -> RemoteCall {
        let arguments = arguments.into_iter().collect();
        RemoteCall::Script(Prepared { script: self, key, more_keys: Vec::new(), arguments })
    }

    /// This script on several keys, which lie in one slot of a cluster.
    pub(super) fn on_all(
        &'static self,
        keys: impl IntoIterator<Item = String>,
        arguments: Vec<Vec<u8>>,
    ) -> RemoteCall {
        let mut keys = keys.into_iter();
        let key = keys.next().unwrap_or_default();
        RemoteCall::Script(Prepared { script: self, key, more_keys: keys.collect(), arguments })
    }

    /// The SHA-1 by which a server that has seen it knows it.
    fn hash(&self) -> &str {
        self.hash.get_or_init(|| ::redis::Script::new(self.source).get_hash().to_owned())
    }
}

/// What a server is asked to do.
#[derive(Debug)]
pub(super) enum RemoteCall {
    Command(Operation, Command),
    Script(Prepared),
}

/// A script on a key: sent by its hash, and as it is if the server does not know that.
#[derive(Debug)]
pub(super) struct Prepared {
    script: &'static Script,
    key: String,
    /// In the same slot.
    more_keys: Vec<String>,
    arguments: Vec<Vec<u8>>,
}

impl Prepared {
    fn by_hash(&self) -> Command {
        self.command("EVALSHA", self.script.hash())
    }

    fn by_source(&self) -> Command {
        self.command("EVAL", self.script.source)
    }

    fn command(&self, name: &str, script: &str) -> Command {
        /// Of how many keys there are, as text.
        const COUNT: usize = 4;
        let keys = || std::iter::once(&self.key).chain(&self.more_keys);
        let words = 2 + keys().count() + self.arguments.len();
        let bytes = keys().map(String::len).chain(self.arguments.iter().map(Vec::len)).sum::<usize>();
        let command = Command::with_room(name, (words, script.len() + COUNT + bytes));
        let command = keys().fold(command.arg(script).arg(keys().count()), Command::key);
        self.arguments.iter().fold(command, |command, argument| command.arg(&argument[..]))
    }
}

/// Sends calls in one round trip, and the source of a script after them if the server does not know it, for one who keeps no
/// account of what is refused. Gives the replies in the order of the calls.
#[cfg(feature = "inspect")]
pub(super) async fn run(
    connections: &super::connection::Connections,
    scripting: Scripting,
    calls: Vec<RemoteCall>,
) -> Vec<Reply> {
    let commands = |of: fn(&Prepared) -> Command| {
        move |call: &RemoteCall| match call {
            RemoteCall::Command(_, command) => command.clone(),
            RemoteCall::Script(script) => of(script),
        }
    };
    let first = if scripting == Scripting::ByHash { Prepared::by_hash } else { Prepared::by_source };
    let mut replies = connections.call_many(calls.iter().map(commands(first)).collect()).await;
    let again: Vec<_> = (0..calls.len()).filter(|&index| is_unknown(&replies[index])).collect();
    let by_source = again.iter().map(|&index| commands(Prepared::by_source)(&calls[index])).collect();
    for (index, reply) in again.into_iter().zip(connections.call_many(by_source).await) {
        replies[index] = reply;
    }
    replies
}

impl Remote {
    /// Whether scripts run, for what cannot be done without. Where they did not, it is asked again now and then, and this
    /// caller waits for the answer.
    pub(super) async fn runs_scripts(&self) -> bool {
        if self.asks_for_scripts() {
            ask_for_scripts(&self.connections, &self.findings).await;
        }
        self.has_scripts()
    }

    /// The same for what can be done without: no caller waits for the answer.
    pub(super) fn runs_scripts_now(&self) -> bool {
        if self.asks_for_scripts()
            && let Ok(runtime) = Handle::try_current()
        {
            let (connections, findings) = (self.connections.clone(), self.findings.clone());
            runtime.spawn(async move { ask_for_scripts(&connections, &findings).await });
        }
        self.has_scripts()
    }

    /// Whether it is to be asked now whether scripts run.
    fn asks_for_scripts(&self) -> bool {
        let capabilities = &self.findings.capabilities;
        capabilities.scripting() == Scripting::Without && capabilities.is_due()
    }

    fn has_scripts(&self) -> bool {
        let has_scripts = self.findings.capabilities.scripting() != Scripting::Without;
        if !has_scripts {
            self.findings.refusals.again(Operation::Script);
        }
        has_scripts
    }

    /// Sends these calls in one round trip, and the source of a script after them if the server does not know it
    /// (any more), both within one deadline. Gives the replies in the order of the calls.
    pub(super) async fn call(&self, calls: Vec<RemoteCall>) -> Vec<Reply> {
        let scripting = self.findings.capabilities.scripting();
        let mut scripts = Vec::new();
        let mut operations = Vec::with_capacity(calls.len());
        let mut commands = Vec::with_capacity(calls.len());
        for (index, call) in calls.into_iter().enumerate() {
            let (operation, command) = match call {
                RemoteCall::Command(operation, command) => (operation, command),
                RemoteCall::Script(script) => {
                    let command =
                        if scripting == Scripting::ByHash { script.by_hash() } else { script.by_source() };
                    let operation = script.script.operation;
                    scripts.push((index, script));
                    (operation, command)
                }
            };
            operations.push(operation);
            commands.push(command);
        }
        // Their words are no text: see `Capabilities::has_set`.
        if scripting == Scripting::Without && !scripts.is_empty() {
            return commands.iter().map(|_| Err(Unavailable::Scripts.into())).collect();
        }
        let whole = Connections::is_one_round_trip(&commands).then(|| self.connections.deadline());
        let deadline = || whole.unwrap_or_else(|| self.connections.deadline());
        let mut replies = self.send_known(deadline(), commands).await;
        let unknown: Vec<_> = scripts.iter().filter(|&&(index, _)| is_unknown(&replies[index])).collect();
        if !unknown.is_empty() {
            let again = unknown.iter().map(|(_, script)| script.by_source()).collect();
            let again = self.connections.call_many_by(deadline(), again).await;
            for ((index, _), reply) in unknown.into_iter().zip(again) {
                replies[*index] = reply;
            }
        }
        for (operation, reply) in operations.into_iter().zip(&replies) {
            self.note(operation, reply);
        }
        if let Some(text) = scripts.iter().find_map(|&(index, _)| objection(&replies[index])) {
            self.lose_scripts(&text);
        }
        replies
    }

    /// The same, for one call.
    pub(super) async fn call_one(&self, call: RemoteCall) -> Reply {
        let mut replies = self.call(vec![call]).await;
        replies.pop().unwrap_or(Err(Unavailable::Io(None).into()))
    }

    fn lose_scripts(&self, text: &str) {
        let Findings { capabilities, refusals, .. } = &*self.findings;
        capabilities.lose_scripts();
        if let Some(mend) = refusal::mend(text) {
            refusals.refused(Operation::Script, text, mend);
        }
    }
}

/// Finds out whether scripts run.
async fn ask_for_scripts(connections: &Connections, findings: &Findings) {
    let questions = capabilities::script_questions().into_iter().map(Command::from).collect();
    let replies = connections.call_many(questions).await.into_iter().map(|reply| match reply {
        Ok(value) => Ok(value),
        Err(CommandFailure::Refused(error)) => Ok(Value::ServerError(error)),
        Err(CommandFailure::Unavailable(reason)) => Err(reason),
    });
    if let Ok(replies) = replies.collect::<Result<Vec<_>, _>>() {
        findings.capabilities.learn_scripts(&replies, &findings.refusals);
    }
}

/// What was said against scripts themselves, and not against what one does.
fn objection(reply: &Reply) -> Option<String> {
    let Err(CommandFailure::Refused(error)) = reply else { return None };
    let text = refusal::plain(error);
    let refused = error.code() == "NOPERM" && text.contains("'eval");
    (refused || refusal::is_unknown(&text) || text.contains("scripting engine")).then_some(text)
}

/// A lifetime as Redis takes it: at least one, for none at all would be an end; and no more than a date can be.
pub(super) fn milliseconds(lifetime: Duration) -> u64 {
    const A_CENTURY: u64 = 100 * 365 * 86_400_000;
    u64::try_from(lifetime.as_millis()).unwrap_or(u64::MAX).clamp(1, A_CENTURY)
}

fn is_unknown(reply: &Reply) -> bool {
    matches!(reply, Err(CommandFailure::Refused(error)) if error.code() == "NOSCRIPT")
}
