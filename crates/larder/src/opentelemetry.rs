//! The figures of the caches, through the metrics API of OpenTelemetry: the crate
//! [`opentelemetry`](https://docs.rs/opentelemetry), 0.33.
//!
//! The instruments are those that [the guide](crate::guide::operate) lists, under their names in OpenTelemetry: `cache.gets`
//! for `cache_gets_total`, `cache.load.duration` with the unit `s` for `cache_load_duration_seconds`. An exporter for Prometheus
//! gives them the names in the guide. Attributes are the labels of the guide, and never a key.
//!
//! A hit costs no more for it: counters are read when the meter provider collects, and only computations and reads from
//! Redis are recorded as they happen.

use std::{
    fmt,
    sync::Arc,
    time::{Duration, Instant},
};

use ::opentelemetry::{
    KeyValue, global,
    metrics::{Histogram, Meter},
};

use crate::{
    cache::Cache,
    instruments::{
        ALL, Figure, Instrument, InstrumentKind, LOAD_DURATION, REDIS_GET_DURATION, Unit, WatchedCaches,
    },
    stats::Timings,
    sync::plain::{Mutex, lock},
};

/// How old a snapshot may be when one more instrument is read from it. A collection takes less.
const SNAPSHOT_AGE: Duration = Duration::from_secs(1);

/// The boundaries of the histograms' buckets, in seconds: the defaults of OpenTelemetry are chosen for milliseconds.
const BOUNDARIES: [f64; 10] = [0.0001, 0.0005, 0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1.0, 10.0];

/// The figures of caches, as instruments of the global meter provider.
///
/// ```
/// use larder::{MemoryCache, opentelemetry::Instruments};
/// use opentelemetry_sdk::metrics::{InMemoryMetricExporter, PeriodicReader, SdkMeterProvider};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// // Any exporter: this one keeps in memory what it is given.
/// let exporter = InMemoryMetricExporter::default();
/// let provider = SdkMeterProvider::builder().with_reader(PeriodicReader::builder(exporter).build()).build();
/// opentelemetry::global::set_meter_provider(provider.clone());
///
/// // After the provider is set, once in a program: watches what is installed, now and later, by its name.
/// let instruments = Instruments::register();
///
/// // A cache that is not installed:
/// let images = MemoryCache::new(500);
/// instruments.watch("images", &images);
///
/// provider.shutdown()?;
/// # Ok(())
/// # }
/// ```
///
/// The instruments live as long as the meter provider does: this handle can be dropped.
///
/// An SDK keeps so many series of one instrument and adds up the rest in a series of its own; 2,000 unless a view says
/// otherwise. An instrument has one for each cache, function, namespace and value of its other attributes.
#[derive(Clone)]
pub struct Instruments(Arc<Snapshots>);

impl Instruments {
    /// Registers the instruments with the global meter provider, under the instrumentation scope `larder`, and watches the
    /// caches that are installed: as `global`, and by their names. What is installed later is watched from the next
    /// collection on.
    ///
    /// Call it once, after `opentelemetry::global::set_meter_provider`: a provider that is set later is not given anything,
    /// and a second call reports every figure twice.
    #[must_use = "bind it to `_` if there is no cache to watch that is not installed"]
    pub fn register() -> Self {
        let meter = global::meter("larder");
        let (computing, reading) =
            (histogram(&meter, &LOAD_DURATION), histogram(&meter, &REDIS_GET_DURATION));
        let watched = WatchedCaches::new(move |cache| {
            let (computing, reading) = (computing.clone(), reading.clone());
            Arc::new(Recorded { cache: cache.to_owned(), computing, reading })
        });
        watched.add_installed();
        let snapshots = Arc::new(Snapshots { watched, last: Mutex::new(None) });
        ALL.iter().for_each(|instrument| register(&meter, instrument, &snapshots));
        Self(snapshots)
    }

    /// Watches a cache that is not installed, too. A namespace, or another handle of a watched cache, is watched already.
    ///
    /// A name has one cache: this one takes the place of another one that has it, and goes on with its counters. The cache
    /// is kept, with all that is in it, until another one has its name, [`unwatch`](Self::unwatch) is called, or the meter
    /// provider ends.
    pub fn watch(&self, name: &str, cache: &(impl Cache + ?Sized)) {
        self.0.watched.add(name, cache.share());
    }

    /// Watches the cache with this name no longer, and lets go of it. Its gauges end. Its counters stay what they are, for the
    /// last 256 names that this was called for: one that is watched under the name later goes on with them.
    ///
    /// What is installed is watched again from the next collection on.
    pub fn unwatch(&self, name: &str) {
        self.0.watched.remove(name);
    }
}

