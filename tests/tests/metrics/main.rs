//! What an exporter shows of the caches, and that the dashboard and the alerts in `docs/operate` ask for nothing else.

#![expect(clippy::unwrap_used, reason = "what fails in a helper fails the test")]

mod counters;
mod failovers;
mod rules;

use std::{
    collections::{BTreeMap, BTreeSet},
    convert::Infallible,
    fs,
    path::PathBuf,
    sync::LazyLock,
    time::Duration,
};

use larder::{CacheExt, MemoryCache, TieredCache, cached, metrics::Collector, opentelemetry::Instruments};
use larder_servers::RedisServer;
use larder_tests::caches::{Process, eventually, long};
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};
use opentelemetry_sdk::metrics::{
    InMemoryMetricExporter, PeriodicReader, SdkMeterProvider,
    data::{AggregatedMetrics, Metric, MetricData},
};

/// One for the process: so is the facade.
static EXPORTER: LazyLock<PrometheusHandle> = LazyLock::new(|| {
    PrometheusBuilder::new().set_buckets(&[0.001, 1.0]).unwrap().install_recorder().unwrap()
});

/// Whose tests go one after the other: the meter provider is one for the process, too.
static OPENTELEMETRY: tokio::sync::Mutex<()> = tokio::sync::Mutex::const_new(());

/// Installs a provider whose exporter keeps what it is given.
fn opentelemetry() -> (SdkMeterProvider, InMemoryMetricExporter) {
    let exporter = InMemoryMetricExporter::default();
    let reader = PeriodicReader::builder(exporter.clone()).with_interval(Duration::from_secs(3600)).build();
    let provider = SdkMeterProvider::builder().with_reader(reader).build();
    opentelemetry::global::set_meter_provider(provider.clone());
    (provider, exporter)
}

/// Samples by their names and labels.
type Samples = BTreeMap<String, f64>;

fn collected(collector: &Collector) -> Samples {
    collector.collect();
    let text = EXPORTER.render();
    let samples = text.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
    samples
        .map(|line| {
            let (sample, value) = line.rsplit_once(' ').unwrap();
            (sample.to_owned(), value.parse().unwrap())
        })
        .collect()
}

/// The sum of the samples with this name and all of these labels.
fn sum(samples: &Samples, name: &str, labels: &[(&str, &str)]) -> f64 {
    let has = |sample: &str, (label, value): &(&str, &str)| sample.contains(&format!("{label}=\"{value}\""));
    let is_it = |sample: &str| {
        sample.split('{').next() == Some(name) && labels.iter().all(|label| has(sample, label))
    };
    let found: Vec<_> = samples.iter().filter(|(sample, _)| is_it(sample)).collect();
    assert!(!found.is_empty(), "no {name} with {labels:?} in {samples:#?}");
    found.iter().map(|(_, value)| **value).sum()
}

#[cached(ttl = 60, key = "double:<id>", cache = cache, skip(cache))]
async fn double(cache: &TieredCache, id: u64) -> Result<u64, String> {
    tokio::time::sleep(Duration::from_millis(2)).await;
    if id == 0 { Err("not zero".to_owned()) } else { Ok(2 * id) }
}

