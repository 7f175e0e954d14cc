//! Durations as they happen, for those who keep histograms of their own.

use std::{
    fmt,
    sync::{
        Arc, Weak,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use crate::{
    panic_guard,
    sync::plain::{Mutex, lock},
};

/// Receives how long something took.
pub(crate) trait Timings: Send + Sync {
    /// A computation of this function in this namespace.
    fn computed(&self, function: &str, namespace: &str, took: Duration);

    /// A read from a shared store.
    fn read(&self, took: Duration);
}

/// All that receive it.
#[derive(Default)]
pub(super) struct Listeners {
    /// Whether there are any: most programs have none.
    any: AtomicBool,
    all: Mutex<Vec<Weak<dyn Timings>>>,
}

impl Listeners {
    /// Tells this one too, until it is dropped.
    pub(super) fn add(&self, listener: &Arc<dyn Timings>) {
        let mut all = lock(&self.all);
        all.retain(|listener| listener.strong_count() > 0);
        all.push(Arc::downgrade(listener));
        self.any.store(true, Ordering::Relaxed);
    }

    /// Tells each of them, under no lock: they may be foreign code, and panic.
    pub(super) fn tell(&self, tell: impl Fn(&dyn Timings)) {
        if !self.any.load(Ordering::Relaxed) {
            return;
        }
        let all = lock(&self.all).clone();
        for listener in all.iter().filter_map(Weak::upgrade) {
            let _ = panic_guard::contain(|| tell(&*listener));
        }
    }
}

impl fmt::Debug for Listeners {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Listeners").field("any", &self.any).finish_non_exhaustive()
    }
}
