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

use std::{
    fmt::Display,
    future::Future,
    panic::Location,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use tokio::time::Instant;

use crate::{Cache, CacheExt, Policy, Value};

/// Runs an implementation through the [contract](Cache#contract) and through what the verbs of
/// [`CacheExt`] promise on top of it. Must be called in a tokio runtime, best in one of several threads.
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
        ($($part:path),+ $(,)?) => {$(
            let trial = Trial::new(make().await, stringify!($part));
            match tokio::time::timeout(HANGS, $part(&trial)).await {
                Ok(()) => {}
                Err(_) => violated(stringify!($part), "it hangs (clause 4)"),
            }
        )+};
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
        computing::many_callers_compute_once,
        computing::a_change_in_mid_flight_counts,
        computing::what_was_read_covers_what_was_computed,
        computing::a_failure_is_not_kept,
        computing::a_batch_computes_what_is_missing,
        entries::a_value_without_serde_comes_back_and_goes,
        computing::threads_compute_once,
        counters::a_counter_counts,
        counters::a_counter_ends,
        counters::no_call_is_lost,
        concurrency::no_read_is_older_than_a_change_before_it,
    ];
}

/// Longer than any part takes on a slow machine with a slow server.
const HANGS: Duration = Duration::from_secs(120);

/// How long something may take that is to happen soon.
const SOON: Duration = Duration::from_secs(10);

/// A cache under examination, and keys of its own.
struct Trial {
    cache: Arc<dyn Cache>,
    part: &'static str,
    /// What all keys and tags of this trial begin with.
    own: String,
}

impl Trial {
    fn new(cache: Arc<dyn Cache>, part: &'static str) -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        Self { cache, part, own: format!("contract-{:x}-{number}", fastrand::u64(..)) }
    }

    fn key(&self, name: impl Display) -> String {
        format!("{}:{name}", self.own)
    }

    fn tag(&self, name: impl Display) -> String {
        format!("{} {name}", self.own)
    }

    fn require(&self, holds: bool, otherwise: impl Display) {
        if !holds {
            violated(self.part, otherwise);
        }
    }

    /// The value under a key; reading one is no mistake, and so no error.
    async fn get<V: Value>(&self, cache: &impl Cache, key: &str) -> Option<V> {
        match cache.get(key).await {
            Ok(found) => found,
            Err(error) => violated(self.part, format_args!("`get` fails: {error} (clause 4)")),
        }
    }

    /// Stores a value until the cache has it.
    async fn keep<V: Value + PartialEq>(&self, key: &str, value: &V, policy: &Policy) {
        let start = Instant::now();
        loop {
            if let Err(error) = self.cache.insert(key, value, policy).await {
                violated(self.part, format_args!("`insert` fails: {error} (clause 4)"));
            }
            match self.get::<V>(&self.cache, key).await {
                Some(found) if found == *value => return,
                Some(_) => violated(self.part, format_args!("{key:?} gives what was not stored (clause 2)")),
                None => self.require(start.elapsed() < SOON, "nothing is ever kept"),
            }
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }

    /// Waits until something is so.
    async fn eventually<F: Future<Output = bool>>(&self, mut is_so: impl FnMut() -> F, otherwise: &str) {
        let start = Instant::now();
        while !is_so().await {
            self.require(start.elapsed() < SOON, otherwise);
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
}

/// Longer than the suite takes.
static LONG: Policy = Policy::ttl(Duration::from_secs(3_600));

#[track_caller]
fn violated(part: &str, what: impl Display) -> ! {
    let place = Location::caller();
    panic!("not a `Cache` as the contract wants it: {part}: {what} [{place}]")
}
