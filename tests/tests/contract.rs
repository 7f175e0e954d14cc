//! Caches on real servers keep the contract that every cache keeps.

use std::time::Duration;

use larder::{MemoryCache, RedisCache, RedisCacheBuilder, Store, TieredCache, contract};
use larder_servers::{RedisCluster, RedisSentinel, RedisServer};

/// Longer than usual: a machine that builds something else at the same time is slow.
fn patient(builder: RedisCacheBuilder) -> RedisCacheBuilder {
    builder.deadline(Duration::from_secs(5))
}

async fn check(builder: impl Fn() -> RedisCacheBuilder) {
    let connect = async || patient(builder()).connect().await.expect("the server is up");
    contract::check(connect).await;
    for store in [Store::Table, Store::Moka] {
        let memory = || MemoryCache::builder().store(store).build().expect("the settings are valid");
        contract::check(async || TieredCache::new(memory(), connect().await)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn on_one_server() {
    let server = RedisServer::start();
    check(|| RedisCache::builder().url(server.url())).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn on_a_cluster() {
    let cluster = RedisCluster::start();
    let nodes: Vec<_> = cluster.servers().iter().map(|server| server.address().to_string()).collect();
    check(|| RedisCache::builder().cluster(nodes.clone())).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn on_a_master_with_sentinels() {
    let sentinel = RedisSentinel::start();
    let nodes: Vec<_> = sentinel.sentinels().iter().map(|server| server.address().to_string()).collect();
    check(|| RedisCache::builder().sentinel(nodes.clone(), "larder")).await;
}
