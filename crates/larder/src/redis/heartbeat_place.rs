//! In which of the keys for heartbeats a process publishes its own.

use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

/// How many processes have room.
pub(super) const PLACES: usize = 256;

/// Which of the keys this process has, if it knows.
#[derive(Debug)]
pub(super) struct Place(AtomicUsize);

impl Default for Place {
    fn default() -> Self {
        Self(AtomicUsize::new(PLACES))
    }
}

impl Place {
    /// The number of its key; [`PLACES`] if it has none.
    pub(super) fn get(&self) -> usize {
        self.0.load(Relaxed)
    }

    pub(super) fn set(&self, place: usize) {
        self.0.store(place, Relaxed);
    }
}
