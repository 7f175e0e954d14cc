//! A cache, one key, and a source that fails or gives the number of the call.

use larder::{Cache, CacheExt, MemoryCache, Policy, PolicyBuilder};

use super::{Calls, secs};

pub(crate) type Answer = Result<usize, &'static str>;

pub(crate) struct Lab {
    pub(crate) cache: MemoryCache,
    pub(crate) policy: Policy,
    pub(crate) calls: Calls,
}

impl Lab {
    /// With nothing stored.
    pub(crate) fn with(policy: PolicyBuilder) -> Self {
        let policy = policy.build().expect("a policy");
        Self { cache: MemoryCache::new(10), policy, calls: Calls::default() }
    }

    pub(crate) fn advance(&self, seconds: u64) {
        self.cache.core().advance(secs(seconds));
    }

    pub(crate) async fn ask(&self) -> Answer {
        self.cache.get_or_compute("key", &self.policy, async || Ok(self.calls.call())).await
    }

    pub(crate) async fn fail(&self) -> Answer {
        let failing = async || {
            self.calls.call();
            Err("failed")
        };
        self.cache.get_or_compute("key", &self.policy, failing).await
    }
}
