//! In which of the keys for heartbeats a process publishes its own.

use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

/// How many processes have room.
pub(super) const SLOTS: usize = 256;

/// Which of the keys this process has, if it knows.
#[derive(Debug)]
pub(super) struct HeartbeatSlot(AtomicUsize);

impl Default for HeartbeatSlot {
    fn default() -> Self {
        Self(AtomicUsize::new(SLOTS))
    }
}

impl HeartbeatSlot {
    /// The number of its key; [`SLOTS`] if it has none.
    pub(super) fn get(&self) -> usize {
        self.0.load(Relaxed)
    }

    pub(super) fn set(&self, place: usize) {
        self.0.store(place, Relaxed);
    }
}
