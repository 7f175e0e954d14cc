//! `MemoryCache`: entries in this process' memory, as objects.

pub(crate) mod builder;
#[cfg(feature = "moka")]
mod moka;
mod store;

use std::{fmt, sync::Arc};

use async_trait::async_trait;

use self::{
    builder::{MemoryCacheBuilder, Store},
    store::EntryStore,
};
use crate::{
    cache::{Cache, Invalidating, Invalidation, Kept, Storage},
    cache_core::{Core, CoreBuilder, Lookup},
    entry::Entry,
    epoch::Epoch,
    error::{Kind, Result},
    mutant::{self, Rule},
    scope::Scope,
    table::{Dropped, Table},
};

/// A bounded cache in this process' memory. Values are kept as objects: a hit clones, and never decodes.
/// Cheap to clone; clones are the same cache.
///
/// Entries lie in a table of sets of sixteen, by the hash of their keys, and what is hit most also in a small front cache.
/// A hit takes no lock. When the cache is full, a new entry takes the place of the least used of some twenty, as
/// [`Eviction`](crate::Eviction) says; seldom also before, when its set is full. Memory grows with use, by some 40 bytes
/// for each entry besides the entry itself. What has expired, or was invalidated by a prefix or a tag, is looked
/// for by calls that have other business, one or a few sets at a time: its memory is free within seconds where there
/// are thousands of calls a second. [`Store`] names another way to keep entries.
///
/// What is no longer kept is dropped in the call that finds it so, or in some later call of a `MemoryCache`, by whichever
/// thread makes it. No lock is held then: the `Drop` of a value may call this cache too.
///
/// ```
/// # use std::time::Duration;
/// use larder::{CacheExt, MemoryCache, Policy};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> larder::Result<()> {
/// let cache = MemoryCache::new(10_000);
/// cache.insert("answer", &42_u32, Policy::ttl(Duration::from_secs(60))).await?;
/// assert_eq!(cache.get::<u32>("answer").await?, Some(42));
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct MemoryCache {
    core: Core,
    /// Where the entries lie, if that is not the table of the core.
    apart: Option<Arc<dyn EntryStore>>,
    settings: Arc<MemoryCacheBuilder>,
}

impl MemoryCacheBuilder {
    /// The cache.
    ///
    /// # Errors
    ///
    /// If the capacity is zero: a cache that keeps nothing is more likely a slip than a wish.
    pub fn build(self) -> Result<MemoryCache> {
        Arc::new(self).build_with(|core| core)
    }

    fn build_with(self: Arc<Self>, core: impl FnOnce(CoreBuilder) -> CoreBuilder) -> Result<MemoryCache> {
        if self.capacity == 0 {
            return Err(Kind::configuration("`capacity` is 0; set how many entries to keep").into());
        }
        let builder = core(
            Core::builder().scope_slots(self.scope_slots_or_default()).counters(self.entries_or_default()),
        )
        .front_cache_slots(self.front_cache_slots_or_default());
        if self.store == Store::Table {
            let core = builder.store(self.capacity, self.eviction, self.weigher.is_some()).build();
            return Ok(MemoryCache { core, apart: None, settings: self });
        }
        let core = builder.build();
        Ok(MemoryCache { apart: Some(self.empty_store(&core)), core, settings: self })
    }

    /// A store for a cache with this core, apart from that one's table.
    #[cfg_attr(
        not(feature = "moka"),
        expect(unused_variables, reason = "a table is given the core with each call")
    )]
    fn empty_store(&self, core: &Core) -> Arc<dyn EntryStore> {
        let weighs = self.weigher.is_some();
        match self.store {
            Store::Table => Arc::new(Table::new(self.capacity, self.eviction, weighs)),
            #[cfg(feature = "moka")]
            Store::Moka => Arc::new(moka::MokaStore::new(self.capacity, self.eviction, weighs, core.clone())),
        }
    }
}

impl MemoryCache {
    /// A cache of up to `capacity` entries (at least one), with the defaults of
    /// [`builder`](Self::builder).
    #[must_use]
    pub fn new(capacity: u64) -> Self {
        Self::builder().capacity(capacity.max(1)).build().expect("every setting is valid")
    }

    /// Sets capacity, weigher, eviction and store.
    pub fn builder() -> MemoryCacheBuilder {
        MemoryCacheBuilder::default()
    }

    fn store(&self) -> &dyn EntryStore {
        match &self.apart {
            Some(store) => &**store,
            None => self.core.store().expect("a core without a table has a store apart"),
        }
    }

