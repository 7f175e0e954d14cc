//! What a cache did: counters that many threads can raise without meeting.

mod cache_stats;
mod compute_cost;
mod groups;
mod histogram;
mod thread_number;
mod timings;

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

pub use self::{cache_stats::CacheStats, histogram::Histogram};
pub(crate) use self::{
    cache_stats::Counters,
    compute_cost::ComputeCost,
    groups::Group,
    histogram::{AtomicHistogram, nanos},
    thread_number::thread_number,
    timings::Timings,
};
use self::{groups::Groups, timings::Listeners};
use crate::cache_padded::CachePadded;

/// The number of a hit in its shard.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct HitNumber(u64);

impl HitNumber {
    /// True for one hit in `n`, a power of two, whatever rhythm the reads have: what is asked for once
    /// in each round of as many reads has its turn too.
    #[inline]
    pub(crate) fn is_one_in(self, n: u64) -> bool {
        const GOLDEN_RATIO: u64 = 0x9e37_79b9_7f4a_7c15;
        debug_assert!(n.is_power_of_two());
        self.0.wrapping_mul(GOLDEN_RATIO) < (u64::MAX / n)
    }
}

/// What a cache did for one cached function, or by hand, in one namespace: see
/// [`CacheExt::function_stats`](crate::CacheExt::function_stats).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct FunctionStats {
    /// The path of the function, as the compiler names it: `shop::users::user`. Empty for what was read and stored by
    /// hand, and for the responses of `larder-http`; `other` for what is counted together, once there are 255 of them.
    pub function: String,
    /// The namespace that it was used with, the schema included: `users`, `tenants:7`, `users:v3`. Empty for none.
    pub namespace: String,
    /// What is counted of it. What no single function does, as calls of `invalidate`, is zero here.
    pub stats: CacheStats,
    /// What the values that were hit in this process' memory took to compute, each for every hit. A value that another
    /// process computed counts with what this process needs on the average for the same function.
    pub time_saved: Duration,
    /// How long computations took, failed ones included.
    pub computing: Histogram,
}

/// The counters of one cache, in shards that a thread has nearly to itself.
#[derive(Debug)]
pub(crate) struct Stats {
    /// What no single function does.
    shards: Box<[CachePadded<Counters>]>,
    /// As many shards, for what is counted on the path of a hit.
    hits: Box<[Hits]>,
    groups: Groups,
    /// Reads from a shared store.
    reading: AtomicHistogram,
    listeners: Listeners,
}

/// For each group the hits, and what the values that were hit took to compute, in nanoseconds.
type Hits = [[AtomicU64; 2]; Group::MOST];

impl Stats {
    pub(crate) fn new() -> Self {
        let threads = std::thread::available_parallelism().map_or(8, usize::from);
        let shards = (threads * 2).next_power_of_two().min(64);
        Self {
            shards: std::iter::repeat_with(CachePadded::default).take(shards).collect(),
            hits: bytemuck::zeroed_slice_box(shards),
            groups: Groups::new(),
            reading: AtomicHistogram::default(),
            listeners: Listeners::default(),
        }
    }

    /// Counts a hit on a value of this group that took so many nanoseconds to compute.
    #[expect(clippy::inline_always, reason = "a call costs as much again, and the compiler makes one")]
    #[inline(always)]
    pub(crate) fn hit(&self, group: Group, cost: u64) -> HitNumber {
        let [hits, saved] = &self.hits[thread_number() & (self.hits.len() - 1)][group.index()];
        saved.fetch_add(cost, Ordering::Relaxed);
        HitNumber(hits.fetch_add(1, Ordering::Relaxed))
    }

    /// Counts one of what `counter` picks, which no single function does.
    pub(crate) fn count(&self, counter: impl FnOnce(&Counters) -> &AtomicU64) {
        self.add(counter, 1);
    }

    /// Counts `n` of what `counter` picks, which no single function does.
    pub(crate) fn add(&self, counter: impl FnOnce(&Counters) -> &AtomicU64, n: u64) {
        let shard = &self.shards[thread_number() & (self.shards.len() - 1)];
        counter(shard).fetch_add(n, Ordering::Relaxed);
    }

