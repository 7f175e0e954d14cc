//! A counter never falls, whatever is under way when it is collected, and whichever cache has the name.

use std::{
    convert::Infallible,
    sync::{Arc, LazyLock, Weak},
    time::Duration,
};

use larder::{CacheExt, MemoryCache, metrics::Collector, opentelemetry::Instruments};
use larder_servers::RedisServer;
use larder_tests::caches::{Process, eventually, long};
use opentelemetry_sdk::metrics::{
    InMemoryMetricExporter, InMemoryMetricExporterBuilder, PeriodicReader, SdkMeterProvider, Temporality,
};

use super::{
    EXPORTER, OPENTELEMETRY, Samples, collected, collected_by_opentelemetry, opentelemetry as cumulative, sum,
};

/// A provider whose exporter is given what came since the last collection.
fn delta() -> (SdkMeterProvider, InMemoryMetricExporter) {
    let exporter = InMemoryMetricExporterBuilder::new().with_temporality(Temporality::Delta).build();
    let reader = PeriodicReader::builder(exporter.clone()).with_interval(Duration::from_secs(3600)).build();
    let provider = SdkMeterProvider::builder().with_reader(reader).build();
    opentelemetry::global::set_meter_provider(provider.clone());
    (provider, exporter)
}

fn misses(samples: &Samples, cache: &str) -> f64 {
    sum(samples, "cache_gets_total", &[("cache", cache), ("result", "miss")])
}

fn puts(samples: &Samples, cache: &str) -> f64 {
    sum(samples, "cache_puts_total", &[("cache", cache)])
}

#[tokio::test(flavor = "multi_thread")]
async fn a_collection_while_a_read_is_under_way() {
    let _alone = OPENTELEMETRY.lock().await;
    let (provider, exporter) = delta();
    let server = RedisServer::start();
    let (here, there) = (Process::A.tiered(&server).await, Process::B.tiered(&server).await);
    here.insert("key", &1, long()).await.unwrap();
    eventually(async || here.stats().shared_stores == 1).await;
    Instruments::register().watch("under way", &there);
    let collected = || collected_by_opentelemetry(&provider, &exporter, "under way");
    collected();

    server.pause();
    let reads = there.clone();
    let read =
        tokio::spawn(
            async move { reads.get_or_compute("key", long(), async || Ok::<_, Infallible>(2)).await },
        );
    eventually(async || there.stats().misses == 1).await;
    let during = misses(&collected(), "under way");
    server.resume();
    assert_eq!(read.await.unwrap(), Ok(1), "it is in Redis");
    assert_eq!(there.stats().misses_shared, 1);
    let after = misses(&collected(), "under way");
    assert!(during <= 1.0 && after == 0.0, "{during}, then {after}");

    // What it was too many is made up for: after two that are none, both have been told.
    for key in ["one", "two"] {
        there.get_or_compute(key, long(), async || Ok::<_, Infallible>(2)).await.unwrap();
    }
    assert_eq!(during + misses(&collected(), "under way"), 2.0);
}

/// A cache with one value, and what tells whether it is there still.
async fn with_a_value() -> (MemoryCache, Weak<()>) {
    let (cache, value) = (MemoryCache::new(10), Arc::new(()));
    let held = Arc::downgrade(&value);
    cache.local().insert("key", &value, long()).await.unwrap();
    (cache, held)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cache_that_takes_a_name_goes_on_with_its_counters() {
    LazyLock::force(&EXPORTER);
    let _alone = OPENTELEMETRY.lock().await;
    for is_delta in [false, true] {
        let (provider, exporter) = if is_delta { delta() } else { cumulative() };
        let instruments = Instruments::register();
        let mut sum_of_deltas = 0.0;
        let mut told = || {
            let samples = collected_by_opentelemetry(&provider, &exporter, "anew");
            sum_of_deltas += puts(&samples, "anew");
            let is_there = samples.keys().any(|sample| sample.starts_with("cache_size{"));
            (if is_delta { sum_of_deltas } else { puts(&samples, "anew") }, is_there)
        };
        let (first, first_held) = with_a_value().await;
        instruments.watch("anew", &first);
        assert_eq!(told(), (1.0, true));
        first.insert("since then", &1, long()).await.unwrap();
        drop(first);
        let (second, second_held) = with_a_value().await;
        instruments.watch("anew", &second);
        assert!(first_held.upgrade().is_none(), "the one before is dropped");
        assert_eq!(told(), (3.0, true));

        drop(second);
        instruments.unwatch("anew");
        assert!(second_held.upgrade().is_none(), "what is not watched is dropped");
        assert_eq!(told(), (3.0, false), "gauges end");
        let (third, _) = with_a_value().await;
        instruments.watch("anew", &third);
        assert_eq!(told(), (4.0, true));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_facade_is_told_of_one_cache_of_a_name() {
    LazyLock::force(&EXPORTER);
    let (first, first_held) = with_a_value().await;
    let collector = Collector::new().watch("facade anew", &first);
    assert_eq!(puts(&collected(&collector), "facade anew"), 1.0);
    drop(first);
    let (second, second_held) = with_a_value().await;
    let collector = collector.watch("facade anew", &second);
    assert!(first_held.upgrade().is_none(), "the one before is dropped");
    assert_eq!(puts(&collected(&collector), "facade anew"), 2.0);
    compute(&second).await;
    let computations =
        |samples: &Samples| sum(samples, "cache_load_duration_seconds_count", &[("cache", "facade anew")]);
    assert_eq!(computations(&collected(&collector)), 1.0);
    collector.unwatch("facade anew");
    second.invalidate("computed").await;
    compute(&second).await;
    let samples = collected(&collector);
    assert_eq!(computations(&samples), 1.0, "durations are recorded no longer");
    assert!(sum(&samples, "cache_size", &[("cache", "facade anew")]).is_nan());
    drop(second);
    assert!(second_held.upgrade().is_none());
}

async fn compute(cache: &MemoryCache) {
    cache.get_or_compute("computed", long(), async || Ok::<_, Infallible>(1)).await.unwrap();
}
