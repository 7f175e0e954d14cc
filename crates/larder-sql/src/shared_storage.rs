//! What several processes do together through a database.

use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use larder::{
    Cache, Epoch, Leased, Link, LockGuard, Lookup, Result, ScopeHash, SharedStorage, ValueType,
    internal::shared::{counter_overflow, lease, take_lock},
};

use crate::SqlCache;
#[cfg(feature = "limit")]
use larder::{
    internal::shared::TakeRequest,
    limit::{Rate, Usage},
};

#[async_trait]
impl SharedStorage for SqlCache {
    fn link(&self) -> Link {
        Self::link(self)
    }

    fn server_time(&self) -> Option<SystemTime> {
        self.remote().log().server_time()
    }

    async fn lease(
        &self,
        at: Lookup<'_>,
        of: ValueType,
        cover: &[ScopeHash],
        patience: Option<Duration>,
    ) -> Leased {
        let leased = lease(self.remote(), self.core(), at, of, (cover, patience)).await;
        if let Leased::Found(entry) = &leased {
            self.keep_in_front(std::slice::from_ref(entry));
        }
        leased
    }

    fn is_within_reach(&self) -> bool {
        self.remote().is_within_reach()
    }

    fn lease_lifetime(&self) -> Duration {
        self.remote().leases().lifetime()
    }

    async fn take_lock(&self, name: &str, ttl: Duration) -> Result<Option<LockGuard>> {
        take_lock(self.remote(), name, ttl).await
    }

    async fn count(&self, key: &str, by: i64, ttl: Option<Duration>) -> Result<i64> {
        match self.remote().count(key, by, ttl).await {
            Ok(Some(sum)) => Ok(sum),
            Ok(None) => Err(counter_overflow(key)),
            Err(failed) => Err(failed.of(format_args!("the counter {key:?}"))),
        }
    }

    #[cfg(feature = "limit")]
    async fn take(&self, key: &str, rate: Rate, units: u32) -> Result<Option<Usage>> {
        let request = TakeRequest::new(&rate, units);
        match self.remote().take_units(key, &request).await {
            Ok((used, wait)) => Ok(Some(request.usage(used, wait))),
            Err(failed) => Err(failed.of("a rate limit")),
        }
    }

    async fn wait_for(&self, epoch: Epoch) -> bool {
        self.remote().log().wait_for(epoch).await
    }

    async fn flush(&self, limit: Duration) -> bool {
        self.remote().log().flush(limit).await
    }
}