    /// Counts `n` of what `counter` picks, for a group.
    pub(crate) fn add_in(&self, group: Group, counter: impl FnOnce(&Counters) -> &AtomicU64, n: u64) {
        self.groups.counted(group).add(counter, n);
    }

    /// The group of a function, by the name of a type in it (`""` for none), with a handle that puts this before its keys.
    pub(crate) fn group(&self, function: &'static str, prefix: &str) -> Group {
        self.groups.of(function, prefix)
    }

    /// The function and the namespace of a group.
    pub(crate) fn names(&self, group: Group) -> (&str, &str) {
        let counted = self.groups.counted(group);
        (&counted.function, &counted.namespace)
    }

    /// The function of a group.
    pub(crate) fn function(&self, group: Group) -> Arc<str> {
        self.groups.counted(group).function.clone()
    }

    /// A computation took so long.
    pub(crate) fn computed(&self, group: Group, took: Duration) {
        let counted = self.groups.counted(group);
        counted.computing.record(took);
        self.listeners.tell(|listener| listener.computed(&counted.function, &counted.namespace, took));
    }

    /// A read from a shared store took so long.
    #[cfg_attr(not(any(feature = "shared", test)), expect(dead_code, reason = "for a shared store"))]
    pub(crate) fn read(&self, took: Duration) {
        self.reading.record(took);
        self.listeners.tell(|listener| listener.read(took));
    }

    /// How long reads from a shared store took.
    pub(crate) fn reading(&self) -> Histogram {
        self.reading.snapshot()
    }

    /// Tells of every duration from now on, until the listener is dropped.
    #[cfg_attr(
        not(any(feature = "metrics", feature = "opentelemetry")),
        expect(dead_code, reason = "for an exporter")
    )]
    pub(crate) fn time_to(&self, listener: &Arc<dyn Timings>) {
        self.listeners.add(listener);
    }

    /// What a value of this group takes to compute on the average, in nanoseconds.
    pub(crate) fn usual_cost(&self, group: Group) -> u64 {
        nanos(self.groups.counted(group).mean_computing_time())
    }

    /// The sums over all groups, and of what is counted for none.
    pub(crate) fn sum(&self) -> CacheStats {
        let mut sum = CacheStats::default();
        self.shards.iter().for_each(|shard| sum.add(shard));
        self.groups.iter().for_each(|(_, counted)| counted.add_to(&mut sum));
        sum.hits += self.hits.iter().flatten().map(|[hits, _]| hits.load(Ordering::Relaxed)).sum::<u64>();
        sum
    }

    /// The same by group.
    pub(crate) fn by_function(&self) -> Vec<FunctionStats> {
        let groups = self.groups.iter().map(|(group, counted)| {
            let mut stats = CacheStats::default();
            // Before what is a part of them, the failures and `hits_shared`: the rest is never too many.
            let computing = counted.computing.snapshot();
            let mut saved = 0_u64;
            for [hits, cost] in self.hits.iter().map(|shard| &shard[group.index()]) {
                stats.hits += hits.load(Ordering::Relaxed);
                saved = saved.saturating_add(cost.load(Ordering::Relaxed));
            }
            counted.add_to(&mut stats);
            FunctionStats {
                function: counted.function.to_string(),
                namespace: counted.namespace.clone(),
                stats,
                time_saved: Duration::from_nanos(saved),
                computing,
            }
        });
        groups.filter(|group| group.stats != CacheStats::default()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_hit_in_64_is_a_sample() {
        let stats = Stats::new();
        for rhythm in [1, 7, 64, 100] {
            let samples = (0..640 * rhythm).map(|_| stats.hit(Group::default(), 0)).step_by(rhythm);
            let samples = samples.filter(|hit| hit.is_one_in(64)).count();
            assert!((5..=15).contains(&samples), "{samples} of 640, in a rhythm of {rhythm}");
        }
    }
}
