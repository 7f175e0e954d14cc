//! The counters of a cache that no server shares: numbers, not entries, in a key space of their own.

use std::{
    collections::{HashMap, VecDeque},
    fmt,
    hash::BuildHasher,
    sync::Arc,
    time::Duration,
};

use foldhash::quality::RandomState;

use crate::{
    clock::Moment,
    error::{Kind, Result},
    sync::plain::{Mutex, lock},
};

/// How many of the oldest counters a new one looks at.
const LOOK: usize = 2;

/// The counters of a cache: a bounded number of them.
pub(crate) struct LocalCounters {
    shards: Box<[Mutex<Shard>]>,
    /// Of each shard.
    capacity: usize,
    hasher: RandomState,
}

#[derive(Default)]
struct Shard {
    counters: HashMap<Arc<str>, Counter, RandomState>,
    /// Their keys, and those of some that are gone: those that were looked at last come last.
    order: VecDeque<Arc<str>>,
}

#[derive(Clone, Copy)]
struct Counter {
    value: i64,
    end: Option<Moment>,
    /// Whether it was used since it was last looked at.
    used: bool,
}

impl LocalCounters {
    /// At most `capacity` of them.
    pub(super) fn new(capacity: u64) -> Self {
        const SHARDS: usize = 16;
        let capacity = usize::try_from(capacity).unwrap_or(usize::MAX);
        let shards = if capacity < SHARDS * SHARDS { 1 } else { SHARDS };
        Self {
            shards: std::iter::repeat_with(Mutex::default).take(shards).collect(),
            capacity: capacity / shards,
            hasher: RandomState::default(),
        }
    }

    /// See [`CacheExt::increment`](crate::CacheExt::increment).
    pub(crate) fn add(&self, key: &str, by: i64, ttl: Option<Duration>, now: Moment) -> Result<i64> {
        self.add_until(key, by, (ttl, false), now)
    }

    /// The same. What is added to ends after this call's `ttl`, if that prolongs it.
    pub(super) fn add_until(
        &self,
        key: &str,
        by: i64,
        (ttl, prolongs): (Option<Duration>, bool),
        now: Moment,
    ) -> Result<i64> {
        let mut shard = lock(self.shard(key));
        if let Some(counter) = shard.counters.get_mut(key).filter(|counter| !counter.is_over(now)) {
            let sum = counter.value.checked_add(by);
            counter.value = sum.ok_or_else(|| Kind::CounterOverflow { key: key.to_owned() })?;
            counter.used = true;
            if prolongs {
                counter.end = ttl.map(|ttl| now.after(ttl));
            }
            return Ok(counter.value);
        }
        if by != 0 {
            let counter = Counter { value: by, end: ttl.map(|ttl| now.after(ttl)), used: false };
            shard.insert(key, counter, self.capacity, now);
        }
        Ok(by)
    }

    pub(super) fn remove(&self, key: &str) {
        lock(self.shard(key)).counters.remove(key);
    }

    fn shard(&self, key: &str) -> &Mutex<Shard> {
        // Truncation is fine: any bits will do.
        &self.shards[self.hasher.hash_one(key) as usize % self.shards.len()]
    }
}

impl fmt::Debug for LocalCounters {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LocalCounters").field("shards", &self.shards.len()).finish_non_exhaustive()
    }
}

impl Counter {
    fn is_over(&self, now: Moment) -> bool {
        self.end.is_some_and(|end| now >= end)
    }
}

impl Shard {
    fn insert(&mut self, key: &str, counter: Counter, capacity: usize, now: Moment) {
        let key = Arc::<str>::from(key);
        if self.counters.insert(key.clone(), counter).is_none() {
            self.order.push_back(key);
        }
        let mut looked_at = 0;
        while looked_at < LOOK || self.counters.len() > capacity || self.order.len() > 2 * self.counters.len()
        {
            looked_at += 1;
            let Some(oldest) = self.order.pop_front() else { return };
            let is_full = self.counters.len() > capacity;
            let Some(counter) = self.counters.get_mut(&oldest) else { continue };
            // What was used has another turn, once.
            if counter.is_over(now) || is_full && !std::mem::take(&mut counter.used) {
                self.counters.remove(&oldest);
            } else {
                self.order.push_back(oldest);
            }
        }
    }
}
