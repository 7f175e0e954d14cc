//! What an exporter shows of the caches, and that the dashboard and the alerts in `docs/operate` ask for nothing else.

#![expect(clippy::unwrap_used, reason = "what fails in a helper fails the test")]

use std::{
    collections::{BTreeMap, BTreeSet},
    convert::Infallible,
    fs,
    path::PathBuf,
    process::Command,
    sync::LazyLock,
    time::Duration,
};

use larder::{CacheExt, MemoryCache, TieredCache, cached, metrics::Collector};
use larder_servers::RedisServer;
use larder_tests::caches::{Process, eventually, long};
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};

/// One for the process: so is the facade.
static EXPORTER: LazyLock<PrometheusHandle> = LazyLock::new(|| {
    PrometheusBuilder::new().set_buckets(&[0.001, 1.0]).unwrap().install_recorder().unwrap()
});

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

#[test]
fn the_dashboard_is_what_grafana_reads() {
    let text = fs::read_to_string(operate("grafana-dashboard.json")).unwrap();
    let dashboard: serde_json::Value = serde_json::from_str(&text).unwrap();
    let panels = dashboard["panels"].as_array().unwrap();
    let ids: BTreeSet<_> = panels.iter().map(|panel| panel["id"].as_u64().unwrap()).collect();
    assert_eq!(ids.len(), panels.len());
    for panel in panels.iter().filter(|panel| panel["type"] != "row") {
        let targets = panel["targets"].as_array().unwrap();
        assert!(!targets.is_empty(), "{panel}");
        for target in targets {
            let asked = target["expr"].as_str().unwrap();
            assert_eq!(asked.matches('(').count(), asked.matches(')').count(), "{asked}");
            assert_eq!(names(asked).len(), 1, "{asked}");
        }
    }
}

/// Where Prometheus is installed.
#[test]
fn the_alerts_are_what_prometheus_reads() {
    let checked = Command::new("promtool").arg("check").arg("rules").arg(operate("alerts.yml")).output();
    match checked {
        Ok(output) => assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr)),
        Err(_) => assert!(fs::read_to_string(operate("alerts.yml")).unwrap().contains("groups:")),
    }
}
