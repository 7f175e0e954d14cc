//! `CacheExt`: the typed verbs that every cache has.

pub(crate) mod blocking;
pub(crate) mod cache_events;
mod compute;
pub(crate) mod insert;
pub(crate) mod keys;
pub(crate) mod local;
mod locks;
mod outcome;
mod reads;

use std::{
    borrow::Borrow,
    collections::HashMap,
    future::Future,
    hash::Hash,
    time::{Duration, SystemTime},
};

use self::{
    blocking::Blocking,
    cache_events::CacheEvents,
    compute::{look_or_compute, warn_if_spawning},
    keys::Keys,
    local::Local,
    outcome::look_or_compute_observed,
};

use crate::{
    cache::{Cache, EntryInfo, Invalidating, Kept, SharedStorage, Strength},
    deadline::Within,
    deferred,
    epoch::{Epoch, ReadVersion},
    error::{Result, TimedOut},
    error_keeping::Keeping,
    error_sharing::{Cloned, Unshared},
    link::Link,
    listing::entries_in_memory,
    lock::LockGuard,
    namespace::Namespace,
    outcome::{Observer, Outcome},
    policy::{Policy, into_policy::IntoPolicy},
    read_through::{self, Asked, Rules, Wanted, full_key, get_missing, look},
    scope::Scopes,
    stats::{CacheStats, FunctionStats, Histogram},
    value::Value,
    with_policy::WithPolicy,
};

/// The typed verbs, on every [`Cache`], `dyn Cache` included.
///
/// Keys are text; their `:` separate what [`Scope::prefix`](crate::Scope::prefix) can cover. They are used as they are: what
/// must not be mistaken for a separator has to be escaped where the key is built (the macros do). A
/// key is at most 64 KiB long, and not empty. Each verb is cancelled by dropping its future; what that
/// leaves behind is said where it matters.
///
/// Reads inside a computation (a cached function, or the closure of [`get_or_compute`](Self::get_or_compute))
/// become dependencies of its value: when they are invalidated, so is it.
///
/// ```
/// # use std::time::Duration;
/// use larder::{CacheExt, MemoryCache, Policy, Scope};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> larder::Result<()> {
/// let cache = MemoryCache::new(1_000); // or any other one: `TieredCache::connect(url).await?`
/// let policy = Policy::builder().ttl(Duration::from_secs(300)).tag("users").build()?;
///
/// let name = async || Ok::<_, std::io::Error>("Ada".to_owned()); // asks the database
/// assert_eq!(cache.get_or_compute("user:7", &policy, name).await.unwrap(), "Ada");
/// assert_eq!(cache.get::<String>("user:7").await?.as_deref(), Some("Ada"));
///
/// cache.insert("user:8", &"Grace".to_owned(), &policy).await?;
/// cache.invalidate("user:7").await; // a key
/// cache.invalidate("user:*").await; // all keys that begin so
/// cache.invalidate(Scope::tag("users")).await;
/// assert_eq!(cache.get::<String>("user:8").await?, None);
/// # Ok(())
/// # }
/// ```
pub trait CacheExt: Cache {
    /// The fresh value under `key`. A value of another type, or past its `ttl`, is a miss.
    ///
    /// # Errors
    ///
    /// If the key is empty or too long.
    fn get<V: Value>(&self, key: &str) -> impl Future<Output = Result<Option<V>>> + Send {
        async move {
            let key = full_key(self, key);
            match look(self, &key) {
                Ok(value) => Ok(Some(value)),
                Err(missed) => Box::pin(get_missing(self, &key, missed)).await,
            }
        }
    }

    /// The values under `keys`, in their order.
    ///
    /// # Errors
    ///
    /// If a key is empty or too long.
    fn get_many<V: Value>(
        &self,
        keys: &[impl AsRef<str> + Sync],
    ) -> impl Future<Output = Result<Vec<Option<V>>>> + Send {
        reads::get_many(self, keys)
    }

    /// Whether [`get`](Self::get) would find a fresh value of any type. Counts as no read.
    ///
    /// # Errors
    ///
    /// If the key is empty or too long.
    fn contains(&self, key: &str) -> impl Future<Output = Result<bool>> + Send {
        async move { Ok(self.remaining_ttl(key).await?.is_some()) }
    }

    /// How long the value under `key` is still fresh; none if there is none. Counts as no read.
    ///
    /// # Errors
    ///
    /// If the key is empty or too long.
    fn remaining_ttl(&self, key: &str) -> impl Future<Output = Result<Option<Duration>>> + Send {
        reads::remaining_ttl(self, key)
    }

