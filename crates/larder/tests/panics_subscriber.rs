//! A subscriber of traces that panics at whatever larder says: nothing is lost, and no call panics.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

mod support;

use std::{
    cell::Cell,
    convert::Infallible,
    sync::{
        LazyLock,
        atomic::{AtomicUsize, Ordering},
    },
};

use larder::{CacheExt, Invalidation, MemoryCache, Policy, cached};
use larder_servers::{Data, RedisServer};
use serde::{Serialize, Serializer};
use tracing::{Event, Metadata, Subscriber, span};

use self::support::{
    long,
    processes::{both, eventually},
    secs,
};

/// Panics at whatever larder says.
struct Hostile;

static HOSTILE: LazyLock<()> = LazyLock::new(|| tracing::subscriber::set_global_default(Hostile).unwrap());

static TOLD: AtomicUsize = AtomicUsize::new(0);

thread_local! {
    /// How often it was told something on this thread.
    static TOLD_HERE: Cell<usize> = const { Cell::new(0) };
}

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
            TOLD_HERE.set(TOLD_HERE.get() + 1);
            panic!("on purpose, by the subscriber");
        }
    }

    fn enter(&self, _: &span::Id) {}

    fn exit(&self, _: &span::Id) {}
}

#[tokio::test]
async fn it_is_no_callers_panic() {
    struct Unkeyed;
    impl Serialize for Unkeyed {
        fn serialize<S: Serializer>(&self, _: S) -> Result<S::Ok, S::Error> {
            Err(serde::ser::Error::custom("it has no form"))
        }
    }
    #[cached(ttl = 60, key = "md5:<filter:md5>", cache = cache, skip(cache))]
    async fn digested(cache: &MemoryCache, filter: &Unkeyed) -> u64 {
        let _ = filter;
        7
    }
    LazyLock::force(&HOSTILE);
    let is_told = || assert_ne!(TOLD_HERE.take(), 0);

    let cache = MemoryCache::new(10);
    cache.get_or_compute("key", long(), async || Ok::<_, Infallible>(7_u64)).await.unwrap();
    is_told();
    cache.insert("typed", &"text".to_owned(), long()).await.unwrap();
    assert_eq!(cache.get::<u64>("typed").await.unwrap(), None);
    is_told();
    cache.invalidate("a*b").await;
    is_told();
    assert_eq!(digested(&cache, &Unkeyed).await, 7);
    is_told();
    let one = MemoryCache::new(1);
    one.get_or_compute("key", long(), async || Ok::<_, Infallible>(7_u64)).await.unwrap();
    let named = larder::named("panics: a name that nothing was installed under");
    is_told();
    named.insert("key", &1, long()).await.unwrap();
    let policy = Policy::builder().ttl(secs(60)).spawn().build().unwrap();
    assert_eq!(cache.get_or_compute("spawn", policy, async || Ok::<_, Infallible>(1)).await, Ok(1));
    is_told();
}

/// Parts of a key, and whether to use the cache: before anything has begun.
/// Through an outage, of which there is much to say, and on the threads that say it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_stops_nothing_through_an_outage() {
    LazyLock::force(&HOSTILE);
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
