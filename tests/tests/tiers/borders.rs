//! What does not go from one cache to another.

use std::{convert::Infallible, time::Duration};

use larder::{CacheExt, MemoryCache};
use larder_servers::RedisServer;
use larder_tests::caches::{Process, eventually, long, tiered};

use super::found;

#[tokio::test(flavor = "multi_thread")]
async fn what_is_computed_from_a_cache_in_memory_is_not_shared() {
    let server = RedisServer::start();
    let (a, b) = (Process::A.tiered(&server).await, Process::B.tiered(&server).await);
    let memory = MemoryCache::new(10);
    memory.insert("source", &1_u64, long()).await.unwrap();
    let compute = async || Ok::<_, Infallible>(found::<u64>(&memory, "source").await.unwrap_or(0));
    assert_eq!(a.get_or_compute("key", long(), compute).await, Ok(1));
    assert_eq!(found(&a, "key").await, Some(1_u64));
    assert_eq!(found::<u64>(&b, "key").await, None);
    assert_eq!(a.stats().shared_skipped, 1);
    assert!(!server.command::<bool>(&["EXISTS", "larder:e:key"]));
    memory.invalidate("source").await;
    assert_eq!(found::<u64>(&a, "key").await, None);
}

#[tokio::test(flavor = "multi_thread")]
async fn two_prefixes_never_see_each_other() {
    let server = RedisServer::start();
    let one = tiered(Process::A.builder(&server).prefix("one")).await;
    let two = tiered(Process::B.builder(&server).prefix("two")).await;
    one.insert("key", &1_u64, long()).await.unwrap();
    assert_eq!(found::<u64>(&two, "key").await, None);
    two.insert("key", &2_u64, long()).await.unwrap();
    drop(one.invalidate("key"));
    eventually(async || one.link().waiting == 0).await;
    assert_eq!(found(&two, "key").await, Some(2_u64), "a record of one log is none of the other");

    assert_eq!(one.increment("count", 5, None).await.unwrap(), 5);
    assert_eq!(two.counter("count").await.unwrap(), 0);

    let long = Duration::from_secs(600);
    let _held = one.try_lock("lock", long).await.unwrap().expect("it is free");
    assert!(two.try_lock("lock", long).await.unwrap().is_some());

    // A lease of one holds up no caller of the other.
    let inner = async || Ok::<_, Infallible>(20_u64);
    let outer = async || {
        assert_eq!(two.get_or_compute("cold", larder::Policy::ttl(long), inner).await, Ok(20));
        Ok::<_, Infallible>(10_u64)
    };
    assert_eq!(one.get_or_compute("cold", larder::Policy::ttl(long), outer).await, Ok(10));
    assert_eq!(two.stats().lease_timeouts, 0);
}
