//! `MemoryCache`: entries in this process' memory, as objects.

pub(crate) mod builder;
#[cfg(feature = "disk")]
mod disk;
#[cfg(feature = "moka")]
mod moka;
pub(crate) mod persistent_tier;
mod store;
pub(crate) mod tier;

use std::{fmt, sync::Arc, time::Duration};

use async_trait::async_trait;

use self::{
    builder::{MemoryCacheBuilder, Store},
    tier::MemoryTier,
};
use crate::{
    cache::{Cache, Invalidating, Invalidation, Kept, Storage},
    cache_core::{Core, CoreBuilder, Lookup},
    entry::Entry,
    epoch::Epoch,
    error::{Kind, Result},
    mutant::{self, Rule},
    scope::Scope,
    value::ValueType,
};

/// A bounded cache in this process' memory. Values are kept as objects: a hit clones, and never decodes.
/// Cheap to clone; clones are the same cache.
///
/// Entries lie in a table of sets of sixteen, by the hash of their keys, and what is hit most also in a front cache.
/// A hit in the front cache takes no lock, and one in the table shares that of one set with other hits, for some
/// nanoseconds. When the cache is full, a new entry takes the place of the least used of some twenty, as
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
    tier: MemoryTier,
}

impl MemoryCacheBuilder {
    /// The cache.
    ///
    /// # Errors
    ///
    /// If the capacity is zero: a cache that keeps nothing is more likely a slip than a wish. With a disk tier, also if
    /// another cache uses its folder; a folder that cannot be used for any other reason is a warning, and the cache goes on
    /// without it. Then this also takes as long as reading what is there.
    pub fn build(self) -> Result<MemoryCache> {
        let settings = Arc::new(self);
        let MemoryCache { tier } = settings.clone().build_with(|core| core)?;
        let disk = match &settings.disk {
            Some(disk) => disk.open(&tier.core)?,
            None => None,
        };
        Ok(MemoryCache { tier: tier.in_front_of(disk) })
    }

    fn build_with(self: Arc<Self>, core: impl FnOnce(CoreBuilder) -> CoreBuilder) -> Result<MemoryCache> {
        if self.capacity == 0 {
            return Err(Kind::configuration("`capacity` is 0; set how many entries to keep").into());
        }
        let (narrow, wide) = self.front_cache_slots_or_default();
        let builder = core(
            Core::builder().scope_slots(self.scope_slots_or_default()).counters(self.entries_or_default()),
        )
        .front_cache_slots(narrow)
        .front_cache_until_full(wide);
        let builder = match self.store {
            Store::Table => builder.store(self.capacity, self.eviction, self.weigher.is_some()),
            #[cfg(feature = "moka")]
            Store::Moka => builder,
        };
        Ok(MemoryCache { tier: MemoryTier::new(builder.build(), self) })
    }
}

impl MemoryCache {
    /// A cache of up to `capacity` entries, with the defaults of [`builder`](Self::builder).
    ///
    /// # Panics
    ///
    /// If `capacity` is zero, which the builder refuses with an error. A cache that is there and not used is a
    /// [`disable`](crate::CacheExt::disable)d one.
    #[must_use]
    #[track_caller]
    pub fn new(capacity: u64) -> Self {
        match Self::builder().capacity(capacity).build() {
            Ok(cache) => cache,
            Err(error) => panic!("{error}"),
        }
    }

    /// Sets capacity, weigher, eviction and store.
    pub fn builder() -> MemoryCacheBuilder {
        MemoryCacheBuilder::default()
    }

    /// The same cache with another, empty store.
    pub(crate) fn apart(&self, settings: MemoryCacheBuilder) -> Option<Self> {
        Some(Self { tier: self.tier.apart(settings)? })
    }

    /// What was just applied goes on to where entries outlive the process, which it is to outlive too.
    pub(crate) fn written_down(&self, goes_on: Invalidating) -> Invalidating {
        let Some(disk) = self.tier.disk().filter(|disk| !disk.is_written()) else { return goes_on };
        let written = disk.wait_until_written();
        Invalidating::under_way(async move {
            match goes_on.await {
                // It is in the log, and so heard of at the next start.
                Invalidation::Delivered(epoch) if epoch != Epoch::ZERO => Invalidation::Delivered(epoch),
                outcome if written.await => outcome,
                _ => Invalidation::Queued,
            }
        })
    }

