//! `MemoryCache`: entries in this process' memory, as objects.

#[cfg(feature = "moka")]
mod moka;

use std::{fmt, sync::Arc};

use arc_swap::Guard;
use async_trait::async_trait;

use crate::{
    cache::{Cache, Invalidating, Invalidation, Storage},
    cache_core::{Core, CoreBuilder, Lookup},
    entry::Entry,
    epoch::{DEFAULT_SLOTS, Epoch},
    error::{Kind, Result},
    scope::Scope,
    table::{Eviction, Table},
};

/// A bounded cache in this process' memory. Values are kept as objects: a hit clones, and never decodes.
/// Cheap to clone; clones are the same cache.
///
/// Entries lie in a table of sets of sixteen, by the hash of their keys, and what is hit most also in a small front cache.
/// A hit takes no lock. When the cache is full, a
/// new entry takes the place of the least used of some twenty, as [`Eviction`] says. Memory grows with use, by some
/// 40 bytes for each entry besides the entry itself. What has expired, or was invalidated by a prefix or a tag, is looked
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
    store: Place,
    settings: Arc<MemoryCacheBuilder>,
}

/// What keeps the entries of a [`MemoryCache`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Store {
    /// larder's own table, which [`MemoryCache`] describes: the fastest in all that was measured, hits, misses and
    /// invalidations, on one thread and on several.
    #[default]
    Table,
    /// [moka](https://docs.rs/moka), with a front cache of the entries that were hit last. Take it where a mix of reads
    /// is known to fare better with its policy: reads that go round more than is kept, say, or entries of very different
    /// weights, of which moka does not let a heavy new one in at the cost of many used ones. Its upkeep makes misses and
    /// evictions some times dearer, and memory is given back a little later.
    #[cfg(feature = "moka")]
    #[cfg_attr(docsrs, doc(cfg(feature = "moka")))]
    Moka,
}

/// Where the entries of a cache lie.
#[derive(Clone)]
enum Place {
    /// In the table of its core.
    Core,
    /// In a table that others with the same core know nothing of.
    Apart(Arc<Table>),
    #[cfg(feature = "moka")]
    Moka(moka::MokaStore),
}

const DEFAULT_CAPACITY: u64 = 10_000;

/// The most slots by default: a capacity that stands for "no bound" is no reason to take gigabytes.
const MOST_DEFAULT_SLOTS: usize = 1 << 24;

type Weigher = Arc<dyn Fn(&str, &Entry) -> u32 + Send + Sync>;

/// Builds a [`MemoryCache`]; made by [`MemoryCache::builder`].
#[derive(Clone)]
#[must_use = "a builder does nothing until `build` is called"]
pub struct MemoryCacheBuilder {
    capacity: u64,
    weigher: Option<Weigher>,
    eviction: Eviction,
    store: Store,
    front_cache_slots: Option<usize>,
    scope_slots: Option<usize>,
}

impl MemoryCacheBuilder {
    /// The most that is kept: a number of entries, or of whatever a [`weigher`](Self::weigher) measures.
    /// 10,000 by default.
    pub fn capacity(mut self, capacity: u64) -> Self {
        self.capacity = capacity;
        self
    }

    /// Measures entries: `capacity` is then the sum of their weights, in the weigher's unit. Called once
    /// for each entry stored, before it is, and under no lock. An entry that weighs more than the capacity is not kept.
    pub fn weigher(mut self, weigher: impl Fn(&str, &Entry) -> u32 + Send + Sync + 'static) -> Self {
        self.weigher = Some(Arc::new(weigher));
        self
    }

    /// By which rule entries are kept; [`Eviction::TinyLfu`] by default.
    pub fn eviction(mut self, eviction: Eviction) -> Self {
        self.eviction = eviction;
        self
    }

    /// What keeps the entries; [`Store::Table`] by default.
    pub fn store(mut self, store: Store) -> Self {
        self.store = store;
        self
    }

    /// How many recently hit entries lie in a front cache, for which a hit costs least; a tenth of the capacity by
    /// default, 4,096 at most. Zero turns it off.
    pub fn front_cache_slots(mut self, slots: usize) -> Self {
        self.front_cache_slots = Some(slots);
        self
    }

