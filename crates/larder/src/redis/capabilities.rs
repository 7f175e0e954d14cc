//! Which commands the servers take: asked on each new connection, in the round trip that introduces it.

use std::{
    sync::{
        Mutex,
        atomic::{
            AtomicBool, AtomicU8,
            Ordering::{Acquire, Relaxed, Release},
        },
    },
    time::{Duration, Instant},
};

use ::redis::{Cmd, Value};

use super::{
    connection::{CommandFailure, words},
    key_names::KeyNames,
    refusal::{self, ServerRefusals},
};
use crate::{link::Operation, panic_guard::report, sync::plain::lock};

/// How often it is asked again whether scripts run, where they did not.
const AGAIN: Duration = Duration::from_secs(10);

/// `return 1`.
const SCRIPT: &str = "return 1";
const SCRIPT_HASH: &str = "e0e1f9fabfc9d4800c877a703b823ac0578ff8db";

/// How scripts are run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Scripting {
    ByHash,
    /// There is no `EVALSHA`.
    BySource,
    /// There are no scripts.
    Without,
}

/// Which commands the servers take, as the last one said that was asked.
#[derive(Debug, Default)]
pub(super) struct Capabilities {
    scripting: AtomicU8,
    has_no_get: AtomicBool,
    has_no_set: AtomicBool,
    has_no_unlink: AtomicBool,
    has_no_mget: AtomicBool,
    keys_lie_apart: AtomicBool,
    said: AtomicBool,
    /// When it was asked last whether scripts run.
    asked: Mutex<Option<Instant>>,
}

impl Capabilities {
    /// How scripts are run.
    pub(super) fn scripting(&self) -> Scripting {
        match self.scripting.load(Acquire) {
            0 => Scripting::ByHash,
            1 => Scripting::BySource,
            _ => Scripting::Without,
        }
    }

    /// Whether there is a `GET`. See [`has_set`](Self::has_set) for why it is asked.
    pub(super) fn has_get(&self) -> bool {
        !self.has_no_get.load(Relaxed)
    }

    /// Whether there is a `SET`. One that is not there must not be sent: the server repeats the words of an unknown
    /// command in its error, and a reply that is not UTF-8 ends the connection (redis 1.8).
    pub(super) fn has_set(&self) -> bool {
        !self.has_no_set.load(Relaxed)
    }

