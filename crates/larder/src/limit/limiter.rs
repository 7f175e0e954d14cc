//! A limiter: a rate, and where it is held.

use std::{
    fmt,
    sync::{Arc, OnceLock},
};

use super::{
    Decision, FailureMode, Limited,
    decide::{Terms, decide},
};
use crate::{
    cache::Cache,
    gcra::{KEYS, Rate, RateTables},
};

/// Holds a rate for each key: of a client, a user, an API that is called.
///
/// It is held where the cache keeps its entries: on a [`MemoryCache`](crate::MemoryCache) in this process, on a
/// `RedisCache` or `TieredCache` for all processes together. On the handle of a [`Namespace`](crate::Namespace), keys have
/// its prefix. Limiters of the same rate on the same cache are the same limiter: they share their keys, in all processes.
/// Cheap to clone.
///
/// See [the module](crate::limit) for what is promised, and what it costs.
///
/// ```
/// use larder::{MemoryCache, limit::{Limiter, Rate}};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// let limiter = Limiter::new(MemoryCache::new(1), Rate::per_minute(100).burst(2));
/// assert!(limiter.check("ip:192.0.2.7").await.is_allowed());
/// let decision = limiter.check("ip:192.0.2.7").await;
/// assert!(decision.is_allowed());
/// assert_eq!(decision.remaining(), 0);
///
/// let limited = limiter.admit("ip:192.0.2.7").await.unwrap_err();
/// assert!(limited.retry_after() <= limiter.rate().interval());
/// assert!(limiter.check("ip:192.0.2.8").await.is_allowed());
/// # }
/// ```
#[derive(Clone)]
#[must_use = "a limiter does nothing until it is asked"]
pub struct Limiter {
    cache: Arc<dyn Cache>,
    terms: Terms,
    keys: usize,
    tables: OnceLock<Arc<RateTables>>,
}

impl Limiter {
    /// Holds `rate` where `cache` keeps its entries: `larder::global()`, for example, or an `Arc` of any cache. That the
    /// cache is [disabled](crate::CacheExt::disable) makes no difference.
    pub fn new(cache: impl Cache + 'static, rate: Rate) -> Self {
        let terms = Terms { rate, failure: FailureMode::default(), local: false };
        Self { cache: Arc::new(cache), terms, keys: KEYS, tables: OnceLock::new() }
    }

    /// What is done while the server cannot be asked: [`FailureMode::Local`] unless this is called.
    pub fn failure_mode(mut self, mode: FailureMode) -> Self {
        self.terms.failure = mode;
        self
    }

    /// Holds the rate in this process alone, also if the cache shares its entries.
    pub fn local(mut self) -> Self {
        self.terms.local = true;
        self
    }

    /// How many keys are told apart in this process at once, of those that have not their whole burst: 65,536 unless this is
    /// called. They take up to 36 bytes of memory each. The first limiter of a rate that a cache is asked with decides.
    ///
    /// With more of them at once, [those that come last share a limit](crate::limit#memory).
    pub fn max_keys(mut self, keys: usize) -> Self {
        self.keys = keys;
        self
    }

    /// The rate.
    #[must_use]
    pub const fn rate(&self) -> Rate {
        self.terms.rate
    }

    /// Asks for one unit of a key, and takes it if it is admitted.
    ///
    /// It never waits for longer than the deadline of the cache's server, and not at all without one. A future that is
    /// dropped while it waits may have taken the unit.
    #[must_use = "a request that is refused is to be turned away"]
    pub async fn check(&self, key: &str) -> Decision {
        self.check_units(key, 1).await
    }

    /// Asks for several units at once: all of them are taken, or none. Zero takes nothing, and is admitted. More than the
    /// burst are never admitted.
    #[must_use = "a request that is refused is to be turned away"]
    pub async fn check_units(&self, key: &str, units: u32) -> Decision {
        let find = || self.cache.core().limits().of(&self.terms.rate, self.keys);
        let tables = self.tables.get_or_init(find);
        decide(&*self.cache, tables, self.terms, (key, units)).await
    }

    /// The same as [`check`](Self::check), with an error if the unit is refused.
    ///
    /// # Errors
    ///
    /// If it is refused.
    pub async fn admit(&self, key: &str) -> Result<Decision, Limited> {
        self.check(key).await.admitted()
    }
}

impl fmt::Debug for Limiter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Limiter").field("terms", &self.terms).finish_non_exhaustive()
    }
}
