//! What mends what servers refuse.

use std::{borrow::Cow, collections::BTreeSet, fmt, ops::Deref, sync::Mutex};

use ::redis::ServerError;

use crate::{link::Operation, refusals::Refusals, sync::plain::lock};

/// Where a server does not say which rights are missing.
const RIGHTS: &str = "give the ACL user the rights that are listed in larder's guide `redis`";

/// What the servers of one log refuse at the moment.
#[derive(Debug)]
pub(super) struct ServerRefusals {
    told: Refusals,
    rights: Mutex<MissingRights>,
}

impl Default for ServerRefusals {
    fn default() -> Self {
        Self { told: Refusals::new("redis"), rights: Mutex::default() }
    }
}

impl Deref for ServerRefusals {
    type Target = Refusals;

    fn deref(&self) -> &Refusals {
        &self.told
    }
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
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ServerReply(pub(super) String);

impl fmt::Display for ServerReply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for ServerReply {}

impl From<&ServerError> for ServerReply {
    fn from(error: &ServerError) -> Self {
        Self(plain(error))
    }
}

impl ServerRefusals {
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
        self.told.refused(operation, reply, &self.completed(reply, mend));
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
    } else if is_unknown(reply) || is_unknown_in_script(reply) {
        Some("use a server, and proxies before it, that have the command under its own name")
    } else if reply.contains("scripting engine") {
        Some("load the server's scripting engine: in Valkey the module `lua`")
    } else {
        None
    }
}

/// Whether a script says that it calls a command which is not there, in the words of Redis or of Valkey.
fn is_unknown_in_script(reply: &str) -> bool {
    ["Unknown Redis command called from", "Unknown command called from"]
        .iter()
        .any(|words| reply.contains(words))
}

/// Whether there is no such command there.
pub(super) fn is_unknown(reply: &str) -> bool {
    reply.contains("unknown command")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_that_stay() {
        for reply in [
            "NOPERM this user has no permissions to run the 'get' command",
            "ERR The user executing the script can't run this command or subcommand",
            "ERR Error running script: @user_script:9: @user_script: 9: -OOM command not allowed",
            "NOREPLICAS Not enough good replicas to write.",
            "MISCONF Redis is configured to save RDB snapshots, but it is currently unable to persist to disk.",
            "ERR unknown command 'EVALSHA', with args beginning with: ",
            "ERR Unknown Redis command called from script script: 84ab9eb, on @user_script:5.",
            "ERR Unknown command called from script script: on @user_script:5.",
            "ERR Error running script: @user_script: 5: Unknown Redis command called from Lua script",
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
}