    #[doc = include_str!("../docs/verbs/insert.md")]
    fn insert<V: Value>(
        &self,
        key: &str,
        value: &V,
        policy: impl IntoPolicy,
    ) -> impl Future<Output = Result<()>> + Send {
        self.insert_since(self.core().begin_at_hand(), key, value, policy)
    }

    /// Stores several values, each as [`insert`](Self::insert) does; all of them count as read now. Of
    /// several values for one key the last one counts.
    ///
    /// # Errors
    ///
    /// If a key is empty or too long; nothing is stored then. Also if a value cannot be shared, as with
    /// [`insert`](Self::insert); the others are stored.
    fn insert_many<V: Value, K: AsRef<str> + Sync>(
        &self,
        values: &[(K, V)],
        policy: impl IntoPolicy,
    ) -> impl Future<Output = Result<()>> + Send {
        let policy = policy.into_policy();
        let since = self.core().begin_at_hand();
        async move {
            let keys: Vec<_> = values.iter().map(|(key, _)| full_key(self, key.as_ref())).collect();
            let entries: Vec<_> =
                keys.iter().zip(values).map(|(key, (_, value))| (key.as_ref(), value)).collect();
            insert::insert(self, since, &entries, terms::<V>(policy.borrow())).await.map(drop)
        }
    }

    /// Marks the moment before a value is read at its source, for [`insert_since`](Self::insert_since).
    fn begin(&self) -> ReadVersion {
        self.core().begin()
    }

    #[doc = include_str!("../docs/verbs/insert_since.md")]
    fn insert_since<V: Value>(
        &self,
        since: ReadVersion,
        key: &str,
        value: &V,
        policy: impl IntoPolicy,
    ) -> impl Future<Output = Result<()>> + Send {
        let policy = policy.into_policy();
        async move {
            let terms = terms::<V>(policy.borrow());
            insert::insert(self, since, &[(&full_key(self, key), value)], terms).await.map(drop)
        }
    }

    #[doc = include_str!("../docs/verbs/touch.md")]
    fn touch<V: Value>(
        &self,
        key: &str,
        policy: impl IntoPolicy,
    ) -> impl Future<Output = Result<bool>> + Send {
        let policy = policy.into_policy();
        async move {
            let key = full_key(self, key);
            Box::pin(read_through::touch::<V>(self, &key, terms::<V>(policy.borrow()))).await
        }
    }

    /// Invalidates keys (`"user:7"`), prefixes (`"user:*"`), tags ([`Scope::tag`](crate::Scope::tag)) or everything
    /// ([`Scope::all`](crate::Scope::all)): one, or an array, slice or `Vec` of them. O(scopes), however many entries they
    /// cover.
    ///
    /// It is done when this returns: no read that starts afterwards, in this process, gives a value whose
    /// computation began before. The future only tells how far the news has come; dropping it undoes
    /// nothing. Call it *after* the change at the source is visible to readers (committed).
    fn invalidate(&self, scopes: impl Into<Scopes>) -> Invalidating {
        deferred::invalidate(self, &scopes.into().within(self.prefix()), Strength::Hard)
    }

    #[doc = include_str!("../docs/verbs/mark_stale.md")]
    fn mark_stale(&self, scopes: impl Into<Scopes>) -> Invalidating {
        deferred::invalidate(self, &scopes.into().within(self.prefix()), Strength::Soft)
    }

    #[doc = include_str!("../docs/verbs/get_or_compute.md")]
    fn get_or_compute<V, E, Fut>(
        &self,
        key: &str,
        policy: impl IntoPolicy,
        compute: impl FnOnce() -> Fut + Send,
    ) -> impl Future<Output = Result<V, E>> + Send
    where
        V: Value,
        E: Send + 'static,
        Fut: Future<Output = Result<V, E>> + Send,
    {
        let policy = policy.into_policy();
        async move { look_or_compute(self, key, (policy.borrow(), Wanted::shared::<V>), Unshared, compute).await }
    }

    /// As [`get_or_compute`](Self::get_or_compute); a failure is shared, as clones, with those who waited
    /// for it.
    ///
    /// # Errors
    ///
    /// Those of `compute`.
    fn get_or_compute_shared<V, E, Fut>(
        &self,
        key: &str,
        policy: impl IntoPolicy,
        compute: impl FnOnce() -> Fut + Send,
    ) -> impl Future<Output = Result<V, E>> + Send
    where
        V: Value,
        E: Clone + Send + 'static,
        Fut: Future<Output = Result<V, E>> + Send,
    {
        let policy = policy.into_policy();
        async move { look_or_compute(self, key, (policy.borrow(), Wanted::shared::<V>), Cloned, compute).await }
    }

