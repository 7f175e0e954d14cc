//! `CacheExt`: the typed verbs that every cache has.

pub(crate) mod blocking;
pub(crate) mod cache_events;
mod compute;
pub(crate) mod insert;
pub(crate) mod local;
mod outcome;

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
    local::Local,
    outcome::look_or_compute_observed,
};

use crate::{
    cache::{Cache, Invalidating, Kept, SharedStorage, Strength},
    deadline::Within,
    deferred, dependencies,
    epoch::{Epoch, ReadVersion},
    error::{Result, TimedOut},
    error_keeping::Keeping,
    error_sharing::{Cloned, Unshared},
    key,
    link::Link,
    listing::{EntryInfo, entries_in_memory},
    lock::LockGuard,
    namespace::Namespace,
    outcome::{Observer, Outcome},
    policy::Policy,
    read_through::{self, Asked, Rules, Wanted, full_key, get_many_missing, get_missing, look, look_at},
    scope::{Scope, Scopes},
    stats::{CacheStats, FunctionStats, Histogram},
    value::Value,
    with_policy::WithPolicy,
};

/// The typed verbs, on every [`Cache`], `dyn Cache` included.
///
/// Keys are text; their `:` separate what [`Scope::prefix`] can cover. They are used as they are: what
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
        async move {
            let keys: Vec<_> = keys.iter().map(|key| full_key(self, key.as_ref())).collect();
            let mut values: Vec<_> = keys.iter().map(|key| look(self, key)).collect();
            let missed = keys
                .iter()
                .zip(&mut values)
                .filter_map(|(key, value)| Some((&**key, value.as_ref().err()?.clone())));
            let mut found = get_many_missing(self, missed.collect()).await?.into_iter();
            Ok(values.into_iter().map(|value| value.ok().or_else(|| found.next().flatten())).collect())
        }
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
        async move {
            let key = full_key(self, key);
            key::check(&key)?;
            let core = self.core();
            match look_at(self, &key).await {
                Some(entry) => {
                    dependencies::record(core.epochs(), &entry.0);
                    Ok(Some(entry.0.remaining(core.now())))
                }
                None => {
                    dependencies::record_absent(core.epochs(), &key);
                    Ok(None)
                }
            }
        }
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
        policy: impl Borrow<Policy> + Send + Sync,
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
        policy: impl Borrow<Policy> + Send + Sync,
    ) -> impl Future<Output = Result<()>> + Send {
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
        policy: impl Borrow<Policy> + Send + Sync,
    ) -> impl Future<Output = Result<()>> + Send {
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
        policy: impl Borrow<Policy> + Send + Sync,
    ) -> impl Future<Output = Result<bool>> + Send {
        async move {
            let key = full_key(self, key);
            Box::pin(read_through::touch::<V>(self, &key, terms::<V>(policy.borrow()))).await
        }
    }

    /// Invalidates keys (`"user:7"`), prefixes (`"user:*"`), tags ([`Scope::tag`]) or everything
    /// ([`Scope::all`]): one, or an array, slice or `Vec` of them. O(scopes), however many entries they
    /// cover.
    ///
    /// It is done when this returns: no read that starts afterwards, in this process, gives a value whose
    /// computation began before. The future only tells how far the news has come; dropping it undoes
    /// nothing. Call it *after* the change at the source is visible to readers (committed).
    fn invalidate(&self, scopes: impl Into<Scopes>) -> Invalidating {
        let scopes: Vec<Scope> =
            scopes.into().0.into_iter().map(|scope| scope.within(self.prefix())).collect();
        deferred::collect(self, &scopes, Strength::Hard);
        Invalidating::begin(self, &scopes, Strength::Hard)
    }

    /// Ends the `ttl` of what these cover, here and now: a soft invalidation, for changes after which the old value will do
    /// for a moment. Takes what [`invalidate`](Self::invalidate) takes, at the same cost, and other processes hear of it in
    /// the same way.
    ///
    /// What was computed before is then a value past its `ttl`:
    ///
    /// - with [`stale_while_revalidate`](crate::PolicyBuilder::stale_while_revalidate), it is served while one caller
    ///   computes it anew (in the background, where the computation allows it), for so long after the mark and no longer;
    /// - with [`stale_if_error`](crate::PolicyBuilder::stale_if_error), it is served if that fails;
    /// - with neither of them it is computed anew, as if it had been invalidated, and so it is for [`get`](Self::get).
    ///
    /// So nothing is served longer after a mark than its policy says, counted from when this process learned of it; and
    /// without a policy that says so, nothing at all. A computation that began before a mark and ends after it is marked
    /// too. What was made from a marked value is as stale, whenever it was made, and keeps to its own policy. An
    /// [`insert`](Self::insert) after the mark is fresh.
    ///
    /// A hard invalidation always wins: what is invalidated is not served, whatever was marked before or after. Processes
    /// of a release that does not know of marks yet serve a value to the end of its `ttl`. A [`Storage`](crate::Storage)
    /// that is none of larder's, and does not implement
    /// [`mark_stale`](crate::Storage::mark_stale), invalidates.
    ///
    /// ```
    /// # use std::{convert::Infallible, time::Duration};
    /// # use larder::{CacheExt, MemoryCache, Policy, Scope};
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> larder::Result<()> {
    /// # let cache = MemoryCache::new(100);
    /// let hour = Duration::from_secs(3600);
    /// let policy = Policy::builder().ttl(hour).stale_while_revalidate(hour / 60).tag("prices").build()?;
    /// let price = async |price: u32| {
    ///     let compute = move || async move { Ok::<_, Infallible>(price) };
    ///     cache.get_or_compute_background("price:7", &policy, compute).await.unwrap()
    /// };
    /// assert_eq!(price(100).await, 100);
    ///
    /// cache.mark_stale(Scope::tag("prices")).await; // a new price list came
    /// assert_eq!(price(120).await, 100); // the old one, once: it is computed anew in the background
    /// # while cache.get::<u32>("price:7").await?.is_none() {
    /// #     tokio::task::yield_now().await;
    /// # }
    /// // a moment later
    /// assert_eq!(price(130).await, 120);
    /// # Ok(())
    /// # }
    /// ```
    fn mark_stale(&self, scopes: impl Into<Scopes>) -> Invalidating {
        let scopes: Vec<Scope> =
            scopes.into().0.into_iter().map(|scope| scope.within(self.prefix())).collect();
        deferred::collect(self, &scopes, Strength::Soft);
        Invalidating::begin(self, &scopes, Strength::Soft)
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
        policy: impl Borrow<Policy> + Send + Sync,
        compute: impl FnOnce() -> Fut + Send,
    ) -> impl Future<Output = Result<V, E>> + Send
    where
        V: Value,
        E: Send + 'static,
        Fut: Future<Output = Result<V, E>> + Send,
    {
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
        policy: impl Borrow<Policy> + Send + Sync,
        compute: impl FnOnce() -> Fut + Send,
    ) -> impl Future<Output = Result<V, E>> + Send
    where
        V: Value,
        E: Clone + Send + 'static,
        Fut: Future<Output = Result<V, E>> + Send,
    {
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
        policy: impl Borrow<Policy> + Send + Sync,
        compute: impl FnOnce() -> Fut + Send,
    ) -> impl Future<Output = (Result<V, E>, Outcome)> + Send
    where
        V: Value,
        E: Send + 'static,
        Fut: Future<Output = Result<V, E>> + Send,
    {
        async move {
            warn_if_spawning(policy.borrow());
            look_or_compute_observed(self, key, terms::<V>(policy.borrow()), Unshared, compute).await
        }
    }

    /// As [`get_or_compute_shared`](Self::get_or_compute_shared); an error that is `chosen` is kept for the policy's
    /// [`cache_err`](crate::PolicyBuilder::cache_err), and given to all who ask meanwhile: in other processes too, where
    /// they share values.
    ///
    /// It is an answer, as a value is: it takes the place of an old value, which neither `stale_if_error` nor
    /// `stale_while_revalidate` serves from then on, and is invalidated by whatever would have invalidated the value. A
    /// [`get`](Self::get) of the value finds nothing; for [`contains`](Self::contains) it is a value of another type.
    /// What is not chosen is not kept.
    ///
    /// ```
    /// # use std::time::Duration;
    /// use larder::{CacheExt, MemoryCache, Policy};
    ///
    /// #[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
    /// enum Error {
    ///     NotFound,
    ///     NoConnection,
    /// }
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> larder::Result<()> {
    /// let cache = MemoryCache::new(100);
    /// let minutes = |minutes: u64| Duration::from_secs(60 * minutes);
    /// let policy = Policy::builder().ttl(minutes(60)).cache_err(minutes(1)).build()?;
    /// let mut asked = 0;
    /// for _ in 0..10 {
    ///     let find = async || {
    ///         asked += 1;
    ///         Err::<String, _>(Error::NotFound)
    ///     };
    ///     let is_answer = |error: &Error| *error == Error::NotFound;
    ///     let found = cache.get_or_compute_keeping("user:7", &policy, is_answer, find).await;
    ///     assert_eq!(found, Err(Error::NotFound));
    /// }
    /// assert_eq!(asked, 1);
    /// # let _ = Error::NoConnection;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// Those of `compute`.
    fn get_or_compute_keeping<V, E, Fut>(
        &self,
        key: &str,
        policy: impl Borrow<Policy> + Send + Sync,
        chosen: impl Fn(&E) -> bool + Copy + Send + Sync + 'static,
        compute: impl FnOnce() -> Fut + Send,
    ) -> impl Future<Output = Result<V, E>> + Send
    where
        V: Value,
        E: Value,
        Fut: Future<Output = Result<V, E>> + Send,
    {
        let sharing = Keeping::shared(Cloned, chosen);
        async move { look_or_compute(self, key, (policy.borrow(), Wanted::shared::<V>), sharing, compute).await }
    }

    /// As [`get_or_compute_shared`](Self::get_or_compute_shared); the call is answered by the policy's
    /// [`deadline`](crate::PolicyBuilder::deadline), which counts from when it finds nothing fresh in memory, and includes
    /// all waiting: for other callers, other processes and servers. After it, the answer is the old value, if
    /// there is one that the policy allows, and an error otherwise.
    ///
    /// The computation is dropped with the call, and one of those who wait for it begins it again. One that may take
    /// longer than callers wait for is never done in this way: let the source have a limit of its own, or put the computation
    /// in a task ([`get_or_compute_background`](Self::get_or_compute_background), and `spawn` with `deadline` in
    /// `#[cached(…)]`). Needs a tokio runtime, with or without timers; anywhere else there is no deadline. A computation that blocks its
    /// thread is not left before it awaits something.
    ///
    /// ```
    /// # use std::{future::pending, time::Duration};
    /// use larder::{CacheExt, MemoryCache, Policy, TimedOut};
    ///
    /// #[derive(Debug, Clone, PartialEq)]
    /// enum Error {
    ///     TimedOut,
    /// }
    ///
    /// impl From<TimedOut> for Error {
    ///     fn from(_: TimedOut) -> Self {
    ///         Self::TimedOut
    ///     }
    /// }
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> larder::Result<()> {
    /// let cache = MemoryCache::new(100);
    /// let (minute, soon) = (Duration::from_secs(60), Duration::from_millis(20));
    /// let policy = Policy::builder().ttl(minute).deadline(soon).build()?;
    /// let hangs = async || pending::<Result<u32, Error>>().await;
    /// assert_eq!(cache.get_or_compute_within("report", &policy, hangs).await, Err(Error::TimedOut));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// Those of `compute`, and one made from [`TimedOut`](crate::TimedOut).
    fn get_or_compute_within<V, E, Fut>(
        &self,
        key: &str,
        policy: impl Borrow<Policy> + Send + Sync,
        compute: impl FnOnce() -> Fut + Send,
    ) -> impl Future<Output = Result<V, E>> + Send
    where
        V: Value,
        E: From<TimedOut> + Clone + Send + 'static,
        Fut: Future<Output = Result<V, E>> + Send,
    {
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
        policy: impl Borrow<Policy> + Send + Sync,
        compute: impl FnOnce() -> Fut + Send,
    ) -> impl Future<Output = Result<V, E>> + Send
    where
        V: Value,
        E: Clone + Send + 'static,
        Fut: Future<Output = Result<V, E>> + Send + 'static,
    {
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

    /// The values of `items`, by item; one call of `compute` makes all that are missing.
    ///
    /// `key` gives an item's key. `compute` gets the items that have no value, and returns those it found
    /// one for; the others are missing from the result, and nothing is stored for them (let `V` be an
    /// `Option` and set a `negative_ttl` to remember that too). Each key is still computed once across
    /// batches that overlap; what another batch computes is waited for after this one's own computation
    /// (where there are stale values, until `timeout` has passed since the call), and computed in a second call
    /// if that came to nothing. What a computation reads from caches, and
    /// decides through [`context`](crate::context), counts for all of its items.
    ///
    /// ```
    /// # use std::{collections::HashMap, convert::Infallible, time::Duration};
    /// # use larder::{CacheExt, MemoryCache, Policy};
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() {
    /// # let cache = MemoryCache::new(10);
    /// let policy = Policy::ttl(Duration::from_secs(60));
    /// let squares = cache
    ///     .get_or_compute_many([1, 2, 3], |n| format!("square:{n}"), policy, async |missing: Vec<u64>| {
    ///         Ok::<_, Infallible>(missing.into_iter().map(|n| (n, n * n)).collect())
    ///     })
    ///     .await;
    /// assert_eq!(squares, Ok(HashMap::from([(1, 1), (2, 4), (3, 9)])));
    ///
    /// // Items may be borrowed.
    /// let names = vec!["Ada".to_owned(), "Grace".to_owned()];
    /// let names = names.iter().map(String::as_str);
    /// let policy = Policy::ttl(Duration::from_secs(60));
    /// let lengths = cache
    ///     .get_or_compute_many(names, |name| format!("length:{name}"), policy, async |missing: Vec<&str>| {
    ///         Ok::<_, Infallible>(missing.into_iter().map(|name| (name, name.len())).collect())
    ///     })
    ///     .await;
    /// assert_eq!(lengths, Ok(HashMap::from([("Ada", 3), ("Grace", 5)])));
    /// # }
    /// ```
    ///
    /// Write the closure where it is given: one that is written before, and has borrowed items, takes a `Vec<_>`, in which the
    /// compiler fills in whose they are. What a closure that is `async` changes has to be behind a `Mutex` or an atomic.
    ///
    /// # Errors
    ///
    /// Those of `compute`. Values that other batches or an earlier call computed are stored all the same.
    fn get_or_compute_many<I, V, E, Fut>(
        &self,
        items: impl IntoIterator<Item = I, IntoIter: Send> + Send,
        key: impl Fn(&I) -> String + Send,
        policy: impl Borrow<Policy> + Send + Sync,
        compute: impl FnMut(Vec<I>) -> Fut + Send,
    ) -> impl Future<Output = Result<HashMap<I, V>, E>> + Send
    where
        I: Clone + Eq + Hash + Send,
        V: Value,
        E: Send + 'static,
        Fut: Future<Output = Result<HashMap<I, V>, E>> + Send,
    {
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
            read_through::get_or_compute_many(self, items, terms, Rules::plain(), compute).await
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
        async move {
            let key = full_key(self, key);
            key::check(&key)?;
            dependencies::record_absent(self.core().epochs(), &key);
            let (core, ttl) = (self.core(), ttl.into());
            match self.storage().shared() {
                Some(shared) => shared.count(&key, by, ttl).await,
                None => core.counters().add(&key, by, ttl, core.now()),
            }
        }
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
        async move {
            match self.storage().shared() {
                Some(shared) => shared.take_lock(name, ttl).await,
                None => Ok(self.core().locks().take(name)),
            }
        }
    }

    /// The same, and waits until the lock is free. Dropping the future gives up the wait. For
    /// a limit, put a timeout around it.
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
        async move {
            const PAUSES: (Duration, Duration) = (Duration::from_millis(2), Duration::from_millis(200));
            let mut pause = PAUSES.0;
            loop {
                if let Some(guard) = self.try_lock(name, ttl).await? {
                    return Ok(guard);
                }
                // Not in step with others who wait.
                tokio::time::sleep(pause.mul_f64(0.5 + fastrand::f64() / 2.0)).await;
                pause = (pause * 2).min(PAUSES.1);
            }
        }
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
    /// ends, say. With a disk tier, also until what is there is safe from a power cut, for as long again. False if some have
    /// not, or it is not. Dropping the future changes nothing.
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

    /// Has every call pass this cache by, in this process, until it is [enabled](Self::enable) again: for a suspicion, a
    /// measurement, or an incident. That of the whole cache, for a namespace too.
    ///
    /// Annotated functions run as if they were not annotated: each call computes, joins no other one, and stores
    /// nothing. `get` finds nothing, and `insert` only invalidates. Calls under way end as they began.
    ///
    /// Invalidations are applied and sent as ever, and those of other processes are followed: what was kept and is
    /// still valid is served again from [`enable`](Self::enable) on, and nothing stale. Counters and locks
    /// ([`increment`](Self::increment), [`lock`](Self::lock)) are no cached values, and go on.
    ///
    /// With `LARDER_DISABLED=1` in the environment of the process, all its caches begin disabled.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use larder::{CacheExt, MemoryCache, Policy};
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> larder::Result<()> {
    /// let cache = MemoryCache::new(10);
    /// cache.insert("answer", &42, Policy::ttl(Duration::from_secs(60))).await?;
    /// cache.disable();
    /// assert_eq!(cache.get::<i32>("answer").await?, None);
    /// cache.enable();
    /// assert_eq!(cache.get::<i32>("answer").await?, Some(42));
    /// # Ok(())
    /// # }
    /// ```
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

    /// The same cache with a policy for functions that have no `ttl` of their own. What options a function has count for
    /// it, and the rest is that policy's. Verbs are given a policy as ever.
    ///
    /// To install it gives the whole program a policy; a namespace can have its own, and has that of its cache otherwise.
    ///
    /// ```
    /// use larder::{CacheExt, MemoryCache, Policy, cached};
    ///
    /// #[cached(key = "user:<id>")]
    /// async fn user(id: u64) -> String {
    ///     // SELECT …
    /// #   id.to_string()
    /// }
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let policy: Policy = serde_json::from_str(r#"{ "ttl": "5m", "jitter": 0.1 }"#)?;
    /// larder::install(MemoryCache::new(10_000).with_policy(policy))?;
    ///
    /// assert_eq!(user(7).await, "7");
    /// assert_eq!(larder::global().get::<String>("user:7").await?.as_deref(), Some("7"));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// A function without a `ttl` in a cache without a policy runs whenever it is called, and a warning says so once. What
    /// takes another kind of function is not the policy's to say: a refresh runs in the background with one of the options
    /// `stale_while_revalidate`, `refresh_ahead`, `timeout` and `spawn`, and in its caller otherwise; `deadline` and
    /// `cache_err` count as options alone.
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

    /// What happens in this cache from now on, as a [`Stream`](futures_core::Stream): hits, misses, computations, what is
    /// stored and what is not and why, invalidations by this process and by others, evictions, servers that come and go. That
    /// of the whole cache, for a namespace too.
    ///
    /// For a page, a debugger, a test; [figures](Self::function_stats) are cheaper to watch all day. Without a reader it costs
    /// nothing. With one, every hit goes a longer way, and each event takes a lock. No call waits for a reader: one that is too slow loses events, and is told how many.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use larder::{CacheExt, CacheEvent, MemoryCache, Policy};
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> larder::Result<()> {
    /// let cache = MemoryCache::new(10);
    /// let mut events = cache.events();
    /// cache.insert("answer", &42, Policy::ttl(Duration::from_secs(60))).await?;
    /// cache.get::<i32>("answer").await?;
    /// while let Some(event) = events.try_recv() {
    ///     if let CacheEvent::Hit { key, .. } = event {
    ///         assert_eq!(&*key, "answer");
    ///     }
    /// }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// Responses that `larder-http` serves are hits of no function, with the keys that it gives them. What it revalidates is
    /// computed under a key of its own that ends with `:r` and a number, and stored under the response's.
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
