//! What a cache has for rate limits.

use super::Core;
use crate::gcra::LocalLimits;

impl Core {
    /// What this process keeps of them.
    pub(crate) fn limits(&self) -> &LocalLimits {
        &self.0.limits
    }

    /// The time now in nanoseconds.
    pub(crate) fn nanoseconds(&self) -> u64 {
        self.0.clock.nanoseconds()
    }
}