    #[doc = include_str!("../docs/verbs/get_or_compute_with_outcome.md")]
    fn get_or_compute_with_outcome<V, E, Fut>(
        &self,
        key: &str,
        policy: impl IntoPolicy,
        compute: impl FnOnce() -> Fut + Send,
    ) -> impl Future<Output = (Result<V, E>, Outcome)> + Send
    where
        V: Value,
        E: Send + 'static,
        Fut: Future<Output = Result<V, E>> + Send,
    {
        let policy = policy.into_policy();
        async move {
            warn_if_spawning(policy.borrow());
            look_or_compute_observed(self, key, terms::<V>(policy.borrow()), Unshared, compute).await
        }
    }

    #[doc = include_str!("../docs/verbs/get_or_compute_keeping.md")]
    fn get_or_compute_keeping<V, E, Fut>(
        &self,
        key: &str,
        policy: impl IntoPolicy,
        chosen: impl Fn(&E) -> bool + Copy + Send + Sync + 'static,
        compute: impl FnOnce() -> Fut + Send,
    ) -> impl Future<Output = Result<V, E>> + Send
    where
        V: Value,
        E: Value,
        Fut: Future<Output = Result<V, E>> + Send,
    {
        let policy = policy.into_policy();
        let sharing = Keeping::shared(Cloned, chosen);
        async move { look_or_compute(self, key, (policy.borrow(), Wanted::shared::<V>), sharing, compute).await }
    }

    #[doc = include_str!("../docs/verbs/get_or_compute_within.md")]
    fn get_or_compute_within<V, E, Fut>(
        &self,
        key: &str,
        policy: impl IntoPolicy,
        compute: impl FnOnce() -> Fut + Send,
    ) -> impl Future<Output = Result<V, E>> + Send
    where
        V: Value,
        E: From<TimedOut> + Clone + Send + 'static,
        Fut: Future<Output = Result<V, E>> + Send,
    {
        let policy = policy.into_policy();
        let sharing = Within(Cloned);
        async move { look_or_compute(self, key, (policy.borrow(), Wanted::shared::<V>), sharing, compute).await }
    }

    #[doc = include_str!("../docs/verbs/get_or_compute_background.md")]
    fn get_or_compute_background<V, E, Fut>(
        &self,
        key: &str,
        policy: impl IntoPolicy,
        compute: impl FnOnce() -> Fut + Send,
    ) -> impl Future<Output = Result<V, E>> + Send
    where
        V: Value,
        E: Clone + Send + 'static,
        Fut: Future<Output = Result<V, E>> + Send + 'static,
    {
        let policy = policy.into_policy();
        async move {
            let key = full_key(self, key);
            match look(self, &key) {
                Ok(value) => Ok(value),
                Err(missed) => {
                    let terms = terms::<V>(policy.borrow());
                    let at = (self, &*key);
                    let call = read_through::get_or_compute_background(at, missed, terms, Cloned, compute);
                    Box::pin(call).await
                }
            }
        }
    }

    #[doc = include_str!("../docs/verbs/get_or_compute_many.md")]
    fn get_or_compute_many<I, V, E, Fut>(
        &self,
        items: impl IntoIterator<Item = I, IntoIter: Send> + Send,
        key: impl Fn(&I) -> String + Send,
        policy: impl IntoPolicy,
        compute: impl FnMut(Vec<I>) -> Fut + Send,
    ) -> impl Future<Output = Result<HashMap<I, V>, E>> + Send
    where
        I: Clone + Eq + Hash + Send,
        V: Value,
        E: Send + 'static,
        Fut: Future<Output = Result<HashMap<I, V>, E>> + Send,
    {
        let policy = policy.into_policy();
        let items: Vec<_> = items
            .into_iter()
            .map(|item| {
                let key = full_key(self, &key(&item)).into_owned();
                Asked { item, key, observer: Observer::default() }
            })
            .collect();
        async move {
            warn_if_spawning(policy.borrow());
            let terms = terms::<V>(policy.borrow());
            read_through::compute_many(self, items, terms, Rules::plain(), (compute, false)).await
        }
    }

    #[doc = include_str!("../docs/verbs/increment.md")]
    fn increment(
        &self,
        key: &str,
        by: i64,
        ttl: impl Into<Option<Duration>> + Send,
    ) -> impl Future<Output = Result<i64>> + Send {
        locks::increment(self, key, by, ttl.into())
    }

