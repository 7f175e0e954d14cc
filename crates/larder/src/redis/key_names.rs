//! What things are called in Redis. Each kind has a key space of its own: no user's key can be the log's.

use std::{borrow::Cow, sync::Arc};

use super::connection::CommandKey;
use crate::shared_entries::NameHashing;

/// What a key in Redis stands for.
#[cfg(any(feature = "inspect", test))]
#[cfg_attr(not(feature = "inspect"), expect(unreachable_pub, reason = "public in `internal::inspect`"))]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// A cached value.
    Entry,
    /// The lease of a computation.
    Lease,
    /// A counter.
    Counter,
    /// A lock that users name.
    Lock,
    /// What a key of a rate limit has used.
    Limit,
    /// A number of a counter in shards or windows.
    Number,
    /// A ranking.
    Ranking,
    /// The invalidation log.
    Log,
    /// A part of a write-behind queue.
    Queue,
    /// What processes publish of themselves.
    Heartbeat,
    /// Events, or those that were given up.
    Event,
}

#[cfg(any(feature = "inspect", test))]
impl Kind {
    fn of(letter: u8) -> Option<Self> {
        Some(match letter {
            b'e' => Self::Entry,
            b'l' => Self::Lease,
            b'c' => Self::Counter,
            b'm' => Self::Lock,
            b'r' => Self::Limit,
            b'n' => Self::Number,
            b't' => Self::Ranking,
            b'w' => Self::Queue,
            b'h' => Self::Heartbeat,
            b'v' => Self::Event,
            _ => return None,
        })
    }
}

/// The names of one cache's things.
#[derive(Debug, Clone)]
pub(super) struct KeyNames {
    prefix: Arc<str>,
    /// Hashes keys, where that was asked for.
    names: NameHashing,
    /// Whether they are spread over the nodes of a Cluster.
    in_cluster: bool,
}

impl KeyNames {
    pub(super) fn new(prefix: &str) -> Self {
        Self { prefix: prefix.into(), names: NameHashing::default(), in_cluster: false }
    }

    /// The same, with names in place of keys.
    pub(super) fn hashed(self, names: NameHashing) -> Self {
        Self { names, ..self }
    }

    /// The same, spread over the nodes of a Cluster or not.
    pub(super) fn in_cluster(self, in_cluster: bool) -> Self {
        Self { in_cluster, ..self }
    }

    /// The entry of a full key.
    pub(super) fn entry(&self, key: &str) -> String {
        self.name("e", key)
    }

    /// The same, for a command.
    pub(super) fn entry_name<'k>(&'k self, key: &'k str) -> Name<'k> {
        self.parts("e", key)
    }

    /// The counter of a full key.
    pub(super) fn counter(&self, key: &str) -> String {
        self.name("c", key)
    }

    /// The lease for the computation of a full key. In a Cluster it lies in the slot of its entry, and one node is asked for
    /// both: but for a key with a brace that makes no hash tag.
    pub(super) fn lease(&self, key: &str) -> String {
        let lease = self.name("l", key);
        if !self.in_cluster {
            return lease;
        }
        let entry = self.entry(key);
        match entry.contains(['{', '}']) {
            // With a tag, it is the same one.
            true => lease,
            false => [&self.prefix, ":l{", &entry, "}"].concat(),
        }
    }

    /// A lock that users name.
    pub(super) fn lock(&self, name: &str) -> String {
        self.name("m", name)
    }

    /// A key of a rate limit, after what tells the rate from others.
    #[cfg(any(feature = "limit", test))]
    pub(super) fn limit(&self, rate: &str, key: &str) -> String {
        let key = self.names.of(&self.prefix, "r", key);
        [&self.prefix, ":r:", rate, ":", &key].concat()
    }

    /// A number of a counter in shards or windows.
    #[cfg(any(feature = "counters", test))]
    pub(super) fn number(&self, key: &str) -> String {
        self.name("n", key)
    }

    /// A ranking.
    #[cfg(any(feature = "counters", test))]
    pub(super) fn ranking(&self, key: &str) -> String {
        self.name("t", key)
    }

    /// The keys of a write-behind queue. The name is their hash tag, so that they lie in one slot of a cluster.
    #[cfg(feature = "write-behind")]
    pub(super) fn queue(&self, name: &str) -> QueueNames {
        let stream = [&self.prefix, ":w:{", name, "}"].concat();
        let with = |part: &str| [&stream, ":", part].concat();
        QueueNames { dead: with("dead"), keys: with("keys"), consumer: with("consumer"), stream }
    }

    /// The hash in which processes publish their heartbeats.
    pub(super) fn heartbeats(&self) -> String {
        format!("{}:h:all", self.prefix)
    }

