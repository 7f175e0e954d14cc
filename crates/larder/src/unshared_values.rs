//! Values that are not shared: kept in this process' memory, beside a store that all others are in.

use std::sync::{Arc, OnceLock};

use crate::{
    cache::{Kept, Storage},
    cache_core::Lookup,
    entry::Entry,
    memory::MemoryCache,
};

/// How many of them are kept.
const MOST: u64 = 1_000;

/// Values that cannot be shared, or are not to be: up to 1,000, from the first one on. Clones have the same.
#[derive(Debug, Clone, Default)]
pub struct UnsharedValues(Arc<OnceLock<MemoryCache>>);

impl UnsharedValues {
    /// See [`Storage::peek`].
    #[must_use]
    pub fn peek(&self, at: Lookup<'_>) -> Option<Entry> {
        self.0.get()?.peek(at)
    }

    /// See [`Storage::visit`].
    pub fn visit(&self, show: &mut dyn FnMut(&Entry)) {
        if let Some(memory) = self.0.get() {
            memory.visit(show);
        }
    }

    /// Keeps those of the entries that the store did not take, and drops what is under the keys of the others. `anew` makes
    /// a memory with the settings of another one, in the order of the store's changes.
    pub fn keep(&self, entries: &[Entry], anew: impl Fn(&MemoryCache) -> MemoryCache) {
        for entry in entries {
            if entry.is_local() || entry.0.is_unshared() {
                let memory = self.0.get_or_init(|| anew(&MemoryCache::new(MOST)));
                memory.keep(std::slice::from_ref(entry));
            } else if let Some(memory) = self.0.get() {
                memory.discard(entry);
            }
        }
    }

    /// See [`Storage::kept`].
    #[must_use]
    pub fn kept(&self) -> Kept {
        self.0.get().map(Storage::kept).unwrap_or_default()
    }
}
