//! The path of a hit, and the upkeep of the store that hits and inserts share.

use std::sync::Arc;

use super::{Core, Lookup};
use crate::{
    dependencies,
    entry::{Entry, Stored},
    table::{Dropped, Table},
};

/// One hit in this many does some of the work that is no single call's: one in the front cache is reported to a store
/// that is none of larder's, and one in the table sweeps a set of it.
const UPKEEP_SAMPLE: u64 = 64;

/// One hit of the front cache in this many is reported to the table, which costs less.
const REPORT_SAMPLE: u64 = 32;

/// One entry stored in this many sweeps a set of the table.
const SWEEP_SAMPLE: u64 = 16;

/// One hit in this many that the front cache did not answer drives out another entry from there.
const PROMOTION_SAMPLE: u64 = 8;

impl Core {
    /// Has one hit in 64 looked at, for [`take_hot`](Self::take_hot), until that is taken back.
    #[cfg_attr(not(any(feature = "shared", test)), expect(dead_code, reason = "heartbeats tell"))]
    pub(crate) fn sample_hits(&self, wanted: bool) {
        self.0.hot.want(wanted);
    }

    /// The keys that were hit most in memory since this was last asked, with about how often: those of values that are not
    /// to leave this process are not among them.
    #[cfg_attr(not(any(feature = "shared", test)), expect(dead_code, reason = "heartbeats tell"))]
    pub(crate) fn take_hot(&self) -> Vec<(Arc<str>, u64)> {
        self.0.hot.take().into_iter().map(|(key, samples)| (key, samples * UPKEEP_SAMPLE)).collect()
    }

    /// The value under a key with this hash, if that takes no more than a look: it lies in the front cache or in the table,
    /// is valid, fresh and a `V`, and no computation has to know of the read. Counts a hit, or nothing. Else, if the table
    /// has nothing there, [`stores`](Self::stores) before that was seen.
    ///
    /// `touch` is called for one hit of the front cache in 64, if the store is none of larder's: it should know of it, and
    /// gives what it keeps.
    #[expect(clippy::inline_always, reason = "a call costs a tenth of a hit, and the compiler makes one")]
    #[inline(always)]
    pub(crate) fn hit<V: Clone + 'static>(
        &self,
        key: &[u8],
        hash: u64,
        touch: impl FnOnce(Lookup<'_>) -> Option<Entry>,
    ) -> Result<V, Option<u64>> {
        let inner = &*self.0;
        if !inner.switch.is_plain() {
            return Err(None);
        }
        let Some(slot) = inner.front.get(hash) else { return self.hit_in_table(key, hash, false) };
        if let Some(stored) = slot.as_ref()
            && stored.is_under(key, hash)
        {
            let value = self.hit_value::<V>(stored).ok_or(None)?;
            let number = inner.stats.hit(stored.group, stored.cost.nanos());
            if number.is_one_in(REPORT_SAMPLE) {
                self.report_hit(stored, number.is_one_in(UPKEEP_SAMPLE), touch);
            }
            return Ok(value);
        }
        let is_free = slot.is_none();
        drop(slot);
        self.hit_in_table(key, hash, is_free)
    }

