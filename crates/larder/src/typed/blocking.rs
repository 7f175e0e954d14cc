//! `cache.blocking()`: the verbs for threads.

use std::{borrow::Borrow, fmt};

use super::{insert::insert, outcome::look_or_compute_observed_blocking};
use crate::{
    block_on::block_on,
    cache::Cache,
    epoch::ReadVersion,
    error::Result,
    error_keeping::Keeping,
    error_sharing::{Cloned, Sharing, Unshared},
    outcome::Outcome,
    policy::{Policy, into_policy::IntoPolicy},
    read_through::{self, Wanted, full_key, get_here, look},
    value::LocalValue,
};

/// The verbs for code that is not async. Made by [`CacheExt::blocking`](crate::CacheExt::blocking).
///
/// Values are kept in the cache's memory, in this process alone: any that are `Clone + Send + Sync + 'static`. They are
/// entries of the cache as all others are: with lifetimes, tags and dependencies, and dropped by an invalidation, of
/// another process too. No runtime has to exist. A cache without a memory of its own,
/// [`RedisCache`](crate::RedisCache), keeps up to 1,000 of them.
///
/// However many threads ask for a key at once, one of them computes, and the others are blocked until it has; what the
/// computation asks for itself, the same key included, is never waited for by itself. In async code, these verbs block
/// the thread of the runtime, as any lock does: call them where that is allowed (`spawn_blocking`), or where what they
/// compute takes no longer than other code between two `.await`s. So that a thread is not blocked by a task which needs
/// that thread, threads and tasks do not wait for each other: a key can be computed by one of each at once.
///
/// What needs a timer or a task of its own is not there: `timeout`, `spawn` and leases have no effect, and a refresh is
/// computed by the thread that finds it due.
///
/// ```
/// # use std::time::Duration;
/// use larder::{CacheExt, MemoryCache, Policy};
///
/// let cache = MemoryCache::new(100);
/// let policy = Policy::ttl(Duration::from_secs(60));
/// let length = cache.blocking().get_or_compute("file:a.txt", &policy, || {
///     std::fs::read("a.txt").map(|bytes| bytes.len()) // errors are not kept
/// });
/// assert!(length.is_err());
///
/// cache.blocking().insert("answer", &42_u32, &policy)?;
/// assert_eq!(cache.blocking().get("answer")?, Some(42_u32));
///
/// drop(cache.invalidate("answer")); // done when it returns
/// assert_eq!(cache.blocking().get::<u32>("answer")?, None);
/// # Ok::<(), larder::Error>(())
/// ```
pub struct Blocking<'c, C: ?Sized> {
    cache: &'c C,
}

impl<'c, C: Cache + ?Sized> Blocking<'c, C> {
    pub(super) fn new(cache: &'c C) -> Self {
        Self { cache }
    }

    /// The fresh value under `key` in this process. Never waits. A value of another type, or past its `ttl`, is a miss.
    ///
    /// # Errors
    ///
    /// If the key is empty or too long.
    pub fn get<V: LocalValue>(&self, key: &str) -> Result<Option<V>> {
        let key = full_key(self.cache, key);
        look(self.cache, &key).map(Some).or_else(|missed| get_here(self.cache, &key, missed))
    }

    /// As [`CacheExt::insert`](crate::CacheExt::insert).
    ///
    /// # Errors
    ///
    /// If the key is empty or too long.
    pub fn insert<V: LocalValue>(&self, key: &str, value: &V, policy: impl IntoPolicy) -> Result<()> {
        self.insert_since(self.cache.core().begin(), key, value, policy)
    }

    /// As [`CacheExt::insert_since`](crate::CacheExt::insert_since).
    ///
    /// # Errors
    ///
    /// If the key is empty or too long.
    pub fn insert_since<V: LocalValue>(
        &self,
        since: ReadVersion,
        key: &str,
        value: &V,
        policy: impl IntoPolicy,
    ) -> Result<()> {
        let policy = policy.into_policy();
        let terms = terms::<V>(policy.borrow());
        block_on(insert(self.cache, since, &[(&full_key(self.cache, key), value)], terms)).map(drop)
    }

