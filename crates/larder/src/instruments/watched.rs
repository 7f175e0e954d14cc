//! The caches whose figures are exported, and the histograms that are filled as things happen.

use std::{
    collections::HashMap,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use super::{
    Figure, Instrument,
    figures::{Labels, observe},
    series::Series,
};
use crate::{
    cache::Cache,
    panic_guard, registry,
    stats::Timings,
    sync::plain::{Mutex, lock},
};

/// Where the durations of a cache with this name are recorded.
pub(crate) type MakeTimings = dyn Fn(&str) -> Arc<dyn Timings> + Send + Sync;

/// Of how many names that no cache has any longer the counters are exported.
const MOST_ENDED: usize = 256;

/// What takes each figure.
type Each<'e> = dyn FnMut(&'static Instrument, &Labels<'_>, Figure) + 'e;

/// The caches that are watched: the installed ones, and those that were named.
pub(crate) struct WatchedCaches {
    names: Mutex<Names>,
    timings: Box<MakeTimings>,
    /// By the caches' names.
    series: Mutex<HashMap<String, Series>>,
    numbers: AtomicU64,
}

#[derive(Clone, Default)]
struct Names {
    caches: Vec<Watched>,
    /// Those that no cache has any longer, the oldest first.
    ended: Vec<String>,
}

impl Names {
    fn has(&self, cache: &dyn Cache) -> bool {
        self.caches.iter().any(|watched| watched.cache.core().same_cache(cache.core()))
    }

    fn take(&mut self, name: &str) -> Option<Watched> {
        let index = self.caches.iter().position(|watched| watched.name == name)?;
        Some(self.caches.swap_remove(index))
    }
}

/// One cache. Its durations are recorded for as long as this is kept.
#[derive(Clone)]
struct Watched {
    name: String,
    number: u64,
    cache: Arc<dyn Cache>,
    _timings: Arc<dyn Timings>,
}

impl WatchedCaches {
    /// Nothing so far.
    pub(crate) fn new(timings: impl Fn(&str) -> Arc<dyn Timings> + Send + Sync + 'static) -> Self {
        Self {
            names: Mutex::default(),
            timings: Box::new(timings),
            series: Mutex::default(),
            numbers: AtomicU64::new(1),
        }
    }

    /// Watches a cache under this name, in the place of another one that has it. Nothing if the cache is watched already:
    /// namespaces of a cache are a part of it.
    pub(crate) fn add(&self, name: &str, cache: Arc<dyn Cache>) {
        self.add_if(name, cache, |_| true);
    }

    /// Watches what is installed at the moment, but for names that other caches were given.
    pub(crate) fn add_installed(&self) {
        for (name, cache) in registry::installed() {
            self.add_if(&name, cache.share(), |caches| caches.iter().all(|watched| watched.name != name));
        }
    }

    fn add_if(&self, name: &str, cache: Arc<dyn Cache>, may: impl Fn(&[Watched]) -> bool) {
        let is_refused = |names: &Names| names.has(&*cache) || !may(&names.caches);
        if is_refused(&lock(&self.names)) {
            return;
        }
        // Not under the lock: what makes it is foreign code.
        let timings = (self.timings)(name);
        let mut names = lock(&self.names);
        if is_refused(&names) {
            return;
        }
        let replaced = names.take(name);
        names.ended.retain(|ended| ended != name);
        cache.core().statistics().time_to(&timings);
        let number = self.number();
        names.caches.push(Watched { name: name.to_owned(), number, cache, _timings: timings });
        drop(names);
        if let Some(replaced) = replaced {
            self.count_last(&replaced);
        }
        let mut series = lock(&self.series);
        series.entry(name.to_owned()).or_default().pass_to(number);
    }

    /// Watches the cache with this name no longer, and lets go of it. What it has counted is exported from now on; its gauges
    /// are gone.
    pub(crate) fn remove(&self, name: &str) {
        let mut names = lock(&self.names);
        let Some(removed) = names.take(name) else { return };
        names.ended.push(name.to_owned());
        if names.ended.len() > MOST_ENDED {
            let oldest = names.ended.remove(0);
            lock(&self.series).remove(&oldest);
        }
        drop(names);
        self.count_last(&removed);
    }

    /// Takes what a cache has counted since the last collection.
    fn count_last(&self, watched: &Watched) {
        self.observe_one(watched, self.number(), &mut |_, _, _| {});
    }

    fn number(&self) -> u64 {
        self.numbers.fetch_add(1, Ordering::Relaxed)
    }

    /// Calls `each` for every figure of every cache.
    pub(crate) fn observe(&self, each: &mut Each<'_>) {
        self.add_installed();
        let round = self.number();
        let names = lock(&self.names).clone();
        for watched in &names.caches {
            self.observe_one(watched, round, each);
            self.observe_rest(&watched.name, round, each);
        }
        names.ended.iter().for_each(|name| self.observe_rest(name, round, each));
    }

    fn observe_one(&self, watched: &Watched, round: u64, each: &mut Each<'_>) {
        let Watched { name, number, cache, .. } = watched;
        contained(name, || {
            observe(name, &**cache, &mut |instrument, labels, figure| {
                let told = lock(&self.series)
                    .get_mut(name)
                    .and_then(|series| series.tell((*number, round), instrument, labels, figure));
                if let Some(told) = told {
                    each(instrument, labels, told);
                }
            });
        });
    }

    /// What was exported of a name before, and is not a figure any longer.
    fn observe_rest(&self, name: &str, round: u64, each: &mut Each<'_>) {
        let rest = lock(&self.series).get_mut(name).map(|series| series.rest(round)).unwrap_or_default();
        contained(name, || {
            for (instrument, labels, figure) in &rest {
                let labels: Vec<_> = labels.iter().map(|(label, value)| (*label, &**value)).collect();
                each(instrument, &labels, *figure);
            }
        });
    }
}

/// A cache of the user's own may panic, and so may what takes the figures.
fn contained(name: &str, export: impl FnOnce()) {
    if panic_guard::contain(export).is_none() {
        panic_guard::report!(
            warn,
            cache = name,
            "the figures of a cache were not exported: there was a panic"
        );
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::{CacheExt, MemoryCache, Policy};

    /// Looks at what is counted at the moment in which a computation has ended.
    struct Looks {
        cache: MemoryCache,
        seen: Mutex<Vec<(u64, u64)>>,
    }

    impl Timings for Looks {
        fn computed(&self, _: &str, _: &str, _: Duration) {
            let of = &self.cache.function_stats()[0];
            lock(&self.seen).push((of.computing.count(), of.stats.failures));
        }

        fn read(&self, _: Duration) {}
    }

    #[tokio::test]
    async fn a_failed_computation_is_told_as_a_success_at_no_moment() {
        let cache = MemoryCache::new(10);
        let looks = Arc::new(Looks { cache: cache.clone(), seen: Mutex::default() });
        let timings = looks.clone();
        let watched = WatchedCaches::new(move |_| timings.clone());
        watched.add("failing", cache.share());
        let policy = Policy::ttl(Duration::from_secs(60));
        let failed = cache.get_or_compute("key", policy.clone(), async || Err::<i32, _>("no")).await;
        assert_eq!(failed, Err("no"));
        let failed = cache
            .get_or_compute_many(
                [1, 2],
                |id| id.to_string(),
                policy,
                async |_| Err::<HashMap<i32, i32>, _>("no"),
            )
            .await;
        assert_eq!(failed, Err("no"));
        assert_eq!(*lock(&looks.seen), [(1, 1), (2, 2)]);
    }
}
