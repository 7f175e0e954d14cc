//! Disks that hang, and runtimes that have no timers.


use larder::{CacheExt, RedisCache, Scope};
use larder_servers::RedisServer;
use serde::{Deserialize, Deserializer, Serialize};

use crate::{LONG, folder, get, on, open, support, support::long, written};
#[test]
fn a_runtime_without_timers_is_enough() {
    let folder = folder();
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(async {
        let cache = open(&folder);
        for n in 0..20_u64 {
            cache.insert("n", &n, long()).await.unwrap();
        }
        cache.invalidate("m").await;
        assert!(cache.flush(LONG).await);
        drop(cache);
        assert_eq!(get(&open(&folder), "n").await, Some(19));
    });
}

#[tokio::test]
async fn a_limit_may_be_as_long_as_can_be() {
    let folder = folder();
    let cache = open(&folder);
    cache.insert("n", &1_u64, long()).await.unwrap();
    assert!(support::in_time(cache.flush(Duration::MAX)).await);
    let server = RedisServer::start();
    let cache = RedisCache::connect(server.url()).await.unwrap();
    cache.insert("n", &1_u64, long()).await.unwrap();
    assert!(support::in_time(cache.flush(Duration::MAX)).await);
}