#[tokio::test(flavor = "multi_thread")]
async fn figures_by_function() {
    LazyLock::force(&EXPORTER);
    let server = RedisServer::start();
    let (here, there) = (Process::A.tiered(&server).await, Process::B.tiered(&server).await);
    let collector = Collector::new().watch("here", &here).watch("there", &there);
    for _ in 0..3 {
        assert_eq!(double(&here, 1).await, Ok(2));
        double(&here, 0).await.unwrap_err();
    }
    // Written behind the reply.
    eventually(async || {
        assert_eq!(double(&there, 1).await, Ok(2));
        assert_eq!(double(&there, 1).await, Ok(2));
        here.stats().shared_stores == 1
    })
    .await;
    here.invalidate("double:1").await;

    let samples = collected(&collector);
    let double = ("function", "metrics::double");
    let here_ =
        |name: &str, labels: &[_]| sum(&samples, name, &[&[("cache", "here"), double], labels].concat());
    assert_eq!(here_("cache_gets_total", &[("result", "hit"), ("tier", "memory")]), 2.0);
    assert_eq!(here_("cache_gets_total", &[("result", "miss")]), 4.0);
    assert_eq!(here_("cache_load_total", &[("result", "success")]), 1.0);
    assert_eq!(here_("cache_load_total", &[("result", "failure")]), 3.0);
    assert_eq!(here_("cache_load_duration_seconds_count", &[]), 4.0);
    assert_eq!(here_("cache_load_duration_seconds_bucket", &[("le", "0.001")]), 0.0);
    assert!(here_("cache_load_saved_seconds", &[]) >= 0.004);
    assert_eq!(here_("cache_redis_puts_total", &[]), 1.0);
    assert!(here_("cache_redis_stored_bytes_total", &[]) > here_("cache_redis_raw_bytes_total", &[]));
    let there_ =
        |name: &str, labels: &[_]| sum(&samples, name, &[&[("cache", "there"), double], labels].concat());
    assert_eq!(there_("cache_gets_total", &[("result", "hit"), ("tier", "redis")]), 1.0);
    assert_eq!(there_("cache_gets_total", &[("result", "miss")]), 0.0);
    assert!(there_("cache_redis_read_bytes_total", &[]) > 0.0);
    let of = |name: &str, labels: &[_]| sum(&samples, name, &[&[("cache", "here")], labels].concat());
    assert!(of("cache_redis_get_duration_seconds_count", &[]) >= 1.0);
    assert_eq!(of("cache_invalidations_total", &[("direction", "sent")]), 1.0);
    assert_eq!(of("cache_redis_up", &[]), 1.0);
    assert_eq!(of("cache_redis_refused", &[("operation", "append")]), 0.0);
    assert!(of("cache_log_lag_seconds", &[]) < 60.0);
    assert_eq!(here.stats().hit_ratio(), 2.0 / 6.0);
    assert_eq!(there.stats().hit_ratio(), 1.0, "what is found in Redis is found");
}

/// What a provider of OpenTelemetry collected of one cache, as its exporters for Prometheus write it.
fn collected_by_opentelemetry(
    provider: &SdkMeterProvider,
    exporter: &InMemoryMetricExporter,
    cache: &str,
) -> Samples {
    exporter.reset();
    provider.force_flush().unwrap();
    let finished = exporter.get_finished_metrics().unwrap();
    let scopes = finished.last().unwrap().scope_metrics().filter(|of| of.scope().name() == "larder");
    let mut samples = Samples::new();
    for metric in scopes.flat_map(|scope| scope.metrics()) {
        assert!(!metric.description().is_empty(), "{} has no help", metric.name());
        let mut add = |suffix: &str, attributes: Attributes<'_>, value: f64| {
            let mut labels: Vec<_> =
                attributes.map(|of| format!("{}=\"{}\"", of.key, of.value.as_str())).collect();
            labels.sort();
            if labels.contains(&format!("cache=\"{cache}\"")) {
                let sample = format!("{}{suffix}{{{}}}", prometheus_name(metric), labels.join(","));
                assert_eq!(samples.insert(sample.clone(), value), None, "{sample} twice");
            }
        };
        match metric.data() {
            AggregatedMetrics::U64(MetricData::Sum(sum)) => {
                assert!(sum.is_monotonic(), "{} only grows", metric.name());
                for point in sum.data_points() {
                    add("_total", Box::new(point.attributes()), as_sample(point.value()));
                }
            }
            AggregatedMetrics::F64(MetricData::Gauge(gauge)) => {
                gauge.data_points().for_each(|point| add("", Box::new(point.attributes()), point.value()));
            }
            AggregatedMetrics::F64(MetricData::Histogram(histogram)) => {
                for point in histogram.data_points() {
                    assert!(point.bounds().any(|bound| bound == 0.001), "buckets for seconds");
                    add("_count", Box::new(point.attributes()), as_sample(point.count()));
                    add("_sum", Box::new(point.attributes()), point.sum());
                }
            }
            other => panic!("{} is a {other:?}", metric.name()),
        }
    }
    samples
}

