//! What the servers of a cache say of themselves, with warnings as data.

use larder::{CacheExt, RedisCache, RedisInfo};
use larder_servers::{RedisCluster, RedisServer};
use larder_tests::caches::{Process, eventually, long, patient, tiered};

fn about(info: &RedisInfo) -> Vec<&str> {
    info.warnings.iter().map(|warning| warning.about).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server() {
    let server = RedisServer::start();
    let cache = tiered(Process::A.builder(&server).prefix("info")).await;
    cache.insert("a", &1, long()).await.unwrap();
    cache.invalidate("a").await;
    let info = cache.info().await.unwrap();
    let [one] = &*info.servers else { panic!("{info:?}") };
    assert!(one.name.ends_with(&server.port().to_string()), "{one:?}");
    assert!(one.software.starts_with("Redis ") || one.software.starts_with("Valkey "), "{one:?}");
    assert!(one.memory > 100_000 && one.clients > 0 && one.memory_limit.is_none(), "{one:?}");
    assert!(info.log_records.unwrap() >= 2, "{info:?}");
    assert_eq!(about(&info), [""; 0], "{:?}", info.warnings);

    // Twice what is in use is enough; what is in use is not.
    server.set_config("maxmemory", &(one.memory * 3).to_string());
    server.set_config("maxmemory-policy", "allkeys-lru");
    assert_eq!(about(&cache.info().await.unwrap()), ["policy"]);
    server.set_config("maxmemory", &(one.memory * 8 / 7).to_string());
    server.set_config("maxmemory-policy", "volatile-lru");
    let info = cache.info().await.unwrap();
    assert_eq!(about(&info), ["memory"], "{info:?}");
    assert!(info.warnings[0].mend.contains("maxmemory"), "{info:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_shared_prefix_and_missing_rights() {
    let server = RedisServer::start();
    let cache = tiered(Process::A.builder(&server)).await;
    assert_eq!(about(&cache.info().await.unwrap()), ["prefix"]);
    server.command::<()>(&["ACL", "SETUSER", "app", "on", ">pw", "~*", "&*", "+@all", "-set", "-xlen"]);
    let cache = tiered(Process::B.builder(&server).prefix("info").username("app").password("pw")).await;
    eventually(async || about(&cache.info().await.unwrap()).contains(&"refused")).await;
    let info = cache.info().await.unwrap();
    assert_eq!(info.log_records, None);
    assert!(info.warnings.iter().any(|warning| warning.mend.contains("+set")), "{info:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cluster_and_a_server_that_is_gone() {
    let cluster = RedisCluster::start();
    let url = cluster.urls()[0].replace("redis://", "redis+cluster://");
    let cache = patient(RedisCache::builder().url(url).prefix("info")).connect().await.unwrap();
    let info = cache.info().await.unwrap();
    assert_eq!(info.servers.len(), 3, "{info:?}");
    assert_eq!(about(&info), [""; 0], "{info:?}");
    drop(cluster);
    assert!(cache.info().await.unwrap_err().is_unavailable());
}