    /// The counter `key`; 0 if there is none.
    ///
    /// # Errors
    ///
    /// Those of [`increment`](Self::increment).
    fn counter(&self, key: &str) -> impl Future<Output = Result<i64>> + Send {
        self.increment(key, 0, None)
    }

    #[doc = include_str!("../docs/verbs/try_lock.md")]
    fn try_lock(&self, name: &str, ttl: Duration) -> impl Future<Output = Result<Option<LockGuard>>> + Send {
        locks::try_lock(self, name, ttl)
    }

    #[doc = include_str!("../docs/verbs/lock.md")]
    fn lock(&self, name: &str, ttl: Duration) -> impl Future<Output = Result<LockGuard>> + Send {
        locks::lock(self, name, ttl)
    }

    /// Waits until this process knows of every invalidation through `epoch`, which
    /// [`Invalidation::Delivered`](crate::Invalidation::Delivered) gave, in this process or in another one. False if that
    /// cannot be found out soon, because the server is not within reach. Dropping the future changes nothing.
    fn wait_for(&self, epoch: Epoch) -> impl Future<Output = bool> + Send {
        async move {
            match self.storage().shared() {
                Some(shared) => shared.wait_for(epoch).await,
                None => epoch == Epoch::ZERO,
            }
        }
    }

    /// Waits until every invalidation of this process has reached the others, for `limit` at most: before a program
    /// ends, say. With a disk tier, also until what is there is synced to disk, for as long again. Returns true if all were
    /// delivered and, with a disk tier, synced. Dropping the future changes nothing.
    fn flush(&self, limit: Duration) -> impl Future<Output = bool> + Send {
        async move {
            let told = match self.storage().shared() {
                Some(shared) => shared.flush(limit).await,
                None => true,
            };
            self.storage().persist(limit).await && told
        }
    }

    /// How this process stands with the servers that the cache is shared through; none if it is not.
    fn link(&self) -> Option<Link> {
        self.storage().shared().map(SharedStorage::link)
    }

    /// The time on the servers that the cache is shared through, as far as it is known: what several processes date is
    /// dated by it, so that none of their clocks matters. None where there is no server, or no contact so far.
    fn server_time(&self) -> Option<SystemTime> {
        self.storage().shared()?.server_time()
    }

    #[doc = include_str!("../docs/verbs/disable.md")]
    fn disable(&self) {
        self.core().turn(false);
    }

    /// Has calls use this cache again after [`disable`](Self::disable).
    fn enable(&self) {
        self.core().turn(true);
    }

    /// Whether calls use this cache: see [`disable`](Self::disable).
    fn is_enabled(&self) -> bool {
        self.core().is_enabled()
    }

    /// The verbs for values that stay in this process: see [`Local`].
    fn local(&self) -> Local<'_, Self> {
        Local::new(self)
    }

    /// The verbs for threads, which are blocked while they wait: see [`Blocking`].
    fn blocking(&self) -> Blocking<'_, Self> {
        Blocking::new(self)
    }

    /// The part of this cache whose keys begin with `name` and a `:`.
    fn namespace(&self, name: &str) -> Namespace {
        Namespace::new(self, name)
    }

    #[doc = include_str!("../docs/verbs/with_policy.md")]
    fn with_policy(&self, policy: Policy) -> WithPolicy {
        WithPolicy::new(self, policy)
    }

    #[doc = include_str!("../docs/verbs/entries_in_memory.md")]
    fn entries_in_memory(&self, scopes: impl Into<Scopes>) -> Vec<EntryInfo> {
        entries_in_memory(self, scopes.into())
    }

    #[doc = include_str!("../docs/verbs/keys.md")]
    fn keys(&self, pattern: &str) -> Keys {
        Keys::of(self, pattern)
    }

    /// What the cache did so far; that of the whole cache, for a namespace too.
    fn stats(&self) -> CacheStats {
        self.core().stats()
    }

    #[doc = include_str!("../docs/verbs/function_stats.md")]
    fn function_stats(&self) -> Vec<FunctionStats> {
        self.core().function_stats()
    }

    /// How long reads from a shared server took; nothing for a cache without one.
    fn reading(&self) -> Histogram {
        self.core().reading()
    }

    #[doc = include_str!("../docs/verbs/events.md")]
    fn events(&self) -> CacheEvents {
        CacheEvents::of(self.core())
    }

    #[doc = include_str!("../docs/verbs/kept.md")]
    fn kept(&self) -> Kept {
        self.storage().kept()
    }
}

impl<C: Cache + ?Sized> CacheExt for C {}

fn terms<V: Value>(policy: &Policy) -> (&Policy, Wanted) {
    (policy, Wanted::shared::<V>(policy))
}
