//! How long something took, in buckets that grow by a factor of 1.5 and less.

use std::{
    array, fmt,
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

/// Two for each power of two of microseconds up to the 26th, which is 67 s, that one itself, and one for what took longer.
const BUCKETS: usize = 2 * 26 + 2;

/// How long something took, as counted at one moment: computations, say, or reads from Redis.
///
/// The limits of the buckets are 1, 1.5, 2, 3, 4, 6, 8, … µs, up to 67 s.
///
/// ```
/// # use std::time::Duration;
/// use larder::{CacheExt, MemoryCache, Policy};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// let cache = MemoryCache::new(10_000);
/// let policy = Policy::ttl(Duration::from_secs(60));
/// let _: Result<u32, std::io::Error> = cache
///     .get_or_compute("answer", &policy, || async {
///         tokio::time::sleep(Duration::from_millis(5)).await;
///         Ok(42)
///     })
///     .await;
/// let computing = &cache.function_stats()[0].computing;
/// assert_eq!(computing.count(), 1);
/// assert!(computing.quantile(0.99).unwrap() >= Duration::from_millis(5));
/// # }
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct Histogram {
    counts: [u64; BUCKETS],
    sum: Duration,
}

impl Default for Histogram {
    fn default() -> Self {
        Self { counts: [0; BUCKETS], sum: Duration::ZERO }
    }
}

impl Histogram {
    /// How often it was measured.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.counts.iter().sum()
    }

    /// How long all of it took together.
    #[must_use]
    pub fn sum(&self) -> Duration {
        self.sum
    }

    /// How long it took on the average; zero if it was never measured.
    #[must_use]
    pub fn mean(&self) -> Duration {
        mean(self.sum, self.count())
    }

    /// How long the fraction `q` of them took at most: the upper limit of the bucket that this one is in. None before
    /// the first. What took longer than the last limit counts as having taken that.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "a share of counts, for people")]
    pub fn quantile(&self, q: f64) -> Option<Duration> {
        let wanted = (self.count() as f64 * q.clamp(0.0, 1.0)).max(1.0);
        let mut below = 0;
        let index = self.counts.iter().position(|count| {
            below += count;
            below as f64 >= wanted
        })?;
        Some(limit(index.min(BUCKETS - 2)))
    }

    /// The upper limit of each bucket, and how many are in it and in no lower one. The last one has no limit:
    /// [`Duration::MAX`].
    pub fn buckets(&self) -> impl Iterator<Item = (Duration, u64)> {
        let limits =
            (0..BUCKETS).map(|index| if index == BUCKETS - 1 { Duration::MAX } else { limit(index) });
        limits.zip(self.counts)
    }
}

impl fmt::Debug for Histogram {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut summary = f.debug_struct("Histogram");
        summary.field("count", &self.count()).field("mean", &self.mean());
        for (name, q) in [("p50", 0.5), ("p99", 0.99)] {
            if let Some(took) = self.quantile(q) {
                summary.field(name, &took);
            }
        }
        summary.finish_non_exhaustive()
    }
}

/// A histogram that many threads raise.
#[derive(Debug)]
pub(crate) struct AtomicHistogram {
    counts: [AtomicU64; BUCKETS],
    nanos: AtomicU64,
}

impl Default for AtomicHistogram {
    fn default() -> Self {
        Self { counts: array::from_fn(|_| AtomicU64::new(0)), nanos: AtomicU64::new(0) }
    }
}

impl AtomicHistogram {
    pub(crate) fn record(&self, took: Duration) {
        let took = nanos(took);
        self.counts[bucket(took)].fetch_add(1, Ordering::Relaxed);
        self.nanos.fetch_add(took, Ordering::Relaxed);
    }

    pub(crate) fn snapshot(&self) -> Histogram {
        Histogram {
            counts: array::from_fn(|index| self.counts[index].load(Ordering::Relaxed)),
            sum: Duration::from_nanos(self.nanos.load(Ordering::Relaxed)),
        }
    }

    pub(crate) fn mean(&self) -> Duration {
        self.snapshot().mean()
    }
}

/// A duration in a number: 584 years at most.
pub(crate) fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

fn mean(sum: Duration, count: u64) -> Duration {
    Duration::from_nanos(nanos(sum).checked_div(count).unwrap_or(0))
}

/// The upper limit of a bucket.
fn limit(index: usize) -> Duration {
    Duration::from_nanos(limit_nanos(index))
}

fn limit_nanos(index: usize) -> u64 {
    let power = 1_000_u64 << (index / 2);
    if index.is_multiple_of(2) { power } else { power + power / 2 }
}

/// The first bucket whose limit is not below this.
fn bucket(nanos: u64) -> usize {
    let micros = (nanos / 1_000).max(1);
    // The limit of this one is no longer than it took, or the shortest of all.
    let first = 2 * micros.ilog2() as usize;
    (first..BUCKETS - 1).find(|&index| nanos <= limit_nanos(index)).unwrap_or(BUCKETS - 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_duration_is_in_the_first_bucket_that_holds_it() {
        for nanos in (0..20_000).chain((0..200).map(|n| 1_000_003_u64 * n * n)) {
            let took = Duration::from_nanos(nanos);
            let index = bucket(nanos);
            assert!(index == BUCKETS - 1 || took <= limit(index), "{took:?} in {index}");
            assert!(index == 0 || took > limit(index - 1), "{took:?} in {index}");
        }
        assert_eq!(bucket(u64::MAX), BUCKETS - 1);
        assert_eq!(limit(BUCKETS - 2), Duration::from_micros(1 << 26));
    }

    #[test]
    fn quantiles_are_limits_of_buckets() {
        let histogram = AtomicHistogram::default();
        assert_eq!(histogram.snapshot().quantile(0.5), None);
        (0..99).for_each(|_| histogram.record(Duration::from_micros(100)));
        histogram.record(Duration::from_millis(100));
        let histogram = histogram.snapshot();
        assert_eq!(histogram.quantile(0.5), Some(Duration::from_micros(128)));
        assert_eq!(histogram.quantile(0.99), Some(Duration::from_micros(128)));
        assert_eq!(histogram.quantile(1.0), Some(Duration::from_micros(131_072)));
        assert_eq!(histogram.sum(), Duration::from_micros(109_900));
        assert_eq!(histogram.buckets().map(|(_, count)| count).sum::<u64>(), 100);
    }
}
