//! What can be set of a cache.

use std::{fmt, time::Duration};

use larder::{
    Compression,
    codec::Codec,
    internal::shared::{DEFAULT_SCOPE_SLOTS, Encoding},
};

/// Builds a [`MemcachedCache`](crate::MemcachedCache); made by
/// [`MemcachedCache::builder`](crate::MemcachedCache::builder).
#[derive(Clone)]
#[must_use = "a builder does nothing until `connect` is called"]
pub struct MemcachedCacheBuilder {
    pub(crate) nodes: Vec<String>,
    pub(crate) prefix: String,
    pub(crate) connections: u32,
    pub(crate) deadline: Duration,
    pub(crate) connect_timeout: Duration,
    pub(crate) largest_value: usize,
    pub(crate) unshared_for: Duration,
    pub(crate) lease_lifetime: Option<Duration>,
    pub(crate) scope_slots: usize,
    pub(crate) encoding: Encoding,
}

impl Default for MemcachedCacheBuilder {
    fn default() -> Self {
        Self {
            nodes: Vec::new(),
            prefix: "larder".to_owned(),
            connections: 32,
            deadline: Duration::from_millis(250),
            connect_timeout: Duration::from_secs(5),
            largest_value: 1_000_000,
            unshared_for: Duration::from_secs(10),
            lease_lifetime: None,
            scope_slots: DEFAULT_SCOPE_SLOTS,
            encoding: Encoding::default(),
        }
    }
}

impl MemcachedCacheBuilder {
    /// Where the nodes are: `host:port`, or `host` for port 11211. An address names its node: all processes have to write it
    /// alike, and it has to lead all of them to one and the same server. The order of the nodes does not matter.
    pub fn nodes<S: Into<String>>(mut self, addresses: impl IntoIterator<Item = S>) -> Self {
        self.nodes = addresses.into_iter().map(Into::into).collect();
        self
    }

    /// What the names of all items begin with: 1 to 40 printable characters of ASCII without spaces; `larder` by default.
    /// Caches of one prefix share entries and invalidations: take one for each application.
    pub fn prefix(mut self, prefix: impl Into<String>) -> Self {
        self.prefix = prefix.into();
        self
    }

    /// How many connections to each node callers have at a time, at most; 32 by default. Others wait for theirs. Besides, half as
    /// many inserts are under way at a time, with up to three connections each, and a few tasks in the background.
    pub fn connections(mut self, connections: u32) -> Self {
        self.connections = connections;
        self
    }

    /// How long a round trip may take, and the wait for a connection; 250 ms by default. A call makes up to six, beyond its
    /// computation, and none to a node that has failed three times in a row until it answers again. Of a batch, it is the limit
    /// for each piece: for eight values on their way in, and 256 KiB on their way out. Waiting for a connection, which other
    /// callers have, is no failure of the node's.
    pub fn deadline(mut self, deadline: Duration) -> Self {
        self.deadline = deadline;
        self
    }

    /// How long [`connect`](Self::connect) tries; 5 s by default.
    pub fn connect_timeout(mut self, timeout: Duration) -> Self {
        self.connect_timeout = timeout;
        self
    }

    /// The largest entry in bytes, with its header and compressed; 1,000,000 by default, since memcached takes items of a
    /// mebibyte unless it was started with another `-I`. A value of more is not shared: it stays in this process, for
    /// [`unshared_for`](Self::unshared_for), and is counted as `shared_too_large`.
    pub fn largest_value(mut self, bytes: usize) -> Self {
        self.largest_value = bytes;
        self
    }

    /// For how long values are served that stay in this process, since they cannot be shared or are not to be: 10 s by
    /// default, and no longer than their `ttl`. Of these, what other processes invalidate is not heard. Zero keeps none.
    pub fn unshared_for(mut self, limit: Duration) -> Self {
        self.unshared_for = limit;
        self
    }

    /// Has processes compute together: of all that ask for a value that is not there, one computes it, and the others wait for
    /// that, for `lifetime` at most; 1 s to a day are allowed. A process that died while it computed holds others up for a third
    /// of this, and two seconds. Functions with [`Lock::Process`](larder::Lock::Process) in their policy do without.
    ///
    /// Off unless it is set: a miss that computes takes a round trip more, and two in the background. Those who wait look again
    /// each 10 to 200 ms. A lease is one item, which memcached may drop: then two compute, and nothing else is wrong.
    pub fn leases(mut self, lifetime: Duration) -> Self {
        self.lease_lifetime = Some(lifetime);
        self
    }

    /// See [`CoreBuilder::scope_slots`](larder::CoreBuilder::scope_slots). Here as many again are for what this process has
    /// delivered.
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

impl fmt::Debug for MemcachedCacheBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemcachedCacheBuilder")
            .field("nodes", &self.nodes)
            .field("prefix", &self.prefix)
            .field("connections", &self.connections)
            .field("deadline", &self.deadline)
            .field("largest_value", &self.largest_value)
            .finish_non_exhaustive()
    }
}
