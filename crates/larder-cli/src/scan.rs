//! Entries by name: walking through all of them, what covers them, and how they stand.

use std::{
    io::{self, IsTerminal},
    time::Duration,
};

use larder::{
    Scope, ScopeHash, Scopes,
    internal::{
        inspect::{self, History, Inspector, Peek, StoredEntry, Verdict},
        own_scopes, unnamed_scope,
    },
};

use crate::{failure::Failure, progress::Progress};

/// How many keys are asked for at once.
pub(crate) const PAGE: usize = 1_000;

/// Walks through the names of entries on all servers, a page at a time, and can show how far it is.
pub(crate) struct Walk<'i> {
    inspector: &'i Inspector,
    way: inspect::Walk,
    /// Keys that were passed, about, of so many on all servers; and how far that is to be shown.
    passed: u64,
    total: u64,
    progress: Option<Progress>,
}

impl<'i> Walk<'i> {
    /// Through the entries whose keys begin with a text.
    pub(crate) fn entries(inspector: &'i Inspector, begin: &str) -> Self {
        let way = inspector.walk(begin, PAGE);
        Self { inspector, way, passed: 0, total: 0, progress: None }
    }

    /// Shows on the standard error how far it is, until its end, where that is a terminal, and all keys can be counted.
    pub(crate) async fn shown(mut self) -> Self {
        if !io::stderr().is_terminal() {
            return self;
        }
        for master in self.way.masters() {
            // Without the right to ask there is no picture.
            let Ok(keys) = self.inspector.key_count(master).await else { return self };
            self.total += keys;
        }
        self.progress = Some(Progress::new("keys", 0));
        self
    }

    /// The next names of entries, none of them twice; none at the end.
    pub(crate) async fn next(&mut self) -> Result<Option<Vec<Vec<u8>>>, Failure> {
        if self.way.masters().is_empty() {
            self.progress = None;
        }
        if let Some(progress) = &mut self.progress {
            let passed = self.passed.min(self.total);
            progress.show(passed, Some(passed as f64 / self.total.max(1) as f64));
        }
        self.passed += PAGE as u64;
        Ok(self.inspector.step(&mut self.way).await?)
    }
}

/// Whether this stands for a key, and is none itself: see `docs/wire-format.md`.
fn is_hash(key: &[u8]) -> bool {
    let digits = key.strip_prefix(b"#");
    digits.is_some_and(|digits| digits.len() == 32 && digits.iter().all(u8::is_ascii_hexdigit))
}

/// What to say where a key, or the beginning of keys, finds nothing because names in Redis are hashed.
pub(crate) async fn hashed_names(inspector: &Inspector) -> Result<Option<&'static str>, Failure> {
    if inspector.hashes_keys() {
        return Ok(None);
    }
    let is_hash = |name: &Vec<u8>| inspector.parse(name).is_some_and(|(_, key)| is_hash(key));
    let names = Walk::entries(inspector, "#").next().await?.unwrap_or_default();
    let hint = "the names of keys are hashed here: set LARDER_NAME_KEY, and LARDER_SEAL_KEYS, to find one by its key";
    Ok(names.iter().any(is_hash).then_some(hint))
}

/// How an entry stands, for a process that connects now.
#[derive(Debug, Clone)]
pub(crate) struct State {
    /// Whether it would be served: fresh, or stale within its windows.
    pub(crate) is_served: bool,
    /// One word, or a few.
    pub(crate) name: String,
    /// Why it is not served, or not as a plain hit.
    pub(crate) why: Option<String>,
}

impl State {
    fn not(name: &str, why: impl Into<String>) -> Self {
        Self { is_served: false, name: name.to_owned(), why: Some(why.into()) }
    }

    /// Of what lies under a key.
    pub(crate) fn of(history: &History, key: &str, peek: &Peek) -> Self {
        let entry = match &peek.entry {
            Ok(entry) => entry,
            Err("sealed") => return Self::not("sealed", unreadable("sealed")),
            Err(reason) => return Self::not("unreadable", unreadable(reason)),
        };
        // What a hash stands for is known to the entry alone.
        let own = entry.scopes().iter().find(|scope| is_hash(key.as_bytes()) && !scope.is_wide());
        let own = own.copied().unwrap_or_else(|| Scope::key(key).hash());
        match history.judge(own, entry.scopes(), entry.epoch()) {
            Verdict::Valid if history.is_marked_since(entry.scopes(), entry.epoch()) => {
                Self::marked(age(history, entry), entry)
            }
            Verdict::Valid => Self::by_age(age(history, entry), entry),
            Verdict::Invalidated => Self::not("invalidated", invalidated(history, key, entry)),
            Verdict::OlderThanLog => Self::not(
                "older than log",
                "computed before the oldest record of the log: only processes that have followed it since may serve it",
            ),
            Verdict::AheadOfLog => {
                Self::not("ahead of log", "its epoch is above the log's: it may be of a log that was lost")
            }
            Verdict::NoLog => Self::not(
                "no log",
                "there is no invalidation log: the first process that connects begins anew",
            ),
            Verdict::OtherKey => Self::not("other key", "its header does not name this key"),
            _ => Self::not("not judged", "this version of the command does not know why"),
        }
    }

