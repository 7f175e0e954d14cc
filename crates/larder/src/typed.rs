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

    /// Stores a value in place of what is there, and invalidates what was computed from that.
    ///
    /// The value counts as read now. One that was read earlier is stored with
    /// [`insert_since`](Self::insert_since). Inside a computation it counts as read when the computation
    /// began, and the computation's dependencies so far are its own.
    ///
    /// A `None` is stored only under a `negative_ttl`; without one, as with a `ttl` of zero, only the
    /// invalidation takes place.
    ///
    /// # Errors
    ///
    /// If the key is empty or too long. Where values are shared, also if this one cannot be: if it cannot be encoded, or
    /// another value would come back (see [`guide::values`](crate::guide::values)). It is in the memory of this process
    /// then, if there is one. Values that are refused for their size, and servers that are gone, are no error.
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

    /// Stores a value that was read at its source after `since`: unless it was invalidated meanwhile, as
    /// [`insert`](Self::insert) does.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use larder::{CacheExt, MemoryCache, Policy};
    /// # async fn read_from_database() -> u32 { 7 }
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> larder::Result<()> {
    /// # let cache = MemoryCache::new(10);
    /// let since = cache.begin();
    /// let value = read_from_database().await;
    /// cache.invalidate("answer"); // by another task, which just changed it
    /// cache.insert_since(since, "answer", &value, Policy::ttl(Duration::from_secs(60))).await?;
    /// assert_eq!(cache.get::<u32>("answer").await?, None);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// If the key is empty or too long, or if the value cannot be shared, as with [`insert`](Self::insert).
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

    /// Begins the time of the fresh value under `key` anew: from now on it lives as `policy` says. True if there is one, of
    /// type `V`, in this process or on the server, where it is written again.
    ///
    /// It is the value that it was, with the tags and dependencies that it had: one that was invalidated is not there, and
    /// what invalidates it invalidates it still. A `None` is touched under a policy with a `negative_ttl`. In a
    /// [transaction](crate::deferred()), nothing is done.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use larder::{CacheExt, MemoryCache, Policy};
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> larder::Result<()> {
    /// # let cache = MemoryCache::new(10);
    /// let hours = |hours: u64| Policy::ttl(Duration::from_secs(3600 * hours));
    /// cache.insert("session:7", &"Ada".to_owned(), hours(1)).await?;
    /// assert!(cache.touch::<String>("session:7", hours(2)).await?);
    /// assert!(cache.remaining_ttl("session:7").await? > Some(Duration::from_secs(3600)));
    /// assert!(!cache.touch::<String>("session:8", hours(2)).await?);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// If the key is empty or too long.
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

    /// The value under `key`, or else that of `compute`, which is then stored under `policy`.
    ///
    /// However many callers ask for a key at once, one of them computes and the others wait; a key that
    /// is invalidated meanwhile is computed again for those who came after. No caller waits for more than two
    /// computations, those not counted whose callers were dropped. If the computing caller is dropped or
    /// panics, one of those who wait computes in its place; after a second panic each of them does. Only `Ok`
    /// is stored.
    ///
    /// A computation runs in its caller. One that is begun, and then neither polled nor dropped (the loser of a
    /// `select!` that is kept, say), is passed over after a second: see
    /// [`takeover_after`](crate::PolicyBuilder::takeover_after). Where that can be, and where callers wait for
    /// less time than the computation takes,
    /// [`get_or_compute_background`](Self::get_or_compute_background) is the better form.
    ///
    /// A failure is not shared with those who wait: they compute for themselves, a few of them at a time. See
    /// [`get_or_compute_shared`](Self::get_or_compute_shared).
    ///
    /// A key that is empty or too long is computed without the cache, and counted in
    /// [`CacheStats::refused_keys`].
    ///
    /// # Errors
    ///
    /// Those of `compute`.
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

    /// As [`get_or_compute`](Self::get_or_compute), with what became of the call: whether the value was there, how old it
    /// is, and why one that was computed is not stored. A call that is not asked pays nothing for it; one that is costs some
    /// hundred nanoseconds more.
    ///
    /// ```
    /// # use std::{convert::Infallible, time::Duration};
    /// # use larder::{CacheExt, MemoryCache, Policy, Source, Tier};
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() {
    /// # let cache = MemoryCache::new(10);
    /// let policy = Policy::ttl(Duration::from_secs(60));
    /// let answer = async || Ok::<_, Infallible>(42);
    /// let (_, outcome) = cache.get_or_compute_with_outcome("answer", &policy, answer).await;
    /// assert_eq!((outcome.source, outcome.why_not_stored), (Source::Computed, None));
    ///
    /// let (value, outcome) = cache.get_or_compute_with_outcome("answer", &policy, answer).await;
    /// assert_eq!((value, outcome.source, outcome.tier), (Ok(42), Source::Hit, Some(Tier::Memory)));
    /// # }
    /// ```
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

    /// As [`get_or_compute_shared`](Self::get_or_compute_shared), in a task of its own: the computation
    /// goes on if its caller is dropped, and refreshes run while their callers have the old value. Needed
    /// for `stale_while_revalidate`, `refresh_ahead` and `timeout` to keep no caller waiting, and where
    /// callers wait for less time than the computation takes.
    ///
    /// `compute` itself is called by the caller; the future that it returns is the task. That runs in the
    /// caller's runtime and in the caller's span, and ends with the runtime: then one of those who wait
    /// computes in its place. What it reads from caches and decides through [`context`](crate::context)
    /// counts as it does without a task; a `tokio::task_local!` of the caller is not there.
    ///
    /// Must be called in a tokio runtime; anywhere else there is nothing to spawn a task on, and the caller
    /// computes.
    ///
    /// # Errors
    ///
    /// Those of `compute`.
    ///
    /// # Panics
    ///
    /// If the computation panics, in the caller who started it and waits for it. One of the others who wait
    /// computes in its place; after a second panic each of them does.
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

    /// Adds `by` to the counter `key`, and returns the sum. A counter starts at 0; one that this call
    /// starts ends after `ttl`, if that is given, which later calls do not prolong.
    ///
    /// Counters are numbers, not entries: in a key space of their own, outside of prefixes and tags. In memory they are
    /// bounded like entries: where there are more than that, one that is rarely used may start at 0 again. On a server one
    /// without a `ttl` stays until it is deleted: give one where keys come from outside.
    /// [`invalidate`](Self::invalidate) with the key deletes one: on a server once, and not again if the
    /// connection breaks meanwhile, since other processes may have counted anew by then. Inside a computation a counter counts as
    /// read under its key: deleting it invalidates the value, adding to it does not.
    ///
    /// # Errors
    ///
    /// If the key is empty or too long, or the sum would leave the range of `i64`; the counter then keeps
    /// its value. On a shared cache also if the server cannot be reached: unlike a value, a count has no
    /// source to turn to.
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

    /// Takes the lock of this name if it is free: in all processes that share the cache's server, where it has
    /// one. It ends `ttl` from now, unless its guard lives and renews it. Locks have names of their
    /// own, outside of namespaces. One that was taken although the future was dropped, or the answer came too late, is given
    /// back.
    ///
    /// ```
    /// # use std::time::Duration;
    /// use larder::{CacheExt, MemoryCache};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> larder::Result<()> {
    /// # let cache = MemoryCache::new(100);
    /// // Of all processes that try, one sends the report.
    /// if let Some(_guard) = cache.try_lock("send the report", Duration::from_secs(60)).await? {
    ///     assert!(cache.try_lock("send the report", Duration::from_secs(60)).await?.is_none());
    /// }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// If the server cannot be asked ([`is_unavailable`](crate::Error::is_unavailable)).
    fn try_lock(&self, name: &str, ttl: Duration) -> impl Future<Output = Result<Option<LockGuard>>> + Send {
        locks::try_lock(self, name, ttl)
    }

    /// Takes the lock as [`try_lock`](Self::try_lock) does, and waits until it is free. Dropping the future gives up the
    /// wait. To limit the wait, use a timeout.
    ///
    /// ```
    /// # use std::time::Duration;
    /// use larder::{CacheExt, MemoryCache};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> larder::Result<()> {
    /// # let cache = MemoryCache::new(100);
    /// let guard = cache.lock("import", Duration::from_secs(60)).await?;
    /// // One process at a time, whichever comes first. The guard renews the lock while it lives.
    /// let number = guard.fencing_token(); // for a store that refuses what an earlier holder still sends
    /// guard.release().await?;
    /// assert!(cache.lock("import", Duration::from_secs(60)).await?.fencing_token() > number);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// If the server cannot be asked ([`is_unavailable`](crate::Error::is_unavailable)).
    fn lock(&self, name: &str, ttl: Duration) -> impl Future<Output = Result<LockGuard>> + Send {
        locks::lock(self, name, ttl)
    }

    /// Waits until this process knows of every invalidation through `epoch`, which
    /// [`Invalidation::Delivered`](crate::Invalidation::Delivered) told in this process or in another one. False if that
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

    /// What these scopes cover of the entries in this process' memory, by key: all that
    /// [`invalidate`](Self::invalidate) of the same scopes would drop here, entries that were computed from others included.
    /// Entries that lie in Redis alone are not among them.
    ///
    /// It looks at every entry in memory, under no lock, and changes nothing. Entries that come, go or move meanwhile may
    /// be missing.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use larder::{CacheExt, MemoryCache, Policy};
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> larder::Result<()> {
    /// let cache = MemoryCache::new(10);
    /// cache.insert("user:7", &"Ada".to_owned(), Policy::ttl(Duration::from_secs(60))).await?;
    /// for entry in cache.entries_in_memory("user:*") {
    ///     println!("{}: fresh for {:?}", entry.key, entry.remaining_ttl);
    /// }
    /// # assert_eq!(cache.entries_in_memory("user:*").len(), 1);
    /// # Ok(())
    /// # }
    /// ```
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

    /// The same by function and namespace, with how long computations took and how much computing time hits saved; of the
    /// whole cache, for a namespace too. What was read and stored by hand has no function. In memory, a hit counts for
    /// the function that computed the value, or took it over from a shared server.
    ///
    /// They are told apart by function and namespace, and never by key; 255 of them at most, and all others together.
    ///
    /// ```
    /// use larder::{CacheExt, cached};
    ///
    /// #[cached(ttl = 60, key = "square:<n>")]
    /// async fn square(n: u64) -> u64 {
    ///     n * n
    /// }
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() {
    /// square(3).await;
    /// square(3).await;
    /// let stats = larder::global().function_stats();
    /// assert!(stats[0].function.ends_with("::square"));
    /// assert_eq!((stats[0].stats.hits, stats[0].stats.misses), (1, 1));
    /// assert_eq!(stats[0].computing.count(), 1);
    /// # }
    /// ```
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

    /// What is kept in this process at the moment.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use larder::{CacheExt, MemoryCache, Policy};
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> larder::Result<()> {
    /// let cache = MemoryCache::builder()
    ///     .capacity(64 << 20) // bytes, by this weigher
    ///     .weigher(|key, entry| (key.len() + entry.value::<String>().map_or(0, String::len)) as u32)
    ///     .build()?;
    /// cache.insert("name", &"Ada".to_owned(), Policy::ttl(Duration::from_secs(60))).await?;
    /// let kept = cache.kept();
    /// assert_eq!((kept.entries, kept.weight), (1, 7));
    /// # Ok(())
    /// # }
    /// ```
    fn kept(&self) -> Kept {
        self.storage().kept()
    }
}

impl<C: Cache + ?Sized> CacheExt for C {}

fn terms<V: Value>(policy: &Policy) -> (&Policy, Wanted) {
    (policy, Wanted::shared::<V>(policy))
}
