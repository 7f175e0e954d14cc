//! Counters: numbers, not entries, in a key space of their own.

use std::{
    sync::Arc,
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

/// The counters of a cache, bounded like its entries.
#[derive(Clone)]
pub(super) struct Counters(sync::Cache<Arc<str>, Counter>);

#[derive(Clone, Copy)]
struct Counter {
    value: i64,
    /// Its end on the cache's clock, by which it is judged, and on the store's, by which it is freed.
    end: Option<(Moment, Instant)>,
}

impl Counters {
    pub(super) fn new(capacity: u64) -> Self {
        Self(sync::Cache::builder().max_capacity(capacity).expire_after(UntilItsEnd).build())
    }

    /// See [`Cache::count`](crate::Cache::count).
    pub(super) fn add(&self, key: &str, by: i64, ttl: Option<Duration>, now: Moment) -> Result<i64> {
        let goes_on = |counter: &Counter| counter.end.is_none_or(|(end, _)| now < end);
        if by == 0 {
            return Ok(self.0.get(key).filter(goes_on).map_or(0, |counter| counter.value));
        }
        let end = ttl.and_then(|ttl| Some((now.after(ttl), Instant::now().checked_add(ttl)?)));
        let added = self.0.entry(Arc::from(key)).and_try_compute_with(|entry| {
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
        self.0.invalidate(key);
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
