//! What servers refuse until it is mended, and how people are told of it.

use std::{
    borrow::Cow,
    collections::BTreeSet,
    sync::{
        Mutex,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    time::{Instant, SystemTime},
};

use ::redis::ServerError;

use crate::{
    link::{Operation, Refusal},
    shared_entries::rejections::AGAIN,
    sync::plain::lock,
};

/// The longest reply that is repeated.
const LONGEST: usize = 300;

/// Where a server does not say which rights are missing.
const RIGHTS: &str = "give the ACL user the rights that are listed in larder's guide `redis`";

/// What the servers of one log refuse at the moment.
#[derive(Debug, Default)]
pub(super) struct Refusals {
    /// Whether there is any: one load on the way of every command.
    any: AtomicBool,
    matters: Mutex<Vec<RefusalMatter>>,
    rights: Mutex<MissingRights>,
}

/// Rights that the servers said are missing, as words of an ACL rule.
#[derive(Debug, Clone, Default)]
pub(super) struct MissingRights {
    user: String,
    /// The pattern of all our keys.
    keys: String,
    words: BTreeSet<String>,
}

impl MissingRights {
    /// Of this user, who may need all keys with this prefix.
    pub(super) fn new(user: Option<&str>, prefix: &str) -> Self {
        let user = user.unwrap_or("default").to_owned();
        Self { user, keys: format!("~{prefix}:*"), words: BTreeSet::new() }
    }

    /// Takes what a server said: `NOPERM User app has no permissions to run the 'get' command`, or one that
    /// is about keys.
    pub(super) fn add(&mut self, reply: &str) {
        if !is_about_rights(reply) {
            return;
        }
        let command =
            reply.split_once("run the '").and_then(|(_, rest)| rest.split_once('\'')).map(|(name, _)| name);
        match command {
            Some(name) if name.bytes().all(|byte| byte.is_ascii_graphic()) => {
                self.words.insert(format!("+{}", name.to_ascii_lowercase()));
            }
            None if reply.contains("key") => _ = self.words.insert(self.keys.clone()),
            _ => {}
        }
    }

    /// What gives the user all of them.
    pub(super) fn mend(&self) -> String {
        if self.words.is_empty() {
            return RIGHTS.to_owned();
        }
        let words: Vec<_> = self.words.iter().map(String::as_str).collect();
        let Self { user, .. } = self;
        format!("run ACL SETUSER {user} {} (larder's guide `redis` lists all that it needs)", words.join(" "))
    }
}

/// What a server said against something, in its own words.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub(super) struct ServerReply(pub(super) String);

impl From<&ServerError> for ServerReply {
    fn from(error: &ServerError) -> Self {
        Self(plain(error))
    }
}

/// All about one operation. It stays when the operation works again, so that one that is refused now and then is not a
/// warning each time.
#[derive(Debug)]
struct RefusalMatter {
    operation: Operation,
    current: Option<Refusal>,
    warned: Option<Instant>,
    /// Refused so often since then.
    unreported: u64,
}

impl Refusals {
    pub(super) fn new(user: Option<&str>, prefix: &str) -> Self {
        Self { rights: Mutex::new(MissingRights::new(user, prefix)), ..Self::default() }
    }

    /// Learns which rights are missing from all that was refused on a connection, before the first of it is reported.
    pub(super) fn learn_rights<'r>(&self, replies: impl IntoIterator<Item = &'r str>) {
        let mut rights = lock(&self.rights);
        rights.words.clear();
        replies.into_iter().for_each(|reply| rights.add(reply));
    }

    /// What mends a refusal in these words: of rights, all that are known to be missing.
    pub(super) fn completed<'m>(&self, reply: &str, mend: &'m str) -> Cow<'m, str> {
        if mend != RIGHTS {
            return Cow::Borrowed(mend);
        }
        let mut rights = lock(&self.rights);
        rights.add(reply);
        Cow::Owned(rights.mend())
    }

    /// What mends a refusal in these words: of rights, the one that this is about.
    #[cfg(any(feature = "inspect", test))]
    pub(super) fn mend_of(&self, reply: &str) -> Option<String> {
        let mend = mend(reply)?;
        if mend != RIGHTS {
            return Some(mend.to_owned());
        }
        let mut rights = MissingRights { words: BTreeSet::new(), ..lock(&self.rights).clone() };
        rights.add(reply);
        Some(rights.mend())
    }

    /// The servers have refused an operation, in these words.
    pub(super) fn refused(&self, operation: Operation, reply: &str, mend: &str) {
        let mend = &*self.completed(reply, mend);
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
    fn note(&self, operation: Operation, words: Option<(&str, &str)>) -> Option<(Refusal, u64)> {
        let mut matters = lock(&self.matters);
        let index = match matters.iter().position(|matter| matter.operation == operation) {
            Some(index) => index,
            None => {
                matters.push(RefusalMatter { operation, current: None, warned: None, unreported: 0 });
                matters.len() - 1
            }
        };
        let matter = &mut matters[index];
        let refusal = match (&mut matter.current, words) {
            (Some(refusal), words) => {
                if let Some((reply, mend)) = words {
                    (refusal.reply, refusal.mend) = (shortened(reply), mend.to_owned());
                }
                refusal.count += 1;
                refusal.clone()
            }
            (current, Some((reply, mend))) => {
                let since = SystemTime::now();
                let (reply, mend) = (shortened(reply), mend.to_owned());
                current.insert(Refusal { operation, reply, mend, since, count: 1 }).clone()
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

/// A server's error, as it said it, in one line; without the words of a command that it does not know: a value, or a
/// password, is one of them.
pub(super) fn plain(error: &ServerError) -> String {
    let text = match error.details() {
        Some(details) => format!("{} {details}", error.code()),
        None => error.code().to_owned(),
    };
    let end = text.find(", with args beginning with").unwrap_or(text.len());
    text[..end].replace(['\r', '\n'], " ")
}

/// Whether a right is missing.
fn is_about_rights(reply: &str) -> bool {
    says(reply, "NOPERM") || reply.contains("can't run this command") || reply.contains("ACL failure")
}

/// A script repeats the error of a command in its own: at the begin, or somewhere in the text.
fn says(reply: &str, word: &str) -> bool {
    reply.starts_with(word) || reply.contains(&format!("-{word}"))
}

/// What mends an error that will be the same next time. None for one that passes by itself, or is about one key.
pub(super) fn mend(reply: &str) -> Option<&'static str> {
    let says = |word: &str| says(reply, word);
    if is_about_rights(reply) {
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
    fn missing_rights_are_a_line_to_paste() {
        let mut rights = MissingRights::new(Some("app"), "shop");
        assert_eq!(rights.mend(), RIGHTS);
        for reply in [
            "NOPERM User app has no permissions to run the 'info' command",
            "NOPERM this user has no permissions to run the 'GET' command or its subcommand",
            "NOPERM User app has no permissions to run the 'cluster|slots' command",
            "NOPERM No permissions to access a key",
            "NOPERM this user has no permissions to access one of the keys used as arguments",
            "WRONGTYPE Operation against a key holding the wrong kind of value",
        ] {
            rights.add(reply);
        }
        let line = rights.mend();
        assert!(line.starts_with("run ACL SETUSER app +cluster|slots +get +info ~shop:* ("), "{line}");
    }

    #[test]
    fn what_an_unknown_command_was_sent_is_not_repeated() {
        let text = "-ERR unknown command 'AUTH', with args beginning with: 'app' 'hunter2' \r\n";
        let Ok(::redis::Value::ServerError(error)) = ::redis::parse_redis_value(text.as_bytes()) else {
            panic!("it is an error")
        };
        assert_eq!(plain(&error), "ERR unknown command 'AUTH'");
    }

    #[test]
    fn long_replies_are_cut_at_a_letter() {
        assert_eq!(shortened(&"ü".repeat(1_000)).chars().count(), LONGEST + 1);
    }
}