    pub(crate) fn keep(&self, entries: &[Entry]) {
        for entry in entries {
            let weight = self.weigh(entry);
            self.settle(self.place(entry, weight), weight);
        }
    }

    /// What an entry weighs, if that is not one. A weigher is its author's code: it is called under no lock, and before
    /// anything is stored.
    pub(crate) fn weigh(&self, entry: &Entry) -> Option<u32> {
        self.settings.weigher.as_ref().map(|weigher| weigher(&entry.0.key, entry))
    }

    /// Puts an entry in its place, and no more: [`settle`](Self::settle) does the rest, under no lock.
    pub(crate) fn place(&self, entry: &Entry, weight: Option<u32>) -> Dropped {
        self.store().place(entry, weight)
    }

    pub(crate) fn settle(&self, dropped: Dropped, weight: Option<u32>) {
        self.store().settle(&self.core, dropped, weight);
    }

    /// Frees the memory of entries under keys that were just invalidated: what stays is never served. A value
    /// that another thread stored since is lost, and computed again.
    pub(crate) fn free(&self, scopes: &[Scope]) {
        for key in scopes.iter().filter_map(Scope::as_key) {
            self.remove(self.core.lookup(key));
        }
    }

    fn remove(&self, at: Lookup<'_>) {
        self.store().remove(&self.core, at);
    }

    /// The same cache with another, empty store. A front cache, if there is one, is in front of both, and stays within
    /// what both keep: a store tells of all that it drops.
    pub(crate) fn apart(&self, settings: MemoryCacheBuilder) -> Option<Self> {
        let store = (settings.capacity > 0).then(|| settings.empty_store(&self.core))?;
        Some(Self { apart: Some(store), settings: Arc::new(settings), ..self.clone() })
    }

    /// Drops what is kept under the key of another entry.
    #[cfg_attr(not(feature = "redis"), expect(dead_code, reason = "for a cache with two tiers"))]
    pub(crate) fn discard(&self, entry: &Entry) {
        self.remove(Lookup { key: &entry.0.key, hash: entry.0.hash });
    }

    /// An empty cache with the same settings, in an order of changes that other caches share.
    #[cfg_attr(not(feature = "redis"), expect(dead_code, reason = "for a cache with two tiers"))]
    pub(crate) fn anew(&self, epochs: Arc<crate::epoch::Epochs>) -> Self {
        self.settings
            .clone()
            .build_with(|core| core.epochs(epochs))
            .expect("they were checked when it was built")
    }

    /// About how many entries are kept at the moment, those included that are no longer valid but not yet
    /// replaced.
    #[must_use]
    pub fn entry_count(&self) -> u64 {
        self.store().entry_count(&self.core)
    }

    /// About the sum of the weights of what is kept; the number of entries if there is no weigher.
    #[must_use]
    pub fn weighted_size(&self) -> u64 {
        self.store().weighted_size(&self.core)
    }
}

impl Cache for MemoryCache {
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

    fn with_memory(&self, memory: MemoryCacheBuilder) -> Option<Arc<dyn Cache>> {
        Some(Arc::new(self.apart(memory)?))
    }
}

#[async_trait]
impl Storage for MemoryCache {
    fn peek(&self, at: Lookup<'_>) -> Option<Entry> {
        self.store().get(at)
    }

    fn visit(&self, show: &mut dyn FnMut(&Entry)) {
        self.store().visit(show);
    }

    async fn write(&self, entries: &[Entry]) -> Result<()> {
        self.keep(entries);
        Ok(())
    }

    fn memory(&self) -> Option<&MemoryCache> {
        Some(self)
    }

    async fn write_further(&self, _entries: &[Entry]) -> Result<()> {
        Ok(())
    }

    fn writes_further(&self) -> bool {
        false
    }

    fn kept(&self) -> Kept {
        Kept { entries: self.entry_count(), weight: self.weighted_size() }
    }

    fn apply(&self, scopes: &[Scope]) -> Invalidating {
        if mutant::is(Rule::PrefixesNotApplied) && scopes.iter().any(|scope| scope.hash().is_wide()) {
            return Invalidating::done(Invalidation::Queued);
        }
        self.core.invalidate(scopes);
        self.free(scopes);
        Invalidating::done(Invalidation::Delivered(Epoch::ZERO))
    }

    fn mark_stale(&self, scopes: &[Scope]) -> Invalidating {
        self.core.mark_stale(scopes);
        Invalidating::done(Invalidation::Delivered(Epoch::ZERO))
    }
}

impl fmt::Debug for MemoryCache {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryCache").field("store", &self.settings.store).finish_non_exhaustive()
    }
}