type Attributes<'a> = Box<dyn Iterator<Item = &'a opentelemetry::KeyValue> + 'a>;

#[expect(clippy::cast_precision_loss, reason = "small numbers, to compare")]
fn as_sample(number: u64) -> f64 {
    number as f64
}

/// By the rules of OpenTelemetry for exporters to Prometheus.
fn prometheus_name(metric: &Metric) -> String {
    let unit = match metric.unit() {
        "" => "",
        "s" => "_seconds",
        "By" => "_bytes",
        other => panic!("{} has the unit {other}", metric.name()),
    };
    metric.name().replace('.', "_") + unit
}

/// The samples of one cache that do not move by themselves and do not depend on chosen buckets, with labels in order.
fn comparable(samples: &Samples, cache: &str) -> Samples {
    let in_order = |sample: &str| {
        let (name, labels) = sample.trim_end_matches('}').split_once('{').unwrap();
        let mut labels: Vec<_> = labels.split(',').collect();
        labels.sort_unstable();
        format!("{name}{{{}}}", labels.join(","))
    };
    let of_cache = samples.iter().filter(|(sample, _)| sample.contains(&format!("cache=\"{cache}\"")));
    let kept =
        of_cache.filter(|(sample, _)| !sample.contains("_bucket{") && !sample.starts_with("cache_log_lag"));
    // Sums of floating-point numbers in another order.
    kept.map(|(sample, value)| (in_order(sample), (value * 1e9).round())).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn opentelemetry_is_given_what_the_facade_is() {
    LazyLock::force(&EXPORTER);
    let _alone = OPENTELEMETRY.lock().await;
    let (provider, exporter) = opentelemetry();
    let server = RedisServer::start();
    let (here, there) = (Process::A.tiered(&server).await, Process::B.tiered(&server).await);
    let collector = Collector::new().watch("both", &here);
    Instruments::register().watch("both", &here);

    for round in 0..3 {
        for id in [0, 1, 2 + round] {
            let _ = double(&here, id).await;
        }
        there.insert("double:7", &14_u64, long()).await.unwrap();
        here.namespace("spaced").insert("key", &round, long()).await.unwrap();
        // A collection later, counters and gauges are those of that moment; twice in a row, they are the same.
        eventually(async || {
            let _ = double(&here, 7).await;
            let facade = comparable(&collected(&collector), "both");
            let collected = collected_by_opentelemetry(&provider, &exporter, "both");
            assert!(collected.keys().any(|sample| sample.starts_with("cache_log_lag_seconds{")));
            let (again, collected) = (
                comparable(&collected_by_opentelemetry(&provider, &exporter, "both"), "both"),
                comparable(&collected, "both"),
            );
            // What a process does by itself may fall in between.
            collected == facade && again == collected
        })
        .await;
        here.invalidate("double:2").await;
    }

    // Each collection has what came since the last one, however soon it follows.
    let hits = || {
        let samples = collected_by_opentelemetry(&provider, &exporter, "both");
        sum(&samples, "cache_gets_total", &[("result", "hit"), ("tier", "memory")])
    };
    let before = hits();
    assert_eq!(double(&here, 1).await, Ok(2));
    assert_eq!(hits(), before + 1.0);

    let samples = collected_by_opentelemetry(&provider, &exporter, "both");
    let of = |name: &str, labels: &[_]| sum(&samples, name, labels);
    assert!(of("cache_gets_total", &[("result", "hit"), ("tier", "memory")]) >= 2.0);
    assert_eq!(of("cache_load_total", &[("result", "failure")]), 3.0);
    assert!(of("cache_redis_stored_bytes_total", &[("function", "metrics::double")]) > 0.0);
    assert!(of("cache_redis_get_duration_seconds_count", &[]) > 0.0);
    assert!(of("cache_load_duration_seconds_sum", &[("function", "metrics::double")]) >= 0.004);
    assert_eq!(of("cache_redis_up", &[]), 1.0);
    assert_eq!(of("cache_puts_total", &[("namespace", "spaced")]), 3.0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refusal_and_an_outage_are_seen() {
    LazyLock::force(&EXPORTER);
    let server = RedisServer::start();
    let cache = Process::A.tiered(&server).await;
    let collector = Collector::new().watch("troubled", &cache);
    let get = async |key: &str| {
        let computed = cache.get_or_compute(key, long(), async || Ok::<_, Infallible>(1)).await;
        assert_eq!(computed, Ok(1));
    };
    server.set_config("maxmemory", "1");
    let n = std::cell::Cell::new(0);
    eventually(async || {
        n.set(n.get() + 1);
        get(&format!("key:{}", n.get())).await;
        let samples = collected(&collector);
        let of = |name: &str, labels: &[_]| sum(&samples, name, &[&[("cache", "troubled")], labels].concat());
        of("cache_redis_refused", &[("operation", "store")]) > 0.0
            && of("cache_redis_failures_total", &[("reason", "refused")]) > 0.0
    })
    .await;
    drop(server);
    eventually(async || {
        n.set(n.get() + 1);
        get(&format!("key:{}", n.get())).await;
        let samples = collected(&collector);
        let of = |name: &str, labels: &[_]| sum(&samples, name, &[&[("cache", "troubled")], labels].concat());
        of("cache_redis_up", &[]) == 0.0
            && of("cache_redis_failures_total", &[("reason", "unreachable")]) > 0.0
    })
    .await;
}

/// All names that `text` asks for.
fn names(text: &str) -> BTreeSet<&str> {
    let words = text.split(|letter: char| !letter.is_ascii_alphanumeric() && letter != '_');
    words.filter(|word| word.starts_with("cache_")).collect()
}

fn operate(file: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../docs/operate").join(file)
}

#[tokio::test(flavor = "multi_thread")]
async fn the_dashboard_and_the_alerts_ask_for_what_is_exported() {
    LazyLock::force(&EXPORTER);
    let server = RedisServer::start();
    let cache = Process::A.tiered(&server).await;
    let memory = MemoryCache::new(10);
    let collector = Collector::new().watch("dashboard", &cache).watch("memory", &memory);
    // What most programs seldom meet: a value that is invalidated while it is computed, and one that lies there.
    let invalidated = async || {
        drop(cache.invalidate("late"));
        Ok::<_, Infallible>(1)
    };
    cache.get_or_compute("late", long(), invalidated).await.unwrap();
    memory.insert("a", &1, long()).await.unwrap();
    memory.namespace("b").insert("c", &1, long()).await.unwrap();
    memory.namespace("b").bump().await;
    assert_eq!(memory.namespace("b").get::<i32>("c").await.unwrap(), None);
    collected(&collector);
    let text = EXPORTER.render();
    let exported = names(&text);
    for file in ["grafana-dashboard.json", "alerts.yml"] {
        let asked = fs::read_to_string(operate(file)).unwrap();
        let unknown: Vec<_> = names(&asked).difference(&exported).copied().collect();
        assert_eq!(unknown, [""; 0], "{file} asks for what is not exported");
        assert!(names(&asked).len() > 5, "{file} asks for nothing");
        // As in `CacheStats::hit_ratio`: a cache that is disabled is asked for nothing.
        let wholes = asked.lines().filter_map(|line| line.split_once("/ sum")).map(|(_, whole)| whole);
        let wholes: Vec<_> = wholes.filter(|whole| whole.contains("cache_gets_total")).collect();
        assert!(!wholes.is_empty() && wholes.iter().all(|whole| whole.contains("result!=")), "{wholes:?}");
    }
    // And the guide has all names, and no other.
    let guide = fs::read_to_string(operate("../../crates/larder/docs/operate.md")).unwrap();
    let helped: BTreeSet<_> =
        text.lines().filter_map(|line| line.strip_prefix("# HELP ")?.split(' ').next()).collect();
    let undocumented: Vec<_> =
        helped.iter().filter(|name| name.starts_with("cache_") && !guide.contains(*name)).collect();
    assert!(undocumented.is_empty(), "not in the guide: {undocumented:?}");
    for line in text.lines().filter_map(|line| line.strip_prefix("# TYPE ")) {
        let name = line.split(' ').next().unwrap();
        assert!(helped.contains(name), "{name} has no help");
    }
}
