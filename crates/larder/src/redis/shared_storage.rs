//! What several processes do together through Redis.

use std::time::{Duration, SystemTime};

use async_trait::async_trait;

use super::RedisCache;
#[cfg(feature = "inspect")]
use super::listing::EntriesInRedis;
#[cfg(feature = "inspect")]
use crate::cache::Listing;
#[cfg(feature = "limit")]
use crate::gcra::{Rate, Usage};
#[cfg(feature = "counters")]
use crate::tally::{Tallied, Tally};
use crate::{
    cache::{Leased, SharedStorage},
    cache_core::Lookup,
    epoch::Epoch,
    error::Result,
    link::Link,
    lock::LockGuard,
    scope::ScopeHash,
    shared_leases::lease,
    shared_locks::take_lock,
    value::ValueType,
};

#[async_trait]
impl SharedStorage for RedisCache {
    fn link(&self) -> Link {
        Self::link(self)
    }

    fn server_time(&self) -> Option<SystemTime> {
        self.remote.followed.server_time()
    }

    fn is_within_reach(&self) -> bool {
        self.remote.is_within_reach()
    }

    async fn lease(
        &self,
        at: Lookup<'_>,
        of: ValueType,
        cover: &[ScopeHash],
        patience: Option<Duration>,
    ) -> Leased {
        lease(&self.remote, &self.core, at, of, (cover, patience)).await
    }

    fn lease_lifetime(&self) -> Duration {
        self.remote.leases.lifetime()
    }

    async fn take_lock(&self, name: &str, ttl: Duration) -> Result<Option<LockGuard>> {
        take_lock(&self.remote, name, ttl).await
    }

    async fn count(&self, key: &str, by: i64, ttl: Option<Duration>) -> Result<i64> {
        self.remote.count(key, by, ttl).await
    }

    #[cfg(feature = "limit")]
    async fn take(&self, key: &str, rate: Rate, units: u32) -> Result<Option<Usage>> {
        self.remote.take(key, rate, units).await.map(Some)
    }

    #[cfg(feature = "counters")]
    async fn tally(&self, tally: Tally<'_>) -> Result<Option<Tallied>> {
        self.remote.tally(tally).await.map(Some)
    }

    async fn publish(&self, owner: &str, text: &str, ttl: Duration) -> Result<bool> {
        self.remote.publish(owner, text, ttl).await.map(|()| true)
    }

    #[cfg(feature = "inspect")]
    fn list(&self, text: &str, is_beginning: bool) -> Option<Box<dyn Listing>> {
        let (core, remote) = (self.core.clone(), self.remote.clone());
        Some(Box::new(EntriesInRedis::new(core, remote, text, is_beginning)))
    }

    fn shows_keys(&self) -> bool {
        self.remote.sealing.shows_keys()
    }

    async fn wait_for(&self, epoch: Epoch) -> bool {
        self.remote.followed.wait_for(epoch).await
    }

    async fn flush(&self, limit: Duration) -> bool {
        self.remote.followed.flush(limit).await
    }
}
