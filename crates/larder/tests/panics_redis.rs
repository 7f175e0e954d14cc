//! Code that is not larder's, and panics on the way to Redis or back.

mod support;

use std::{
    convert::Infallible,
    sync::atomic::{AtomicBool, Ordering},
};

use larder::{CacheExt, MemoryCache, RedisCache, TieredCache};
use larder_servers::RedisServer;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use self::support::{
    long,
    processes::{both, eventually},
};

/// A value of which the way there or back may panic.
#[derive(Debug, Clone, PartialEq)]
struct Value<const WRITES: bool>(u64);

static READS: AtomicBool = AtomicBool::new(true);

impl<const WRITES: bool> Serialize for Value<WRITES> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        assert!(WRITES, "on purpose, by `Serialize`");
        self.0.serialize(serializer)
    }
}

impl<'de, const WRITES: bool> Deserialize<'de> for Value<WRITES> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        assert!(READS.load(Ordering::SeqCst), "on purpose, by `Deserialize`");
        u64::deserialize(deserializer).map(Self)
    }
}

#[tokio::test]
async fn what_cannot_be_written_stays_here_and_is_not_lost() {
    let server = RedisServer::start();
    let (one, other) = both(&server).await;
    let compute = async || Ok::<_, Infallible>(Value::<false>(7));
    let (first, second) =
        tokio::join!(one.get_or_compute("key", long(), compute), one.get_or_compute("key", long(), compute));
    assert_eq!((first, second), (Ok(Value(7)), Ok(Value(7))));
    assert_eq!(one.get::<Value<false>>("key").await.unwrap(), Some(Value(7)));
    assert_eq!(one.stats().computations, 1);
    assert_eq!(other.get::<Value<false>>("key").await.unwrap(), None);
    // A caller that stores it by hand is told.
    assert!(one.insert("key", &Value::<false>(8), long()).await.is_err());
    // What is written beside it is written.
    one.insert("another", &9_u64, long()).await.unwrap();
    eventually(async || other.get::<u64>("another").await.unwrap() == Some(9)).await;
}

#[tokio::test]
async fn what_cannot_be_read_is_a_miss() {
    let server = RedisServer::start();
    let (one, other) = both(&server).await;
    let seven = async || Ok::<_, Infallible>(Value::<true>(7));
    assert_eq!(one.get_or_compute("key", long(), seven).await, Ok(Value(7)));
    READS.store(false, Ordering::SeqCst);
    assert_eq!(other.get::<Value<true>>("key").await.unwrap(), None);
    let eight = async || Ok::<_, Infallible>(Value::<true>(8));
    assert_eq!(other.get_or_compute("key", long(), eight).await, Ok(Value(8)));
    READS.store(true, Ordering::SeqCst);
    assert_eq!(one.get::<Value<true>>("key").await.unwrap(), Some(Value(7)), "it is in memory there");
}

/// A value that another process put there is served, whatever a weigher makes of it.
#[tokio::test]
async fn a_weigher_that_panics_fails_no_read() {
    let server = RedisServer::start();
    let (one, _) = both(&server).await;
    one.insert("heavy", &7_u64, long()).await.unwrap();
    let weigher =
        |key: &str, _: &larder::Entry| if key.starts_with("heavy") { panic!("on purpose") } else { 1 };
    let memory = MemoryCache::builder().capacity(10).weigher(weigher).build().unwrap();
    let redis = RedisCache::connect(server.url().replace("127.0.0.1", "localhost")).await.unwrap();
    let cache = TieredCache::new(memory, redis);
    for _ in 0..2 {
        assert_eq!(cache.get::<u64>("heavy").await.unwrap(), Some(7));
        assert_eq!(cache.get_many::<u64>(&["heavy"]).await.unwrap(), [Some(7)]);
        let compute = async || Ok::<_, Infallible>(8_u64);
        assert_eq!(cache.get_or_compute("heavy", long(), compute).await, Ok(7));
    }
}
