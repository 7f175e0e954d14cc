//! What many callers wait for at once, and is done once for all of them.

use std::{
    collections::HashSet,
    sync::{Mutex, MutexGuard, PoisonError},
};

use larder::ScopeHash;
use tokio::sync::{Semaphore, watch};

use crate::stamp::Stamp;

/// How many are under way at a time, of each kind. These connections are none of callers.
const MOST: usize = 4;

/// Tasks of one kind.
#[derive(Debug)]
pub(crate) struct Together {
    pub(super) running: Semaphore,
    /// The one that has not begun.
    next: Mutex<Option<Next>>,
}

#[derive(Debug)]
pub(super) struct Next {
    pub(super) scopes: HashSet<ScopeHash>,
    pub(super) outcome: watch::Receiver<Option<Stamp>>,
}

impl Default for Together {
    fn default() -> Self {
        Self { running: Semaphore::new(MOST), next: Mutex::default() }
    }
}

impl Together {
    pub(super) fn next(&self) -> MutexGuard<'_, Option<Next>> {
        self.next.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
