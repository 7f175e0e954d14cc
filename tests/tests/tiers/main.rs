//! Two tiers: what memory answers, what Redis answers, and how the memory of one process hears of the others.

#![expect(clippy::unwrap_used, reason = "what fails in a helper fails the test")]

mod batches;
mod borders;
mod cache_err;
mod counters;
mod deadline;
mod disabled;
mod events;
mod events_and_user_code;
mod functions;
mod hashed_names;
mod histories;
mod in_process;
mod invalidation;
mod limits;
mod marks;
mod memory;
mod memory_ttl;
mod phases;
mod prolonged;
mod replicas;
mod sealed;
mod streams;
mod tallies;
mod transactions;

use larder::{CacheExt, Value};

/// What a cache finds, and fails the test if it fails.
async fn found<V: Value>(cache: &impl CacheExt, key: &str) -> Option<V> {
    cache.get(key).await.unwrap()
}

/// What came of a computation that is not to run, if it did not.
async fn served<V: Value>(cache: &impl CacheExt, key: &str, policy: &larder::Policy) -> Option<V> {
    cache.get_or_compute(key, policy, async || Err::<V, _>("it computed")).await.ok()
}
