//! `MemcachedCache`: entries that all processes share through memcached.

use std::{fmt, sync::Arc, time::Duration};

use async_trait::async_trait;
use larder::{
    Cache, Core, Entry, Invalidating, Kept, Link, Lookup, Result, Scope, SharedStorage, Storage, ValueType,
    internal::shared::{UnsharedValues, is_kept_for},
};
use tokio::sync::watch;

use crate::{builder::MemcachedCacheBuilder, store::Store};

/// A cache in memcached, shared by every process that has the same nodes and prefix. Cheap to clone; clones are the same cache.
///
/// Each hit is a round trip and a decoding: there is no memory in front of it. What is promised, what it costs, and what
/// memcached cannot do is in [the crate's documentation](crate).
///
/// No call fails or hangs because a node is slow, full, restarted or gone: what would be read is a miss, what would be
/// written is dropped and counted, and invalidations wait until they can be delivered. The exceptions are counters, which
/// return an error, and locks, which it does not have.
///
/// ```no_run
/// # use std::time::Duration;
/// use larder::{CacheExt, Policy};
/// use larder_memcached::MemcachedCache;
///
/// # async fn start() -> larder::Result<()> {
/// let sessions = MemcachedCache::connect("10.0.0.1:11211, 10.0.0.2:11211").await?;
/// sessions.insert("session:7", &"Ada".to_owned(), Policy::ttl(Duration::from_secs(1_200))).await?;
/// assert_eq!(sessions.get::<String>("session:7").await?.as_deref(), Some("Ada")); // in any process
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct MemcachedCache {
    core: Core,
    remote: Arc<Remote>,
    unshared: UnsharedValues,
}

/// What the clones of a cache share.
struct Remote {
    store: Arc<Store>,
    unshared_for: Duration,
    /// What is left to do in the background ends when it is dropped.
    _open: watch::Sender<()>,
}

impl MemcachedCache {
    /// Connects to the nodes at these addresses, with commas between them, with the defaults of [`builder`](Self::builder).
    ///
    /// # Errors
    ///
    /// As [`MemcachedCacheBuilder::connect`].
    pub async fn connect(addresses: impl AsRef<str>) -> Result<Self> {
        Self::builder().nodes(addresses.as_ref().split(',').map(str::trim)).connect().await
    }

    /// Sets where the nodes are, and everything else.
    pub fn builder() -> MemcachedCacheBuilder {
        MemcachedCacheBuilder::default()
    }

    pub(crate) fn new(store: Arc<Store>, unshared_for: Duration, open: watch::Sender<()>) -> Self {
        let core = store.order.core();
        let remote = Arc::new(Remote { store, unshared_for, _open: open });
        Self { core, remote, unshared: UnsharedValues::default() }
    }

    pub(crate) fn store(&self) -> &Arc<Store> {
        &self.remote.store
    }

    /// How this process stands with the nodes: which of them can be asked, and how many invalidations wait to be delivered.
    #[must_use]
    pub fn link(&self) -> Link {
        let store = self.store();
        let nodes = store.nodes.iter().map(|node| (node.address().to_owned(), node.is_up()));
        store.order.link(nodes, &store.entries)
    }
}

impl Cache for MemcachedCache {
    #[inline]
    fn core(&self) -> &Core {
        &self.core
    }

    fn storage(&self) -> &dyn Storage {
        self
    }

    fn share(&self) -> Arc<dyn Cache> {
        Arc::new(self.clone())
    }
}

#[async_trait]
impl Storage for MemcachedCache {
    /// A value that cannot be shared, or is not to be, lives here for a short time, and all others in memcached.
    fn peek(&self, at: Lookup<'_>) -> Option<Entry> {
        let entry = self.unshared.peek(at)?;
        is_kept_for(&self.core, &entry, self.remote.unshared_for).then_some(entry)
    }

    fn visit(&self, show: &mut dyn FnMut(&Entry)) {
        self.unshared.visit(show);
    }

    fn reads_further(&self) -> bool {
        true
    }

    async fn read(&self, keys: &[Lookup<'_>], of: ValueType) -> Vec<Option<Entry>> {
        self.store().read(&self.core, keys, of).await
    }

    async fn write(&self, entries: &[Entry]) -> Result<()> {
        let written = match entries.iter().all(Entry::is_local) {
            // Threads that have no runtime come here too.
            true => Ok(()),
            false => self.store().write(&self.core, entries).await,
        };
        self.unshared.keep(entries, |settings| self.store().order.memory(settings));
        written
    }

    fn apply(&self, scopes: &[Scope]) -> Invalidating {
        let (store, counter) = (self.store(), self.store().clone());
        let nodes = store.nodes_of(scopes);
        let within_reach = move || nodes.iter().all(|node| node.is_up());
        store.order.invalidate(&self.core, scopes, within_reach, move || counter.counter_node().is_up())
    }

    fn shared(&self) -> Option<&dyn SharedStorage> {
        Some(self)
    }

    fn kept(&self) -> Kept {
        self.unshared.kept()
    }
}

impl fmt::Debug for MemcachedCache {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemcachedCache").field("link", &self.link()).finish_non_exhaustive()
    }
}