    /// The same for what does not lie in the front cache. It does from then on if its place there `is_free`, and some of it
    /// if not.
    #[inline(never)]
    fn hit_in_table<V: Clone + 'static>(
        &self,
        key: &[u8],
        hash: u64,
        is_free: bool,
    ) -> Result<V, Option<u64>> {
        let inner = &*self.0;
        let table = inner.table.as_ref().ok_or(None)?;
        let stores = self.stores();
        let stored = &table.get(hash, key).ok_or(Some(stores))?;
        let value = self.hit_value::<V>(stored).ok_or(None)?;
        let number = inner.stats.hit(stored.group, stored.cost.nanos());
        let is_promoted = number.is_one_in(PROMOTION_SAMPLE);
        if is_promoted || is_free {
            inner.front.offer(stored, is_promoted);
        }
        if number.is_one_in(UPKEEP_SAMPLE) {
            inner.hot.note(stored);
            self.sweep();
        }
        Ok(value)
    }

    /// The value of an entry, if it is nothing but a hit.
    #[expect(clippy::inline_always, reason = "a call costs a tenth of a hit, and the compiler makes one")]
    #[inline(always)]
    fn hit_value<V: Clone + 'static>(&self, stored: &Stored) -> Option<V> {
        let inner = &*self.0;
        let serves =
            stored.is_fresh(inner.clock.now()) && stored.is_valid(&inner.epochs) && dependencies::is_plain();
        if serves { stored.value::<V>().cloned() } else { None }
    }

    /// Tells the store of a hit in the front cache, and clears it there if the store keeps another entry, or none.
    #[cold]
    fn report_hit(
        &self,
        stored: &Arc<Stored>,
        is_upkeep: bool,
        touch: impl FnOnce(Lookup<'_>) -> Option<Entry>,
    ) {
        if is_upkeep {
            self.0.hot.note(stored);
        }
        let is_kept = match &self.0.table {
            Some(table) => table.use_often(stored),
            None if is_upkeep => {
                let at = Lookup { key: &stored.key, hash: stored.hash };
                touch(at).is_some_and(|kept| Arc::ptr_eq(&kept.0, stored))
            }
            None => return,
        };
        if !is_kept {
            self.0.front.clear(stored);
        }
        if is_upkeep {
            self.sweep();
        }
    }

    /// Counts a hit on an entry that did not lie in the front cache, and may put it there.
    pub(crate) fn store_hit(&self, entry: &Entry) {
        let number = self.0.stats.hit(entry.0.group, entry.0.cost.nanos());
        self.0.front.offer(&entry.0, number.is_one_in(PROMOTION_SAMPLE));
        if number.is_one_in(UPKEEP_SAMPLE) {
            self.0.hot.note(&entry.0);
        }
    }

    /// After an entry was put in the table that is the store, or in one `apart`: drops what had to go.
    pub(crate) fn settle(&self, table: &Table, dropped: Dropped) {
        dropped.evicted().for_each(|entry| self.note_evicted(entry));
        self.drop_from_store(dropped);
        if fastrand::u64(..SWEEP_SAMPLE) == 0 {
            self.sweep_table(table);
        }
    }

    /// Takes what is under a key out of the table that is the store, or one `apart`.
    pub(crate) fn discard(&self, table: &Table, at: Lookup<'_>) {
        self.drop_from_store(table.remove(at.hash, at.key));
    }

    /// Drops what a store kept, and what the front cache has of it.
    fn drop_from_store(&self, dropped: Dropped) {
        dropped.all().for_each(|entry| self.0.front.clear(entry));
    }

    /// Frees entries of the table that is the store which can no longer be served, if there are any in the next sets.
    pub(crate) fn sweep(&self) {
        if let Some(table) = self.store() {
            self.sweep_table(table);
        }
    }

    /// The same for a table `apart`.
    pub(crate) fn sweep_table(&self, table: &Table) {
        let (now, epochs) = (self.now(), self.epochs());
        let count = |stored: &Stored| {
            let is_expired = stored.is_expired(now);
            self.count_in(stored.group, |counters| {
                if is_expired { &counters.expired_dropped } else { &counters.invalidated_dropped }
            });
        };
        self.drop_from_store(table.sweep(|stored| stored.is_over(now, epochs), count));
    }
}

#[cfg(all(test, not(larder_loom)))]
mod tests {
    use std::time::Duration;

    use crate::{Cache, CacheExt, MemoryCache, Policy};

    /// At once, and not some hits later: a table's hit costs half as much again.
    #[test]
    fn what_was_hit_in_the_table_lies_in_the_front_cache_if_there_is_room() {
        let cache = MemoryCache::new(1_000);
        let core = cache.core();
        let in_front = |key: &str| {
            let slot = core.0.front.get(core.hash(key.as_bytes())).expect("it has slots");
            slot.as_ref().is_some_and(|stored| *stored.key == *key)
        };
        crate::block_on::block_on(async {
            let mut found_free = 0;
            for n in 0..100 {
                let key = format!("key:{n}");
                cache.insert(&key, &n, Policy::ttl(Duration::from_secs(3_600))).await.unwrap();
                let slot = core.0.front.get(core.hash(key.as_bytes())).expect("it has slots");
                let is_free = slot.is_none();
                drop(slot);
                assert_eq!(cache.get(&key).await.unwrap(), Some(n));
                assert!(in_front(&key) || !is_free, "{key}");
                found_free += usize::from(is_free);
            }
            // Others have a slot that one of those before took.
            assert!(found_free > 80, "{found_free} of 100");
        });
    }
}
