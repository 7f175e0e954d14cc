//! Without the feature `disk`: there is none in front of Redis.

use super::RedisCache;
use crate::memory::MemoryCache;

impl RedisCache {
    /// An empty memory with the settings of this one, for a cache in front of this.
    pub(crate) fn behind_memory(&self, memory: &MemoryCache) -> MemoryCache {
        memory.anew(self.core.epochs().clone())
    }
}
