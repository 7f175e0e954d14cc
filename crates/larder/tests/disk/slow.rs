//! Disks that hang, and runtimes that have no timers.


use larder::{CacheExt, RedisCache, Scope};
use larder_servers::RedisServer;
use serde::{Deserialize, Deserializer, Serialize};

use crate::{LONG, folder, get, on, open, support, support::long, written};
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
