//! `RedisCache`: entries that all processes share through Redis.

mod breaker;
mod capabilities;
mod config;
mod connecting;
mod connection;
mod counters;
#[cfg(feature = "disk")]
mod disk;
#[cfg(not(feature = "disk"))]
#[path = "redis/no_disk.rs"]
mod disk;
mod entries;
mod entry_reads;
mod entry_stores;
#[cfg(feature = "events")]
pub(crate) mod events;
mod heartbeat;
mod heartbeat_fields;
mod idle_timeout;
mod info;
#[cfg(feature = "inspect")]
pub mod inspect;
mod key_names;
mod lease;
#[cfg(feature = "limit")]
mod limit;
#[cfg(feature = "inspect")]
mod listing;
mod lock;
mod log;
mod log_connector;
#[cfg(feature = "write-behind")]
pub(crate) mod queue;
mod refusal;
mod remote;
mod replica_reads;
mod script;
mod secret;
mod server_findings;
mod server_info;
mod settings;
mod shared_storage;
#[cfg(any(feature = "events", feature = "write-behind"))]
pub(crate) mod stream;
#[cfg(feature = "counters")]
mod tally;
mod url;

use std::{fmt, sync::Arc};

use async_trait::async_trait;

use self::{breaker::BreakerState, connection::LinkState, remote::Remote};
pub use self::{
    config::RedisCacheBuilder,
    info::{RedisInfo, RedisServerInfo, RedisWarning},
};
use crate::{
    cache::{Cache, Invalidating, Kept, SharedStorage, Storage},
    cache_core::{Core, Lookup},
    entry::Entry,
    error::Result,
    link::{Link, Server},
    scope::Scope,
    unshared_values::UnsharedValues,
    value::ValueType,
};

/// A cache in Redis, shared by every process that uses the same servers and prefix: one server, a Cluster, or
/// masters watched by Sentinel; Redis 6.2 or newer, or Valkey. Cheap to clone; clones are the same cache.
///
/// Each hit is a round trip and a decoding. [`TieredCache`](crate::TieredCache) puts memory in front of it, which
/// is what most programs want.
///
/// ```no_run
/// # use std::time::Duration;
/// use larder::{CacheExt, Policy, RedisCache};
///
/// # async fn start() -> larder::Result<()> {
/// let sessions = RedisCache::connect("redis://localhost?prefix=sessions").await?;
/// sessions.insert("session:7", &"Ada".to_owned(), Policy::ttl(Duration::from_secs(1_200))).await?;
/// assert_eq!(sessions.get::<String>("session:7").await?.as_deref(), Some("Ada")); // in any process
/// # Ok(())
/// # }
/// ```
///
/// A value that another process would read as another one, or not at all, is not shared: up to 1,000 such values are
/// kept in this process' memory, under their TTL. They are counted by reason in
/// [`CacheStats`](crate::CacheStats::unshared_changed), and warned of for each type and reason, once and again each minute
/// while it goes on.
///
/// # When Redis is slow, full, or gone
///
/// No call fails or hangs because of it. Each operation has a [`deadline`](RedisCacheBuilder::deadline), and after
/// some that failed none is tried until Redis answers again: what would be read is a miss, what would be written
/// is counted as failed, and computed values reach their callers all the same. Invalidations wait until they can
/// be delivered. The exceptions are counters and locks, which return an error.
///
/// # What is promised
///
/// See [the guide](crate::guide::redis).
#[derive(Clone)]
pub struct RedisCache {
    core: Core,
    remote: Arc<Remote>,
    unshared: UnsharedValues,
}

impl RedisCache {
    /// Connects to the servers that a URL names, with the defaults of [`builder`](Self::builder).
    ///
    /// # Errors
    ///
    /// If the URL is malformed, or no connection could be made after several attempts. To start a program while its
    /// servers are down, take [`RedisCacheBuilder::connect_lazily`].
    pub async fn connect(url: impl Into<String>) -> Result<Self> {
        Self::builder().url(url).connect().await
    }

    /// Sets where the servers are, and everything else.
    pub fn builder() -> RedisCacheBuilder {
        RedisCacheBuilder::default()
    }

    /// How this process stands with Redis.
    #[must_use]
    pub fn link(&self) -> Link {
        let Remote { followed, connections, entries, findings, .. } = &*self.remote;
        let server = |link: LinkState| Server {
            name: link.server,
            address: link.master_address,
            available: link.breaker == BreakerState::Closed,
            connected: link.connected,
        };
        let servers = connections.states().into_iter().map(server).collect();
        Link {
            replicas: connections.replica_states().into_iter().map(server).collect(),
            refusals: findings.refusals.list(),
            ..followed.link_to(servers, entries)
        }
    }

    /// Whether what is stored is sealed.
    #[cfg(any(feature = "events", feature = "write-behind"))]
    pub(crate) fn seals(&self) -> bool {
        self.remote.sealing.is_on()
    }

    /// The same entries, for a cache that keeps some of them nearer.
    pub(crate) fn behind(&self, core: Core) -> Self {
        Self { core, remote: self.remote.clone(), unshared: UnsharedValues::default() }
    }

    /// What asks the servers, for a cache that keeps in memory what cannot be shared.
    pub(crate) fn remote(&self) -> &Remote {
        &self.remote
    }
}

impl Cache for RedisCache {
    #[inline]
    fn core(&self) -> &Core {
        &self.core
    }

    fn storage(&self) -> &dyn Storage {
        self
    }

    fn share(&self) -> Arc<dyn Cache> {
        Arc::new(self.clone())
    }
}

#[async_trait]
impl Storage for RedisCache {
    /// A value that cannot be shared, or is not to be, lives here, and all others in Redis.
    fn peek(&self, at: Lookup<'_>) -> Option<Entry> {
        self.unshared.peek(at)
    }

    fn visit(&self, show: &mut dyn FnMut(&Entry)) {
        self.unshared.visit(show);
    }

    fn reads_further(&self) -> bool {
        true
    }

    async fn read(&self, keys: &[Lookup<'_>], of: ValueType) -> Vec<Option<Entry>> {
        self.remote.read(&self.core, keys, of).await
    }

    async fn read_one(&self, at: Lookup<'_>, of: ValueType) -> Option<Entry> {
        self.remote.read_one(&self.core, at, of).await
    }

    async fn write(&self, entries: &[Entry]) -> Result<()> {
        let written = self.remote.write(&self.core, entries).await;
        self.unshared.keep(entries, |settings| self.remote.followed.memory(settings));
        written
    }

    fn apply(&self, scopes: &[Scope]) -> Invalidating {
        self.remote.followed.invalidate(&self.core, scopes, self.remote.reaches())
    }

    fn mark_stale(&self, scopes: &[Scope]) -> Invalidating {
        self.remote.followed.mark_stale(&self.core, scopes, self.remote.reaches())
    }

    fn shared(&self) -> Option<&dyn SharedStorage> {
        Some(self)
    }

    /// Of what cannot be shared.
    fn kept(&self) -> Kept {
        self.unshared.kept()
    }
}

impl fmt::Debug for RedisCache {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedisCache").field("link", &self.link()).finish_non_exhaustive()
    }
}
