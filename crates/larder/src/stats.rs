//! What a cache did: counters that many threads can raise without meeting.

mod groups;
mod histogram;
mod timings;

use std::{
    cell::Cell,
    sync::{
        Arc,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
    time::Duration,
};

use crossbeam_utils::CachePadded;

pub use self::histogram::Histogram;
pub(crate) use self::{
    groups::Group,
    histogram::{AtomicHistogram, nanos},
    timings::Timings,
};
use self::{groups::Groups, timings::Listeners};

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

macro_rules! counters {
    ($($(#[doc = $doc:literal])+ $name:ident,)+) => {
        /// What a cache did since it was made, as counted at one moment.
        ///
        /// Counters are read one after the other while the cache goes on, so that sums of them can be off
        /// by the calls under way.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
        #[non_exhaustive]
        pub struct CacheStats {
            $($(#[doc = $doc])+ pub $name: u64,)+
        }

        #[derive(Debug, Default)]
        pub(crate) struct Counters {
            $(pub(crate) $name: AtomicU64,)+
        }

        impl CacheStats {
            fn add(&mut self, counters: &Counters) {
                $(self.$name += counters.$name.load(Ordering::Relaxed);)+
            }

            /// What was done between two moments: these counts less the `earlier` ones.
            #[must_use]
            pub fn since(&self, earlier: &Self) -> Self {
                Self { $($name: self.$name.saturating_sub(earlier.$name),)+ }
            }

            /// Names and values, in the order of the fields: for an exporter.
            pub fn iter(&self) -> impl Iterator<Item = (&'static str, u64)> + use<> {
                [$((stringify!($name), self.$name),)+].into_iter()
            }
        }
    };
}

counters! {
    /// Reads answered with a fresh value.
    hits,
    /// Reads that found nothing they could serve, those included that then [`joined`](Self::joined).
    misses,
    /// Those of the hits that were found on a shared server, by `get`.
    hits_shared,
    /// Those of the misses that were then answered from a shared server: nothing was computed.
    misses_shared,
    /// Reads answered with a value past its `ttl`, as the policy allows.
    stale_hits,
    /// Computations begun, refreshes included.
    computations,
    /// Computations that failed.
    failures,
    /// Callers who got the outcome of another caller's computation, begun before or after they came.
    joined,
    /// Refreshes begun before or after the end of `ttl`, while callers had the old value.
    refreshes,
    /// Computations without joining, because joining would have closed a cycle, or because the outcome
    /// they had waited for could not be shared.
    unjoined,
    /// Computations begun by a caller who had waited for another one, which was woken and not polled for as long
    /// as [`takeover_after`](crate::PolicyBuilder::takeover_after) allows.
    taken_over,
    /// Values stored where the cache keeps them: on a shared server, or in memory where there is none. What stayed in
    /// this process because it could not be shared is counted by reason instead, from
    /// [`unshared_changed`](Self::unshared_changed) on.
    stores,
    /// Values not stored, because something that covers them was invalidated while they were computed.
    stores_outdated,
    /// Values not stored, because more than 4,096 scopes cover them.
    stores_too_wide,
    /// Entries found, but not served, because something that covers them was invalidated.
    invalidated_reads,
    /// Entries found, but not served, because they hold a value of another type.
    type_mismatches,
    /// Calls that went without the cache, because their key was refused.
    refused_keys,
    /// Calls that computed without the cache, because it was disabled.
    bypassed,
    /// Calls of `invalidate`.
    invalidations,
    /// Entries that were dropped to stay within the capacity.
    evictions,
    /// Entries that were dropped because their `ttl` and their stale windows were over.
    expired_dropped,
    /// Entries that were dropped because something that covers them was invalidated.
    invalidated_dropped,
    /// Entries found on a shared server and taken over.
    shared_hits,
    /// Entries asked for on a shared server, and not found there or not taken over, for whatever reason.
    shared_misses,
    /// Entries stored on a shared server.
    shared_stores,
    /// Entries not stored on a shared server because something that covers them was invalidated in the
    /// meantime, or because other processes could not judge them.
    shared_skipped,
    /// Values that stayed in this process because they are too large to be shared.
    shared_too_large,
    /// Values that stayed in this process because another one would have come back, or could have.
    unshared_changed,
    /// Values that stayed in this process because their type refuses to read what it wrote.
    unshared_unreadable,
    /// Values that stayed in this process because their type or the codec refused to write them.
    unshared_unencodable,
    /// Values that stayed in this process because they nest too deep for the codec.
    unshared_too_deep,
    /// Values that stayed in this process because code of their type panicked.
    unshared_panicked,
    /// Values that stayed in this process untried, because the last ones under the same key could not be shared.
    unshared_postponed,
    /// Entries on a shared server that were not accepted: of another shape, harmed, from the future, or none of
    /// ours.
    shared_rejected,
    /// Those of them that their type refused, though they seemed to be of the same type and version.
    shared_unreadable,
    /// Those of them that are of another type, or of another version of their type.
    shared_other_shape,
    /// Reads and writes on a shared server that failed, or were not tried while it could not be reached.
    shared_failures,
    /// Those of them that the server answered with an error.
    shared_refused,
    /// Those of them that took longer than the deadline.
    shared_timeouts,
    /// Those of them that were not tried, because the server could not be reached.
    shared_unreachable,
    /// Bytes of the values that were stored on a shared server, before compression.
    shared_raw_bytes,
    /// Bytes that were stored on a shared server, headers included.
    shared_stored_bytes,
    /// Bytes of entries that were read from a shared server.
    shared_read_bytes,
    /// Callers who waited in vain for a computation in another process, and computed themselves.
    lease_timeouts,
}

impl CacheStats {
    /// The share of reads that found what they asked for, fresh or stale, here or on a shared server: from 0 to 1, and
    /// 0 before the first read. Callers who waited for a computation under way found nothing: see
    /// [`saved_ratio`](Self::saved_ratio).
    #[must_use]
    pub fn hit_ratio(&self) -> f64 {
        let found = self.misses_shared.min(self.misses);
        ratio(self.hits + self.stale_hits + found, self.misses - found)
    }

    /// The share of reads that computed nothing, because they found what they asked for or waited for
    /// another caller's computation: from 0 to 1, and 0 before the first read.
    #[must_use]
    pub fn saved_ratio(&self) -> f64 {
        let joined = (self.joined + self.misses_shared).min(self.misses);
        ratio(self.hits + self.stale_hits + joined, self.misses - joined)
    }
}

#[expect(clippy::cast_precision_loss, reason = "a ratio for people")]
fn ratio(of: u64, to: u64) -> f64 {
    if of == 0 { 0.0 } else { of as f64 / (of + to) as f64 }
}

/// What a cache did for one cached function, or by hand, in one namespace: see
/// [`CacheExt::function_stats`](crate::CacheExt::function_stats).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct FunctionStats {
    /// The path of the function, as the compiler names it: `shop::users::user`. Empty for what was read and stored by
    /// hand; `other` for what is counted together, once there are 255 of them.
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

    /// A computation took so long.
    pub(crate) fn computed(&self, group: Group, took: Duration) {
        let counted = self.groups.counted(group);
        counted.computing.record(took);
        self.listeners.tell(|listener| listener.computed(&counted.function, &counted.namespace, took));
    }

    /// A read from a shared store took so long.
    pub(crate) fn read(&self, took: Duration) {
        self.reading.record(took);
        self.listeners.tell(|listener| listener.read(took));
    }

    /// How long reads from a shared store took.
    pub(crate) fn reading(&self) -> Histogram {
        self.reading.snapshot()
    }

    /// Tells of every duration from now on.
    #[cfg_attr(not(feature = "metrics"), expect(dead_code, reason = "for an exporter"))]
    pub(crate) fn time_to(&self, listener: Arc<dyn Timings>) {
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
            counted.add_to(&mut stats);
            let mut saved = 0_u64;
            for [hits, cost] in self.hits.iter().map(|shard| &shard[group.index()]) {
                stats.hits += hits.load(Ordering::Relaxed);
                saved = saved.saturating_add(cost.load(Ordering::Relaxed));
            }
            FunctionStats {
                function: counted.function.clone(),
                namespace: counted.namespace.clone(),
                stats,
                time_saved: Duration::from_nanos(saved),
                computing: counted.computing.snapshot(),
            }
        });
        groups.filter(|group| group.stats != CacheStats::default()).collect()
    }
}

/// A small number of the thread that runs: for what threads share in parts, so that they seldom meet.
#[inline]
pub(crate) fn thread_number() -> usize {
    thread_local!(static NUMBER: Cell<usize> = const { Cell::new(usize::MAX) });
    NUMBER.with(|number| match number.get() {
        usize::MAX => {
            static NEXT: AtomicUsize = AtomicUsize::new(0);
            number.set(NEXT.fetch_add(1, Ordering::Relaxed));
            number.get()
        }
        known => known,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ratios_are_between_nothing_and_all() {
        assert_eq!(CacheStats::default().hit_ratio(), 0.0);
        let stats = CacheStats { hits: 2, stale_hits: 1, misses: 5, joined: 3, ..CacheStats::default() };
        assert_eq!(stats.hit_ratio(), 3.0 / 8.0);
        assert_eq!(stats.saved_ratio(), 6.0 / 8.0);
        assert_eq!(stats.since(&stats), CacheStats::default());
    }

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
