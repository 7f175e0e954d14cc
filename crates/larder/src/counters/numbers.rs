//! Counters: of one key each, in shards and windows.

use std::{borrow::Cow, fmt, sync::Arc, time::Duration};

use super::window::{self, Windows, ask, full_key, is_number, other_answer};
use crate::{
    cache::Cache,
    error::{Error, Result},
    tally::{Expiry, Tallied, Tally},
};

/// How many numbers are read in one round trip.
const READ_AT_ONCE: usize = 10_000;

/// What became of an increment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Added {
    /// It was counted, once.
    Counted,
    /// The server gave no answer in time, or was not asked because it is away. It was counted once or, most likely, not at
    /// all; it is not tried again. See [`CacheStats::counts_lost`](crate::CacheStats::counts_lost).
    Lost,
}

/// Counts for each key: views of a page, calls of a user.
///
/// Counts are kept where the cache keeps its entries: on a [`MemoryCache`](crate::MemoryCache) in this process, on a
/// `RedisCache` or `TieredCache` for all processes together. On the handle of a [`Namespace`](crate::Namespace), keys have
/// its prefix. Handles with the same settings on the same cache count together, in all processes. Cheap to clone.
///
/// See [the module](crate::counters) for what is promised, and what it costs.
///
/// ```
/// use std::time::Duration;
/// use larder::{MemoryCache, counters::Counters};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> larder::Result<()> {
/// const DAY: Duration = Duration::from_secs(86_400);
/// let views = Counters::new(MemoryCache::new(1_000)).shards(16).per(DAY).keep(7);
/// views.add("page:7", 1).await?;
/// views.add("page:7", 2).await?;
/// assert_eq!(views.get("page:7").await?, 3); // today
/// assert_eq!(views.last("page:7", 7).await?, 3); // within a week
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
#[must_use = "counters do nothing until they are added to"]
pub struct Counters {
    cache: Arc<dyn Cache>,
    shards: u32,
    expiry: Expiry,
    windows: Option<Windows>,
}

impl Counters {
    /// Counts where `cache` keeps its entries: `larder::global()`, for example, or an `Arc` of any cache. That the cache is
    /// [disabled](crate::CacheExt::disable) makes no difference.
    pub fn new(cache: impl Cache + 'static) -> Self {
        Self { cache: Arc::new(cache), shards: 1, expiry: Expiry::default(), windows: None }
    }

    /// Keeps each counter as so many numbers, 1 to 1,024, which are added up when it is read; 1 unless this is called. For
    /// counters so hot that one server of a Cluster is too few: each number is in a slot of its own. It makes no difference
    /// in memory. All processes have to name the same number, since it is among what names a counter.
    pub fn shards(mut self, shards: u32) -> Self {
        self.shards = shards.clamp(1, 1_024);
        self
    }

    /// When a counter ends; [`Expiry::Never`] unless this is called. Each of several [`shards`](Self::shards) ends by
    /// itself. Windows end with their time, whatever this says.
    pub fn expiry(mut self, expiry: Expiry) -> Self {
        self.expiry = expiry;
        self
    }

    /// Counts anew in each window of this length: per minute, per day. Windows are whole milliseconds, and count from 1970
    /// on in UTC, so that a day begins at midnight there and all processes agree. Only the one that is now is kept unless
    /// [`keep`](Self::keep) says so.
    pub fn per(mut self, length: Duration) -> Self {
        self.windows =
            Some(Windows { kept: self.windows.map_or(1, |windows| windows.kept), ..Windows::new(length) });
        self
    }

    /// How many windows can be read, 1 to 100,000, the one that is now included; 1 unless this is called. Nothing without
    /// [`per`](Self::per) before it. To read them takes one number for each window and [shard](Self::shards), 10,000 of them
    /// in a round trip.
    pub fn keep(mut self, windows: u32) -> Self {
        if let Some(kept) = &mut self.windows {
            kept.kept = windows.clamp(1, 100_000);
        }
        self
    }

