//! What several processes do together through a database.

use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use larder::{
    Epoch, Leased, Link, LockGuard, Lookup, Result, ScopeHash, SharedStorage, ValueType,
    internal::shared::{counter_overflow, unavailable},
};

use crate::SqlCache;

#[async_trait]
impl SharedStorage for SqlCache {
    fn link(&self) -> Link {
        Self::link(self)
    }

    fn server_time(&self) -> Option<SystemTime> {
        self.remote().log().server_time()
    }

    /// There are none: each process computes for itself, once for all of its callers.
    async fn lease(&self, _: Lookup<'_>, _: ValueType, _: &[ScopeHash], _: Option<Duration>) -> Leased {
        Leased::Free
    }

    fn is_within_reach(&self) -> bool {
        self.remote().is_within_reach()
    }

    async fn take_lock(&self, _: &str, _: Duration) -> Result<Option<LockGuard>> {
        Err(unavailable("larder-sql has no locks; take an advisory lock of the database"))
    }

    async fn count(&self, key: &str, by: i64, ttl: Option<Duration>) -> Result<i64> {
        match self.remote().count(key, by, ttl).await {
            Ok(Some(sum)) => Ok(sum),
            Ok(None) => Err(counter_overflow(key)),
            Err(failed) => Err(unavailable(format!("the counter {key:?}: {failed:?}"))),
        }
    }

    async fn wait_for(&self, epoch: Epoch) -> bool {
        self.remote().log().wait_for(epoch).await
    }

    async fn flush(&self, limit: Duration) -> bool {
        self.remote().log().flush(limit).await
    }
}
