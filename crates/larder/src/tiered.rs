//! `TieredCache`: memory in front of Redis.

use std::{
    fmt,
    sync::Arc,
    time::{Duration, SystemTime},
};

use async_trait::async_trait;

#[cfg(feature = "limit")]
use crate::gcra::{Rate, Usage};
#[cfg(feature = "counters")]
use crate::tally::{Tallied, Tally};
use crate::{
    cache::{Cache, Invalidating, Kept, Leased, Listing, SharedStorage, Storage},
    cache_core::{Core, Lookup},
    entry::Entry,
    epoch::Epoch,
    error::Result,
    link::Link,
    lock::LockGuard,
    memory::{MemoryCache, builder::MemoryCacheBuilder, persistent_tier::PersistentTier, tier::MemoryTier},
    redis::{RedisCache, RedisInfo},
    scope::{Scope, ScopeHash},
    value::ValueType,
};

/// Two tiers: entries in this process' memory, and behind it in Redis, where every process finds them. Cheap to
/// clone; clones are the same cache.
///
/// A hit in memory never touches the network. What is not there is looked for in Redis, and kept in memory for
/// what is left of its time. Invalidations reach the memory of every process through a log in Redis, and by
/// [the one rule](crate::guide::one_rule) no value is served, from any tier, that was invalidated since its
/// computation began.
///
/// What [`RedisCache`] says of slow, full and absent servers holds here too; what is in memory is served meanwhile,
/// as [`DisconnectPolicy`](crate::DisconnectPolicy) says.
///
/// ```no_run
/// use larder::TieredCache;
///
/// # async fn start() -> larder::Result<()> {
/// larder::install(TieredCache::connect("redis://localhost?prefix=shop").await?)?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct TieredCache {
    memory: MemoryCache,
    redis: RedisCache,
}

impl TieredCache {
    /// A cache with the settings of `memory` in front of `redis`.
    ///
    /// It begins with an empty memory of its own: what is in `memory` was made without regard to what other
    /// processes change, and stays there. A [disk tier](crate::MemoryCacheBuilder) of it becomes that of this cache.
    #[must_use]
    #[expect(clippy::needless_pass_by_value, reason = "both become parts of the new cache")]
    pub fn new(memory: MemoryCache, redis: RedisCache) -> Self {
        let memory = redis.behind_memory(&memory);
        let redis = redis.behind(memory.core().clone());
        Self { memory, redis }
    }

    /// A cache of up to 10,000 entries in memory, in front of the servers that a URL names: see
    /// [`RedisCacheBuilder::url`](crate::RedisCacheBuilder::url).
    ///
    /// # Errors
    ///
    /// If the URL is malformed, or no connection could be made after several attempts. To start a program while its
    /// servers are down, take [`connect_lazily`](Self::connect_lazily).
    pub async fn connect(url: impl Into<String>) -> Result<Self> {
        let redis = RedisCache::connect(url).await?;
        Ok(Self::new(MemoryCache::builder().build()?, redis))
    }

    /// The same, at once: it connects in the background as soon as the servers are there, and works in memory until
    /// then.
    ///
    /// ```
    /// use larder::TieredCache;
    ///
    /// # #[tokio::main]
    /// # async fn main() -> larder::Result<()> {
    /// larder::install(TieredCache::connect_lazily("redis://localhost?prefix=shop")?)?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// If the URL is malformed.
    pub fn connect_lazily(url: impl Into<String>) -> Result<Self> {
        let redis = RedisCache::builder().url(url).connect_lazily()?;
        Ok(Self::new(MemoryCache::builder().build()?, redis))
    }

    /// How this process stands with Redis.
    #[must_use]
    pub fn link(&self) -> Link {
        self.redis.link()
    }

    /// What the servers say of themselves: see [`RedisCache::info`].
    ///
    /// # Errors
    ///
    /// Those of [`RedisCache::info`].
    pub async fn info(&self) -> Result<RedisInfo> {
        self.redis.info().await
    }

    fn disk(&self) -> Option<&dyn PersistentTier> {
        self.memory.storage().memory().and_then(MemoryTier::disk)
    }

    /// Keeps an entry that was found in Redis in the tiers in front of it.
    fn keep(&self, entry: &Entry) {
        self.memory.keep_found(entry);
        if let Some(disk) = self.disk() {
            disk.offer(std::slice::from_ref(entry));
        }
    }

    /// The entries in Redis, which are kept here from here on.
    async fn read_redis(&self, keys: &[Lookup<'_>], of: ValueType) -> Vec<Option<Entry>> {
        let entries = self.redis.read(keys, of).await;
        if of.transport.is_some() {
            entries.iter().flatten().for_each(|entry| self.keep(entry));
        }
        entries
    }

    /// Whether the disk may answer before Redis is asked: with a `memory_ttl` it is Redis that is to be asked, and the disk
    /// has what this process knew before.
    fn asks_disk_first(&self, of: ValueType) -> bool {
        self.disk().is_some() && (of.memory_limit().is_none() || !self.redis.is_within_reach())
    }

    /// The tier in Redis.
    #[cfg(any(feature = "events", feature = "write-behind"))]
    pub(crate) fn redis(&self) -> &RedisCache {
        &self.redis
    }

    /// Approximate number of entries in the memory tier.
    #[must_use]
    pub fn entry_count(&self) -> u64 {
        self.memory.entry_count()
    }
}

impl Cache for TieredCache {
    #[inline]
    fn core(&self) -> &Core {
        self.memory.core()
    }

