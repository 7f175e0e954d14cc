//! What the proxy's thread tells the test.

use std::collections::BTreeMap;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use crate::wait::DEADLINE;

/// Written by the proxy's thread, read and waited for by the test's.
#[derive(Debug, Default)]
pub(super) struct Board {
    notes: Mutex<Notes>,
    changed: Condvar,
}

/// Arrays have one place for each direction.
#[derive(Debug, Default)]
pub(super) struct Notes {
    pub(super) listening: bool,
    pub(super) last_link: u64,
    pub(super) links: BTreeMap<u64, Link>,
    pub(super) received: [u64; 2],
    pub(super) delivered: [u64; 2],
}

/// A connection from a client, and the one to the server that belongs to it.
#[derive(Debug, Default)]
pub(super) struct Link {
    pub(super) closed: [bool; 2],
    /// Something was swallowed.
    pub(super) lost: [bool; 2],
}

impl Board {
    pub(super) fn read<T>(&self, look: impl FnOnce(&Notes) -> T) -> T {
        look(&self.notes())
    }

    pub(super) fn write<T>(&self, change: impl FnOnce(&mut Notes) -> T) -> T {
        let result = change(&mut self.notes());
        self.changed.notify_all();
        result
    }

    pub(super) fn last_link(&self) -> u64 {
        self.read(|notes| notes.last_link)
    }

    #[track_caller]
    pub(super) fn wait(&self, what: &str, mut reached: impl FnMut(&Notes) -> bool) {
        let waited = self.changed.wait_timeout_while(self.notes(), DEADLINE, |notes| !reached(notes));
        let (_notes, result) = waited.unwrap_or_else(PoisonError::into_inner);
        assert!(!result.timed_out(), "{what}: not within {DEADLINE:?}");
    }

    fn notes(&self) -> MutexGuard<'_, Notes> {
        self.notes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
