//! What servers refuse until it is mended, and how people are told of it.

use std::{
    sync::{
        Mutex,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    time::{Duration, Instant, SystemTime},
};

use ::redis::ServerError;

use crate::{
    link::{Operation, Refusal},
    sync::plain::lock,
};

/// How long after a warning the next one about the same follows, while it lasts.
const AGAIN: Duration = Duration::from_secs(60);

/// The longest reply that is repeated.
const LONGEST: usize = 300;

const RIGHTS: &str = "give the ACL user the rights that are listed in larder's guide `redis`";

/// What the servers of one log refuse at the moment.
#[derive(Debug, Default)]
pub(super) struct Refusals {
    /// Whether there is any: one load on the way of every command.
    any: AtomicBool,
    matters: Mutex<Vec<Matter>>,
}

/// All about one operation. It stays when the operation works again, so that one that is refused now and then is not a
/// warning each time.
#[derive(Debug)]
struct Matter {
    operation: Operation,
    current: Option<Refusal>,
    warned: Option<Instant>,
    /// Refused so often since then.
    unreported: u64,
}

impl Refusals {
    /// The servers have refused an operation, in these words.
    pub(super) fn refused(&self, operation: Operation, reply: &str, mend: &'static str) {
        if let Some((refusal, count)) = self.note(operation, Some((reply, mend))) {
            // Not under the lock: a subscriber may do anything.
            let Refusal { operation, reply, mend, .. } = refusal;
            tracing::warn!(%operation, reply, mend, count, "redis refuses what larder needs");
        }
    }

    /// Something was done without what was refused before.
    pub(super) fn again(&self, operation: Operation) {
        if let Some((refusal, count)) = self.note(operation, None) {
            let Refusal { operation, reply, mend, .. } = refusal;
            tracing::warn!(%operation, reply, mend, count, "redis still refuses what larder needs");
        }
    }

    /// An operation was accepted.
    pub(super) fn accepted(&self, operation: Operation) {
        if !self.any.load(Relaxed) {
            return;
        }
        let ended = {
            let mut matters = lock(&self.matters);
            let matter = matters.iter_mut().find(|matter| matter.operation == operation);
            let ended = matter.and_then(|matter| matter.current.take());
            self.any.store(matters.iter().any(|matter| matter.current.is_some()), Relaxed);
            ended
        };
        if let Some(Refusal { operation, count, .. }) = ended {
            tracing::debug!(%operation, count, "redis accepts again what it refused");
        }
    }

    /// What is refused at the moment.
    pub(super) fn list(&self) -> Vec<Refusal> {
        lock(&self.matters).iter().filter_map(|matter| matter.current.clone()).collect()
    }

    /// Counts a refusal. Returns what is to be warned of, and how often it happened since the last warning.
    fn note(&self, operation: Operation, words: Option<(&str, &'static str)>) -> Option<(Refusal, u64)> {
        let mut matters = lock(&self.matters);
        let index = match matters.iter().position(|matter| matter.operation == operation) {
            Some(index) => index,
            None => {
                matters.push(Matter { operation, current: None, warned: None, unreported: 0 });
                matters.len() - 1
            }
        };
        let matter = &mut matters[index];
        let refusal = match (&mut matter.current, words) {
            (Some(refusal), words) => {
                if let Some((reply, mend)) = words {
                    (refusal.reply, refusal.mend) = (shortened(reply), mend);
                }
                refusal.count += 1;
                refusal.clone()
            }
            (current, Some((reply, mend))) => {
                let since = SystemTime::now();
                current.insert(Refusal { operation, reply: shortened(reply), mend, since, count: 1 }).clone()
            }
            (None, None) => return None,
        };
        self.any.store(true, Relaxed);
        matter.unreported += 1;
        let now = Instant::now();
        if matter.warned.is_some_and(|warned| now.duration_since(warned) < AGAIN) {
            return None;
        }
        matter.warned = Some(now);
        Some((refusal, std::mem::take(&mut matter.unreported)))
    }
}

fn shortened(reply: &str) -> String {
    match reply.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}…", &reply[..end]),
        None => reply.to_owned(),
    }
}

