//! The caches whose figures are exported, and the histograms that are filled as things happen.

use std::sync::Arc;

use super::{
    Figure, Instrument,
    figures::{Labels, observe},
};
use crate::{
    cache::Cache,
    panic_guard, registry,
    stats::Timings,
    sync::plain::{Mutex, lock},
};

/// Where the durations of a cache that goes by this name are recorded.
pub(crate) type MakeTimings = dyn Fn(&str) -> Arc<dyn Timings> + Send + Sync;

/// The caches that are watched: the installed ones, and those that were named.
pub(crate) struct WatchedCaches {
    caches: Mutex<Vec<(String, Arc<dyn Cache>)>>,
    timings: Box<MakeTimings>,
}

impl WatchedCaches {
    /// Nothing so far.
    pub(crate) fn new(timings: impl Fn(&str) -> Arc<dyn Timings> + Send + Sync + 'static) -> Self {
        Self { caches: Mutex::default(), timings: Box::new(timings) }
    }

    /// Watches a cache under this name, unless it is watched already: namespaces of a cache are a part of it.
    pub(crate) fn add(&self, name: &str, cache: Arc<dyn Cache>) {
        let mut caches = lock(&self.caches);
        if caches.iter().any(|(_, watched)| watched.core().same_cache(cache.core())) {
            return;
        }
        caches.push((name.to_owned(), cache.clone()));
        drop(caches);
        cache.core().statistics().time_to((self.timings)(name));
    }

    /// Watches what is installed at the moment.
    pub(crate) fn add_installed(&self) {
        for (name, cache) in registry::installed() {
            self.add(&name, cache.share());
        }
    }

    /// Calls `each` for every figure of every cache.
    pub(crate) fn observe(&self, each: &mut dyn FnMut(&'static Instrument, &Labels<'_>, Figure)) {
        self.add_installed();
        let caches = lock(&self.caches).clone();
        for (name, cache) in caches {
            // A cache of the user's own may panic, and so may what takes the figures.
            if panic_guard::contain(|| observe(&name, &*cache, each)).is_none() {
                panic_guard::report!(
                    warn,
                    cache = name,
                    "the figures of a cache were not exported: there was a panic"
                );
            }
        }
    }
}
