//! What is shown of servers that are replaced: an alert ends with the outage.

use std::{convert::Infallible, sync::LazyLock};

use larder::{CacheExt, RedisCache, TieredCache, metrics::Collector, opentelemetry::Instruments};
use larder_servers::{RedisCluster, RedisSentinel};
use larder_tests::caches::{eventually, long, tiered};

use super::{
    EXPORTER, OPENTELEMETRY, Samples, collected, collected_by_opentelemetry, opentelemetry as provider,
};

/// The servers of a cache, with what is shown of each.
fn up(samples: &Samples, cache: &str) -> Vec<(String, f64)> {
    let of_cache = samples.iter().filter(|(sample, _)| {
        sample.starts_with("cache_redis_up{") && sample.contains(&format!("cache=\"{cache}\""))
    });
    let server = |sample: &str| {
        let (_, server) = sample.split_once("server=\"").unwrap();
        server.split('"').next().unwrap().to_owned()
    };
    of_cache.map(|(sample, value)| (server(sample), *value)).collect()
}

/// For a key that was never asked for.
async fn ask(cache: &TieredCache) {
    let key = format!("key:{}", fastrand::u64(..));
    assert_eq!(cache.get_or_compute(&key, long(), async || Ok::<_, Infallible>(1)).await, Ok(1));
}

/// What the rule in `alerts.yml` looks for.
fn is_any_down(up: &[(String, f64)]) -> bool {
    up.iter().any(|(_, value)| *value == 0.0)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failover_by_sentinel() {
    LazyLock::force(&EXPORTER);
    let sentinel = tokio::task::spawn_blocking(RedisSentinel::start).await.unwrap();
    let nodes = sentinel.sentinels().iter().map(|server| server.address().to_string());
    let cache = tiered(RedisCache::builder().sentinel(nodes, RedisSentinel::SERVICE)).await;
    let collector = Collector::new().watch("sentinel", &cache);
    let up = || up(&collected(&collector), "sentinel");
    let before = sentinel.master_address().to_string();
    assert_eq!(up(), [(RedisSentinel::SERVICE.to_owned(), 1.0)]);
    assert_eq!(cache.link().servers[0].address, Some(before.clone()));

    sentinel.servers()[sentinel.master()].kill();
    eventually(async || {
        ask(&cache).await;
        let [(server, up)] = &up()[..] else { panic!("one series for one master: {:?}", up()) };
        assert_eq!(server, RedisSentinel::SERVICE);
        let address = cache.link().servers[0].address.clone();
        *up == 1.0 && address.is_some_and(|address| address != before)
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_master_that_leaves_the_cluster() {
    LazyLock::force(&EXPORTER);
    let _alone = OPENTELEMETRY.lock().await;
    let (provider, exporter) = provider();
    let cluster = tokio::task::spawn_blocking(RedisCluster::start).await.unwrap();
    let nodes = cluster.servers().iter().map(|server| server.address().to_string());
    let cache = tiered(RedisCache::builder().cluster(nodes)).await;
    let collector = Collector::new().watch("cluster", &cache);
    Instruments::register().watch("cluster", &cache);
    let facade = || up(&collected(&collector), "cluster");
    let opentelemetry = || up(&collected_by_opentelemetry(&provider, &exporter, "cluster"), "cluster");
    assert_eq!((facade().len(), opentelemetry().len()), (3, 3));

    let lost = cluster.master_of(0);
    let address = cluster.server(lost).address().to_string();
    cluster.server(lost).kill();
    // On the way there both exporters show it as down.
    eventually(async || {
        ask(&cache).await;
        let facade = facade();
        let gone = facade.iter().find(|(server, _)| *server == address).is_some_and(|(_, up)| up.is_nan());
        gone && !is_any_down(&facade) && !is_any_down(&opentelemetry())
    })
    .await;
    assert!(opentelemetry().iter().all(|(server, up)| *server != address && *up == 1.0));
}