    /// The stream and the channel of a kind of event. Its name is their hash tag, so that what belongs together lies in
    /// one slot of a cluster.
    #[cfg(feature = "events")]
    pub(super) fn events(&self, name: &str) -> String {
        [&self.prefix, ":v:{", name, "}"].concat()
    }

    /// The log.
    pub(super) fn log(&self) -> String {
        format!("{}:log", self.prefix)
    }

    /// Whether keys are hashed.
    #[cfg(feature = "inspect")]
    pub(super) fn are_hashed(&self) -> bool {
        self.names.are_hashed()
    }

    /// What the names of entries begin with whose keys, or their hashes, begin so.
    #[cfg(feature = "inspect")]
    pub(super) fn entries_from(&self, beginning: &str) -> String {
        [&self.prefix, ":e:", beginning].concat()
    }

    /// What all names begin with.
    #[cfg(any(feature = "inspect", test))]
    pub(super) fn beginning(&self) -> String {
        format!("{}:", self.prefix)
    }

    /// What a name stands for, and the key in it; none if it is no name of this cache's.
    #[cfg(any(feature = "inspect", test))]
    pub(super) fn parse<'n>(&self, name: &'n [u8]) -> Option<(Kind, &'n [u8])> {
        let rest = name.strip_prefix(self.prefix.as_bytes())?.strip_prefix(b":")?;
        if rest == b"log" {
            return Some((Kind::Log, b""));
        }
        if let Some(entry) = rest.strip_prefix(b"l{").and_then(|entry| entry.strip_suffix(b"}")) {
            let key = entry.strip_prefix(self.prefix.as_bytes())?.strip_prefix(b":e:")?;
            return Some((Kind::Lease, key));
        }
        let [letter, b':', key @ ..] = rest else { return None };
        Some((Kind::of(*letter)?, key))
    }

    fn name(&self, kind: &'static str, key: &str) -> String {
        self.parts(kind, key).parts().concat()
    }

    fn parts<'k>(&'k self, kind: &'static str, key: &'k str) -> Name<'k> {
        Name { prefix: &self.prefix, kind, key: self.names.of(&self.prefix, kind, key) }
    }
}

/// A name, not yet in one piece.
pub(super) struct Name<'k> {
    prefix: &'k str,
    kind: &'static str,
    key: Cow<'k, str>,
}

impl Name<'_> {
    fn parts(&self) -> [&str; 5] {
        [self.prefix, ":", self.kind, ":", &self.key]
    }
}

impl CommandKey for Name<'_> {
    fn length(&self) -> usize {
        self.parts().map(str::len).iter().sum()
    }

    fn write(&self, mut to: impl FnMut(&[u8])) {
        self.parts().into_iter().for_each(|part| to(part.as_bytes()));
    }
}

/// The keys of one write-behind queue.
#[cfg(feature = "write-behind")]
#[derive(Debug, Clone)]
pub(super) struct QueueNames {
    /// The writes, as a stream.
    pub(super) stream: String,
    /// Those that were given up, as a stream.
    pub(super) dead: String,
    /// What is known of cache keys, as a hash.
    pub(super) keys: String,
    /// The lease of the process that consumes.
    pub(super) consumer: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_back() {
        let names = KeyNames::new("shop");
        for (name, kind, key) in [
            (names.entry("user:7"), Kind::Entry, "user:7"),
            (names.lease("e:x"), Kind::Lease, "e:x"),
            (names.counter("n"), Kind::Counter, "n"),
            (names.lock(""), Kind::Lock, ""),
            (names.limit("5/1000/5", "ip:::1"), Kind::Limit, "5/1000/5:ip:::1"),
            (names.number("{0/4:a}"), Kind::Number, "{0/4:a}"),
            (names.ranking("words"), Kind::Ranking, "words"),
            (names.log(), Kind::Log, ""),
            (names.heartbeats(), Kind::Heartbeat, "all"),
            ("shop:w:{rows}:dead".to_owned(), Kind::Queue, "{rows}:dead"),
            ("shop:v:{paid}".to_owned(), Kind::Event, "{paid}"),
        ] {
            assert_eq!(names.parse(name.as_bytes()), Some((kind, key.as_bytes())), "{name}");
        }
        let in_cluster = KeyNames::new("shop").in_cluster(true);
        for key in ["user:7", "{a}", "a}", "shop:e:a", "{shop:e:a}"] {
            let lease = in_cluster.lease(key);
            assert_eq!(in_cluster.parse(lease.as_bytes()), Some((Kind::Lease, key.as_bytes())), "{lease}");
        }
        for foreign in
            ["shop", "shop:", "shop:x:1", "shop:logs", "shops:e:1", "sho:e:1", "shop:e", "shop:l{a}"]
        {
            assert_eq!(names.parse(foreign.as_bytes()), None, "{foreign}");
        }
    }
}
