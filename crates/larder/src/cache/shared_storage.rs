//! What a store can do because several processes share its entries.

use std::time::{Duration, SystemTime};

use async_trait::async_trait;

use super::{entry_info::Listing, lease::Lease};
#[cfg(feature = "limit")]
use crate::gcra::{Rate, Usage};
#[cfg(feature = "counters")]
use crate::tally::{Tallied, Tally};
use crate::{
    cache_core::Lookup, entry::Entry, epoch::Epoch, error::Result, link::Link, lock::LockGuard,
    scope::ScopeHash, value::ValueType,
};

/// What a [`Storage`](crate::Storage) can do that several processes share through a server.
///
/// No method fails or hangs because the server does; counters, locks and limits are the exception, and say so.
#[async_trait]
pub trait SharedStorage: Send + Sync {
    /// How this process stands with the servers.
    fn link(&self) -> Link;

    /// The time on the servers, as far as it is known: what several processes date is dated by it, so that none of
    /// their clocks matters. None if there was no contact so far.
    fn server_time(&self) -> Option<SystemTime>;

    /// Asks to be the only one of all processes to compute the value of a key. If another one computes it, waits for
    /// that and finds its value, for as long as `patience` says; without one, it does not wait.
    ///
    /// `cover` is what is known to cover the value before it is computed: another process' computation that
    /// began before a change of it is not waited for.
    async fn lease(
        &self,
        at: Lookup<'_>,
        of: ValueType,
        cover: &[ScopeHash],
        patience: Option<Duration>,
    ) -> Leased;

    /// For how long a caller waits at most for what other processes compute, from its arrival on, whatever it waited for
    /// before. Zero where there are no leases, and unless it is implemented.
    fn lease_lifetime(&self) -> Duration {
        Duration::ZERO
    }

    /// Whether the servers can be asked now, as far as is known without asking: what is not found while they cannot may be
    /// there. True unless it is implemented.
    fn is_within_reach(&self) -> bool {
        true
    }

    /// See [`CacheExt::try_lock`](crate::CacheExt::try_lock).
    ///
    /// # Errors
    ///
    /// If the server cannot be asked.
    async fn take_lock(&self, name: &str, ttl: Duration) -> Result<Option<LockGuard>>;

    /// See [`CacheExt::increment`](crate::CacheExt::increment).
    ///
    /// # Errors
    ///
    /// If the server cannot be asked, or the sum would leave the range of `i64` (the counter keeps its value).
    async fn count(&self, key: &str, by: i64, ttl: Option<Duration>) -> Result<i64>;

    /// Atomically takes units of a key's rate limit if they are allowed: see [`limit`](crate::limit). None takes nothing: each process is then limited for itself, which is what
    /// happens unless this is implemented.
    ///
    /// # Errors
    ///
    /// If the server cannot be asked. Whether the units were taken is then not known.
    #[cfg(feature = "limit")]
    #[cfg_attr(docsrs, doc(cfg(feature = "limit")))]
    async fn take(&self, key: &str, rate: Rate, units: u32) -> Result<Option<Usage>> {
        let _ = (key, rate, units);
        Ok(None)
    }

    /// Counts and ranks: see [`counters`](crate::counters). None if this store does not, which is what happens unless this
    /// is implemented: each process then counts for itself.
    ///
    /// # Errors
    ///
    /// If the server cannot be asked, or a sum would leave the range of `i64`.
    #[cfg(feature = "counters")]
    #[cfg_attr(docsrs, doc(cfg(feature = "counters")))]
    async fn tally(&self, tally: Tally<'_>) -> Result<Option<Tallied>> {
        let _ = tally;
        Ok(None)
    }

    /// Publishes a text about this process, for [`heartbeat`](crate::heartbeat()): in place of the one that the same `owner`
    /// published before, and for `ttl`. False if this is not implemented.
    ///
    /// # Errors
    ///
    /// If the server cannot be asked.
    async fn publish(&self, owner: &str, text: &str, ttl: Duration) -> Result<bool> {
        let _ = (owner, text, ttl);
        Ok(false)
    }

    /// Whether those who look at the server may see keys there: then they may be in what is published.
    fn shows_keys(&self) -> bool {
        false
    }

    /// The entries whose full keys begin with `text`, or that of this very key, for [`CacheExt::keys`](crate::CacheExt::keys). None
    /// if this store does not list them, which is what happens unless this is implemented.
    fn list(&self, text: &str, is_beginning: bool) -> Option<Box<dyn Listing>> {
        let _ = (text, is_beginning);
        None
    }

    /// See [`CacheExt::wait_for`](crate::CacheExt::wait_for).
    async fn wait_for(&self, epoch: Epoch) -> bool;

    /// See [`CacheExt::flush`](crate::CacheExt::flush).
    async fn flush(&self, limit: Duration) -> bool;
}

/// What came of asking for a [`lease`](SharedStorage::lease).
#[derive(Debug)]
pub enum Leased {
    /// The caller computes, and others wait for it.
    Held(Lease),
    /// Another process has computed in the meantime.
    Found(Entry),
    /// Another process computes.
    Elsewhere,
    /// There is no lease to have: the caller computes, and so may others.
    Free,
}
