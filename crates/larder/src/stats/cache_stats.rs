//! What is counted.

use std::{
    fmt,
    sync::atomic::{AtomicU64, Ordering},
};

macro_rules! counters {
    ($($(#[doc = $doc:literal])+ $name:ident,)+) => {
        /// What a cache did since it was made, as counted at one moment.
        ///
        /// Counters are read one after the other while the cache goes on, so that sums of them can be off
        /// by the calls under way. Written with `{:?}`, only those are shown that are not zero.
        ///
        /// ```
        /// # use std::{convert::Infallible, time::Duration};
        /// use larder::{CacheExt, MemoryCache, Policy};
        ///
        /// # #[tokio::main(flavor = "current_thread")]
        /// # async fn main() {
        /// let cache = MemoryCache::new(100);
        /// let before = cache.stats();
        /// for _ in 0..4 {
        ///     let policy = Policy::ttl(Duration::from_secs(60));
        ///     let answer = cache.get_or_compute("answer", policy, async || Ok::<_, Infallible>(42)).await;
        ///     assert_eq!(answer, Ok(42));
        /// }
        /// let stats = cache.stats().since(&before);
        /// assert_eq!((stats.hits, stats.misses, stats.computations), (3, 1, 1));
        /// assert_eq!(stats.hit_ratio(), 0.75);
        /// for (name, count) in stats.iter().filter(|(_, count)| *count > 0) {
        ///     println!("{name} {count}"); // for a log; exporters have the feature `metrics`
        /// }
        /// # }
        /// ```
        #[derive(Clone, Copy, PartialEq, Eq, Default)]
        #[non_exhaustive]
        pub struct CacheStats {
            $($(#[doc = $doc])+ pub $name: u64,)+
        }

        #[derive(Debug, Default)]
        pub(crate) struct Counters {
            $(pub(crate) $name: AtomicU64,)+
        }

        impl CacheStats {
            pub(super) fn add(&mut self, counters: &Counters) {
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
    /// Those of the hits that were found further than in memory, by `get`: on disk, or on a shared server.
    hits_shared,
    /// Those of the misses that were then answered from there: nothing was computed.
    misses_shared,
    /// Reads answered with a value past its `ttl`, as the policy allows.
    stale_hits,
    /// Computations begun, refreshes included.
    computations,
    /// Computations that failed.
    failures,
    /// Those of the computations that found the old value unchanged: see [`Previous::keep`](crate::Previous::keep).
    kept,
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
    /// Streams not stored, because they have more items than [`max_items`](macro@crate::cached#streams) allows.
    stores_too_long,
    /// Streams not stored, because they were dropped before their end.
    stores_unfinished,
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
    /// Calls of `mark_stale`.
    marks,
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
    /// Those of the `shared_hits` that a replica gave, where
    /// [`read_from_replicas`](crate::RedisCacheBuilder::read_from_replicas) says so.
    replica_hits,
    /// Entries asked for at a replica, and not there or not valid (any more): the master was asked.
    replica_misses,
    /// Entries that a replica failed to read, or that none was there to read: the master was asked.
    replica_failures,
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
    /// Those of them that are in a codec that this process does not know: see [`larder::codec`](mod@crate::codec).
    shared_other_codec,
    /// Those of them that a cache that seals cannot know the writer of: not sealed, sealed with a key that it does not
    /// have, moved from another key, or changed (feature `seal`).
    shared_not_authentic,
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
    /// Entries found on disk and taken over (feature `disk`).
    disk_hits,
    /// Entries looked for on disk, and not found there or not taken over, for whatever reason.
    disk_misses,
    /// Entries written to disk.
    disk_stores,
    /// Entries not written to disk because something that covers them was invalidated in the meantime, because their time was
    /// over, or because another value could have come back.
    disk_skipped,
    /// Entries not written to disk because too many waited for that, because they are too large, or because the disk could not be
    /// written.
    disk_dropped,
    /// Entries on disk that were not accepted: of another shape, or harmed.
    disk_rejected,
    /// How often the disk could not be read or written.
    disk_failures,
    /// Callers who waited in vain for a computation in another process, and computed themselves.
    lease_timeouts,
    /// Decisions of rate limits to admit (feature `limit`).
    limit_allowed,
    /// Decisions of rate limits to refuse.
    limit_refused,
    /// Those of them that were made without asking the server, because it had just said for how long it would refuse.
    limit_refused_here,
    /// Decisions of either kind that the server was to make, and could not: see `larder::limit::FailureMode`.
    limit_failures,
    /// Increments of counters and rankings that a server was to make, and did not say that it did (feature `counters`).
    counts_lost,
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

impl fmt::Debug for CacheStats {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut counts = f.debug_struct("CacheStats");
        self.iter().filter(|(_, count)| *count > 0).for_each(|(name, count)| {
            counts.field(name, &count);
        });
        counts.finish_non_exhaustive()
    }
}

#[expect(clippy::cast_precision_loss, reason = "a ratio for people")]
fn ratio(of: u64, to: u64) -> f64 {
    if of == 0 { 0.0 } else { of as f64 / (of + to) as f64 }
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
        assert_eq!(format!("{stats:?}"), "CacheStats { hits: 2, misses: 5, stale_hits: 1, joined: 3, .. }");
    }
}
