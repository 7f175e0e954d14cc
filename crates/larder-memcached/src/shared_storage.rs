//! What several processes do together through memcached.

use std::{
    sync::Arc,
    time::{Duration, SystemTime},
};

use async_trait::async_trait;
use larder::{
    Cache, Epoch, Leased, Link, LockGuard, Lookup, Result, ScopeHash, SharedStorage, ValueType,
    internal::shared::{Leases, counter_overflow, lease, unavailable, unavailable_because},
};

use crate::{MemcachedCache, counter::Counted};

#[async_trait]
impl SharedStorage for MemcachedCache {
    fn link(&self) -> Link {
        Self::link(self)
    }

    /// Entries are dated by the clocks of the processes: memcached tells its own in seconds only.
    fn server_time(&self) -> Option<SystemTime> {
        None
    }

    /// Without them each process computes for itself, once for all of its callers.
    async fn lease(
        &self,
        at: Lookup<'_>,
        of: ValueType,
        cover: &[ScopeHash],
        patience: Option<Duration>,
    ) -> Leased {
        match &self.store().leases {
            Some(_) => lease(self.store(), self.core(), at, of, (cover, patience)).await,
            None => Leased::Free,
        }
    }

    fn lease_lifetime(&self) -> Duration {
        self.store().leases.as_ref().map_or(Duration::ZERO, Leases::lifetime)
    }

    fn is_within_reach(&self) -> bool {
        self.store().is_within_reach()
    }

    async fn take_lock(&self, _: &str, _: Duration) -> Result<Option<LockGuard>> {
        Err(unavailable("larder-memcached has no locks: memcached may drop one at any time"))
    }

    async fn count(&self, key: &str, by: i64, ttl: Option<Duration>) -> Result<i64> {
        match self.store().count_by(key, by, ttl).await {
            Ok(Counted::Sum(sum)) => Ok(sum),
            Ok(Counted::Overflow) => Err(counter_overflow(key)),
            Err(failure) => {
                let cause = Arc::new(failure.into_cause());
                Err(unavailable_because(format!("the counter {key:?} cannot be asked"), cause))
            }
        }
    }

    /// What was delivered anywhere is seen by each read that begins after that.
    async fn wait_for(&self, _: Epoch) -> bool {
        true
    }

    async fn flush(&self, limit: Duration) -> bool {
        self.store().order.flush(limit).await
    }
}
