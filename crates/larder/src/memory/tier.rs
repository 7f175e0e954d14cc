//! Where entries lie in this process' memory.

use std::{fmt, sync::Arc};

use super::{
    builder::{MemoryCacheBuilder, Store},
    persistent_tier::PersistentTier,
    store::EntryStore,
};
use crate::{
    cache_core::{Core, Lookup},
    entry::Entry,
    panic_guard,
    scope::Scope,
    table::{Dropped, Table},
};

/// The memory in which a cache keeps its entries: what [`Storage::memory`](crate::Storage::memory) gives. It is a
/// [`MemoryCache`](crate::MemoryCache)'s.
#[derive(Clone)]
pub struct MemoryTier {
    pub(super) core: Core,
    /// Where the entries lie, if that is not the table of the core.
    apart: Option<Arc<dyn EntryStore>>,
    pub(super) settings: Arc<MemoryCacheBuilder>,
    /// What lies behind it, and outlives the process.
    disk: Option<Arc<dyn PersistentTier>>,
}

impl MemoryTier {
    /// In the table of the core, if it has one.
    pub(super) fn new(core: Core, settings: Arc<MemoryCacheBuilder>) -> Self {
        let apart = core.store().is_none().then(|| empty_store(&settings, &core));
        Self { core, apart, settings, disk: None }
    }

    /// The same with a disk behind it.
    pub(super) fn in_front_of(self, disk: Option<Arc<dyn PersistentTier>>) -> Self {
        Self { disk, ..self }
    }

    pub(crate) fn disk(&self) -> Option<&dyn PersistentTier> {
        self.disk.as_deref()
    }

    /// Whether it is that of a cache with this core.
    pub(crate) fn is_of(&self, core: &Core) -> bool {
        self.core.same_cache(core)
    }

    /// Whether what is not in the table of the core is not in this memory.
    pub(crate) fn is_in_table(&self) -> bool {
        self.apart.is_none()
    }

    pub(super) fn store(&self) -> &dyn EntryStore {
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
        // Also what was read from elsewhere: a caller that looked before it was here need not read it once more.
        self.core.note_stored();
    }

    /// The same of an entry that was found behind this tier. It is served whatever becomes of it here: a weigher that panics
    /// would fail every read of it.
    pub(crate) fn keep_found(&self, entry: &Entry) {
        let _ = panic_guard::contain(|| self.keep(std::slice::from_ref(entry)));
    }

    /// What an entry weighs, if that is not one. A weigher is its author's code: it is called under no lock, and before
    /// anything is stored. One at least: what weighs nothing would be bounded by nothing.
    pub(crate) fn weigh(&self, entry: &Entry) -> Option<u32> {
        self.settings.weigher.as_ref().map(|weigher| weigher(&entry.0.key, entry).max(1))
    }

    /// Makes room for an entry that is about to be placed under a lock, if it is one for which much has to go.
    pub(crate) fn make_room(&self, entry: &Entry, weight: Option<u32>) {
        if let Some(weight) = weight {
            let at = Lookup { key: &entry.0.key, hash: entry.0.hash };
            self.store().make_room(&self.core, at, weight);
        }
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

    pub(super) fn remove(&self, at: Lookup<'_>) {
        self.store().remove(&self.core, at);
    }

    /// The same with another, empty store. A front cache, if there is one, is in front of both, and stays within
    /// what both keep: a store tells of all that it drops.
    pub(crate) fn apart(&self, settings: MemoryCacheBuilder) -> Option<Self> {
        let store = (settings.capacity > 0).then(|| empty_store(&settings, &self.core))?;
        Some(Self { apart: Some(store), settings: Arc::new(settings), ..self.clone() })
    }
}

/// A store for a cache with this core, apart from that one's table.
#[cfg_attr(
    not(feature = "moka"),
    expect(unused_variables, reason = "a table is given the core with each call")
)]
fn empty_store(settings: &MemoryCacheBuilder, core: &Core) -> Arc<dyn EntryStore> {
    let weighs = settings.weigher.is_some();
    match settings.store {
        Store::Table => Arc::new(Table::new(settings.capacity, settings.eviction, weighs)),
        #[cfg(feature = "moka")]
        Store::Moka => {
            Arc::new(super::moka::MokaStore::new(settings.capacity, settings.eviction, weighs, core.clone()))
        }
    }
}

impl fmt::Debug for MemoryTier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryTier").field("store", &self.settings.store).finish_non_exhaustive()
    }
}
