//! How a process stands with the servers that it shares entries through, for those who watch it.

use std::{
    fmt,
    time::{Duration, SystemTime},
};

use crate::epoch::Epoch;

/// How this process stands with Redis, as seen at one moment. The default is that of a store without servers.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Link {
    /// For how long, at the most, changes made by other processes may not have been heard of: the age of the last
    /// reading of the invalidation log that reached its end, counted from when the reading was asked for. Little more
    /// than two seconds at most while all is well, since an idle log is asked once a second for what comes in the
    /// second that follows; [`Duration::MAX`] before the first reading.
    pub out_of_touch: Duration,
    /// The epoch through which every invalidation was applied.
    pub position: Epoch,
    /// How many scopes were invalidated here and are not yet read back from the log. Under load a few are on their way at
    /// any moment.
    pub waiting: u64,
    /// For how long some of them have waited while none was read back: zero while none waits, and well below a second
    /// while all is well. Seconds say that other processes do not hear of what is invalidated here.
    pub stalled: Duration,
    /// How many records of the log were applied since this process began.
    pub records: u64,
    /// How often everything in memory was dropped because something could not be proved: records of the log were
    /// trimmed before they were read, the log was lost or had an ID that no server gives, or the server was replaced.
    pub restarts: u64,
    /// How often this process made the log: where there was none yet, where it was lost, and where it had an ID that no
    /// server gives.
    pub resets: u64,
    /// Records of the log that this release cannot read, and IDs of it that no server gives. Each of them counts as
    /// covering everything.
    pub malformed: u64,
    /// The servers that commands go to.
    pub servers: Vec<Server>,
    /// The replicas that entries are read from, where [`read_from_replicas`](crate::RedisCacheBuilder::read_from_replicas)
    /// says so. While none is `connected`, the servers answer for them.
    pub replicas: Vec<Server>,
    /// What the servers refuse, until it is mended: missing rights, a full memory, a command that they do not have.
    /// Empty while all is well. A server that is merely gone refuses nothing.
    pub refusals: Vec<Refusal>,
    /// Entries that were found within the last minutes and could not be read here: another program's, another release's,
    /// of a codec that this build does not have, harmed. Each of them is computed anew. While two releases run side by
    /// side, entries of another `shape` are to be expected.
    pub rejections: Vec<Rejection>,
    /// Types of which values stayed in this process within the last minutes, because they cannot be shared.
    pub unshared: Vec<Unshared>,
}

/// How this process stands with one server.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Server {
    /// Its address, and with Sentinel the master's name, which stays the same over failovers.
    pub name: String,
    /// Where the master of that name is, with Sentinel, while it is connected.
    pub address: Option<String>,
    /// Whether commands are sent to it: false while its circuit breaker is open.
    pub available: bool,
    /// Whether all connections to it are there.
    pub connected: bool,
}

/// Something that the store refuses, and will refuse until it is mended there or in this program's settings.
///
/// The first one is also a warning, and another one follows each minute while it lasts.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Refusal {
    /// What does not work.
    pub operation: Operation,
    /// The server's own words, or what it did without a word. Never a secret.
    pub reply: String,
    /// What mends it.
    pub mend: String,
    /// When it was refused first, by this machine's clock.
    pub since: SystemTime,
    /// How often it was refused since then.
    pub count: u64,
}

/// Entries in Redis that this process cannot read, for one reason, where values of one type were wanted.
///
/// The first one is also a warning, and another one follows each minute while it goes on; of another `shape`, only what
/// goes on for a quarter of an hour.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Rejection {
    /// In one word: `magic`, `version`, `codec`, `shape`, …; `docs/wire-format.md` has them all.
    pub reason: &'static str,
    /// The type that was wanted, as the compiler names it.
    pub value_type: &'static str,
    /// What mends it.
    pub mend: &'static str,
    /// When the first of them was found, by this machine's clock.
    pub since: SystemTime,
    /// How many were found since then.
    pub count: u64,
}

/// Values of one type that stayed in this process, for one reason: see [values](crate::guide::values).
///
/// The first one is also a warning, and another one follows each minute while it goes on; of values that are too large, or
/// that too many scopes cover, only the caller of `insert` gets the error.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Unshared {
    /// The type, as the compiler names it.
    pub value_type: &'static str,
    /// In one word: `changed`, `one_sided`, `unreadable`, `codec`, `too_deep`, `too_large`, …
    pub reason: &'static str,
    /// In full, for the first of them.
    pub text: String,
    /// What mends it, where that can be said.
    pub mend: Option<String>,
    /// When the first of them was, by this machine's clock.
    pub since: SystemTime,
    /// How many there were since then.
    pub count: u64,
}

/// What is asked of Redis.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Operation {
    /// Connecting. Without it nothing is shared.
    Connect,
    /// Reading entries. Without it each process computes for itself.
    Read,
    /// Storing entries. Without it other processes find nothing.
    Store,
    /// Running scripts. Without it entries are stored even over newer ones, which costs hits and is never wrong; two
    /// processes may compute the same key where a lease ends just then; and there are no locks.
    Script,
    /// Leases: one computation in all processes.
    Lease,
    /// Counters.
    Count,
    /// Locks.
    Lock,
    /// Rate limits. Without it they go on as their `FailureMode` says.
    Limit,
    /// Following the invalidation log. Without it a process that begins reads nothing from Redis, and one that has followed
    /// it before serves what [`DisconnectPolicy`](crate::DisconnectPolicy) lets it.
    Follow,
    /// Appending to the invalidation log. Without it other processes do not hear of invalidations.
    Append,
    /// Write-behind queues. Without it no write is acknowledged.
    Queue,
    /// Events. Without it none is published or heard of.
    Events,
}

impl Operation {
    /// All of them.
    #[cfg_attr(
        not(any(feature = "metrics", feature = "opentelemetry")),
        expect(dead_code, reason = "for an exporter")
    )]
    pub(crate) const ALL: [Self; 12] = [
        Self::Connect,
        Self::Read,
        Self::Store,
        Self::Script,
        Self::Lease,
        Self::Count,
        Self::Lock,
        Self::Limit,
        Self::Follow,
        Self::Append,
        Self::Queue,
        Self::Events,
    ];

    /// In one word, for a label of a metric.
    #[cfg_attr(
        not(any(feature = "metrics", feature = "opentelemetry")),
        expect(dead_code, reason = "for an exporter")
    )]
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Connect => "connect",
            Self::Read => "read",
            Self::Store => "store",
            Self::Script => "script",
            Self::Lease => "lease",
            Self::Count => "count",
            Self::Lock => "lock",
            Self::Limit => "limit",
            Self::Follow => "follow",
            Self::Append => "append",
            Self::Queue => "queue",
            Self::Events => "events",
        }
    }
}

impl fmt::Display for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Connect => "connecting",
            Self::Read => "reading entries",
            Self::Store => "storing entries",
            Self::Script => "running scripts",
            Self::Lease => "leases",
            Self::Count => "counters",
            Self::Lock => "locks",
            Self::Limit => "rate limits",
            Self::Follow => "following the invalidation log",
            Self::Append => "appending to the invalidation log",
            Self::Queue => "write-behind queues",
            Self::Events => "events",
        })
    }
}

impl Link {
    /// Whether commands are sent to any server.
    #[must_use]
    pub fn is_available(&self) -> bool {
        self.servers.iter().any(|server| server.available)
    }
}
