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
    time::Duration,
};

use async_trait::async_trait;
use tokio::{runtime::Handle, task::AbortHandle};

use crate::{
    backoff::Backoff,
    clock::boot_time::Instant,
    error::{Error, Result},
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
    /// If the store cannot be asked, or did not answer.
    async fn take(&self, name: &str, token: &str, ttl: Duration) -> Result<Option<u64>, NotTaken>;

    /// Gives the holder of a token that much time from now on; without a time, ends the lock. False if the token does not
    /// hold it.
    ///
    /// # Errors
    ///
    /// If the store cannot be asked.
    async fn prolong(&self, name: &str, token: &str, ttl: Option<Duration>) -> Result<bool>;
}

/// Why a lock was not taken, as far as is known.
#[derive(Debug)]
pub struct NotTaken {
    /// What callers are told.
    pub error: Error,
    /// Whether it may have been taken all the same: then it is given back.
    pub may_be_taken: bool,
}

/// See [`SharedStorage::take_lock`](crate::SharedStorage::take_lock).
pub async fn take_lock<S: LockStore>(store: &Arc<S>, name: &str, ttl: Duration) -> Result<Option<LockGuard>> {
    let token = format!("{:016x}{:016x}", fastrand::u64(..), fastrand::u64(..));
    let (store, asked) = (store.clone(), Instant::now());
    let lock = TakenLock { store, name: name.to_owned(), token, asked, ends: AtomicU64::new(0) };
    lock.ends_after(lock.asked, ttl);
    let mut asked = Asked(Some(Arc::new(lock)));
    let number = asked.take(ttl).await?;
    let lock = asked.0.take();
    Ok(number.zip(lock).map(|(number, lock)| LockGuard::new(name, number, HeldInStore::new(lock, ttl))))
}

/// A lock that was asked for, and perhaps taken: dropped before the answer is known, it is given back.
struct Asked<S: LockStore>(Option<Arc<TakenLock<S>>>);

impl<S: LockStore> Asked<S> {
    /// Takes it, if it is free: then this is its number.
    async fn take(&self, ttl: Duration) -> Result<Option<u64>> {
        let lock = self.0.as_ref().expect("it is asked for once");
        let taken = lock.store.take(&lock.name, &lock.token, ttl).await;
        if taken.as_ref().is_err_and(|failure| !failure.may_be_taken) {
            lock.ends.store(0, Ordering::Relaxed);
        }
        taken.map_err(|failure| failure.error)
    }
}

impl<S: LockStore> Drop for Asked<S> {
    fn drop(&mut self) {
        if let Some(lock) = self.0.take().filter(|lock| lock.is_held()) {
            give_back(lock);
        }
    }
}

/// Ends a lock, in a task that tries until the store answers, for a minute at most. Without a runtime, and after that, it ends
/// by itself.
fn give_back<S: LockStore>(lock: Arc<TakenLock<S>>) {
    const LONGEST: Duration = Duration::from_secs(60);
    let Ok(runtime) = Handle::try_current() else { return };
    let begun = Instant::now();
    runtime.spawn(async move {
        let mut backoff = Backoff::new();
        while lock.prolong(None).await.is_err() && lock.is_held() && Instant::now().since(begun) < LONGEST {
            backoff.wait().await;
        }
    });
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
        Instant::now().since(self.asked) < ends
    }

    fn ends_after(&self, asked: Instant, ttl: Duration) {
        let ends = asked.since(self.asked).saturating_add(ttl).as_micros();
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
        // A release that was given up halfway is made good.
        if self.lock.is_held() {
            give_back(self.lock.clone());
        }
    }
}
