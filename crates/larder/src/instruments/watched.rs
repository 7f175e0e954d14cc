//! The caches whose figures are exported, and the histograms that are filled as things happen.

use std::{collections::HashMap, sync::Arc};

use super::{
    Figure, Instrument, REDIS_UP,
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

/// Of how many servers of a cache it is remembered that there was a figure.
const MOST_SERVERS: usize = 256;

/// The caches that are watched: the installed ones, and those that were named.
pub(crate) struct WatchedCaches {
    caches: Mutex<Vec<(String, Arc<dyn Cache>)>>,
    timings: Box<MakeTimings>,
    /// By the caches' names, all servers that had a figure: an exporter shows the last one for ever, also of a server that
    /// was replaced.
    servers: Mutex<HashMap<String, Vec<String>>>,
}

impl WatchedCaches {
    /// Nothing so far.
    pub(crate) fn new(timings: impl Fn(&str) -> Arc<dyn Timings> + Send + Sync + 'static) -> Self {
        Self { caches: Mutex::default(), timings: Box::new(timings), servers: Mutex::default() }
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
            if panic_guard::contain(|| self.observe_one(&name, &*cache, each)).is_none() {
                panic_guard::report!(
                    warn,
                    cache = name,
                    "the figures of a cache were not exported: there was a panic"
                );
            }
        }
    }

    fn observe_one(
        &self,
        name: &str,
        cache: &dyn Cache,
        each: &mut dyn FnMut(&'static Instrument, &Labels<'_>, Figure),
    ) {
        let mut current = Vec::new();
        observe(name, cache, &mut |instrument, labels, figure| {
            if instrument.name == REDIS_UP.name {
                current
                    .extend(labels.iter().filter(|(of, _)| *of == "server").map(|(_, at)| (*at).to_owned()));
            }
            each(instrument, labels, figure);
        });
        for server in self.gone(name, current) {
            each(&REDIS_UP, &[("cache", name), ("server", &server)], Figure::Gone);
        }
    }

    /// The servers of a cache that had a figure, and are none of the current ones.
    fn gone(&self, cache: &str, current: Vec<String>) -> Vec<String> {
        let mut servers = lock(&self.servers);
        let known = servers.entry(cache.to_owned()).or_default();
        known.retain(|server| !current.contains(server));
        let gone = known.clone();
        known.extend(current);
        known.drain(..known.len().saturating_sub(MOST_SERVERS));
        gone
    }
}
