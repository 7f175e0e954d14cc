//! `WithPolicy`: a cache with a policy of its own.

use std::{fmt, sync::Arc};

use crate::{
    cache::{Cache, Storage},
    cache_core::Core,
    memory::builder::MemoryCacheBuilder,
    policy::Policy,
};

/// A cache with a policy for functions that have no `ttl` of their own: made by
/// [`CacheExt::with_policy`](crate::CacheExt::with_policy). Otherwise it is the same cache. Cheap to clone.
#[derive(Clone)]
pub struct WithPolicy {
    cache: Arc<dyn Cache>,
    core: Core,
    prefix: Arc<str>,
    policy: Arc<Policy>,
}

impl WithPolicy {
    pub(crate) fn new<C: Cache + ?Sized>(cache: &C, policy: Policy) -> Self {
        let (core, prefix) = (cache.core().clone(), cache.prefix().into());
        Self { cache: cache.share(), core, prefix, policy: Arc::new(policy) }
    }
}

impl Cache for WithPolicy {
    #[inline]
    fn core(&self) -> &Core {
        &self.core
    }

    fn storage(&self) -> &dyn Storage {
        self.cache.storage()
    }

    fn share(&self) -> Arc<dyn Cache> {
        Arc::new(self.clone())
    }

    #[inline]
    fn prefix(&self) -> &str {
        &self.prefix
    }

    fn default_policy(&self) -> Option<&Policy> {
        Some(&self.policy)
    }

    fn with_memory(&self, memory: MemoryCacheBuilder) -> Option<Arc<dyn Cache>> {
        let cache = self.cache.with_memory(memory)?;
        Some(Arc::new(Self { cache, ..self.clone() }))
    }
}

impl fmt::Debug for WithPolicy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WithPolicy").field("policy", &self.policy).finish_non_exhaustive()
    }
}