    /// As [`CacheExt::touch`](crate::CacheExt::touch).
    ///
    /// # Errors
    ///
    /// If the key is empty or too long.
    pub fn touch<V: LocalValue>(&self, key: &str, policy: impl IntoPolicy) -> Result<bool> {
        let policy = policy.into_policy();
        let terms = terms::<V>(policy.borrow());
        block_on(read_through::touch::<V>(self.cache, &full_key(self.cache, key), terms))
    }

    /// The value under `key`, or else that of `compute`, which is then stored under `policy`: as
    /// [`CacheExt::get_or_compute`](crate::CacheExt::get_or_compute).
    ///
    /// If the computing thread panics, one of those that wait computes in its place; after a second panic each of them
    /// does. A failure is not shared with those that wait: they compute for themselves, a few at a time.
    ///
    /// # Errors
    ///
    /// Those of `compute`.
    pub fn get_or_compute<V: LocalValue, E>(
        &self,
        key: &str,
        policy: impl IntoPolicy,
        compute: impl FnOnce() -> Result<V, E>,
    ) -> Result<V, E> {
        let policy = policy.into_policy();
        self.look_or_compute(key, policy.borrow(), Unshared, compute)
    }

    /// The same; a failure is shared, as clones, with those that waited for it.
    ///
    /// # Errors
    ///
    /// Those of `compute`.
    pub fn get_or_compute_shared<V: LocalValue, E: Clone + Send + 'static>(
        &self,
        key: &str,
        policy: impl IntoPolicy,
        compute: impl FnOnce() -> Result<V, E>,
    ) -> Result<V, E> {
        let policy = policy.into_policy();
        self.look_or_compute(key, policy.borrow(), Cloned, compute)
    }

    /// As [`get_or_compute`](Self::get_or_compute), with what became of the call: see
    /// [`CacheExt::get_or_compute_with_outcome`](crate::CacheExt::get_or_compute_with_outcome).
    pub fn get_or_compute_with_outcome<V: LocalValue, E>(
        &self,
        key: &str,
        policy: impl IntoPolicy,
        compute: impl FnOnce() -> Result<V, E>,
    ) -> (Result<V, E>, Outcome) {
        let policy = policy.into_policy();
        look_or_compute_observed_blocking(self.cache, key, terms::<V>(policy.borrow()), Unshared, compute)
    }

    /// The same; an error that is `chosen` is kept for the policy's `cache_err`: as
    /// [`CacheExt::get_or_compute_keeping`](crate::CacheExt::get_or_compute_keeping), in this process.
    ///
    /// # Errors
    ///
    /// Those of `compute`.
    pub fn get_or_compute_keeping<V: LocalValue, E: LocalValue>(
        &self,
        key: &str,
        policy: impl IntoPolicy,
        chosen: impl Fn(&E) -> bool + Copy + Send + Sync + 'static,
        compute: impl FnOnce() -> Result<V, E>,
    ) -> Result<V, E> {
        let policy = policy.into_policy();
        self.look_or_compute(key, policy.borrow(), Keeping::local(Cloned, chosen), compute)
    }

    fn look_or_compute<V: LocalValue, E>(
        self,
        key: &str,
        policy: &Policy,
        sharing: impl Sharing<E>,
        compute: impl FnOnce() -> Result<V, E>,
    ) -> Result<V, E> {
        let key = full_key(self.cache, key);
        look(self.cache, &key).or_else(|missed| {
            let at = (self.cache, &*key);
            read_through::get_or_compute_blocking(at, missed, terms::<V>(policy), sharing, compute)
        })
    }
}

fn terms<V: LocalValue>(policy: &Policy) -> (&Policy, Wanted) {
    (policy, Wanted::blocking::<V>(policy))
}

impl<C: ?Sized> Clone for Blocking<'_, C> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<C: ?Sized> Copy for Blocking<'_, C> {}

impl<C: ?Sized> fmt::Debug for Blocking<'_, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Blocking").finish_non_exhaustive()
    }
}