    /// What deletes keys. See [`has_set`](Self::has_set) for why it is asked.
    pub(super) fn deletion(&self) -> &'static str {
        if self.has_no_unlink.load(Relaxed) { "DEL" } else { "UNLINK" }
    }

    /// Whether one command may read several keys.
    pub(super) fn has_mget(&self) -> bool {
        !self.has_no_mget.load(Relaxed)
    }

    /// It was refused.
    pub(super) fn lose_mget(&self) {
        self.has_no_mget.store(true, Relaxed);
    }

    /// Whether the keys of one command have to lie in one slot though this is no Cluster: behind a proxy that spreads them.
    pub(super) fn keys_lie_apart(&self) -> bool {
        self.keys_lie_apart.load(Relaxed)
    }

    /// Looks whether a command of several keys was refused for that.
    pub(super) fn learn_where_keys_lie(&self, failure: &CommandFailure) {
        if matches!(failure, CommandFailure::Refused(error) if error.code() == "CROSSSLOT") {
            self.keys_lie_apart.store(true, Relaxed);
        }
    }

    /// Whether it is time to ask again whether scripts run. The first caller asks.
    pub(super) fn is_due(&self) -> bool {
        let mut asked = lock(&self.asked);
        let due = asked.is_none_or(|asked| asked.elapsed() >= AGAIN);
        if due {
            *asked = Some(Instant::now());
        }
        due
    }

    /// Scripts were refused.
    pub(super) fn lose_scripts(&self) {
        *lock(&self.asked) = Some(Instant::now());
        self.set(Scripting::Without);
    }

    /// As if it had been asked long ago.
    #[cfg(test)]
    pub(super) fn forget_asking(&self) {
        *lock(&self.asked) = None;
    }

    fn set(&self, scripting: Scripting) {
        self.scripting.store(scripting as u8, Release);
    }

    /// Takes the replies to [`questions`].
    pub(super) fn learn(&self, replies: &[Value], refusals: &ServerRefusals) {
        let [mget, needed @ ..] = replies else { return };
        let [get, set, unlink, scripts @ ..] = needed else { return };
        let refused: Vec<_> = needed.iter().filter_map(error).collect();
        refusals.learn_rights(refused.iter().map(String::as_str));
        let check = |operation, reply: &Value| match error(reply) {
            None => refusals.accepted(operation),
            Some(text) => {
                if let Some(mend) = refusal::mend(&text) {
                    refusals.refused(operation, &text, mend);
                }
            }
        };
        check(Operation::Read, get);
        check(Operation::Store, set);
        let is_unknown = |reply: &Value| error(reply).is_some_and(|text| refusal::is_unknown(&text));
        self.has_no_get.store(is_unknown(get), Relaxed);
        self.has_no_mget.store(error(mget).is_some_and(|text| refusal::mend(&text).is_some()), Relaxed);
        self.has_no_set.store(is_unknown(set), Relaxed);
        self.has_no_unlink.store(is_unknown(unlink), Relaxed);
        self.learn_scripts(scripts, refusals);
    }

    /// Takes the replies to [`script_questions`].
    pub(super) fn learn_scripts(&self, replies: &[Value], refusals: &ServerRefusals) {
        let [by_hash, by_source] = replies else { return };
        if let Some(text) = error(by_source) {
            let Some(mend) = refusal::mend(&text) else { return };
            *lock(&self.asked) = Some(Instant::now());
            self.set(Scripting::Without);
            return refusals.refused(Operation::Script, &text, mend);
        }
        refusals.accepted(Operation::Script);
        let Some(reply) = error(by_hash).filter(|text| !text.starts_with("NOSCRIPT")) else {
            return self.set(Scripting::ByHash);
        };
        self.set(Scripting::BySource);
        if !self.said.swap(true, Relaxed) {
            report!(info, reply, "redis takes no EVALSHA: scripts are sent whole each time");
        }
    }
}

/// What is asked on a new connection for commands. None of it changes anything, or says more than text: see
/// [`Capabilities::has_set`].
pub(super) fn questions(prefix: &str) -> Vec<Cmd> {
    /// No computation has such a key.
    const PROBE: &str = "larder-probe";
    let names = KeyNames::new(prefix);
    let mut questions = vec![
        // What can be done without.
        words(&["MGET", &names.entry(PROBE)]),
        words(&["GET", &names.entry(PROBE)]),
        // Refused where any write is. Sets nothing: there is no such lease.
        words(&["SET", &names.lease(PROBE), "", "XX", "PX", "1"]),
        words(&["UNLINK", &names.lease(PROBE)]),
    ];
    questions.extend(script_questions());
    questions
}

/// The part about scripts.
pub(super) fn script_questions() -> [Cmd; 2] {
    [words(&["EVALSHA", SCRIPT_HASH, "0"]), words(&["EVAL", SCRIPT, "0"])]
}