    fn storage(&self) -> &dyn Storage {
        self
    }

    fn share(&self) -> Arc<dyn Cache> {
        Arc::new(self.clone())
    }

    fn with_memory(&self, memory: MemoryCacheBuilder) -> Option<Arc<dyn Cache>> {
        Some(Arc::new(Self { memory: self.memory.apart(memory)?, redis: self.redis.clone() }))
    }
}

#[async_trait]
impl Storage for TieredCache {
    fn peek(&self, at: Lookup<'_>) -> Option<Entry> {
        self.memory.peek(at)
    }

    fn visit(&self, show: &mut dyn FnMut(&Entry)) {
        self.memory.visit(show);
    }

    fn reads_further(&self) -> bool {
        true
    }

    async fn read(&self, keys: &[Lookup<'_>], of: ValueType) -> Vec<Option<Entry>> {
        if !self.asks_disk_first(of) {
            return self.read_redis(keys, of).await;
        }
        // What is kept in memory is kept by the memory's own read.
        let mut entries = self.memory.storage().read(keys, of).await;
        let absent: Vec<_> = (0..keys.len()).filter(|&index| entries[index].is_none()).collect();
        if !absent.is_empty() {
            let keys: Vec<_> = absent.iter().map(|&index| keys[index]).collect();
            for (index, entry) in absent.into_iter().zip(self.read_redis(&keys, of).await) {
                entries[index] = entry;
            }
        }
        entries
    }

    async fn read_one(&self, at: Lookup<'_>, of: ValueType) -> Option<Entry> {
        if self.asks_disk_first(of) {
            return self.read(&[at], of).await.pop().flatten();
        }
        let entry = self.redis.remote().read_one(self.redis.core(), at, of).await;
        if of.transport.is_some() {
            entry.iter().for_each(|entry| self.keep(entry));
        }
        entry
    }

    async fn write(&self, entries: &[Entry]) -> Result<()> {
        self.memory.keep(entries);
        self.write_further(entries).await
    }

    fn memory(&self) -> Option<&MemoryTier> {
        self.memory.storage().memory()
    }

    async fn write_further(&self, entries: &[Entry]) -> Result<()> {
        let shared = self.redis.remote().write(self.redis.core(), entries).await;
        if let Some(disk) = self.disk() {
            // Then the epoch of an insert is known.
            disk.offer(entries);
            disk.settle(entries).await;
        }
        shared
    }

    async fn persist(&self, limit: Duration) -> bool {
        self.memory.storage().persist(limit).await
    }

    fn apply(&self, scopes: &[Scope]) -> Invalidating {
        let invalidating = self.redis.apply(scopes);
        self.memory.free(scopes);
        self.memory.written_down(invalidating)
    }

    fn mark_stale(&self, scopes: &[Scope]) -> Invalidating {
        self.memory.written_down(self.redis.mark_stale(scopes))
    }

    fn shared(&self) -> Option<&dyn SharedStorage> {
        Some(self)
    }

    fn kept(&self) -> Kept {
        self.memory.kept()
    }
}

/// What Redis does, and memory has its part of it.
#[async_trait]
impl SharedStorage for TieredCache {
    fn link(&self) -> Link {
        self.redis.link()
    }

    fn server_time(&self) -> Option<SystemTime> {
        SharedStorage::server_time(&self.redis)
    }

    async fn lease(
        &self,
        at: Lookup<'_>,
        of: ValueType,
        cover: &[ScopeHash],
        patience: Option<Duration>,
    ) -> Leased {
        let leased = self.redis.lease(at, of, cover, patience).await;
        if let Leased::Found(entry) = &leased {
            self.keep(entry);
        }
        leased
    }

    fn lease_lifetime(&self) -> Duration {
        self.redis.lease_lifetime()
    }

    fn is_within_reach(&self) -> bool {
        SharedStorage::is_within_reach(&self.redis)
    }

    async fn take_lock(&self, name: &str, ttl: Duration) -> Result<Option<LockGuard>> {
        self.redis.take_lock(name, ttl).await
    }

    async fn count(&self, key: &str, by: i64, ttl: Option<Duration>) -> Result<i64> {
        self.redis.count(key, by, ttl).await
    }

    #[cfg(feature = "limit")]
    async fn take(&self, key: &str, rate: Rate, units: u32) -> Result<Option<Usage>> {
        self.redis.take(key, rate, units).await
    }

    #[cfg(feature = "counters")]
    async fn tally(&self, tally: Tally<'_>) -> Result<Option<Tallied>> {
        self.redis.tally(tally).await
    }

    async fn publish(&self, owner: &str, text: &str, ttl: Duration) -> Result<bool> {
        self.redis.publish(owner, text, ttl).await
    }

    fn list(&self, text: &str, is_beginning: bool) -> Option<Box<dyn Listing>> {
        self.redis.list(text, is_beginning)
    }

    fn shows_keys(&self) -> bool {
        self.redis.shows_keys()
    }

    async fn wait_for(&self, epoch: Epoch) -> bool {
        SharedStorage::wait_for(&self.redis, epoch).await
    }

    async fn flush(&self, limit: Duration) -> bool {
        SharedStorage::flush(&self.redis, limit).await
    }
}

impl fmt::Debug for TieredCache {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TieredCache").field("memory", &self.memory).field("redis", &self.redis).finish()
    }
}