    /// See [`CoreBuilder::scope_slots`](crate::CoreBuilder::scope_slots). By default at least as many as entries are
    /// kept, since each insert is a change of its key; 2^24 at most, which take 256 MiB.
    pub fn scope_slots(mut self, slots: usize) -> Self {
        self.scope_slots = Some(slots);
        self
    }

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
        // With a weigher, the capacity says nothing of how many.
        let counters = if self.weigher.is_some() { DEFAULT_CAPACITY } else { self.capacity };
        let entries = usize::try_from(counters).unwrap_or(usize::MAX);
        let scope_slots = self.scope_slots.unwrap_or(entries.clamp(DEFAULT_SLOTS, MOST_DEFAULT_SLOTS));
        let builder = core(Core::builder().scope_slots(scope_slots).counters(counters))
            .front_cache_slots(self.front_cache_slots_or_default());
        let (core, store) = match self.store {
            Store::Table => {
                let core = builder.store(self.capacity, self.eviction, self.weigher.is_some()).build();
                (core, Place::Core)
            }
            #[cfg(feature = "moka")]
            Store::Moka => {
                let core = builder.build();
                let store = self.place(&core);
                (core, store)
            }
        };
        Ok(MemoryCache { core, store, settings: self })
    }

    /// An empty store for a cache with this core, apart from that one's table.
    #[cfg_attr(not(feature = "moka"), expect(unused_variables, reason = "a table says itself what it drops"))]
    fn place(&self, core: &Core) -> Place {
        let weighs = self.weigher.is_some();
        match self.store {
            Store::Table => Place::Apart(Arc::new(Table::new(self.capacity, self.eviction, weighs))),
            #[cfg(feature = "moka")]
            Store::Moka => {
                let core = core.clone();
                let forget = move |entry: &Entry, evicted| core.forget(entry, evicted);
                Place::Moka(moka::MokaStore::new(self.capacity, self.eviction, weighs, forget))
            }
        }
    }

    fn front_cache_slots_or_default(&self) -> usize {
        const MOST: u64 = 4_096;
        self.front_cache_slots.unwrap_or_else(|| {
            let tenth = (self.capacity / 10).clamp(1, MOST);
            usize::try_from(tenth).expect("the most fits")
        })
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
        MemoryCacheBuilder {
            capacity: DEFAULT_CAPACITY,
            weigher: None,
            eviction: Eviction::default(),
            store: Store::default(),
            front_cache_slots: None,
            scope_slots: None,
        }
    }

    /// The table that entries lie in.
    fn table(&self) -> Option<&Table> {
        match &self.store {
            Place::Core => self.core.store(),
            Place::Apart(table) => Some(table),
            #[cfg(feature = "moka")]
            Place::Moka(_) => None,
        }
    }

    pub(crate) fn keep(&self, entries: &[Entry]) {
        for entry in entries {
            // Here, and not in the store: under no lock, and before anything is stored.
            let weight = self.settings.weigher.as_ref().map(|weigher| weigher(&entry.0.key, entry));
            match &self.store {
                #[cfg(feature = "moka")]
                Place::Moka(store) => store.insert(entry, weight),
                Place::Core | Place::Apart(_) => {
                    let table = self.table().expect("moka is the only store without one");
                    self.core.keep(table, entry, weight.unwrap_or(1));
                }
            }
        }
    }

    /// Frees the memory of entries under keys that were just invalidated: what stays is never served. A value
    /// that another thread stored since is lost, and computed again.
    pub(crate) fn free(&self, scopes: &[Scope]) {
        for key in scopes.iter().filter_map(Scope::as_key) {
            self.remove(self.core.lookup(key));
        }
    }

    fn remove(&self, at: Lookup<'_>) {
        match &self.store {
            #[cfg(feature = "moka")]
            Place::Moka(store) => store.remove(at.hash, at.key),
            Place::Core | Place::Apart(_) => {
                let table = self.table().expect("moka is the only store without one");
                self.core.discard(table, at);
            }
        }
    }

    /// The same cache with another, empty store. A front cache, if there is one, is in front of both, and stays within
    /// what both keep: a store tells of all that it drops.
    pub(crate) fn apart(&self, settings: MemoryCacheBuilder) -> Option<Self> {
        let store = (settings.capacity > 0).then(|| settings.place(&self.core))?;
        Some(Self { store, settings: Arc::new(settings), ..self.clone() })
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
        match &self.store {
            #[cfg(feature = "moka")]
            Place::Moka(store) => store.entry_count(),
            Place::Core | Place::Apart(_) => self.swept_table().len() as u64,
        }
    }

    /// About the sum of the weights of what is kept; the number of entries if there is no weigher.
    #[must_use]
    pub fn weighted_size(&self) -> u64 {
        match &self.store {
            #[cfg(feature = "moka")]
            Place::Moka(store) => store.weighted_size(),
            Place::Core | Place::Apart(_) => self.swept_table().weight(),
        }
    }

    fn swept_table(&self) -> &Table {
        let table = self.table().expect("moka is the only store without one");
        self.core.sweep_table(table);
        table
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
        match &self.store {
            #[cfg(feature = "moka")]
            Place::Moka(store) => store.get(at.hash, at.key),
            Place::Core | Place::Apart(_) => {
                Guard::into_inner(self.table()?.get(at.hash, at.key)?).map(Entry)
            }
        }
    }

    async fn write(&self, entries: &[Entry]) -> Result<()> {
        self.keep(entries);
        Ok(())
    }

    fn apply(&self, scopes: &[Scope]) -> Invalidating {
        if crate::mutant::is("prefixes-not-applied") && scopes.iter().any(|scope| scope.hash().is_wide()) {
            return Invalidating::done(Invalidation::Queued);
        }
        self.core.invalidate(scopes);
        self.free(scopes);
        Invalidating::done(Invalidation::Delivered(Epoch::ZERO))
    }
}

impl fmt::Debug for MemoryCache {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryCache").field("store", &self.settings.store).finish_non_exhaustive()
    }
}

impl fmt::Debug for MemoryCacheBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryCacheBuilder")
            .field("store", &self.store)
            .field("capacity", &self.capacity)
            .field("weigher", &self.weigher.as_ref().map(|_| "…"))
            .field("eviction", &self.eviction)
            .field("scope_slots", &self.scope_slots)
            .finish_non_exhaustive()
    }
}
