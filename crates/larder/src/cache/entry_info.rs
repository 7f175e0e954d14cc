//! Facts about entries, for listings: of those in memory, and of those in a store that processes share.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;

use crate::{error::Result, outcome::Tier};

/// An entry as it was when it was listed, by [`keys`](crate::CacheExt::keys) or
/// [`entries_in_memory`](crate::CacheExt::entries_in_memory).
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct EntryInfo {
    /// The full key, namespaces included.
    pub key: Arc<str>,
    /// Where it lies: in this process' memory, or in the store that processes share.
    pub tier: Tier,
    /// The bytes of it in the shared store; none in memory, which does not know the size of values.
    pub size: Option<u64>,
    /// How long ago it was stored, in whichever process.
    pub age: Duration,
    /// How long it is still fresh: zero if its `ttl` is over, and it may be served stale at most.
    pub remaining_ttl: Duration,
    /// Whether this process may serve it, fresh or stale. If not, it was invalidated, its time is over, it is none that this
    /// release reads, or the process is disconnected from the invalidation log.
    pub is_servable: bool,
    /// Whether it is kept in this process alone: because it is `local`, or because it cannot be shared.
    pub is_unshared: bool,
}

impl EntryInfo {
    /// An entry of a shared store under a key, of which no more is known than its size.
    #[must_use]
    pub fn in_shared_store(key: impl Into<Arc<str>>, size: u64) -> Self {
        Self {
            key: key.into(),
            tier: Tier::Shared,
            size: Some(size),
            age: Duration::ZERO,
            remaining_ttl: Duration::ZERO,
            is_servable: false,
            is_unshared: false,
        }
    }
}

/// The entries of a store that processes share, some at a time.
#[async_trait]
pub trait Listing: Send {
    /// The next ones, in no order; none at the end. Those that come and go meanwhile may be missing, or come twice.
    ///
    /// # Errors
    ///
    /// If the server cannot be asked.
    async fn next(&mut self) -> Result<Option<Vec<EntryInfo>>>;
}
