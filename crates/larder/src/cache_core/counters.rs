//! The counters of a cache that no server shares: numbers, not entries, in a key space of their own.

use std::{
    collections::{HashMap, VecDeque},
    fmt,
    hash::BuildHasher,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
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
    /// Whether there ever was one: most caches have none, and each key that is invalidated could be that of one.
    any: AtomicBool,
}

#[derive(Default)]
struct Shard {
    counters: HashMap<Arc<str>, Counter, RandomState>,
    /// Their keys and numbers, each once, and those of some that are gone: those that were looked at last come last.
    order: VecDeque<(Arc<str>, u64)>,
    /// The number of the last counter.
    last: u64,
}

#[derive(Clone, Copy)]
struct Counter {
    /// One that was removed and made again has another number, and another place in the order.
    number: u64,
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
            any: AtomicBool::new(false),
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
        if by != 0 && !self.any.load(Ordering::Relaxed) {
            self.any.store(true, Ordering::Release);
        }
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
            let end = ttl.map(|ttl| now.after(ttl));
            shard.insert(key, (by, end), self.capacity, now);
        }
        Ok(by)
    }

    pub(super) fn remove(&self, key: &str) {
        // A call that has made one has said so before.
        if self.any.load(Ordering::Acquire) {
            lock(self.shard(key)).counters.remove(key);
        }
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
    fn insert(&mut self, key: &str, (value, end): (i64, Option<Moment>), capacity: usize, now: Moment) {
        match self.counters.get_mut(key) {
            // What was over keeps its place.
            Some(counter) => *counter = Counter { value, end, used: false, ..*counter },
            None => {
                let key = Arc::<str>::from(key);
                self.last += 1;
                self.order.push_back((key.clone(), self.last));
                self.counters.insert(key, Counter { number: self.last, value, end, used: false });
            }
        }
        let mut looked_at = 0;
        // It ends: what is there is in the order once, and what is gone is taken out of it.
        while looked_at < LOOK || self.counters.len() > capacity || self.order.len() > 2 * self.counters.len()
        {
            looked_at += 1;
            let Some((oldest, number)) = self.order.pop_front() else { return };
            let is_full = self.counters.len() > capacity;
            let counter = self.counters.get_mut(&oldest).filter(|counter| counter.number == number);
            let Some(counter) = counter else { continue };
            // What was used has another turn, once.
            if counter.is_over(now) || is_full && !std::mem::take(&mut counter.used) {
                self.counters.remove(&oldest);
            } else {
                self.order.push_back((oldest, number));
            }
        }
    }
}

#[cfg(all(test, not(larder_loom)))]
mod tests {
    use std::{sync::mpsc, thread};

    use super::*;
    use crate::clock::Clock;

    /// Whatever is added to and removed, each call ends, and the lists are bounded.
    #[test]
    fn counters_that_are_removed_and_made_again_have_one_place() {
        let (ended, has_ended) = mpsc::channel();
        // A call that never ends is noticed, too.
        thread::spawn(move || {
            let (now, random) = (Clock::default().now(), fastrand::Rng::with_seed(7));
            for (keys, capacity) in [(1, 100), (2, 100), (5, 3), (20, 10), (20, 100)] {
                let (counters, mut random) = (LocalCounters::new(capacity), random.clone());
                for step in 0..5_000 {
                    let key = format!("c{}", random.u32(0..keys));
                    match random.bool() {
                        true => _ = counters.add(&key, 1, None, now).unwrap(),
                        false => counters.remove(&key),
                    }
                    let shard = lock(&counters.shards[0]);
                    let most = 2 * (capacity as usize).min(keys as usize) + 1;
                    assert!(shard.order.len() <= most, "{} after {step}", shard.order.len());
                    assert!(shard.counters.len() <= capacity as usize);
                    let lies_there = |(key, counter): (&Arc<str>, &Counter)| {
                        let at =
                            |(there, number): &&(Arc<str>, u64)| (there, *number) == (key, counter.number);
                        shard.order.iter().filter(at).count() == 1
                    };
                    assert!(shard.counters.iter().all(lies_there));
                }
            }
            ended.send(()).unwrap();
        });
        has_ended.recv_timeout(Duration::from_secs(60)).expect("it ends, with nothing out of bounds");
    }
}