impl fmt::Debug for Instruments {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Instruments").finish_non_exhaustive()
    }
}

/// A figure, with its attributes.
type Observation = (&'static str, Vec<KeyValue>, Figure);

/// All figures of one moment.
struct Snapshot {
    at: Instant,
    observations: Arc<[Observation]>,
    /// The instruments that were read from it.
    read: Vec<&'static str>,
}

/// A provider asks for one instrument after the other, and all of a collection are to be of one moment: a snapshot is taken
/// when an instrument is asked for once more.
struct Snapshots {
    watched: WatchedCaches,
    last: Mutex<Option<Snapshot>>,
}

impl Snapshots {
    /// Calls `each` for every figure of one instrument.
    fn read(&self, name: &'static str, each: impl Fn(&[KeyValue], Figure)) {
        let observations = self.last(name).unwrap_or_else(|| self.take(name));
        observations.iter().filter(|(of, ..)| *of == name).for_each(|(_, by, figure)| each(by, *figure));
    }

    /// The last snapshot, if this instrument was not read from it.
    fn last(&self, name: &'static str) -> Option<Arc<[Observation]>> {
        let mut last = lock(&self.last);
        let last =
            last.as_mut().filter(|last| last.at.elapsed() < SNAPSHOT_AGE && !last.read.contains(&name))?;
        last.read.push(name);
        Some(last.observations.clone())
    }

    /// A new one. Not under the lock: a cache of the user's own may do anything.
    fn take(&self, name: &'static str) -> Arc<[Observation]> {
        let (at, mut observations) = (Instant::now(), Vec::new());
        self.watched.observe(&mut |instrument, labels, figure| {
            observations.push((instrument.name, attributes(labels), figure));
        });
        let observations: Arc<[Observation]> = observations.into();
        let mut last = lock(&self.last);
        // Another thread's that began later stays: counters would fall.
        if last.as_ref().is_none_or(|last| last.at <= at) {
            *last = Some(Snapshot { at, observations: observations.clone(), read: vec![name] });
        }
        drop(last);
        observations
    }
}

fn attributes(labels: &[(&'static str, &str)]) -> Vec<KeyValue> {
    labels.iter().map(|(name, value)| KeyValue::new(*name, (*value).to_owned())).collect()
}

fn register(meter: &Meter, instrument: &'static Instrument, snapshots: &Arc<Snapshots>) {
    let (name, unit, help) = (instrument.name, unit(instrument), instrument.help);
    let snapshots = snapshots.clone();
    match instrument.kind {
        InstrumentKind::Counter => {
            let builder = meter.u64_observable_counter(name).with_description(help).with_unit(unit);
            let _registered = builder
                .with_callback(move |observer| {
                    snapshots.read(name, |by, figure| {
                        if let Figure::Count(count) = figure {
                            observer.observe(count, by);
                        }
                    });
                })
                .build();
        }
        InstrumentKind::Gauge => {
            let builder = meter.f64_observable_gauge(name).with_description(help).with_unit(unit);
            let _registered = builder
                .with_callback(move |observer| {
                    snapshots.read(name, |by, figure| {
                        // What is gone is not observed, and so not exported.
                        if let Figure::Gauge(value) = figure {
                            observer.observe(value, by);
                        }
                    });
                })
                .build();
        }
        // Recorded as things happen.
        InstrumentKind::Histogram => {}
    }
}

fn histogram(meter: &Meter, instrument: &Instrument) -> Histogram<f64> {
    let builder = meter.f64_histogram(instrument.name).with_description(instrument.help);
    builder.with_unit(unit(instrument)).with_boundaries(BOUNDARIES.to_vec()).build()
}

/// As UCUM writes it. Numbers have none: exporters for Prometheus take the unit `1` for a ratio, and name it so.
fn unit(instrument: &Instrument) -> &'static str {
    match instrument.unit {
        Unit::Number => "",
        Unit::Seconds => "s",
        Unit::Bytes => "By",
    }
}

/// The histograms of one cache.
struct Recorded {
    cache: String,
    computing: Histogram<f64>,
    reading: Histogram<f64>,
}

impl Timings for Recorded {
    fn computed(&self, function: &str, namespace: &str, took: Duration) {
        let by = attributes(&[("cache", &self.cache), ("function", function), ("namespace", namespace)]);
        self.computing.record(took.as_secs_f64(), &by);
    }

    fn read(&self, took: Duration) {
        self.reading.record(took.as_secs_f64(), &attributes(&[("cache", &self.cache)]));
    }
}
