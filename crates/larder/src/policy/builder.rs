//! Building a policy, and refusing one that makes no sense.

use std::{ops::RangeInclusive, time::Duration};

use super::{Lock, Policy};
use crate::error::{Error, Kind, Result};

impl Policy {
    /// Sets every option there is.
    pub fn builder() -> PolicyBuilder {
        PolicyBuilder { ttl: None, policy: Self::ttl(Duration::ZERO) }
    }
}

/// Builds a [`Policy`]; made by [`Policy::builder`].
#[derive(Debug, Clone)]
#[must_use = "a builder does nothing until `build` is called"]
pub struct PolicyBuilder {
    ttl: Option<Duration>,
    pub(super) policy: Policy,
}

impl PolicyBuilder {
    /// How long the value is fresh. Required, or [`adaptive`](Self::adaptive). Zero: it is not stored.
    pub fn ttl(mut self, ttl: Duration) -> Self {
        self.ttl = Some(ttl);
        self.policy.adaptive_to = None;
        self
    }

    /// In place of `ttl`: chooses how long a value is fresh each time it is computed, between these bounds. Longer for what
    /// computes slowly, changes seldom and is asked for often, by a formula that [the guide](crate::guide::lifetimes) gives
    /// with what it was measured to bring; the first value under a key has the shortest, and none more than four times
    /// that of the one before.
    ///
    /// A hit costs nothing for it: all is seen when a value is computed. Whether it changed is seen by a digest of what it
    /// serializes to, of which eight bytes are kept; so computing costs one walk through the value more. A value without
    /// serde ([`local`](crate::Local)), or that cannot be serialized, always has the shortest. What is invalidated before
    /// its end does not count as a change: where all changes are announced, values live as long as they may.
    ///
    /// Each process sees what it computes itself, for the last 16,384 keys. [`insert`](crate::CacheExt::insert) and
    /// [`touch`](crate::CacheExt::touch) use the shortest, a `None` `negative_ttl`, and what a computation decides about its
    /// `ttl` goes before this. Not together with `idle`.
    ///
    /// ```
    /// # use std::{convert::Infallible, time::Duration};
    /// # use larder::{Cache, CacheExt, MemoryCache, Policy};
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> larder::Result<()> {
    /// # let cache = MemoryCache::new(100);
    /// let seconds = Duration::from_secs;
    /// let policy = Policy::builder().adaptive(seconds(30)..=seconds(3_600)).jitter(0.1).build()?;
    /// let report = cache.get_or_compute("report", &policy, async || Ok::<_, Infallible>(7)).await;
    /// assert_eq!(report, Ok(7));
    /// assert!(cache.remaining_ttl("report").await.unwrap() <= Some(seconds(30)));
    /// # Ok(())
    /// # }
    /// ```
    pub fn adaptive(mut self, bounds: RangeInclusive<Duration>) -> Self {
        self.ttl = Some(*bounds.start());
        self.policy.adaptive_to = Some(*bounds.end());
        self
    }

    /// Shortens each value's `ttl` by a random part of up to this fraction of it, so that values stored
    /// together do not expire together: the outcome lies in \[ttl·(1−jitter), ttl\]. From 0 to 1.
    pub fn jitter(mut self, fraction: f64) -> Self {
        self.policy.jitter = fraction;
        self
    }

    /// For how long after the end of `ttl` the stale value is served while one caller refreshes it
    /// ([RFC 5861, section 3](https://www.rfc-editor.org/rfc/rfc5861#section-3)).
    pub fn stale_while_revalidate(mut self, window: Duration) -> Self {
        self.policy.stale_while_revalidate = window;
        self
    }

    /// For how long after the end of `ttl` the stale value is served in place of a failure
    /// ([RFC 5861, section 4](https://www.rfc-editor.org/rfc/rfc5861#section-4)). Counts from the end of
    /// `ttl`, not from the end of `stale_while_revalidate`.
    pub fn stale_if_error(mut self, window: Duration) -> Self {
        self.policy.stale_if_error = window;
        self
    }

    /// Refreshes a value that is asked for after this fraction of its `ttl`, before it ends. From 0 to 1.
    pub fn refresh_ahead(mut self, fraction: f64) -> Self {
        self.policy.refresh_ahead = Some(fraction);
        self
    }

    /// Ends a value's time when it was not asked for so long, and at the end of its `ttl` (or `negative_ttl`) at the latest:
    /// a sliding lifetime, as of sessions.
    ///
    /// A hit costs no more for it: the first one after a quarter of this time prolongs the value, so that a value ends
    /// when it was not asked for between three quarters of the time and all of it. Prolonging writes the value again, to a
    /// server too. What counts is calls that compute what is missing, with this policy, of any process; `get` is no use,
    /// and [`touch`](crate::CacheExt::touch) is. A value whose computation decides its `ttl` itself
    /// ([`Context::ttl`](crate::Context::ttl)) ends when that says. Not together with `refresh_ahead`.
    ///
    /// ```
    /// # use std::{convert::Infallible, time::Duration};
    /// # use larder::{Cache, CacheExt, MemoryCache, Policy};
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> larder::Result<()> {
    /// # let cache = MemoryCache::new(100);
    /// let minutes = |minutes: u64| Duration::from_secs(60 * minutes);
    /// let policy = Policy::builder().ttl(minutes(600)).idle(minutes(20)).build()?;
    /// # #[cfg(feature = "test-util")]
    /// for _ in 0..10 {
    ///     let value = cache.get_or_compute("session:7", &policy, async || Ok::<_, Infallible>(1)).await;
    ///     assert_eq!(value, Ok(1));
    ///     cache.core().advance(minutes(14)); // of the feature `test-util`
    /// }
    /// # #[cfg(feature = "test-util")]
    /// assert_eq!(cache.stats().computations, 1);
    /// # Ok(())
    /// # }
    /// ```
    pub fn idle(mut self, limit: Duration) -> Self {
        self.policy.idle = Some(limit);
        self
    }

    /// How long memory answers before the tier behind it is asked again, in a cache that has both ([`TieredCache`]); never
    /// longer than `ttl`, and shortened by `jitter` as that is. Without it, for as long as the value is fresh.
    ///
    /// Invalidations reach memory as they always do: this is no bound to how old a value may be, but to how long a process
    /// goes without looking at what others have stored since, and to how long memory answers where the log of invalidations
    /// is out of reach ([`DisconnectPolicy::Serve`]). After it, one caller of a process reads the server, and the
    /// others wait for it. What is there takes the place of what is in memory; if there is nothing, the value is computed
    /// anew. While the server cannot be asked, or if the computation fails, memory answers until the end of `ttl`. `get`, which
    /// computes nothing, then gives what is in memory too.
    ///
    /// Where nothing that others read lies behind memory it does nothing: in a [`MemoryCache`], for values that stay in their process, and in
    /// a [`RedisCache`] without memory.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use larder::Policy;
    /// # fn main() -> larder::Result<()> {
    /// let hour = Duration::from_secs(3_600);
    /// let policy = Policy::builder().ttl(hour).memory_ttl(Duration::from_secs(10)).build()?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// [`MemoryCache`]: crate::MemoryCache
    /// [`RedisCache`]: crate::RedisCache
    /// [`TieredCache`]: crate::TieredCache
    /// [`DisconnectPolicy::Serve`]: crate::DisconnectPolicy::Serve
    pub fn memory_ttl(mut self, limit: Duration) -> Self {
        self.policy.memory_ttl = Some(limit);
        self
    }

    /// How long a `None` is fresh. Without it, a `None` is not stored. That is the `None` of an `Option`, or of one in
    /// a `Box` or an `Arc`; a newtype around an `Option`, and whatever else serializes as nothing, is a value.
    pub fn negative_ttl(mut self, ttl: Duration) -> Self {
        self.policy.negative_ttl = ttl;
        self
    }

    /// How long an error is kept that is chosen to be: see
    /// [`get_or_compute_keeping`](crate::CacheExt::get_or_compute_keeping), which chooses. Without it, none is.
    pub fn cache_err(mut self, ttl: Duration) -> Self {
        self.policy.cache_err = ttl;
        self
    }

    /// After this long, a caller with a servable stale value (one that `stale_if_error` covers) takes
    /// that, and the computation goes on in the background. It counts from the call on, through all that the call waits
    /// for one after the other: another caller, another process, its own computation. Without such a value the caller
    /// keeps waiting: this is no limit to the computation. Needs a tokio runtime, with or without timers; anywhere else it does
    /// nothing.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.policy.timeout = Some(timeout);
        self
    }

    /// How long a call may take at most: see [`get_or_compute_within`](crate::CacheExt::get_or_compute_within), which has
    /// an error for it. Without it, as long as it takes.
    pub fn deadline(mut self, deadline: Duration) -> Self {
        self.policy.deadline = Some(deadline);
        self
    }

    /// For how long a source that failed is not asked again while there is an old value to serve in its place (in any of
    /// the three windows: `refresh_ahead`, `stale_while_revalidate`, `stale_if_error`): one second by default. Callers
    /// in this pause have the old value at once. Zero: each caller may ask. A source that is slower than the
    /// [`timeout`](Self::timeout) or the [`deadline`](Self::deadline) of a caller, who has the old value then, counts as
    /// failed: others need not wait as long for the same answer.
    ///
    /// After the pause, one caller asks again, and only it waits for the answer. With each failure in a row the pause
    /// doubles, up to 32 times this one, and to no more than a minute, unless this is longer. A value that is stored ends
    /// it, and so does an invalidation, after which there is no old value to serve. Each process has pauses of its own,
    /// for the last 16,384 keys that failed.
    ///
    /// ```
    /// # use std::{sync::atomic::{AtomicU32, Ordering::Relaxed}, time::Duration};
    /// use larder::{CacheExt, MemoryCache, Policy};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> larder::Result<()> {
    /// let cache = MemoryCache::new(100);
    /// let policy = Policy::builder()
    ///     .ttl(Duration::from_millis(10))
    ///     .stale_if_error(Duration::from_secs(3600))
    ///     .retry_after(Duration::from_secs(5))
    ///     .build()?;
    /// cache.insert("rates", &1.08, &policy).await?;
    /// tokio::time::sleep(Duration::from_millis(30)).await;
    ///
    /// let asked = AtomicU32::new(0);
    /// for _ in 0..1_000 {
    ///     let down = async || {
    ///         asked.fetch_add(1, Relaxed);
    ///         Err("the source is down")
    ///     };
    ///     assert_eq!(cache.get_or_compute("rates", &policy, down).await, Ok(1.08));
    /// }
    /// assert_eq!(asked.into_inner(), 1);
    /// # Ok(())
    /// # }
    /// ```
    pub fn retry_after(mut self, pause: Duration) -> Self {
        self.policy.retry_after = pause;
        self
    }

    /// Adds a tag: [`Scope::tag`](crate::Scope::tag) with the same name invalidates the value.
    pub fn tag(mut self, tag: impl Into<String>) -> Self {
        self.policy.tags.push(tag.into());
        self
    }

    /// Adds several [`tag`](Self::tag)s.
    pub fn tags<T: Into<String>>(mut self, tags: impl IntoIterator<Item = T>) -> Self {
        self.policy.tags.extend(tags.into_iter().map(Into::into));
        self
    }

    /// How far "computed once" reaches; the cache's own default otherwise. Batches
    /// ([`get_or_compute_many`](crate::CacheExt::get_or_compute_many)) ask other processes only if this says
    /// [`Lock::Deployment`].
    pub fn lock(mut self, lock: Lock) -> Self {
        self.policy.lock = Some(lock);
        self
    }

    /// Gives a version to what the value means, beyond what its type shows: a unit of measure, say. A release
    /// that sets another one does not read what this one shared through a server, nor the other way round.
    ///
    /// [`get`](crate::CacheExt::get) and its like, which take no policy, see what has no version. Where both
    /// are used, [`Namespace::schema`](crate::Namespace::schema) is the way.
    pub fn schema(mut self, version: u32) -> Self {
        self.policy.schema = Some(version);
        self
    }

    /// Does not record what the computation reads from caches: invalidating that does not invalidate
    /// this value.
    pub fn detached(mut self) -> Self {
        self.policy.detached = true;
        self
    }

    /// Runs each computation in a task of its own, which outlives its callers: one that takes longer than
    /// every caller waits still ends, is stored, and answers those who came later. Without it, a caller who
    /// is dropped ends the computation, and one of those who wait starts it again from the beginning.
    ///
    /// A task needs a `'static` computation. So this is for
    /// [`get_or_compute_background`](crate::CacheExt::get_or_compute_background), where computations are
    /// tasks with or without it, and which says what a task means for panics, dependencies and spans; in
    /// `#[cached(…)]` it is the option `spawn`. The forms that borrow
    /// ([`get_or_compute`](crate::CacheExt::get_or_compute) and its like) compute in their caller all the
    /// same, and warn once.
    pub fn spawn(mut self) -> Self {
        self.policy.spawn = true;
        self
    }

    /// For how long a computation may be woken and not polled before one of those who wait for it computes in
    /// its place: a second by default, 10 ms at least. [`Duration::MAX`] waits for as long as it takes.
    ///
    /// A computation runs only while its caller polls it. One that was begun and is then kept without being
    /// polled would hold up all callers who ask for its key: the loser of a `select!` that is not dropped, a call
    /// in a `buffered` stream while the loop's body asks for the same key, a runtime that is not driven. A
    /// computation that waits for something, or that blocks its thread, is not passed over, however long it takes.
    ///
    /// If the one that was passed over is polled again, it ends as it would have, for its own caller: the value is
    /// neither stored nor given to those who wait, for one that began later is, or will be, there.
    pub fn takeover_after(mut self, limit: Duration) -> Self {
        self.policy.set_takeover_after(limit);
        self
    }

    /// The policy.
    ///
    /// # Errors
    ///
    /// If `ttl` is missing, `memory_ttl` is zero, `jitter` or `refresh_ahead` is not between 0 and 1, the bounds of `adaptive` are zero or the
    /// wrong way round, or `idle` is given together with `refresh_ahead` or `adaptive`.
    pub fn build(self) -> Result<Policy> {
        let ttl = self.ttl.ok_or_else(|| invalid("`ttl` is missing: set it, or `adaptive`".into()))?;
        fraction("jitter", self.policy.jitter)?;
        if let Some(ahead) = self.policy.refresh_ahead {
            fraction("refresh_ahead", ahead)?;
        }
        if self.policy.memory_ttl.is_some_and(|limit| limit.is_zero()) {
            return Err(invalid("`memory_ttl` is zero: take a `RedisCache`, which has no memory".into()));
        }
        if self.policy.idle.is_some() && self.policy.refresh_ahead.is_some() {
            let text = "`idle` ends a value's time, and `refresh_ahead` begins it anew: choose one of them";
            return Err(invalid(text.into()));
        }
        if let Some(longest) = self.policy.adaptive_to {
            if ttl.is_zero() || longest < ttl {
                let text = format!(
                    "`adaptive` is from a shortest time above zero to a longest, not {ttl:?} to {longest:?}"
                );
                return Err(invalid(text));
            }
            if self.policy.idle.is_some() {
                let text = "`idle` ends a value that is not asked for, and `adaptive` chooses when it ends: choose one of them";
                return Err(invalid(text.into()));
            }
        }
        Ok(Policy { ttl, ..self.policy })
    }
}

fn fraction(name: &str, value: f64) -> Result<()> {
    if (0.0..=1.0).contains(&value) {
        return Ok(());
    }
    Err(invalid(format!("`{name}` is a fraction between 0 and 1, not {value}")))
}

fn invalid(text: String) -> Error {
    Kind::Policy(text).into()
}
