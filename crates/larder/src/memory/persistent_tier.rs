//! What a cache keeps behind its memory, and finds again in the next process: entries on disk, with the feature `disk`.

use std::{any::Any, fmt, future::Future, pin::Pin, sync::Arc, time::Duration};

use async_trait::async_trait;

use crate::{
    cache_core::{Core, Lookup},
    entry::Entry,
    error::Result,
    value::ValueType,
};

/// Keeps entries beyond the capacity of the memory and beyond the end of the process.
#[async_trait]
pub(crate) trait PersistentTier: Any + fmt::Debug + Send + Sync {
    /// The entries under these keys, in their order.
    async fn read(&self, keys: &[Lookup<'_>], of: ValueType) -> Vec<Option<Entry>>;

    /// Has entries written, soon: as many as there is room for among those that wait.
    fn offer(&self, entries: &[Entry]);

    /// Waits until what these entries took the place of is known to be gone when the process begins anew.
    async fn settle(&self, entries: &[Entry]);

    /// Every change of this process so far outlives it.
    fn is_written(&self) -> bool;

    /// Waits until that is so for the changes made before this call, or cannot be; for a second at most. Whether it is.
    fn wait_until_written(&self) -> Pin<Box<dyn Future<Output = bool> + Send>>;

    /// Makes all that was invalidated and stored so far safe from a power cut.
    async fn persist(&self, limit: Duration) -> bool;
}

/// The settings of one: what a builder of caches holds.
pub(crate) trait OpenPersistentTier: Any + Send + Sync {
    /// Opens it for a cache with this core. None if it cannot be used, which is logged.
    ///
    /// # Errors
    ///
    /// If the settings make no sense, or another cache uses what they name.
    fn open(&self, core: &Core) -> Result<Option<Arc<dyn PersistentTier>>>;
}