    /// Whether no process serves it, and none will: whichever release it is, and however long it has followed the log.
    pub(crate) fn is_of_no_use(&self) -> bool {
        matches!(self.name.as_str(), "invalidated" | "expired")
    }

    /// Of what was marked stale: its TTL has ended with that. How long ago that was, each process counts for itself.
    fn marked(age: Duration, entry: &StoredEntry) -> Self {
        let lives = entry.lifetimes();
        let windows = lives.stale_while_revalidate.max(lives.stale_if_error);
        match () {
            () if age >= lives.fresh.saturating_add(windows) => Self::by_age(age, entry),
            () if windows.is_zero() => Self::not(
                "marked stale",
                "marked stale since, and its policy has no stale window to serve it in",
            ),
            () => {
                let why = "marked stale since, and served for its stale windows from then on".to_owned();
                Self { is_served: true, name: "marked stale".to_owned(), why: Some(why) }
            }
        }
    }

    fn by_age(age: Duration, entry: &StoredEntry) -> Self {
        let lives = entry.lifetimes();
        let windows = lives.stale_while_revalidate.max(lives.stale_if_error);
        if age < lives.fresh {
            return Self { is_served: true, name: "valid".to_owned(), why: None };
        }
        if age < lives.fresh.saturating_add(windows) {
            let why = Some("its TTL has ended, and it is within a stale window".to_owned());
            return Self { is_served: true, name: "stale".to_owned(), why };
        }
        Self::not("expired", "its TTL and its stale windows have ended")
    }
}

/// How old an entry is, by the server's clock.
pub(crate) fn age(history: &History, entry: &StoredEntry) -> Duration {
    Duration::from_millis(history.now_ms().saturating_sub(entry.lifetimes().created_ms))
}

fn invalidated(history: &History, key: &str, entry: &StoredEntry) -> String {
    let epoch = entry.epoch();
    let everything = history.invalidations_of(ScopeHash::ALL).first();
    if everything.is_some_and(|(at, _)| *at > epoch) {
        return "everything was invalidated since".to_owned();
    }
    let own = own_scopes(key);
    let name = |scope: &ScopeHash| {
        own.iter()
            .find(|(hash, _)| hash == scope)
            .map_or_else(|| unnamed_scope(*scope), |(_, name)| name.clone())
    };
    let changed = entry.scopes().iter().filter(|scope| history.is_invalidated_since(**scope, epoch));
    let names: Vec<_> = changed.map(name).take(4).collect();
    format!("invalidated since: {}", names.join(", "))
}

/// What the short name of a reason means.
pub(crate) fn unreadable(reason: &str) -> String {
    let meaning = match reason {
        "type" => "it is no string: another program wrote it",
        "magic" => "it was not written by larder",
        "version" => "another version of the format: a release that is newer or older",
        "sealed" => "set LARDER_SEAL_KEYS to see what is in it; processes that have its key may serve it",
        "unsealed" => "not sealed, and no process that seals serves it",
        "unknown_key" => {
            "sealed with a key that is not in LARDER_SEAL_KEYS; processes that have it may serve it"
        }
        "not_authentic" => "not what was sealed under this name: moved here, changed, or of other servers",
        "truncated" | "trailing" => "its length is not what its header says",
        "checksum" => "its bytes are not those that were written",
        "header" => "its header contradicts itself",
        "codec" => "a codec that this release does not know",
        "compression" => {
            "a compression that this build does not have: build larder-cli with the feature `zstd`"
        }
        "too_large" => "larger than any reader accepts",
        "decompress" => "it cannot be decompressed",
        "too_deep" => "nested too deep to be shown",
        _ => "its bytes are no value of its codec",
    };
    format!("{reason}: {meaning}")
}

/// The scopes that a text of the command line names.
pub(crate) fn scopes_of(texts: &[String], exact: bool) -> Result<Scopes, Failure> {
    let mut scopes = Vec::new();
    for text in texts {
        let before = text.strip_suffix('*').unwrap_or(text);
        scopes.push(match () {
            () if exact || !text.contains('*') => Scope::key(text),
            () if before.ends_with(':') && !before.contains('*') => Scope::prefix(before),
            () => {
                return Err(Failure::usage(format!(
                    "{text:?}: a `*` stands only at the end, after a `:`; write PREFIX:*, or --all for everything, or \
                     --exact for a key that has a `*` in it"
                )));
            }
        });
    }
    Ok(Scopes::from(scopes))
}
