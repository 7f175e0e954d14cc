//! [`Store::Moka`](super::Store::Moka): a store that [`moka`] keeps.

mod stored;

use std::{
    hash::{BuildHasherDefault, Hash, Hasher},
    sync::atomic::{AtomicU64, Ordering},
    time::{Duration, Instant},
};

use equivalent::Equivalent;
use moka::{Expiry, notification::RemovalCause, ops::compute::Op, policy::EvictionPolicy, sync};

use self::stored::KeptEntry;
use super::store::EntryStore;
use crate::{
    cache_core::{Core, Lookup},
    drop_later::DropDeferred,
    entry::Entry,
    key::kept::KeptKey,
    table::{Dropped, Eviction},
};

/// Entries in moka. It drops some later than in the call in which it lets go of them, and those while it holds its
/// locks: they are put aside, and each method here ends with dropping what is there.
pub(super) struct MokaStore {
    cache: sync::Cache<StoreKey, KeptEntry, BuildHasherDefault<Hashed>>,
    /// Behind the store, so that it is dropped after it.
    _dropping: DropDeferred,
    /// The weight of what was stored since the store last dropped what is too much.
    unsettled: AtomicU64,
    capacity: u64,
}

impl MokaStore {
    /// Tells the core of each entry that it no longer keeps.
    pub(super) fn new(capacity: u64, eviction: Eviction, weighs: bool, core: Core) -> Self {
        let mut cache = sync::Cache::builder()
            .max_capacity(capacity)
            .eviction_policy(match eviction {
                Eviction::TinyLfu => EvictionPolicy::tiny_lfu(),
                Eviction::Lru => EvictionPolicy::lru(),
            })
            .expire_after(Retention)
            .eviction_listener(move |_, kept: KeptEntry, cause| {
                if let Some(entry) = kept.entry() {
                    core.forget(entry, cause == RemovalCause::Size);
                }
            });
        if weighs {
            cache = cache.weigher(|_, kept| kept.weight());
        }
        let cache = cache.build_with_hasher(BuildHasherDefault::default());
        Self { cache, _dropping: DropDeferred, unsettled: AtomicU64::new(0), capacity }
    }

    /// Has the store drop what is too much, once that may be a part of the capacity that matters: by itself it does so
    /// by the number of entries stored, and entries that are weighed may be large.
    fn drop_excess(&self, weight: u64) {
        const PART: u64 = 32;
        let unsettled = self.unsettled.fetch_add(weight, Ordering::Relaxed) + weight;
        if unsettled > self.capacity / PART {
            self.unsettled.store(0, Ordering::Relaxed);
            self.cache.run_pending_tasks();
        }
    }
}

impl EntryStore for MokaStore {
    fn get(&self, at: Lookup<'_>) -> Option<Entry> {
        let _dropping = DropDeferred;
        self.cache.get(&Sought { hash: at.hash, key: at.key }).and_then(KeptEntry::into_entry)
    }

    /// It does so by itself, after the entry was placed.
    fn make_room(&self, _: &Core, _: Lookup<'_>, _: u32) {}

    fn place(&self, entry: &Entry, weight: Option<u32>) -> Dropped {
        let key = StoreKey { hash: entry.0.hash, text: entry.0.key.clone() };
        let new = KeptEntry::new(entry.clone(), weight.unwrap_or(1));
        self.cache.entry(key).and_compute_with(|kept| {
            let kept = kept.map(|kept| kept.into_value());
            match kept.as_ref().and_then(KeptEntry::entry).is_none_or(|kept| kept.0.gives_way_to(&entry.0)) {
                true => Op::Put(new),
                false => Op::Nop,
            }
        });
        // What it lets go of is put aside.
        Dropped::default()
    }

    fn settle(&self, _core: &Core, _dropped: Dropped, weight: Option<u32>) {
        let _dropping = DropDeferred;
        if let Some(weight) = weight {
            self.drop_excess(weight.into());
        }
    }

    fn remove(&self, _core: &Core, at: Lookup<'_>) {
        let _dropping = DropDeferred;
        self.cache.invalidate(&Sought { hash: at.hash, key: at.key });
    }

    fn visit(&self, show: &mut dyn FnMut(&Entry)) {
        let _dropping = DropDeferred;
        self.cache.iter().filter_map(|(_, kept)| kept.into_entry()).for_each(|entry| show(&entry));
    }

    fn entry_count(&self, _core: &Core) -> u64 {
        let _dropping = DropDeferred;
        self.cache.run_pending_tasks();
        self.cache.entry_count()
    }

    fn weighted_size(&self, _core: &Core) -> u64 {
        let _dropping = DropDeferred;
        self.cache.run_pending_tasks();
        self.cache.weighted_size()
    }
}

/// Frees the memory of entries whose time is over; that they are no longer served is decided elsewhere.
struct Retention;

impl Expiry<StoreKey, KeptEntry> for Retention {
    fn expire_after_create(&self, _: &StoreKey, kept: &KeptEntry, _: Instant) -> Option<Duration> {
        kept.entry().map(Entry::retention)
    }

    // The default of this method keeps the lifetime of the entry that was replaced.
    fn expire_after_update(
        &self,
        _: &StoreKey,
        kept: &KeptEntry,
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
    text: KeptKey,
}

/// A key that the store is asked for.
struct Sought<'k> {
    hash: u64,
    key: &'k str,
}

impl Hash for StoreKey {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_u64(self.hash);
    }
}

impl Hash for Sought<'_> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_u64(self.hash);
    }
}

impl Equivalent<StoreKey> for Sought<'_> {
    fn equivalent(&self, key: &StoreKey) -> bool {
        self.hash == key.hash && *self.key.as_bytes() == *key.text.as_bytes()
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

#[cfg(all(test, not(larder_loom)))]
mod tests {
    use super::*;
    use crate::{entry::DependencySet, policy::Policy, scope::ScopeSet, value::ValueType};

    #[test]
    fn what_began_earlier_takes_no_place() {
        let core = Core::builder().build();
        let store = MokaStore::new(10, Eviction::TinyLfu, false, core.clone());
        let at = core.lookup("a");
        let entry = |value: u64| {
            let cover = DependencySet::new(core.begin(), ScopeSet::default());
            let policy = Policy::ttl(Duration::from_secs(60));
            let of_value = (value, ValueType::none(), Duration::ZERO);
            Entry::new(("a".into(), at.hash), of_value, (core.now(), policy.ttl), (&policy, None), cover)
        };
        let kept = || store.get(at).and_then(|entry| entry.value::<u64>().copied());
        let old = entry(1);
        core.invalidate(&[]);
        store.settle(&core, store.place(&entry(2), None), None);
        store.settle(&core, store.place(&old, None), None);
        assert_eq!(kept(), Some(2));
        store.settle(&core, store.place(&entry(3), None), None);
        assert_eq!(kept(), Some(3), "what began at the same time does");
    }
}
