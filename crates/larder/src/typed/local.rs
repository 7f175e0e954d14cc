//! `cache.local()`: the verbs for values that stay in this process.

use std::{borrow::Borrow, fmt, future::Future};

use super::{compute::look_or_compute, insert::insert, outcome::look_or_compute_observed};
use crate::{
    cache::Cache,
    epoch::ReadVersion,
    error::Result,
    error_keeping::Keeping,
    error_sharing::{Cloned, Unshared},
    outcome::Outcome,
    policy::{Policy, into_policy::IntoPolicy},
    read_through::{self, Wanted, full_key, get_here, look},
    value::LocalValue,
};

/// The verbs for values that stay in this process: any that are `Clone + Send + Sync + 'static`. Made by
/// [`CacheExt::local`](crate::CacheExt::local).
///
/// They are entries of the cache as all others are, in its memory: with lifetimes, tags and dependencies, and dropped by
/// an invalidation, of another process too. No other process reads the value, and none is waited for: each computes its
/// own. A cache without a memory of its own, [`RedisCache`](crate::RedisCache), keeps up to 1,000 of them.
///
/// ```
/// # use std::{convert::Infallible, sync::Arc, time::Duration};
/// use larder::{CacheExt, MemoryCache, Policy};
///
/// struct Index(Vec<f64>); // neither `Serialize` nor `Clone`
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> larder::Result<()> {
/// let cache = MemoryCache::new(100);
/// let policy = Policy::ttl(Duration::from_secs(3600));
/// let build = async || Ok::<_, Infallible>(Arc::new(Index(vec![0.5])));
/// let Ok(index) = cache.local().get_or_compute("index:7", policy, build).await;
/// assert_eq!(index.0.len(), 1);
///
/// cache.invalidate("index:*").await;
/// assert!(cache.local().get::<Arc<Index>>("index:7")?.is_none());
/// # Ok(())
/// # }
/// ```
pub struct Local<'c, C: ?Sized> {
    cache: &'c C,
}

impl<'c, C: Cache + ?Sized> Local<'c, C> {
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
    pub fn insert<V: LocalValue>(
        &self,
        key: &str,
        value: &V,
        policy: impl IntoPolicy,
    ) -> impl Future<Output = Result<()>> + Send {
        self.insert_since(self.cache.core().begin(), key, value, policy)
    }

    /// As [`CacheExt::insert_since`](crate::CacheExt::insert_since).
    ///
    /// # Errors
    ///
    /// If the key is empty or too long.
    pub async fn insert_since<V: LocalValue>(
        &self,
        since: ReadVersion,
        key: &str,
        value: &V,
        policy: impl IntoPolicy,
    ) -> Result<()> {
        let policy = policy.into_policy();
        let terms = terms::<V>(policy.borrow());
        insert(self.cache, since, &[(&full_key(self.cache, key), value)], terms).await.map(drop)
    }

    /// As [`CacheExt::touch`](crate::CacheExt::touch).
    ///
    /// # Errors
    ///
    /// If the key is empty or too long.
    pub async fn touch<V: LocalValue>(&self, key: &str, policy: impl IntoPolicy) -> Result<bool> {
        let policy = policy.into_policy();
        let terms = terms::<V>(policy.borrow());
        read_through::touch::<V>(self.cache, &full_key(self.cache, key), terms).await
    }

    /// As [`CacheExt::get_or_compute`](crate::CacheExt::get_or_compute).
    ///
    /// # Errors
    ///
    /// Those of `compute`.
    pub async fn get_or_compute<V, E, Fut>(
        &self,
        key: &str,
        policy: impl IntoPolicy,
        compute: impl FnOnce() -> Fut + Send,
    ) -> Result<V, E>
    where
        V: LocalValue,
        E: Send + 'static,
        Fut: Future<Output = Result<V, E>> + Send,
    {
        let policy = policy.into_policy();
        look_or_compute(self.cache, key, (policy.borrow(), Wanted::local::<V>), Unshared, compute).await
    }

    /// As [`CacheExt::get_or_compute_shared`](crate::CacheExt::get_or_compute_shared).
    ///
    /// # Errors
    ///
    /// Those of `compute`.
    pub async fn get_or_compute_shared<V, E, Fut>(
        &self,
        key: &str,
        policy: impl IntoPolicy,
        compute: impl FnOnce() -> Fut + Send,
    ) -> Result<V, E>
    where
        V: LocalValue,
        E: Clone + Send + 'static,
        Fut: Future<Output = Result<V, E>> + Send,
    {
        let policy = policy.into_policy();
        look_or_compute(self.cache, key, (policy.borrow(), Wanted::local::<V>), Cloned, compute).await
    }

    /// As [`CacheExt::get_or_compute_with_outcome`](crate::CacheExt::get_or_compute_with_outcome).
    pub async fn get_or_compute_with_outcome<V, E, Fut>(
        &self,
        key: &str,
        policy: impl IntoPolicy,
        compute: impl FnOnce() -> Fut + Send,
    ) -> (Result<V, E>, Outcome)
    where
        V: LocalValue,
        E: Send + 'static,
        Fut: Future<Output = Result<V, E>> + Send,
    {
        let policy = policy.into_policy();
        look_or_compute_observed(self.cache, key, terms::<V>(policy.borrow()), Unshared, compute).await
    }

    /// As [`CacheExt::get_or_compute_keeping`](crate::CacheExt::get_or_compute_keeping), in this process: the error can be of
    /// any type that is `Clone + Send + Sync + 'static`.
    ///
    /// # Errors
    ///
    /// Those of `compute`.
    pub async fn get_or_compute_keeping<V, E, Fut>(
        &self,
        key: &str,
        policy: impl IntoPolicy,
        chosen: impl Fn(&E) -> bool + Copy + Send + Sync + 'static,
        compute: impl FnOnce() -> Fut + Send,
    ) -> Result<V, E>
    where
        V: LocalValue,
        E: LocalValue,
        Fut: Future<Output = Result<V, E>> + Send,
    {
        let policy = policy.into_policy();
        let sharing = Keeping::local(Cloned, chosen);
        look_or_compute(self.cache, key, (policy.borrow(), Wanted::local::<V>), sharing, compute).await
    }

    /// As [`CacheExt::get_or_compute_background`](crate::CacheExt::get_or_compute_background).
    ///
    /// # Errors
    ///
    /// Those of `compute`.
    ///
    /// # Panics
    ///
    /// If the computation panics, in the caller who started it and waits for it.
    pub async fn get_or_compute_background<V, E, Fut>(
        &self,
        key: &str,
        policy: impl IntoPolicy,
        compute: impl FnOnce() -> Fut + Send,
    ) -> Result<V, E>
    where
        V: LocalValue,
        E: Clone + Send + 'static,
        Fut: Future<Output = Result<V, E>> + Send + 'static,
    {
        let policy = policy.into_policy();
        let key = full_key(self.cache, key);
        match look(self.cache, &key) {
            Ok(value) => Ok(value),
            Err(missed) => {
                let (at, terms) = ((self.cache, &*key), terms::<V>(policy.borrow()));
                Box::pin(read_through::get_or_compute_background(at, missed, terms, Cloned, compute)).await
            }
        }
    }
}

fn terms<V: LocalValue>(policy: &Policy) -> (&Policy, Wanted) {
    (policy, Wanted::local::<V>(policy))
}

impl<C: ?Sized> Clone for Local<'_, C> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<C: ?Sized> Copy for Local<'_, C> {}

impl<C: ?Sized> fmt::Debug for Local<'_, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Local").finish_non_exhaustive()
    }
}