/// What a server said against a command, unless that was about where the key lies.
fn error(reply: &Value) -> Option<String> {
    match reply {
        Value::ServerError(error) if !matches!(error.code(), "MOVED" | "ASK" | "TRYAGAIN") => {
            Some(refusal::plain(error))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(text: &str) -> Value {
        ::redis::parse_redis_value(format!("-{text}\r\n").as_bytes()).expect("it is a reply")
    }

    fn learned(by_hash: Value, by_source: Value) -> (Scripting, usize) {
        let (capabilities, refusals) = (Capabilities::default(), ServerRefusals::default());
        capabilities
            .learn(&[Value::Nil, Value::Nil, Value::Nil, Value::Int(0), by_hash, by_source], &refusals);
        (capabilities.scripting(), refusals.list().len())
    }

    #[test]
    fn how_scripts_are_run() {
        let unknown = || refused("NOSCRIPT No matching script.");
        let gone = || refused("ERR unknown command 'EVALSHA', with args beginning with: 'x'");
        let engine = || refused("ERR Could not find scripting engine 'lua'");
        assert_eq!(learned(unknown(), Value::Int(1)), (Scripting::ByHash, 0));
        assert_eq!(learned(Value::Int(1), Value::Int(1)), (Scripting::ByHash, 0));
        assert_eq!(learned(gone(), Value::Int(1)), (Scripting::BySource, 0));
        assert_eq!(learned(unknown(), engine()), (Scripting::Without, 1));
        assert_eq!(learned(gone(), gone()), (Scripting::Without, 1));
        // What passes by itself says nothing about scripts.
        let busy = || refused("BUSY Redis is busy running a script");
        assert_eq!(learned(busy(), busy()), (Scripting::ByHash, 0));
    }

    #[test]
    fn a_subscriber_may_panic() {
        let (capabilities, refusals) = (Capabilities::default(), ServerRefusals::default());
        let gone = || refused("ERR unknown command 'EVALSHA', with args beginning with: 'x'");
        let told = crate::panic_guard::tests::with_hostile_subscriber(|| {
            capabilities.learn_scripts(&[gone(), Value::Int(1)], &refusals);
            capabilities.learn_scripts(&[gone(), gone()], &refusals);
            capabilities.learn_scripts(&[Value::Int(1), Value::Int(1)], &refusals);
        });
        // Without `EVALSHA`; without scripts; and with them again.
        assert_eq!((told, capabilities.scripting()), (3, Scripting::ByHash));
    }

    #[test]
    fn where_the_key_lies_is_no_refusal() {
        let (capabilities, refusals) = (Capabilities::default(), ServerRefusals::default());
        let moved = || refused("MOVED 3999 127.0.0.1:7001");
        capabilities.learn(&[moved(), moved(), moved(), moved(), Value::Int(1), Value::Int(1)], &refusals);
        assert_eq!(refusals.list(), []);
        assert!(capabilities.has_set() && capabilities.deletion() == "UNLINK" && capabilities.has_mget());
        let unknown = || refused("ERR unknown command, with args beginning with: 'x'");
        capabilities
            .learn(&[moved(), moved(), unknown(), unknown(), Value::Int(1), Value::Int(1)], &refusals);
        assert!(!capabilities.has_set() && capabilities.deletion() == "DEL");
        assert_eq!(refusals.list()[0].operation, Operation::Store);
    }

    #[test]
    fn what_can_be_done_without_is_no_refusal() {
        let (capabilities, refusals) = (Capabilities::default(), ServerRefusals::default());
        let [no, nil] = [refused("NOPERM User app has no permissions to run the 'mget' command"), Value::Nil];
        let rest = [nil.clone(), nil.clone(), Value::Int(0), Value::Int(1), Value::Int(1)];
        let replies = |mget: &Value| [std::slice::from_ref(mget), &rest[..]].concat();
        capabilities.learn(&replies(&no), &refusals);
        assert!(!capabilities.has_mget() && refusals.list().is_empty());
        capabilities.learn(&replies(&nil), &refusals);
        assert!(capabilities.has_mget());
    }

    #[test]
    fn keys_that_lie_apart_are_remembered() {
        let capabilities = Capabilities::default();
        let failed = |text: &str| {
            let Value::ServerError(error) = refused(text) else { panic!("it is an error") };
            capabilities.learn_where_keys_lie(&CommandFailure::Refused(error));
            capabilities.keys_lie_apart()
        };
        assert!(!failed("OOM command not allowed when used memory > 'maxmemory'."));
        assert!(failed("CROSSSLOT Keys in request don't hash to the same slot"));
        assert!(failed("OOM command not allowed when used memory > 'maxmemory'."));
    }

    #[test]
    fn the_hash_is_that_of_the_script() {
        assert_eq!(::redis::Script::new(SCRIPT).get_hash(), SCRIPT_HASH);
    }
}
