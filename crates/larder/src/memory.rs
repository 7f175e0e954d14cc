//! `MemoryCache`: entries in this process' memory, as objects.

mod kept;

use std::{
    fmt,
    hash::{BuildHasherDefault, Hash, Hasher},
    sync::Arc,
    sync::atomic::{AtomicU64, Ordering},
    time::{Duration, Instant},
};

use async_trait::async_trait;
use equivalent::Equivalent;
use moka::{Expiry, notification::RemovalCause, policy::EvictionPolicy, sync};

use self::kept::Kept;
use crate::{
    cache::{Cache, Invalidating, Invalidation, Storage},
    cache_core::{Core, CoreBuilder, Lookup},
    deferred_drop::DropDeferred,
    entry::Entry,
    epoch::{DEFAULT_SLOTS, Epoch},
    error::{Kind, Result},
    scope::Scope,
};

/// A bounded cache in this process' memory. Values are kept as objects: a hit clones, and never decodes.
/// Cheap to clone; clones are the same cache.
///
/// [`moka`] decides what is kept. In front of it, a front cache answers most hits.
///
/// What is no longer kept is dropped in some later call of a `MemoryCache`, by whichever thread makes it. No lock is
/// held then: the `Drop` of a value may call this cache too.
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
    store: Store,
    /// Behind the store, so that it is dropped after it.
    _dropping: Arc<DropDeferred>,
    /// The weight of what was stored since the store last dropped what is too much.
    unsettled: Arc<AtomicU64>,
    settings: Arc<MemoryCacheBuilder>,
}

/// How much a [`MemoryCache`] keeps, and by which rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum Eviction {
    /// Keeps what is used often: a new entry gets in if it was asked for more often than what it would
    /// replace ([TinyLFU](https://arxiv.org/abs/1512.00727)). The best choice for most mixes.
    #[default]
    TinyLfu,
    /// Keeps what was used last. For mixes in which what is new is what will be asked for.
    Lru,
}

const DEFAULT_CAPACITY: u64 = 10_000;

type Store = sync::Cache<StoreKey, Kept, BuildHasherDefault<Hashed>>;

type Weigher = Arc<dyn Fn(&str, &Entry) -> u32 + Send + Sync>;

/// Builds a [`MemoryCache`]; made by [`MemoryCache::builder`].
#[derive(Clone)]
#[must_use = "a builder does nothing until `build` is called"]
pub struct MemoryCacheBuilder {
    capacity: u64,
    weigher: Option<Weigher>,
    eviction: Eviction,
    front_cache_slots: Option<usize>,
    scope_slots: usize,
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

    /// How many recently hit entries lie in front of the store; a tenth of the capacity by default, 4,096
    /// at most. Zero turns the front cache off.
    pub fn front_cache_slots(mut self, slots: usize) -> Self {
        self.front_cache_slots = Some(slots);
        self
    }

    /// See [`CoreBuilder::scope_slots`](crate::CoreBuilder::scope_slots).
    pub fn scope_slots(mut self, slots: usize) -> Self {
        self.scope_slots = slots;
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
        let builder = Core::builder()
            .front_cache_slots(self.front_cache_slots_or_default())
            .scope_slots(self.scope_slots);
        // With a weigher, the capacity says nothing of how many.
        let counters = if self.weigher.is_some() { DEFAULT_CAPACITY } else { self.capacity };
        let core = core(builder.counters(counters)).build();
        let store = self.store(&core);
        let (_dropping, unsettled) = (Arc::new(DropDeferred), Arc::default());
        Ok(MemoryCache { core, store, _dropping, unsettled, settings: self })
    }

