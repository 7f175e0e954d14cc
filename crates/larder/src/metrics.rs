//! The figures of the caches, through the facade of the crate [`metrics`](https://docs.rs/metrics).
//!
//! Any exporter for that facade takes them. A hit costs no more for it: counters are read when the exporter is
//! asked, by [`Collector::collect`], and only computations and reads from Redis are recorded as they happen.
//!
//! [The guide](crate::guide::operate) lists names and labels: `cache_gets_total`, `cache_load_duration_seconds`,
//! `cache_size`, … Labels are the cache, the function and the namespace, and never a key.

use std::{collections::HashMap, fmt, sync::Arc, time::Duration};

use ::metrics::{Counter, Gauge, Histogram, Key, Label, Level, Metadata, with_recorder};

use crate::{
    cache::Cache,
    instruments::{
        ALL, Figure, Instrument, InstrumentKind, LOAD_DURATION, REDIS_GET_DURATION, Unit, WatchedCaches,
    },
    stats::Timings,
    sync::plain::{Mutex, lock},
};

static METADATA: Metadata<'static> = Metadata::new("larder", Level::INFO, Some("larder"));

/// Gives the figures of caches to the recorder that is installed for the facade `metrics`.
///
/// Make it after the exporter is installed, and after the caches are; keep it, and call [`collect`](Self::collect) before
/// the exporter renders its text, or [`collect_every`](Self::collect_every) few seconds where the exporter serves or
/// pushes by itself.
///
/// ```
/// use larder::{CacheExt, Policy, metrics::Collector};
/// use metrics_exporter_prometheus::PrometheusBuilder;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// // The limits of buckets make histograms of what would be summaries.
/// let exporter = PrometheusBuilder::new().set_buckets(&[0.001, 0.01, 0.1, 1.0, 10.0])?.install_recorder()?;
/// let collector = Collector::new(); // watches what is installed, by its name
///
/// # let policy = Policy::ttl(std::time::Duration::from_secs(60));
/// larder::global().insert("answer", &42, policy).await?;
///
/// // In the handler of /metrics:
/// collector.collect();
/// let text = exporter.render();
/// assert!(text.contains(r#"cache_puts_total{cache="global",function="",namespace=""} 1"#));
/// # Ok(())
/// # }
/// ```
pub struct Collector {
    watched: WatchedCaches,
}

impl Default for Collector {
    fn default() -> Self {
        Self::new()
    }
}

impl Collector {
    /// Describes all metrics to the recorder, and watches the caches that are installed: as `global`, and by their names.
    /// What is installed later is watched from the next [`collect`](Self::collect) on.
    #[must_use]
    pub fn new() -> Self {
        ALL.iter().for_each(|instrument| describe(instrument));
        let watched = WatchedCaches::new(|cache| Arc::new(Recorded::new(cache)));
        watched.add_installed();
        Self { watched }
    }

    /// Watches a cache that is not installed, too. A namespace, or another handle of a watched cache, is watched already.
    ///
    /// A name has one cache: this one takes the place of another one that has it, and goes on with its counters. The cache
    /// is kept, with all that is in it, until another one has its name, [`unwatch`](Self::unwatch) is called, or this is
    /// dropped.
    #[must_use]
    pub fn watch(self, name: &str, cache: &(impl Cache + ?Sized)) -> Self {
        self.watched.add(name, cache.share());
        self
    }

    /// Watches the cache with this name no longer, and lets go of it. Its gauges are no number any longer (`NaN`). Its
    /// counters stay what they are: one that is watched under the name later goes on with them, as long as this was called
    /// for fewer than 256 other names since.
    ///
    /// What is installed is watched again from the next [`collect`](Self::collect) on.
    pub fn unwatch(&self, name: &str) {
        self.watched.remove(name);
    }

    /// Gives the recorder what was counted so far. Some microseconds for each function.
    pub fn collect(&self) {
        self.watched.observe(&mut |instrument, labels, figure| {
            let labels: Vec<_> =
                labels.iter().map(|(name, value)| Label::new(*name, (*value).to_owned())).collect();
            let key = Key::from_parts(instrument.prometheus_name(), labels);
            match figure {
                Figure::Count(count) => counter(&key).absolute(count),
                Figure::Gauge(value) => gauge(&key).set(value),
                // A series cannot be taken back: one that is no number answers to no condition.
                Figure::Gone => gauge(&key).set(f64::NAN),
            }
        });
    }

    /// Collects in a task of its own, which ends when the handle is aborted, or with the runtime.
    ///
    /// # Panics
    ///
    /// If it is not called in a tokio runtime, or the interval is zero.
    pub fn collect_every(self, interval: Duration) -> tokio::task::JoinHandle<()> {
        let mut interval = tokio::time::interval(interval);
        tokio::spawn(async move {
            loop {
                interval.tick().await;
                self.collect();
            }
        })
    }
}

fn describe(instrument: &Instrument) {
    let (name, help) = (instrument.prometheus_name(), instrument.help);
    let unit = match instrument.unit {
        Unit::Number => ::metrics::Unit::Count,
        Unit::Seconds => ::metrics::Unit::Seconds,
        Unit::Bytes => ::metrics::Unit::Bytes,
    };
    with_recorder(|recorder| match instrument.kind {
        InstrumentKind::Counter => recorder.describe_counter(name.into(), Some(unit), help.into()),
        InstrumentKind::Gauge => recorder.describe_gauge(name.into(), Some(unit), help.into()),
        InstrumentKind::Histogram => recorder.describe_histogram(name.into(), Some(unit), help.into()),
    });
}

fn counter(key: &Key) -> Counter {
    with_recorder(|recorder| recorder.register_counter(key, &METADATA))
}

fn gauge(key: &Key) -> Gauge {
    with_recorder(|recorder| recorder.register_gauge(key, &METADATA))
}

/// The histograms of one cache.
struct Recorded {
    cache: String,
    computing: Mutex<HashMap<(String, String), Histogram>>,
    reading: Histogram,
}

impl Recorded {
    fn new(cache: &str) -> Self {
        let reading = histogram(&REDIS_GET_DURATION, &[("cache", cache)]);
        Self { cache: cache.to_owned(), computing: Mutex::default(), reading }
    }
}

fn histogram(instrument: &Instrument, labels: &[(&'static str, &str)]) -> Histogram {
    let labels: Vec<_> = labels.iter().map(|(name, value)| Label::new(*name, (*value).to_owned())).collect();
    let key = Key::from_parts(instrument.prometheus_name(), labels);
    with_recorder(|recorder| recorder.register_histogram(&key, &METADATA))
}

impl Timings for Recorded {
    fn computed(&self, function: &str, namespace: &str, took: Duration) {
        let by = (function.to_owned(), namespace.to_owned());
        let known = lock(&self.computing).get(&by).cloned();
        let histogram = known.unwrap_or_else(|| {
            // Not under the lock: the recorder is foreign code.
            let labels = [("cache", &*self.cache), ("function", function), ("namespace", namespace)];
            let made = histogram(&LOAD_DURATION, &labels);
            lock(&self.computing).entry(by).or_insert(made).clone()
        });
        histogram.record(took.as_secs_f64());
    }

    fn read(&self, took: Duration) {
        self.reading.record(took.as_secs_f64());
    }
}

impl fmt::Debug for Collector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Collector").finish_non_exhaustive()
    }
}
