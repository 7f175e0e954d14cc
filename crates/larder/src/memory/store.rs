//! What a [`MemoryCache`](super::MemoryCache) keeps its entries in.

use crate::{
    cache_core::{Core, Lookup},
    entry::Entry,
    table::{Dropped, Table},
};

/// A bounded place for entries. It judges none of them, and calls no code of users under a lock.
///
/// Whatever it lets go of, it clears from the front cache of the core. That is the core of the cache that the store
/// belongs to, the same one in each call.
pub(super) trait EntryStore: Send + Sync {
    /// The entry under a key.
    fn get(&self, at: Lookup<'_>) -> Option<Entry>;

    /// Makes room for an entry of this weight that is about to be placed, if much has to go for it. Under no lock.
    fn make_room(&self, core: &Core, at: Lookup<'_>, weight: u32);

    /// Keeps an entry, with its weight if there is a weigher, in the place of what is under its key, unless that is
    /// younger ([`Stored::gives_way_to`](crate::entry::Stored::gives_way_to)). Gives what it lets go of, and drops
    /// nothing: it is called under a lock too.
    fn place(&self, entry: &Entry, weight: Option<u32>) -> Dropped;

    /// After entries were placed, of this weight if there is a weigher: clears and drops what was let go of for them. Under
    /// no lock.
    fn settle(&self, core: &Core, dropped: Dropped, weight: Option<u32>);

    /// Drops what is under a key.
    fn remove(&self, core: &Core, at: Lookup<'_>);

    /// Shows the entries: see [`Storage::visit`](crate::Storage::visit).
    fn visit(&self, show: &mut dyn FnMut(&Entry));

    /// About how many entries there are.
    fn entry_count(&self, core: &Core) -> u64;

    /// About the sum of their weights.
    fn weighted_size(&self, core: &Core) -> u64;
}

impl EntryStore for Table {
    fn get(&self, at: Lookup<'_>) -> Option<Entry> {
        Self::get(self, at.hash, at.key.as_bytes()).map(Entry)
    }

    fn make_room(&self, core: &Core, at: Lookup<'_>, weight: u32) {
        if let Some(dropped) = self.make_room_ahead(at.hash, at.key, weight) {
            core.settle(self, dropped);
        }
    }

    fn place(&self, entry: &Entry, weight: Option<u32>) -> Dropped {
        self.insert(&entry.0, weight.unwrap_or(1))
    }

    fn settle(&self, core: &Core, dropped: Dropped, _weight: Option<u32>) {
        core.settle(self, dropped);
    }

    fn remove(&self, core: &Core, at: Lookup<'_>) {
        core.discard(self, at);
    }

    fn visit(&self, show: &mut dyn FnMut(&Entry)) {
        self.entries().for_each(|stored| show(&Entry(stored)));
    }

    fn entry_count(&self, core: &Core) -> u64 {
        core.sweep_table(self);
        self.len() as u64
    }

    fn weighted_size(&self, core: &Core) -> u64 {
        core.sweep_table(self);
        self.weight()
    }
}
