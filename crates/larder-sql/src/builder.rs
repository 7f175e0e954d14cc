//! What can be set of a cache.

#[cfg(feature = "seal")]
mod seal;

use std::{fmt, time::Duration};

use larder::{
    Compression, DisconnectPolicy,
    codec::Codec,
    internal::shared::{DEFAULT_SCOPE_SLOTS, Encoding, Sealing},
};

/// Builds a [`SqlCache`](crate::SqlCache); made by [`SqlCache::builder`](crate::SqlCache::builder).
#[derive(Clone)]
#[must_use = "a builder does nothing until `connect` is called"]
pub struct SqlCacheBuilder {
    pub(crate) url: String,
    pub(crate) prefix: String,
    pub(crate) connections: u32,
    pub(crate) deadline: Duration,
    pub(crate) connect_timeout: Duration,
    pub(crate) on_disconnect: DisconnectPolicy,
    pub(crate) lease_lifetime: Duration,
    pub(crate) scope_slots: usize,
    pub(crate) encoding: Encoding,
    pub(crate) sealing: Sealing,
}

impl Default for SqlCacheBuilder {
    fn default() -> Self {
        Self {
            url: String::new(),
            prefix: "larder".to_owned(),
            connections: 5,
            deadline: Duration::from_millis(250),
            connect_timeout: Duration::from_secs(5),
            on_disconnect: DisconnectPolicy::default(),
            lease_lifetime: Duration::from_secs(10),
            scope_slots: DEFAULT_SCOPE_SLOTS,
            encoding: Encoding::default(),
            sealing: Sealing::default(),
        }
    }
}

impl SqlCacheBuilder {
    /// Where the database is: `postgres://user:password@host/database`, or `sqlite:///path/to/file`, with the
    /// parameters that sqlx supports. Each needs the feature of its name.
    ///
    /// A file of SQLite must lie on a disk of this machine, and is best one of its own: a transaction that writes to it
    /// holds up all others.
    pub fn url(mut self, url: impl Into<String>) -> Self {
        self.url = url.into();
        self
    }

    /// What the names of the tables begin with: 1 to 40 of `a-z`, `0-9` and `_`; `larder` by default. Caches of one prefix
    /// in one database share entries and invalidations: take one for each application.
    pub fn prefix(mut self, prefix: impl Into<String>) -> Self {
        self.prefix = prefix.into();
        self
    }

    /// How many connections carry entries at most; 5 by default. Two more follow the log and append to it.
    pub fn connections(mut self, connections: u32) -> Self {
        self.connections = connections;
        self
    }

    /// How long the database may take each time that it is asked; 250 ms by default. A call that computes asks up to three
    /// times: it reads, takes a lease, and stores. After one that took too long, it stores nothing and takes no lease for a
    /// while.
    ///
    /// Many entries are asked for in pieces, each of which has that time: of 256 entries at most, of 1 MiB where they are
    /// written, and of fewer entries where they are read and a piece took too long.
    pub fn deadline(mut self, deadline: Duration) -> Self {
        self.deadline = deadline;
        self
    }

    /// How long [`connect`](Self::connect) tries; 5 s by default.
    pub fn connect_timeout(mut self, timeout: Duration) -> Self {
        self.connect_timeout = timeout;
        self
    }

    /// What to do while changes made by other processes are not heard of; [`DisconnectPolicy::Serve`] by default.
    pub fn on_disconnect(mut self, policy: DisconnectPolicy) -> Self {
        self.on_disconnect = policy;
        self
    }

    /// How long a caller waits for another process' computation at most; 10 s by default, 100 ms to a day are allowed. A
    /// process that died while it computed holds others up for a third of this.
    pub fn lease_lifetime(mut self, lifetime: Duration) -> Self {
        self.lease_lifetime = lifetime;
        self
    }

    /// See [`CoreBuilder::scope_slots`](larder::CoreBuilder::scope_slots). Here as many again are for the order of the log.
    pub fn scope_slots(mut self, slots: usize) -> Self {
        self.scope_slots = slots;
        self
    }

    /// How values are encoded: [`MessagePack`](larder::codec::MessagePack) by default.
    pub fn codec(mut self, codec: impl Codec) -> Self {
        self.encoding = self.encoding.codec(codec);
        self
    }

    /// How encoded values above 1 KiB are compressed; [`Compression::Lz4`] by default.
    pub fn compression(mut self, compression: Compression) -> Self {
        self.encoding = self.encoding.compression(compression);
        self
    }
}

/// Without the URL, which may have a password in it.
impl fmt::Debug for SqlCacheBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SqlCacheBuilder")
            .field("prefix", &self.prefix)
            .field("connections", &self.connections)
            .field("deadline", &self.deadline)
            .finish_non_exhaustive()
    }
}
