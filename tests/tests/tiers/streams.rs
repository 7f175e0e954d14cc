//! Cached functions that return a stream: through Redis.

use std::{
    future::poll_fn,
    pin::{Pin, pin},
    sync::atomic::{AtomicU64, Ordering},
    task::{Context, Poll},
};

use futures_core::Stream;
use larder::{CacheExt, TieredCache, cached};
use larder_servers::RedisServer;
use larder_tests::caches::{Process, calls, long};

use super::found;

/// So many numbers.
struct Numbers(u64, u64);

impl Stream for Numbers {
    type Item = Result<u64, String>;

    fn poll_next(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.0 += 1;
        Poll::Ready((self.0 <= self.1).then_some(Ok(self.0)))
    }
}

static ASKED: AtomicU64 = AtomicU64::new(0);

#[cached(ttl = "1h", key = "numbers", cache = cache, skip(cache))]
async fn numbers(cache: &TieredCache) -> impl Stream<Item = Result<u64, String>> + use<> {
    ASKED.fetch_add(1, Ordering::SeqCst);
    let many = cache.get_or_compute("many", long(), async || Ok::<u64, String>(3)).await;
    Numbers(0, many.unwrap_or_default())
}

async fn all(cache: &TieredCache) -> Vec<u64> {
    let mut stream = pin!(numbers(cache).await);
    let mut items = Vec::new();
    while let Some(item) = poll_fn(|context| stream.as_mut().poll_next(context)).await {
        items.push(item.unwrap());
    }
    items
}

#[tokio::test(flavor = "multi_thread")]
async fn one_process_asks_the_source_for_all() {
    let server = RedisServer::start();
    let (a, b) = (Process::A.tiered(&server).await, Process::B.tiered(&server).await);
    assert_eq!((all(&a).await, ASKED.load(Ordering::SeqCst)), (vec![1, 2, 3], 1));
    assert_eq!((all(&b).await, ASKED.load(Ordering::SeqCst)), (vec![1, 2, 3], 1));
    let before = calls(&server, "get");
    assert_eq!((all(&b).await, calls(&server, "get")), (vec![1, 2, 3], before), "in memory");
    assert_eq!(found(&a, "numbers").await, Some(vec![1_u64, 2, 3]));

    // What it was made from, invalidated by the other process.
    let larder::Invalidation::Delivered(epoch) = b.invalidate("many").await else {
        panic!("the server is there")
    };
    assert!(larder::CacheExt::wait_for(&a, epoch).await);
    assert_eq!(found::<Vec<u64>>(&a, "numbers").await, None);
    assert_eq!(found::<Vec<u64>>(&b, "numbers").await, None);
    assert_eq!((all(&a).await, ASKED.load(Ordering::SeqCst)), (vec![1, 2, 3], 2));
    assert_eq!((all(&b).await, ASKED.load(Ordering::SeqCst)), (vec![1, 2, 3], 2));
}
