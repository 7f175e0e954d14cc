//! The bodies of counters and locks.

use std::{future::pending, time::Duration};

use crate::{alarm, cache::Cache, dependencies, error::Result, key, lock::LockGuard, read_through::full_key};

/// Adds to a counter, and returns the sum.
pub(super) async fn increment(
    cache: &(impl Cache + ?Sized),
    key: &str,
    by: i64,
    ttl: Option<Duration>,
) -> Result<i64> {
    let key = full_key(cache, key);
    key::check(&key)?;
    dependencies::record_absent(cache.core().epochs(), &key);
    let core = cache.core();
    match cache.storage().shared() {
        Some(shared) => shared.count(&key, by, ttl).await,
        None => core.counters().add(&key, by, ttl, core.now()),
    }
}

/// Takes a lock if it is free.
pub(super) async fn try_lock(
    cache: &(impl Cache + ?Sized),
    name: &str,
    ttl: Duration,
) -> Result<Option<LockGuard>> {
    match cache.storage().shared() {
        Some(shared) => shared.take_lock(name, ttl).await,
        None => Ok(cache.core().locks().take(name)),
    }
}

/// Takes a lock when it is free.
pub(super) async fn lock(cache: &(impl Cache + ?Sized), name: &str, ttl: Duration) -> Result<LockGuard> {
    const PAUSES: (Duration, Duration) = (Duration::from_millis(2), Duration::from_millis(200));
    let mut pause = PAUSES.0;
    loop {
        if let Some(guard) = try_lock(cache, name, ttl).await? {
            return Ok(guard);
        }
        // Not in step with others who wait.
        alarm::within(pause.mul_f64(0.5 + fastrand::f64() / 2.0), pending::<()>()).await;
        pause = (pause * 2).min(PAUSES.1);
    }
}
