//! Locks of all processes that share a store.
//!
//! A lock has its holder's token, the end of its time by the store's clock, and the last fencing token. It outlives its
//! holder by a day, so that fencing tokens go on growing; after that, and after a loss of the data, they go on from the
//! store's clock in microseconds, which is above them.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use async_trait::async_trait;
use tokio::{runtime::Handle, task::AbortHandle};

use crate::{
    error::Result,
    lock::{HeldLock, LockGuard},
};

/// How often a guard renews its lock in the time after which it would end.
const RENEWALS: u32 = 3;

/// Where locks are kept.
#[async_trait]
pub trait LockStore: Send + Sync + 'static {
    /// Gives a lock that is free to a token, and returns its fencing token: above all that this lock had.
    ///
    /// # Errors
    ///
    /// If the store cannot be asked. The lock may have been taken.
    async fn take(&self, name: &str, token: &str, ttl: Duration) -> Result<Option<u64>>;

    /// Gives the holder of a token that much time from now on; without a time, ends the lock. False if the token does not
    /// hold it.
    ///
    /// # Errors
    ///
    /// If the store cannot be asked.
    async fn prolong(&self, name: &str, token: &str, ttl: Option<Duration>) -> Result<bool>;
}

/// See [`SharedStorage::take_lock`](crate::SharedStorage::take_lock).
pub async fn take_lock<S: LockStore>(store: &Arc<S>, name: &str, ttl: Duration) -> Result<Option<LockGuard>> {
    let token = format!("{:016x}{:016x}", fastrand::u64(..), fastrand::u64(..));
    let asked = Instant::now();
    let Some(number) = store.take(name, &token, ttl).await? else { return Ok(None) };
    let (store, ends) = (store.clone(), AtomicU64::new(0));
    let held = Arc::new(TakenLock { store, name: name.to_owned(), token, asked, ends });
    held.ends_after(asked, ttl);
    Ok(Some(LockGuard::new(name, number, HeldInStore::new(held, ttl))))
}

/// A lock that was taken.
struct TakenLock<S> {
    store: Arc<S>,
    name: String,
    token: String,
    /// When it was asked for: from here on its time is counted.
    asked: Instant,
    /// When it ends if it is not prolonged, in microseconds from then. Zero: it is lost or released.
    ends: AtomicU64,
}

impl<S: LockStore> TakenLock<S> {
    fn is_held(&self) -> bool {
        let ends = Duration::from_micros(self.ends.load(Ordering::Relaxed));
        self.asked.elapsed() < ends
    }

    fn ends_after(&self, asked: Instant, ttl: Duration) {
        let ends = asked.duration_since(self.asked).saturating_add(ttl).as_micros();
        self.ends.store(u64::try_from(ends).unwrap_or(u64::MAX), Ordering::Relaxed);
    }

    /// Prolongs the lock, or ends it at once.
    async fn prolong(&self, ttl: Option<Duration>) -> Result<bool> {
        let asked = Instant::now();
        let held = self.store.prolong(&self.name, &self.token, ttl).await?;
        match ttl.filter(|_| held) {
            Some(ttl) => self.ends_after(asked, ttl),
            None => self.ends.store(0, Ordering::Relaxed),
        }
        Ok(held)
    }
}

/// What a guard holds: the lock, and the task that renews it.
struct HeldInStore<S: LockStore> {
    lock: Arc<TakenLock<S>>,
    renewal: AbortHandle,
}

impl<S: LockStore> HeldInStore<S> {
    fn new(lock: Arc<TakenLock<S>>, ttl: Duration) -> Self {
        let renewal = tokio::spawn({
            let lock = lock.clone();
            async move {
                let mut interval = tokio::time::interval((ttl / RENEWALS).max(Duration::from_millis(1)));
                interval.tick().await;
                loop {
                    interval.tick().await;
                    if let Ok(false) = lock.prolong(Some(ttl)).await {
                        return;
                    }
                }
            }
        });
        Self { lock, renewal: renewal.abort_handle() }
    }

    fn stop_renewing(&self) {
        self.renewal.abort();
    }
}

#[async_trait]
impl<S: LockStore> HeldLock for HeldInStore<S> {
    fn is_held(&self) -> bool {
        self.lock.is_held()
    }

    async fn renew(&mut self, ttl: Duration) -> Result<bool> {
        self.lock.prolong(Some(ttl)).await
    }

    async fn release(&mut self) -> Result<bool> {
        self.stop_renewing();
        self.lock.prolong(None).await
    }
}

impl<S: LockStore> Drop for HeldInStore<S> {
    fn drop(&mut self) {
        self.stop_renewing();
        // Without a runtime there is no task to send it; the lock ends by itself. A release that was given up halfway
        // is made good.
        if let (true, Ok(runtime)) = (self.lock.is_held(), Handle::try_current()) {
            let lock = self.lock.clone();
            runtime.spawn(async move { lock.prolong(None).await });
        }
    }
}
