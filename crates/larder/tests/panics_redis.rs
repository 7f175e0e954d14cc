//! Code that is not larder's, and panics on the way to Redis or back.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

mod support;

use std::{
    convert::Infallible,
    sync::atomic::{AtomicBool, AtomicUsize, Ordering},
    time::{Duration, Instant},
};

use larder::{CacheExt, Invalidation, MemoryCache, RedisCache, TieredCache};
use larder_servers::{Data, RedisServer};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use tracing::{Event, Metadata, Subscriber, span};

use self::support::{long, secs};

/// A process, as the log sees it: one for each spelling of the server's address.
async fn process(server: &RedisServer, host: &str) -> TieredCache {
    let url = server.url().replace("127.0.0.1", host);
    // A machine that builds something else at the same time is slow.
    let redis = RedisCache::builder().url(url).deadline(secs(5)).connect().await.unwrap();
    TieredCache::new(MemoryCache::new(100), redis)
}

async fn both(server: &RedisServer) -> (TieredCache, TieredCache) {
    (process(server, "127.0.0.1").await, process(server, "localhost").await)
}

async fn eventually<F: Future<Output = bool>>(mut condition: impl FnMut() -> F) {
    let start = Instant::now();
    while !condition().await {
        assert!(start.elapsed() < secs(30), "it never came true");
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

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
    // Whoever stores it by hand is told.
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

/// Panics at whatever larder says.
struct Hostile;

static TOLD: AtomicUsize = AtomicUsize::new(0);

impl Subscriber for Hostile {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.is_event()
    }

    fn new_span(&self, _: &span::Attributes<'_>) -> span::Id {
        span::Id::from_u64(1)
    }

    fn record(&self, _: &span::Id, _: &span::Record<'_>) {}

    fn record_follows_from(&self, _: &span::Id, _: &span::Id) {}

    fn event(&self, event: &Event<'_>) {
        if event.metadata().target().starts_with("larder") {
            TOLD.fetch_add(1, Ordering::SeqCst);
            panic!("on purpose, by the subscriber");
        }
    }

    fn enter(&self, _: &span::Id) {}

    fn exit(&self, _: &span::Id) {}
}

/// Through an outage, of which there is much to say, and on the threads that say it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_subscriber_that_panics_stops_nothing() {
    tracing::subscriber::set_global_default(Hostile).unwrap();
    let server = RedisServer::start();
    let (one, other) = both(&server).await;
    one.insert("key", &1_u64, long()).await.unwrap();
    eventually(async || other.get::<u64>("key").await.unwrap() == Some(1)).await;
    server.kill();
    let compute = async || Ok::<_, Infallible>(2_u64);
    assert_eq!(one.invalidate("key").await, Invalidation::Queued);
    assert_eq!(one.get_or_compute("key", long(), compute).await, Ok(2));
    server.restart(Data::Kept);
    // The invalidation arrives, and so does everything that comes after it.
    eventually(async || other.get::<u64>("key").await.unwrap() != Some(1)).await;
    eventually(async || matches!(one.invalidate("key").await, Invalidation::Delivered(_))).await;
    eventually(async || {
        one.insert("key", &3_u64, long()).await.unwrap();
        other.get::<u64>("key").await.unwrap() == Some(3)
    })
    .await;
    assert!(TOLD.load(Ordering::SeqCst) > 0);
}