    pub(crate) fn keep(&self, entries: &[Entry]) {
        self.tier.keep(entries);
    }

    /// See [`MemoryTier::keep_found`].
    pub(crate) fn keep_found(&self, entry: &Entry) {
        self.tier.keep_found(entry);
    }

    /// See [`MemoryTier::free`].
    pub(crate) fn free(&self, scopes: &[Scope]) {
        self.tier.free(scopes);
    }

    /// Drops what is kept under the key of another entry.
    #[cfg_attr(not(feature = "shared"), expect(dead_code, reason = "for a cache with two tiers"))]
    pub(crate) fn discard(&self, entry: &Entry) {
        self.tier.remove(Lookup { key: &entry.0.key, hash: entry.0.hash });
    }

    /// An empty cache with the same settings, in an order of changes that other caches share.
    #[cfg_attr(not(feature = "shared"), expect(dead_code, reason = "for a cache with two tiers"))]
    pub(crate) fn anew(&self, epochs: Arc<crate::epoch::Epochs>) -> Self {
        self.tier
            .settings
            .clone()
            .build_with(|core| core.epochs(epochs))
            .expect("they were checked when it was built")
    }

    /// About how many entries are kept at the moment, those included that are no longer valid but not yet
    /// replaced.
    #[must_use]
    pub fn entry_count(&self) -> u64 {
        self.tier.store().entry_count(&self.tier.core)
    }

    /// About the sum of the weights of what is kept; the number of entries if there is no weigher.
    #[must_use]
    pub fn weighted_size(&self) -> u64 {
        self.tier.store().weighted_size(&self.tier.core)
    }
}

impl Cache for MemoryCache {
    #[inline]
    fn core(&self) -> &Core {
        &self.tier.core
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
        self.tier.store().get(at)
    }

    fn visit(&self, show: &mut dyn FnMut(&Entry)) {
        self.tier.store().visit(show);
    }

    fn reads_further(&self) -> bool {
        self.tier.disk().is_some()
    }

    async fn read(&self, keys: &[Lookup<'_>], of: ValueType) -> Vec<Option<Entry>> {
        let Some(disk) = self.tier.disk() else { return vec![None; keys.len()] };
        let entries = disk.read(keys, of).await;
        if of.transport.is_some() {
            entries.iter().flatten().for_each(|entry| self.keep_found(entry));
        }
        entries
    }

    async fn write(&self, entries: &[Entry]) -> Result<()> {
        self.keep(entries);
        self.write_further(entries).await
    }

    fn memory(&self) -> Option<&MemoryTier> {
        Some(&self.tier)
    }

    async fn write_further(&self, entries: &[Entry]) -> Result<()> {
        if let Some(disk) = self.tier.disk() {
            disk.offer(entries);
            disk.settle(entries).await;
        }
        Ok(())
    }

    fn writes_further(&self) -> bool {
        self.tier.disk().is_some()
    }

    async fn persist(&self, limit: Duration) -> bool {
        match self.tier.disk() {
            Some(disk) => disk.persist(limit).await,
            None => true,
        }
    }

    fn kept(&self) -> Kept {
        Kept { entries: self.entry_count(), weight: self.weighted_size() }
    }

    fn apply(&self, scopes: &[Scope]) -> Invalidating {
        if mutant::is(Rule::PrefixesNotApplied) && scopes.iter().any(|scope| scope.hash().is_wide()) {
            return Invalidating::done(Invalidation::Queued);
        }
        self.tier.core.invalidate(scopes);
        self.free(scopes);
        self.written_down(Invalidating::done(Invalidation::Delivered(Epoch::ZERO)))
    }

    fn mark_stale(&self, scopes: &[Scope]) -> Invalidating {
        if mutant::is(Rule::MarksNotApplied) {
            return Invalidating::done(Invalidation::Queued);
        }
        self.tier.core.mark_stale(scopes);
        self.written_down(Invalidating::done(Invalidation::Delivered(Epoch::ZERO)))
    }
}

impl fmt::Debug for MemoryCache {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryCache").field("store", &self.tier.settings.store).finish_non_exhaustive()
    }
}