    /// An empty store for a cache with this core.
    fn store(&self, core: &Core) -> Store {
        let mut store = sync::Cache::builder()
            .max_capacity(self.capacity)
            .eviction_policy(match self.eviction {
                Eviction::TinyLfu => EvictionPolicy::tiny_lfu(),
                Eviction::Lru => EvictionPolicy::lru(),
            })
            .expire_after(Retention)
            .eviction_listener({
                let core = core.clone();
                move |_, kept: Kept, cause| {
                    if let Some(entry) = kept.entry() {
                        core.forget(entry, cause == RemovalCause::Size);
                    }
                }
            });
        if self.weigher.is_some() {
            store = store.weigher(|_, kept| kept.weight());
        }
        store.build_with_hasher(BuildHasherDefault::default())
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

    /// Sets capacity, weigher and eviction.
    pub fn builder() -> MemoryCacheBuilder {
        MemoryCacheBuilder {
            capacity: DEFAULT_CAPACITY,
            weigher: None,
            eviction: Eviction::default(),
            front_cache_slots: None,
            scope_slots: DEFAULT_SLOTS,
        }
    }

    pub(crate) fn keep(&self, entries: &[Entry]) {
        let _dropping = DropDeferred;
        for entry in entries {
            // Here, and not in the store: under no lock, and before anything is stored.
            let weight = self.settings.weigher.as_ref().map(|weigher| weigher(&entry.0.key, entry));
            let key = StoreKey { hash: entry.0.hash, text: entry.0.key.clone() };
            self.store.insert(key, Kept::new(entry.clone(), weight.unwrap_or(1)));
            if let Some(weight) = weight {
                self.settle(weight.into());
            }
        }
    }

    /// Has the store drop what is too much, once that may be a part of the capacity that matters: by itself it does so
    /// by the number of entries stored, and entries that are weighed may be large.
    fn settle(&self, weight: u64) {
        const PART: u64 = 32;
        let unsettled = self.unsettled.fetch_add(weight, Ordering::Relaxed) + weight;
        if unsettled > self.settings.capacity / PART {
            self.unsettled.store(0, Ordering::Relaxed);
            self.store.run_pending_tasks();
        }
    }

    /// Frees the memory of entries under keys that were just invalidated: what stays is never served. A value
    /// that another thread stored since is lost, and computed again.
    pub(crate) fn free(&self, scopes: &[Scope]) {
        let _dropping = DropDeferred;
        for key in scopes.iter().filter_map(Scope::as_key) {
            self.store.invalidate(&Sought(self.core.lookup(key)));
        }
    }

    /// The same cache with another, empty store. What is in front of both, the front cache, stays within what both
    /// keep: a store tells of all that it drops.
    pub(crate) fn apart(&self, settings: MemoryCacheBuilder) -> Option<Self> {
        let store = (settings.capacity > 0).then(|| settings.store(&self.core))?;
        let _dropping = Arc::new(DropDeferred);
        Some(Self {
            store,
            _dropping,
            unsettled: Arc::default(),
            settings: Arc::new(settings),
            ..self.clone()
        })
    }

    /// Drops what is kept under the key of another entry.
    #[cfg_attr(not(feature = "redis"), expect(dead_code, reason = "for a cache with two tiers"))]
    pub(crate) fn discard(&self, entry: &Entry) {
        let _dropping = DropDeferred;
        self.store.invalidate(&Sought(Lookup { key: &entry.0.key, hash: entry.0.hash }));
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
        let _dropping = DropDeferred;
        self.store.run_pending_tasks();
        self.store.entry_count()
    }

    /// About the sum of the weights of what is kept; the number of entries if there is no weigher.
    #[must_use]
    pub fn weighted_size(&self) -> u64 {
        let _dropping = DropDeferred;
        self.store.run_pending_tasks();
        self.store.weighted_size()
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
        let _dropping = DropDeferred;
        self.store.get(&Sought(at)).and_then(Kept::into_entry)
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
        f.debug_struct("MemoryCache").field("entries", &self.store.entry_count()).finish_non_exhaustive()
    }
}

impl fmt::Debug for MemoryCacheBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryCacheBuilder")
            .field("capacity", &self.capacity)
            .field("weigher", &self.weigher.as_ref().map(|_| "…"))
            .field("eviction", &self.eviction)
            .field("front_cache_slots", &self.front_cache_slots_or_default())
            .field("scope_slots", &self.scope_slots)
            .finish()
    }
}

/// Frees the memory of entries whose time is over; that they are no longer served is decided elsewhere.
struct Retention;

impl Expiry<StoreKey, Kept> for Retention {
    fn expire_after_create(&self, _: &StoreKey, kept: &Kept, _: Instant) -> Option<Duration> {
        kept.entry().map(Entry::retention)
    }

    // The default of this method keeps the lifetime of the entry that was replaced.
    fn expire_after_update(
        &self,
        _: &StoreKey,
        kept: &Kept,
        _: Instant,
        _: Option<Duration>,
    ) -> Option<Duration> {
        kept.entry().map(Entry::retention)
    }
}

/// A key in the store, with its hash, so that it is hashed once in its life.
#[derive(Debug, PartialEq, Eq)]
struct StoreKey {
    hash: u64,
    text: Arc<str>,
}

/// A key that the store is asked for.
struct Sought<'k>(Lookup<'k>);

impl Hash for StoreKey {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_u64(self.hash);
    }
}

impl Hash for Sought<'_> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_u64(self.0.hash);
    }
}

impl Equivalent<StoreKey> for Sought<'_> {
    fn equivalent(&self, key: &StoreKey) -> bool {
        self.0.hash == key.hash && *self.0.key == *key.text
    }
}

/// Passes on the hash that a key brings along.
#[derive(Default)]
struct Hashed(u64);

impl Hasher for Hashed {
    fn write(&mut self, _: &[u8]) {
        unreachable!("keys of the store write their hash alone")
    }

    fn write_u64(&mut self, hash: u64) {
        self.0 = hash;
    }

    fn finish(&self) -> u64 {
        self.0
    }
}