    /// Adds to the counter of a key, in the window that is now.
    ///
    /// It never waits for longer than the deadline of the cache's server, and not at all without one. While the server is
    /// away the increment is [`Added::Lost`], and counted as such: it is no error, because there is nothing that a caller
    /// could do. A future that is dropped may have counted.
    ///
    /// # Errors
    ///
    /// If the key is empty or too long, or the sum would leave the range of `i64`.
    pub async fn add(&self, key: &str, by: i64) -> Result<Added> {
        let key = full_key(&*self.cache, key)?;
        let shard = if self.shards > 1 { fastrand::u32(..self.shards) } else { 0 };
        let expiry = self.windows.map_or(self.expiry, |windows| Expiry::AfterFirst(windows.ttl()));
        let number = self.windows.map(|windows| windows.number(&*self.cache, 0));
        let name = self.name(&key, shard, number);
        match ask(&*self.cache, Tally::Add { key: &name, by, expiry }).await {
            Ok(_) => Ok(Added::Counted),
            Err(error) if error.is_unavailable() => {
                self.cache.core().count(|counters| &counters.counts_lost);
                Ok(Added::Lost)
            }
            Err(error) => Err(error),
        }
    }

    /// What was counted for a key in the current window; 0 if nothing was.
    ///
    /// # Errors
    ///
    /// If the key is empty or too long, if the server cannot be asked
    /// ([`is_unavailable`](crate::Error::is_unavailable)), or if the sum leaves the range of `i64`.
    pub async fn get(&self, key: &str) -> Result<i64> {
        self.last(key, 1).await
    }

    /// What was counted for a key in the last `windows` windows together, the current one included. Windows that are no
    /// longer [kept](Self::keep) count as 0. Without windows it is [`get`](Self::get).
    ///
    /// # Errors
    ///
    /// Those of [`get`](Self::get).
    pub async fn last(&self, key: &str, windows: u32) -> Result<i64> {
        let key = full_key(&*self.cache, key)?;
        let now = self.windows.map(|kept| kept.number(&*self.cache, 0));
        let windows = self.windows.map_or(1, |kept| windows.min(kept.kept));
        let numbers = (0..windows).map(|ago| now.and_then(|now| now.checked_sub(u64::from(ago))));
        let mut names = numbers.flat_map(|number| (0..self.shards).map(move |shard| (shard, number)));
        let (mut sum, mut keys) = (0_i64, Vec::new());
        loop {
            keys.clear();
            keys.extend(
                names.by_ref().take(READ_AT_ONCE).map(|(shard, number)| self.name(&key, shard, number)),
            );
            if keys.is_empty() {
                return Ok(sum);
            }
            let Tallied::Sum(more) = ask(&*self.cache, Tally::Sum { keys: &keys }).await? else {
                return Err(other_answer());
            };
            sum = sum.checked_add(more).ok_or_else(|| Error::counter_overflow(&*key))?;
            if keys.len() == READ_AT_ONCE {
                // In memory nothing else lets others go on in between.
                tokio::task::yield_now().await;
            }
        }
    }

    /// A name whose part in braces, which decides on the slot in a cluster, is another one for each shard.
    fn name(&self, key: &str, shard: u32, window: Option<u64>) -> String {
        let window = self.windows.zip(window).map(|(windows, number)| windows.suffix(number));
        match self.shards {
            1 => window::name(&unlike_a_shard(key), window),
            shards => format!("{{{shard}/{shards}:{key}}}{}", window.unwrap_or_default()),
        }
    }
}

/// A key that no name of a shard begins like: one that does has a brace more.
fn unlike_a_shard(key: &str) -> Cow<'_, str> {
    let numbers =
        key.trim_start_matches('{').split_once(':').and_then(|(numbers, _)| numbers.split_once('/'));
    match key.starts_with('{') && numbers.is_some_and(|(shard, of)| is_number(shard) && is_number(of)) {
        true => Cow::Owned(["{", key].concat()),
        false => Cow::Borrowed(key),
    }
}

impl fmt::Debug for Counters {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Counters")
            .field("shards", &self.shards)
            .field("expiry", &self.expiry)
            .field("windows", &self.windows)
            .finish_non_exhaustive()
    }
}

#[cfg(all(test, not(larder_loom)))]
mod tests {
    use super::*;
    use crate::memory::MemoryCache;

    const MINUTE: Duration = Duration::from_secs(60);

    #[tokio::test]
    async fn many_numbers_are_read_in_pieces() {
        let cache = MemoryCache::new(100_000);
        let counters = Counters::new(cache.clone()).shards(1_024).per(MINUTE).keep(100_000);
        for _ in 0..30 {
            counters.add("k", 1).await.unwrap();
            cache.core().advance(MINUTE);
        }
        assert_eq!(counters.last("k", 31).await.unwrap(), 30, "in more than one piece");
        // A hundred million: it takes long, holds up no one, and ends when it is dropped.
        let all = tokio::time::timeout(Duration::from_millis(20), counters.last("k", 100_000)).await;
        assert!(all.is_err());
    }
}
