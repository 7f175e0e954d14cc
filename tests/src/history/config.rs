//! What a worker is told on its command line.

use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// What a worker is told, as JSON, in its only argument.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct WorkerConfig {
    /// Which process of the run this is, counted from zero.
    pub process: u8,
    /// How many processes change things; each owns some keys.
    pub processes: u8,
    /// How often this process was killed before. It has forgotten all that it wrote, and what it had not told yet.
    pub life: u8,
    /// Of everything that is random here.
    pub seed: u64,
    /// The socket of the source.
    pub source: PathBuf,
    /// Where the log is to be written.
    pub log: PathBuf,
    /// Which cache it goes through.
    pub backend: Backend,
    /// Where its disk tier is, if it has one: the same place in all its lives.
    pub disk: Option<PathBuf>,
    /// What the cache serves while it is disconnected.
    pub mode: Mode,
    /// How much it does.
    pub pace: Pace,
    /// How long everything may take to become current after the last fault is over.
    pub settles_within: Duration,
}

/// The cache that a worker goes through.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub enum Backend {
    /// In this process' memory.
    Memory,
    /// Memory before a server that all processes share.
    Tiered {
        /// Where entries and the log are.
        servers: Servers,
        /// Whether entries are read from replicas.
        replicas: bool,
    },
}

/// Where the servers are.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub enum Servers {
    /// One server, by URL.
    Single(String),
    /// Addresses of the nodes of a cluster.
    Cluster(Vec<String>),
    /// Addresses of sentinels, and the name that they know the master by.
    Sentinel(Vec<String>, String),
}

/// What a cache serves while it is disconnected.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Mode {
    /// It serves what it has.
    Serve,
    /// After so long it serves nothing.
    Bypass(Duration),
}

/// How much a worker does.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub struct Pace {
    /// Tasks that read.
    pub readers: u32,
    /// Tasks that change things.
    pub changers: u32,
    /// How long a reader rests after each read, on average.
    pub reader_rests: Duration,
    /// How long a changer rests after each change, on average.
    pub changer_rests: Duration,
}

impl Pace {
    /// Some thousands of reads and a hundred and some changes a second.
    pub const BUSY: Self = Self {
        readers: 24,
        changers: 4,
        reader_rests: Duration::from_millis(4),
        changer_rests: Duration::from_millis(24),
    };

    /// Nothing: the process is there for the end only, and comes with an empty memory.
    pub const WITNESS: Self = Self { readers: 0, changers: 0, ..Self::BUSY };
}