/// A server's error, as it said it.
pub(super) fn plain(error: &ServerError) -> String {
    match error.details() {
        Some(details) => format!("{} {details}", error.code()),
        None => error.code().to_owned(),
    }
}

/// What mends an error that will be the same next time. None for one that passes by itself, or is about one key.
pub(super) fn mend(reply: &str) -> Option<&'static str> {
    // A script repeats the error of a command in its own: at the begin, or somewhere in the text.
    let says = |word: &str| reply.starts_with(word) || reply.contains(&format!("-{word}"));
    if says("NOPERM") || reply.contains("can't run this command") || reply.contains("ACL failure") {
        Some(RIGHTS)
    } else if says("OOM") {
        Some(
            "raise the server's maxmemory, or set its maxmemory-policy to volatile-lru, so that it evicts entries",
        )
    } else if says("NOREPLICAS") {
        Some("attach the replicas that the server's min-replicas-to-write asks for, or lower that")
    } else if says("MISCONF") {
        Some(
            "see why the server cannot save its data (its own log says so), or set stop-writes-on-bgsave-error to no",
        )
    } else if says("NOAUTH") || says("WRONGPASS") {
        Some("set the user and the password")
    } else if says("DENIED") {
        Some("set a password on the server, or its protected-mode to no")
    } else if reply.contains("max number of clients") {
        Some("raise the server's maxclients, or find out who has all the connections: CLIENT LIST")
    } else if is_unknown(reply) {
        Some("use a server, and proxies before it, that have the command under its own name")
    } else if reply.contains("scripting engine") {
        Some("load the server's scripting engine: in Valkey the module `lua`")
    } else {
        None
    }
}

/// Whether there is no such command there.
pub(super) fn is_unknown(reply: &str) -> bool {
    reply.contains("unknown command")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_warning_for_many_refusals() {
        let refusals = Refusals::default();
        let refuse = || refusals.note(Operation::Store, Some(("OOM", "mend")));
        assert_eq!(refuse().map(|(_, count)| count), Some(1));
        assert!((0..10).all(|_| refuse().is_none()));
        assert_eq!(refusals.list()[0].count, 11);
        refusals.accepted(Operation::Read);
        assert_eq!(refusals.list().len(), 1);
        refusals.accepted(Operation::Store);
        assert_eq!(refusals.list(), []);
        assert!(refuse().is_none(), "what comes and goes is no warning each time");
        lock(&refusals.matters)[0].warned = Instant::now().checked_sub(AGAIN);
        assert_eq!(refuse().map(|(_, count)| count), Some(12), "a minute later");
    }

    #[test]
    fn what_is_done_without_counts_once_it_was_refused() {
        let refusals = Refusals::default();
        refusals.again(Operation::Script);
        assert_eq!(refusals.list(), []);
        refusals.refused(Operation::Script, "ERR unknown command", "mend");
        refusals.again(Operation::Script);
        assert_eq!(refusals.list()[0].count, 2);
    }

    #[test]
    fn errors_that_stay() {
        for reply in [
            "NOPERM this user has no permissions to run the 'get' command",
            "ERR The user executing the script can't run this command or subcommand",
            "ERR Error running script: @user_script:9: @user_script: 9: -OOM command not allowed",
            "NOREPLICAS Not enough good replicas to write.",
            "MISCONF Redis is configured to save RDB snapshots, but it is currently unable to persist to disk.",
            "ERR unknown command 'EVALSHA', with args beginning with: ",
            "ERR Could not find scripting engine 'lua'",
            "ERR max number of clients reached",
        ] {
            assert!(mend(reply).is_some(), "{reply}");
        }
        for reply in ["LOADING Redis is loading", "WRONGTYPE Operation", "ERR increment would overflow"] {
            assert_eq!(mend(reply), None, "{reply}");
        }
    }

    #[test]
    fn long_replies_are_cut_at_a_letter() {
        assert_eq!(shortened(&"ü".repeat(1_000)).chars().count(), LONGEST + 1);
    }
}
