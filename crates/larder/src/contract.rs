//! The contract of [`Cache`], as a suite that any implementation can be run through.
//!
//! ```
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() {
//! larder::contract::check(async || larder::MemoryCache::new(10_000)).await;
//! # }
//! ```

mod computing;
mod concurrency;
mod counters;
mod entries;
mod invalidation;
mod trial;

use std::{future::Future, pin::Pin, sync::Arc, time::Duration};

use self::trial::{Trial, violated};
use crate::Cache;

/// Runs an implementation through the [contract](Cache#contract) and through what the verbs of
/// [`CacheExt`](crate::CacheExt) promise on top of it. Must be called in a tokio runtime, best in one of several threads.
/// Takes some seconds.
///
/// `make` makes the cache to look at, and is called several times. All that it makes may share a server:
/// no two parts of the suite use the same keys, but for one thing: some of them invalidate everything.
///
/// A cache may lose entries, so that a miss is no violation. A cache that never keeps anything is one,
/// though: there would be nothing to look at. That a cache is bounded (a part of clause 5) cannot be seen
/// from outside, and is not looked at.
///
/// # Panics
///
/// At the first violation, with what was seen.
pub async fn check<C: Cache + 'static>(make: impl AsyncFn() -> C) {
    check_any(&|| Box::pin(async { Arc::new(make().await) as Arc<dyn Cache> })).await;
}

/// Makes a cache of any type.
type Make<'m> = dyn Fn() -> Pin<Box<dyn Future<Output = Arc<dyn Cache>> + 'm>> + 'm;

/// The same for caches of any type, so that the suite is compiled once and not once for each.
async fn check_any(make: &Make<'_>) {
    macro_rules! run {
        // In a block: no part keeps its cache, with all its connections, for longer than it takes.
        ($($part:path),+ $(,)?) => {$({
            let trial = Trial::new(make().await, stringify!($part));
            match tokio::time::timeout(HANGS, $part(&trial)).await {
                Ok(()) => {}
                Err(_) => violated(stringify!($part), "it hangs (clause 4)"),
            }
        })+};
    }
    run![
        entries::one_cache_has_one_core,
        entries::values_come_back_as_they_were,
        entries::a_replaced_value_does_not_come_back,
        entries::another_type_is_a_miss,
        entries::an_end_is_an_end,
        entries::a_dropped_call_leaves_no_harm,
        invalidation::every_scope_is_applied_at_once,
        invalidation::every_handle_invalidates,
        invalidation::namespaces_are_parts,
        invalidation::a_value_read_before_is_not_stored_after,
        invalidation::what_is_marked_is_not_fresh,
        computing::many_callers_compute_once,
        computing::a_change_during_a_computation_counts,
        computing::what_was_read_covers_what_was_computed,
        computing::a_failure_is_not_kept,
        computing::a_batch_computes_what_is_missing,
        entries::a_value_without_serde_comes_back_and_goes,
        computing::threads_compute_once,
        counters::a_counter_counts,
        counters::a_counter_ends,
        counters::no_call_is_lost,
        concurrency::no_read_is_older_than_a_change_before_it,
        concurrency::no_read_misses_an_insert_before_it,
    ];
}

/// Longer than any part takes on a slow machine with a slow server.
const HANGS: Duration = Duration::from_secs(120);
