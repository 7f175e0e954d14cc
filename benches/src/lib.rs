//! What the benches have in common: cached functions, the same data in other caches, a mix of ids, and counting.

pub mod counter;
pub mod guard;
pub mod mixes;
pub mod operations;

use std::{
    future::Future,
    pin::pin,
    task::{Context, Poll, Waker},
    time::Duration,
};

use larder::{CacheExt, MemoryCache, Policy, cached};

/// How many ids there are in most benches, and how many entries each cache keeps.
pub const IDS: u64 = 10_000;

/// The smallest function there is to cache.
#[cached(ttl = 3600, key = "user:<id>")]
pub async fn user(id: u64) -> u64 {
    id
}

/// The same, in a cache of one's own.
#[cached(ttl = 3600, key = "user:<id>", skip(cache), cache = cache)]
pub async fn user_in(cache: &MemoryCache, id: u64) -> u64 {
    id
}

/// One that could fail.
#[cached(ttl = 3600, key = "account:<id>")]
pub async fn account(id: u64) -> Result<u64, String> {
    Ok(id)
}

/// One with text in its key, and a value that allocates when it is cloned.
#[cached(ttl = 3600, key = "name:<tenant>:<id>")]
pub async fn name(tenant: &str, id: u64) -> String {
    format!("user {id} of {tenant}")
}

/// A policy that lets nothing expire while a bench runs.
pub fn policy() -> Policy {
    Policy::ttl(Duration::from_secs(3600))
}

/// The key of an id where `user()` has it, to begin with; built the way people build keys by hand.
#[must_use]
pub fn key(id: u64) -> String {
    format!("user:{id}")
}

/// The keys of all ids.
#[must_use]
pub fn keys() -> Vec<String> {
    (0..IDS).map(key).collect()
}

/// A cache of [`IDS`] entries with `ids` in it.
#[must_use]
pub fn larder(ids: impl IntoIterator<Item = u64>) -> MemoryCache {
    let cache = MemoryCache::new(IDS);
    for id in ids {
        ready(cache.insert(&key(id), &id, policy())).expect("the key is short");
    }
    cache
}

/// A cached function that is not async.
#[must_use]
#[cached(ttl = 3600, key = "blocking:<id>")]
pub fn user_blocking(id: u64) -> u64 {
    id
}

/// A raw cache with the ids themselves as keys.
#[must_use]
pub fn moka(ids: impl IntoIterator<Item = u64>) -> moka::sync::Cache<u64, u64> {
    let cache = moka::sync::Cache::new(IDS);
    ids.into_iter().for_each(|id| cache.insert(id, id));
    cache.run_pending_tasks();
    cache
}

/// A raw cache with text as keys.
#[must_use]
pub fn moka_text(ids: impl IntoIterator<Item = u64>) -> moka::sync::Cache<String, u64> {
    let cache = moka::sync::Cache::new(IDS);
    ids.into_iter().for_each(|id| cache.insert(key(id), id));
    cache.run_pending_tasks();
    cache
}

/// A raw cache with the ids themselves as keys.
#[must_use]
pub fn quick(ids: impl IntoIterator<Item = u64>) -> quick_cache::sync::Cache<u64, u64> {
    let cache = quick_cache::sync::Cache::new(usize::try_from(IDS).expect("there are few"));
    ids.into_iter().for_each(|id| cache.insert(id, id));
    cache
}

/// Reads an id through a cache that computes it, if need be: whether it was a hit.
pub fn read(cache: &MemoryCache, id: u64) -> bool {
    let mut hit = true;
    let compute = || {
        hit = false;
        async move { Ok::<_, String>(id) }
    };
    ready(cache.get_or_compute(&key(id), policy(), compute)).expect("it cannot fail");
    hit
}

/// The output of a future that has nothing to wait for.
///
/// # Panics
///
/// If it waits.
#[inline]
pub fn ready<F: Future>(future: F) -> F::Output {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(output) => output,
        Poll::Pending => panic!("a future that should be ready waits"),
    }
}

/// `reads` of `ids` ids, where the one of rank n is asked for n^-`exponent` times as often as the first.
/// The same in each run.
#[must_use]
#[expect(clippy::cast_precision_loss, reason = "ranks are small")]
pub fn zipf(ids: u64, exponent: f64, reads: usize) -> Vec<u64> {
    let mut sum = 0.0;
    let sums: Vec<f64> = (1..=ids)
        .map(|rank| {
            sum += (rank as f64).powf(-exponent);
            sum
        })
        .collect();
    let mut random = fastrand::Rng::with_seed(7);
    let mut ids: Vec<u64> = (0..ids).collect();
    random.shuffle(&mut ids);
    (0..reads)
        .map(|_| {
            let at = random.f64() * sum;
            ids[sums.partition_point(|&sum| sum < at)]
        })
        .collect()
}
