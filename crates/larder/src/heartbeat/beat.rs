//! What a process publishes of itself: JSON, in which fields may come and go from release to release.

use serde::{Deserialize, Serialize};

/// What one process says of itself, and of what it did since it last said so.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct Beat {
    /// Chosen at random when the heartbeat began, in hexadecimal.
    pub process: String,
    /// What people call the process.
    pub name: String,
    /// What the cache was installed as.
    pub cache: String,
    /// The version of larder.
    pub version: String,
    /// The process' number on its machine.
    pub pid: u32,
    /// When, by the server's clock if that is known, in milliseconds since 1970.
    pub at_ms: u64,
    /// How often it says so.
    pub every_ms: u64,
    /// For how long it has done so.
    pub up_ms: u64,
    /// Of how long a time `recent` counts are.
    pub window_ms: u64,
    /// Whether the cache is used: see `CacheExt::disable`.
    pub enabled: bool,
    /// Entries in memory.
    pub entries: u64,
    /// Their weight.
    pub weight: u64,
    /// How it stands with the log.
    pub log: LogBeat,
    /// Types of which values stay in the process because they cannot be shared, with the reasons.
    pub not_shared: Vec<String>,
    /// By function and namespace, the busiest first.
    pub functions: Vec<FunctionBeat>,
    /// The keys that were hit most in memory in the last window; none if keys are not to be seen in Redis.
    pub hot: Option<Vec<HotKey>>,
}

/// How a process stands with the log.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct LogBeat {
    /// For how long, at the most, changes made by others may not have been heard of; none before the first contact.
    pub lag_ms: Option<u64>,
    /// Scopes invalidated and not yet read back.
    pub waiting: u64,
    /// For how long none of them was.
    pub stalled_ms: u64,
    /// How often everything in memory was dropped because something could not be proved.
    pub restarts: u64,
    /// What the servers refuse.
    pub refused: Vec<String>,
}

/// What was done for one function in one namespace.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct FunctionBeat {
    /// As in `FunctionStats`.
    pub function: String,
    /// As in `FunctionStats`.
    pub namespace: String,
    /// Since the process began.
    pub total: Counts,
    /// In the last window.
    pub recent: Counts,
    /// What hits in memory saved since the process began.
    pub saved_ms: u64,
    /// How long nine of ten, and all but one of a hundred, computations took.
    pub p90_us: u64,
    /// The second of them.
    pub p99_us: u64,
}

/// How often something was done.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct Counts {
    /// Reads answered from memory.
    pub hits: u64,
    /// Reads answered from disk or from the server.
    pub further: u64,
    /// Reads answered with an old value.
    pub stale: u64,
    /// Reads that found nothing anywhere.
    pub misses: u64,
    /// Those of the misses that another caller's computation answered.
    pub joined: u64,
    /// Computations.
    pub computed: u64,
    /// Those that failed.
    pub failed: u64,
    /// Values that were not stored, or not shared.
    pub not_stored: u64,
    /// Entries that had to make room.
    pub evicted: u64,
}

/// A key that is hit often.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct HotKey {
    /// The full key.
    pub key: String,
    /// About how often it was hit in the last window: one hit in 64 is looked at.
    pub hits: u64,
}

impl Counts {
    /// All reads.
    #[must_use]
    pub fn reads(&self) -> u64 {
        self.hits + self.further + self.stale + self.misses
    }

    /// The share of them that was found; none without reads.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "a ratio for people")]
    pub fn hit_ratio(&self) -> Option<f64> {
        let reads = self.reads();
        (reads > 0).then(|| (reads - self.misses) as f64 / reads as f64)
    }

    /// Adds what another one counted.
    pub fn add(&mut self, other: &Self) {
        self.fields().into_iter().zip(other.clone().fields()).for_each(|(sum, other)| *sum += *other);
    }

    /// The higher number of each.
    pub(super) fn at_least(mut self, mut least: Self) -> Self {
        let pairs = self.fields().into_iter().zip(least.fields());
        pairs.for_each(|(now, least)| *now = (*now).max(*least));
        self
    }

    /// Less what was counted before.
    pub(super) fn since(mut self, mut earlier: Self) -> Self {
        let pairs = self.fields().into_iter().zip(earlier.fields());
        pairs.for_each(|(now, before)| *now = now.saturating_sub(*before));
        self
    }

    fn fields(&mut self) -> [&mut u64; 9] {
        let Self { hits, further, stale, misses, joined, computed, failed, not_stored, evicted } = self;
        [hits, further, stale, misses, joined, computed, failed, not_stored, evicted]
    }
}
