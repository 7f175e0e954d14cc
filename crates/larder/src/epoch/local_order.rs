//! The order of changes in one process.

use std::sync::{Arc, OnceLock};

use crate::{
    cache_padded::CachePadded,
    sync::{AtomicU64, Mutex, Ordering, lock},
};

/// The order of all changes in one process: the counter, and the right to move it.
///
/// One for all caches of a process, so that a value computed from entries of several caches has one
/// stamp that is right for each of them.
#[derive(Debug)]
pub(crate) struct LocalOrder {
    now: CachePadded<AtomicU64>,
    /// The number of the last change; its holder is the only applier.
    applier: Mutex<u64>,
}

impl LocalOrder {
    pub(crate) fn new() -> Self {
        Self { now: CachePadded::new(AtomicU64::new(0)), applier: Mutex::new(0) }
    }

    /// That of this process.
    pub(crate) fn of_process() -> Arc<Self> {
        static ORDER: OnceLock<Arc<LocalOrder>> = OnceLock::new();
        ORDER.get_or_init(|| Arc::new(Self::new())).clone()
    }

    /// The number of the last change. What is read afterwards is at least as new as every change up to it.
    #[inline]
    pub(super) fn now(&self) -> u64 {
        self.now.load(Ordering::Acquire)
    }

    /// Runs `look` while no change is half done.
    #[cfg_attr(not(feature = "shared"), expect(dead_code, reason = "for what processes share"))]
    pub(super) fn between_changes<R>(&self, look: impl FnOnce() -> R) -> R {
        let _applier = lock(&self.applier);
        look()
    }

    /// Runs `change` as the only applier, with the number of the change; its slots are raised in there.
    /// Readers of the counter see the number once all of that is done.
    pub(super) fn apply<R>(&self, change: impl FnOnce(u64) -> R) -> R {
        let mut last = lock(&self.applier);
        *last += 1;
        let outcome = change(*last);
        self.now.store(*last, Ordering::Release);
        outcome
    }
}
