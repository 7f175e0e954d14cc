//! The counters and rankings that a core keeps for its process.

use std::time::SystemTime;

use super::{Core, tallies::LocalTallies};

impl Core {
    /// What this process keeps of them.
    pub(crate) fn tallies(&self) -> &LocalTallies {
        &self.0.tallies
    }

    /// The time of day, and all that [`advance`](Self::advance) added.
    pub(crate) fn system_time(&self) -> SystemTime {
        self.0.clock.system_time()
    }
}
