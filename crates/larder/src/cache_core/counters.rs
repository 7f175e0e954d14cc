//! The counters of a cache that no server shares: numbers, not entries, in a key space of their own.

use std::{
    fmt,
    sync::{Arc, OnceLock},
    time::{Duration, Instant},
};

use moka::{
    Expiry,
    ops::compute::{CompResult, Op},
    sync,
};

use crate::{
    clock::Moment,
    error::{Error, Kind, Result},
};

/// The counters of a cache: at most `capacity` of them, and no memory before the first one.
pub(crate) struct LocalCounters {
    capacity: u64,
    counters: OnceLock<sync::Cache<Arc<str>, Counter>>,
}

#[derive(Clone, Copy)]
struct Counter {
    value: i64,
    /// Its end on the cache's clock, by which it is judged, and on the store's, by which it is freed.
    end: Option<(Moment, Instant)>,
}

impl LocalCounters {
    pub(super) fn new(capacity: u64) -> Self {
        Self { capacity, counters: OnceLock::new() }
    }

    /// See [`CacheExt::increment`](crate::CacheExt::increment).
    pub(crate) fn add(&self, key: &str, by: i64, ttl: Option<Duration>, now: Moment) -> Result<i64> {
        let goes_on = |counter: &Counter| counter.end.is_none_or(|(end, _)| now < end);
        if by == 0 {
            let counter = self.counters.get().and_then(|counters| counters.get(key));
            return Ok(counter.filter(goes_on).map_or(0, |counter| counter.value));
        }
        let end = ttl.and_then(|ttl| Some((now.after(ttl), Instant::now().checked_add(ttl)?)));
        let counters = self.counters.get_or_init(|| {
            sync::Cache::builder().max_capacity(self.capacity).expire_after(UntilItsEnd).build()
        });
        let added = counters.entry(Arc::from(key)).and_try_compute_with(|entry| {
            let before = entry.map(moka::Entry::into_value).filter(goes_on);
            let counter = before.unwrap_or(Counter { value: 0, end });
            match counter.value.checked_add(by) {
                Some(value) => Ok(Op::Put(Counter { value, ..counter })),
                None => Err(Error::from(Kind::CounterOverflow { key: key.to_owned() })),
            }
        })?;
        match added {
            CompResult::Inserted(entry) | CompResult::ReplacedWith(entry) => Ok(entry.into_value().value),
            CompResult::Unchanged(_) | CompResult::StillNone(_) | CompResult::Removed(_) => {
                unreachable!("a counter is always put")
            }
        }
    }

    pub(super) fn remove(&self, key: &str) {
        if let Some(counters) = self.counters.get() {
            counters.invalidate(key);
        }
    }
}

impl fmt::Debug for LocalCounters {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LocalCounters").field("capacity", &self.capacity).finish_non_exhaustive()
    }
}

struct UntilItsEnd;

impl Expiry<Arc<str>, Counter> for UntilItsEnd {
    fn expire_after_create(&self, _: &Arc<str>, counter: &Counter, created: Instant) -> Option<Duration> {
        counter.end.map(|(_, end)| end.saturating_duration_since(created))
    }

    fn expire_after_update(
        &self,
        key: &Arc<str>,
        counter: &Counter,
        updated: Instant,
        _: Option<Duration>,
    ) -> Option<Duration> {
        self.expire_after_create(key, counter, updated)
    }
}
