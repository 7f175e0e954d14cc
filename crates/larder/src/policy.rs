//! How long a value lives, and what happens at its end.

pub(crate) mod builder;
pub(crate) mod into_policy;
mod options;
mod written;

use std::{ops::RangeInclusive, time::Duration};

/// How long a value lives, and what happens at its end.
///
/// [`Policy::ttl`] is a complete policy: fresh for that long, then gone. Where a verb takes a policy, the `Duration` alone
/// is enough ([`IntoPolicy`](crate::IntoPolicy)). [`Policy::builder`] sets the rest, all of it off by default:
///
/// | time since the value was stored | what a caller gets |
/// | --- | --- |
/// | until `refresh_ahead · ttl` | the value |
/// | from there to the end of `ttl` | the value; the first such caller starts a refresh |
/// | `stale_while_revalidate` more | the stale value; the first such caller starts a refresh |
/// | `stale_if_error` after the end of `ttl` | a new computation; the stale value if that fails, or after `timeout` |
/// | later | a new computation |
///
/// Times count from when the value was stored, on a monotonic clock of this process that is read to a few
/// milliseconds. The longest that counts is 68 years. When the last window has closed, the value's memory is
/// freed by what the cache does next.
///
/// An invalidated value is in none of these rows: it is never served again, not even as a fallback. The `ttl` of one that is
/// [marked stale](crate::CacheExt::mark_stale) ends with the mark.
///
/// A refresh runs in the background where the computation allows it (the macros, and
/// [`get_or_compute_background`](crate::CacheExt::get_or_compute_background)); with
/// [`get_or_compute`](crate::CacheExt::get_or_compute) the caller who starts it waits for it, and
/// all other callers have the value they would have had. A failed refresh leaves the value as it was.
///
/// ```
/// # use std::time::Duration;
/// use larder::Policy;
///
/// # fn main() -> larder::Result<()> {
/// let minutes = |minutes: u64| Duration::from_secs(60 * minutes);
/// let plain = Policy::ttl(minutes(5));
/// let careful = Policy::builder()
///     .ttl(minutes(5))
///     .jitter(0.1) // what was stored together does not end together
///     .stale_while_revalidate(minutes(1)) // callers have the old value while one computes the next
///     .stale_if_error(minutes(60)) // and have it in place of an error
///     .negative_ttl(minutes(1)) // a `None` is kept too
///     .tag("users")
///     .build()?;
/// # assert_ne!(plain, careful);
/// # Ok(())
/// # }
/// ```
///
/// A policy can be read from a configuration with serde, and written there: lengths of time are text (`"5m"`, `"1h30m"`,
/// `"300ms"`; with the units `d`, `h`, `m`, `s`, `ms`, `us` and `ns`) or numbers of seconds, `lock` is `process` or
/// `deployment`, `adaptive_to` beside `ttl` is what [`adaptive`](Self::adaptive) takes: lifetimes between the two are chosen
/// for each key; all other fields are called as the setters of [`PolicyBuilder`](crate::PolicyBuilder) are (`tags` is a list),
/// and a field that there is not is an error that names those that there are. See [`install_policies`](crate::install_policies).
///
/// A computation that fails while there is an old value to serve is not tried again by the next caller, but once in
/// [`retry_after`](crate::PolicyBuilder::retry_after); until then, all callers have the old value at once.
#[derive(Debug, Clone, PartialEq)]
pub struct Policy {
    pub(crate) ttl: Duration,
    /// The longest, where the lifetime is chosen for each value; `ttl` is the shortest.
    pub(crate) adaptive_to: Option<Duration>,
    pub(crate) jitter: f64,
    pub(crate) stale_while_revalidate: Duration,
    pub(crate) stale_if_error: Duration,
    pub(crate) refresh_ahead: Option<f64>,
    pub(crate) idle: Option<Duration>,
    pub(crate) memory_ttl: Option<Duration>,
    pub(crate) negative_ttl: Duration,
    pub(crate) cache_err: Duration,
    pub(crate) timeout: Option<Duration>,
    pub(crate) deadline: Option<Duration>,
    pub(crate) retry_after: Duration,
    pub(crate) tags: Vec<String>,
    pub(crate) lock: Option<Lock>,
    pub(crate) schema: Option<u32>,
    pub(crate) detached: bool,
    pub(crate) spawn: bool,
    pub(crate) takeover_after: Duration,
}

/// How far "computed once" reaches.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Lock {
    /// Once in this process. Other processes that share the cache's server may compute too.
    Process,
    /// Once in all processes that share the cache's server. Without a server: as [`Process`](Self::Process).
    Deployment,
}

impl Policy {
    /// See [`takeover_after`](crate::PolicyBuilder::takeover_after).
    const TAKEOVER_AFTER: Duration = Duration::from_secs(1);

    /// See [`retry_after`](crate::PolicyBuilder::retry_after).
    const RETRY_AFTER: Duration = Duration::from_secs(1);

    /// A value that is fresh for `ttl`, and gone afterwards. Zero does not store it at all; callers who
    /// ask while it is being computed still share the one computation.
    #[must_use]
    pub const fn ttl(ttl: Duration) -> Self {
        Self {
            ttl,
            adaptive_to: None,
            jitter: 0.0,
            stale_while_revalidate: Duration::ZERO,
            stale_if_error: Duration::ZERO,
            refresh_ahead: None,
            idle: None,
            memory_ttl: None,
            negative_ttl: Duration::ZERO,
            cache_err: Duration::ZERO,
            timeout: None,
            deadline: None,
            retry_after: Self::RETRY_AFTER,
            tags: Vec::new(),
            lock: None,
            schema: None,
            detached: false,
            spawn: false,
            takeover_after: Self::TAKEOVER_AFTER,
        }
    }

    /// A value whose lifetime is chosen anew each time it is computed, between these bounds: see
    /// [`adaptive`](crate::PolicyBuilder::adaptive).
    #[must_use]
    pub const fn adaptive(bounds: RangeInclusive<Duration>) -> Self {
        let mut policy = Self::ttl(*bounds.start());
        policy.adaptive_to = Some(*bounds.end());
        policy
    }

    pub(crate) fn set_takeover_after(&mut self, limit: Duration) {
        /// Less is no sign of neglect: a runtime that has much to do takes as long.
        const LEAST: Duration = Duration::from_millis(10);
        self.takeover_after = limit.max(LEAST);
    }

    /// How long a value is kept for: `ttl` without jitter, or `negative_ttl` if it is a `None`.
    pub(crate) fn lifetime(&self, absent: bool) -> Duration {
        if absent { self.negative_ttl } else { self.ttl }
    }

    /// For how long memory answers alone, if there is a limit.
    pub(crate) fn memory_limit(&self) -> Option<Duration> {
        self.memory_ttl.map(|limit| self.jittered(limit))
    }

    /// `lifetime`, shortened by up to the fraction `jitter`.
    pub(crate) fn jittered(&self, lifetime: Duration) -> Duration {
        if self.jitter == 0.0 {
            return lifetime;
        }
        lifetime.mul_f64(1.0 - self.jitter * fastrand::f64())
    }
}
