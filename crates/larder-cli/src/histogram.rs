//! How long calls took, in a fixed amount of memory.

use std::time::Duration;

/// Buckets for each power of two: the error is below 2 %.
const FINE: u64 = 64;

/// Counts of durations, by size.
#[derive(Debug, Clone)]
pub(crate) struct Histogram {
    buckets: Vec<u64>,
    count: u64,
    longest: Duration,
}

impl Histogram {
    pub(crate) fn new() -> Self {
        Self { buckets: vec![0; 64 * FINE as usize], count: 0, longest: Duration::ZERO }
    }

    pub(crate) fn add(&mut self, duration: Duration) {
        let nanos = u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX);
        self.buckets[Self::index(nanos)] += 1;
        self.count += 1;
        self.longest = self.longest.max(duration);
    }

    pub(crate) fn merge(&mut self, other: &Self) {
        for (sum, part) in self.buckets.iter_mut().zip(&other.buckets) {
            *sum += part;
        }
        self.count += other.count;
        self.longest = self.longest.max(other.longest);
    }

    pub(crate) fn count(&self) -> u64 {
        self.count
    }

    pub(crate) fn longest(&self) -> Duration {
        self.longest
    }

    /// What this share of all took at most.
    pub(crate) fn percentile(&self, share: f64) -> Duration {
        let wanted = (self.count as f64 * share).ceil() as u64;
        let mut seen = 0;
        for (index, count) in self.buckets.iter().enumerate() {
            seen += count;
            if seen >= wanted.max(1) {
                return Duration::from_nanos(Self::upper(index as u64)).min(self.longest);
            }
        }
        self.longest
    }

    /// Exact below 64 ns, and by the six bits behind the highest one above.
    fn index(nanos: u64) -> usize {
        let power = u64::from(nanos.max(1).ilog2()).saturating_sub(5);
        let index = if power == 0 { nanos } else { power * FINE / 2 + (nanos >> power) };
        index as usize
    }

    /// The largest number in a bucket.
    fn upper(index: u64) -> u64 {
        if index < FINE {
            return index;
        }
        let power = index / (FINE / 2) - 1;
        let rest = index - power * FINE / 2;
        ((rest + 1) << power).saturating_sub(1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_number_is_in_a_bucket_that_is_narrow() {
        let mut last = 0;
        for nanos in (0..10_000).chain((0..1_000).map(|i| i * i * i * 1_000)) {
            let index = Histogram::index(nanos);
            assert!(index >= last || nanos == 0, "{nanos}");
            last = if nanos == 9_999 { 0 } else { index };
            let upper = Histogram::upper(index as u64);
            assert!(upper >= nanos && upper <= nanos + nanos / 32, "{nanos}: {upper}");
        }
        assert!(Histogram::index(u64::MAX) < 64 * FINE as usize);
    }

    #[test]
    fn percentiles() {
        let (mut one, mut other) = (Histogram::new(), Histogram::new());
        (1..=50).for_each(|millis| one.add(Duration::from_millis(millis)));
        (51..=100).for_each(|millis| other.add(Duration::from_millis(millis)));
        one.merge(&other);
        assert_eq!((one.count(), one.longest()), (100, Duration::from_millis(100)));
        let near = |share, millis: u64| {
            let found = one.percentile(share).as_micros() as u64;
            assert!((millis * 1_000..=millis * 1_032).contains(&found), "{found}");
        };
        near(0.5, 50);
        near(0.99, 99);
        assert_eq!(one.percentile(1.0), Duration::from_millis(100));
        assert_eq!(Histogram::new().percentile(0.5), Duration::ZERO);
    }
}
