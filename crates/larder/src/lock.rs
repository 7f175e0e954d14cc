//! Locks by name: one holder at a time, in all processes that share a cache.

use std::{collections::HashSet, fmt, sync::Arc, time::Duration};

use async_trait::async_trait;

use crate::{
    error::Result,
    sync::plain::{Mutex, MutexGuard, lock},
};

/// A lock that is held; made by [`CacheExt::lock`](crate::CacheExt::lock) and
/// [`try_lock`](crate::CacheExt::try_lock). Dropping it releases the lock in the background.
///
/// While the guard lives in a tokio runtime, it renews the lock three times in each `ttl`. A lock is a lease: a
/// holder that is stopped, or cut off, for longer than `ttl` has lost it without noticing. Work that must never be
/// done twice sends the [`fencing_token`](Self::fencing_token) along, and has the receiver refuse lower ones than
/// it has seen (M. Kleppmann, [How to do distributed
/// locking](https://martin.kleppmann.com/2016/02/08/how-to-do-distributed-locking.html), 2016).
///
/// A Redis whose memory is full may evict a lock that is held, unless its `maxmemory-policy` is `noeviction`: locks have
/// lifetimes, as entries have. So may a failover or a flush lose it. The holder finds out when it next renews the lock, and until
/// then another process may hold it too.
pub struct LockGuard {
    held: Box<dyn HeldLock>,
    name: String,
    fencing_token: u64,
}

/// What a cache does about a lock that it gave. Dropping it releases the lock.
#[async_trait]
pub trait HeldLock: Send + Sync {
    /// Whether the lock is still held, as far as this process can know without asking.
    fn is_held(&self) -> bool;

    /// Prolongs the lock: it ends `ttl` from now. False if it was lost.
    async fn renew(&mut self, ttl: Duration) -> Result<bool>;

    /// Releases the lock. False if it was lost before.
    async fn release(&mut self) -> Result<bool>;
}

impl LockGuard {
    /// A lock that a cache gives. `fencing_token` is above that of every earlier holder.
    #[must_use]
    pub fn new(name: impl Into<String>, fencing_token: u64, held: impl HeldLock + 'static) -> Self {
        Self { held: Box::new(held), name: name.into(), fencing_token }
    }

    /// The lock's name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Greater than that of every earlier holder of this lock.
    #[must_use]
    pub fn fencing_token(&self) -> u64 {
        self.fencing_token
    }

    /// Whether the lock is still held, as far as this process can know without asking: its `ttl` has not passed
    /// since it was last renewed.
    #[must_use]
    pub fn is_held(&self) -> bool {
        self.held.is_held()
    }

    /// Prolongs the lock now: it ends `ttl` from now, unless it is renewed again. False if it was lost.
    ///
    /// # Errors
    ///
    /// If the server cannot be asked.
    pub async fn renew(&mut self, ttl: Duration) -> Result<bool> {
        self.held.renew(ttl).await
    }

    /// Releases the lock, and tells whether it was held until then.
    ///
    /// # Errors
    ///
    /// If the server cannot be asked: the lock ends with its `ttl`.
    pub async fn release(mut self) -> Result<bool> {
        self.held.release().await
    }
}

impl fmt::Debug for LockGuard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LockGuard")
            .field("name", &self.name)
            .field("fencing_token", &self.fencing_token)
            .field("is_held", &self.is_held())
            .finish()
    }
}

/// The locks of a cache that no server shares. Nothing can be cut off from them, so that a lock ends with its
/// guard and not before.
#[derive(Debug, Clone, Default)]
pub(crate) struct LocalLocks(Arc<Mutex<LocksState>>);

#[derive(Debug, Default)]
struct LocksState {
    held: HashSet<String>,
    last: u64,
}

impl LocalLocks {
    /// Takes a lock that is free.
    pub(crate) fn take(&self, name: &str) -> Option<LockGuard> {
        let mut state = self.state();
        if !state.held.insert(name.to_owned()) {
            return None;
        }
        state.last += 1;
        Some(LockGuard::new(
            name,
            state.last,
            HeldLocally { locks: self.clone(), name: Some(name.to_owned()) },
        ))
    }

    fn state(&self) -> MutexGuard<'_, LocksState> {
        lock(&self.0)
    }
}

/// A lock of this process.
struct HeldLocally {
    locks: LocalLocks,
    /// None once it is released.
    name: Option<String>,
}

impl HeldLocally {
    fn let_go(&mut self) -> bool {
        self.name.take().is_some_and(|name| self.locks.state().held.remove(&name))
    }
}

#[async_trait]
impl HeldLock for HeldLocally {
    fn is_held(&self) -> bool {
        self.name.is_some()
    }

    async fn renew(&mut self, _: Duration) -> Result<bool> {
        Ok(self.is_held())
    }

    async fn release(&mut self) -> Result<bool> {
        Ok(self.let_go())
    }
}

impl Drop for HeldLocally {
    fn drop(&mut self) {
        self.let_go();
    }
}
