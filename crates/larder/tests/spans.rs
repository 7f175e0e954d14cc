//! Spans: what takes time is one, within those that it belongs to; a hit in memory is none.
#![expect(clippy::unwrap_used, reason = "what fails in a helper fails the test")]

#[path = "support/spans.rs"]
mod spans;

use std::{convert::Infallible, time::Duration};

use futures_core::Stream;
use larder::{CacheExt, MemoryCache, Policy, TieredCache, cached, invalidate};
use larder_servers::{DEADLINE, RedisServer};
use tracing::{Instrument as _, Level};

use self::spans::{Seen, all, listen, seen};

fn policy() -> Policy {
    Policy::ttl(Duration::from_secs(60))
}

/// The only span with this name among those of a namespace or function.
fn only<'s>(spans: &'s [Seen], name: &str) -> &'s Seen {
    let found: Vec<_> = spans.iter().filter(|span| span.name == name).collect();
    assert_eq!(found.len(), 1, "{name}: {spans:#?}");
    found[0]
}

#[cached(ttl = 60, key = "traced:<id>", cache = cache, skip(cache))]
async fn traced(cache: &MemoryCache, id: u64) -> Result<u64, String> {
    tracing::info_span!("inside", id).in_scope(|| ());
    if id == 0 { Err("no".to_owned()) } else { Ok(id) }
}

#[tokio::test]
async fn a_computation_is_within_its_call_and_a_hit_is_nothing() {
    listen(Level::DEBUG);
    let cache = MemoryCache::new(10);
    let outer = tracing::info_span!("outer", function = "outer of traced");
    traced(&cache, 1).instrument(outer).await.unwrap();
    let spans = seen("function", "spans::traced");
    let (get, compute) = (only(&spans, "larder.get"), only(&spans, "larder.compute"));
    let store = only(&spans, "larder.store");
    assert_eq!(get.parent, Some(seen("function", "outer of traced")[0].number));
    assert_eq!(compute.parent, Some(get.number));
    assert_eq!(store.parent, Some(get.number));
    let inside = all().into_iter().find(|span| span.name == "inside" && span.field("id") == "1").unwrap();
    assert_eq!(inside.parent, Some(compute.number));
    assert_eq!(
        (get.field("outcome"), compute.field("outcome"), store.field("outcome")),
        ("computed", "success", "stored")
    );
    assert_eq!((get.field("key"), compute.field("key")), ("", ""), "keys are at TRACE");
    assert!(get.closed && compute.closed && store.closed, "{spans:#?}");

    traced(&cache, 1).await.unwrap();
    assert_eq!(seen("function", "spans::traced").len(), 3, "a hit");

    traced(&cache, 0).await.unwrap_err();
    let spans = seen("function", "spans::traced");
    assert_eq!(spans.iter().filter(|span| span.field("outcome") == "failed").count(), 1, "{spans:#?}");
    assert_eq!(spans.iter().filter(|span| span.field("outcome") == "failure").count(), 1, "{spans:#?}");
}

#[tokio::test]
async fn those_who_waited_are_linked_to_the_computation() {
    listen(Level::DEBUG);
    let cache = MemoryCache::new(10).namespace("joined");
    for background in [false, true] {
        let key = if background { "a" } else { "b" };
        let (began, policy) = (tokio::sync::Notify::new(), policy());
        let before = seen("namespace", "joined").len();
        let leader = async {
            let compute = || async {
                began.notify_one();
                tokio::time::sleep(Duration::from_millis(50)).await;
                Ok::<_, Infallible>(1)
            };
            match background {
                false => cache.get_or_compute_shared(key, &policy, compute).await,
                true => {
                    began.notify_one();
                    let compute = || async {
                        tokio::time::sleep(Duration::from_millis(50)).await;
                        Ok::<_, Infallible>(1)
                    };
                    cache.get_or_compute_background(key, &policy, compute).await
                }
            }
        };
        let waiter = async {
            began.notified().await;
            cache.get_or_compute_shared(key, &policy, || async { Ok::<_, Infallible>(2) }).await
        };
        assert_eq!(tokio::join!(leader, waiter), (Ok(1), Ok(1)));
        let spans = seen("namespace", "joined").split_off(before);
        let compute = only(&spans, "larder.compute");
        let gets: Vec<_> = spans.iter().filter(|span| span.name == "larder.get").collect();
        assert_eq!(gets.len(), 2, "{spans:#?}");
        assert_eq!(compute.parent, Some(gets[0].number));
        assert_eq!((gets[0].field("outcome"), gets[0].field("waited")), ("computed", ""));
        assert_eq!((gets[1].field("outcome"), gets[1].field("waited")), ("joined", "true"));
        assert_eq!(gets[1].follows, [compute.number]);
        assert_eq!(gets[0].follows, [0; 0]);
        assert!(spans.iter().all(|span| span.closed), "{spans:#?}");
    }
}

#[tokio::test]
async fn a_refresh_is_within_the_call_that_was_served() {
    listen(Level::DEBUG);
    let cache = MemoryCache::new(10).namespace("refreshed");
    let policy =
        Policy::builder().ttl(Duration::from_millis(1)).stale_while_revalidate(Duration::from_secs(60));
    let policy = policy.build().unwrap();
    cache.insert("a", &1, &policy).await.unwrap();
    tokio::time::sleep(Duration::from_millis(20)).await;
    let before = seen("namespace", "refreshed").len();
    let got = cache.get_or_compute_background("a", &policy, || async { Ok::<_, Infallible>(2) }).await;
    assert_eq!(got, Ok(1));
    let end = tokio::time::Instant::now() + DEADLINE;
    let spans = loop {
        let spans = seen("namespace", "refreshed").split_off(before);
        if spans.iter().any(|span| span.name == "larder.store" && span.closed) {
            break spans;
        }
        assert!(tokio::time::Instant::now() < end, "{spans:#?}");
        tokio::time::sleep(Duration::from_millis(2)).await;
    };
    let get = only(&spans, "larder.get");
    assert_eq!((get.field("outcome"), get.field("tier")), ("stale", "memory"));
    assert_eq!(only(&spans, "larder.compute").parent, Some(get.number));
    assert_eq!(only(&spans, "larder.store").parent, Some(get.number));
}

#[tokio::test]
async fn invalidations_and_reads_from_redis() {
    listen(Level::DEBUG);
    let server = RedisServer::start();
    let here = TieredCache::connect(format!("{}?prefix=spans", server.url())).await.unwrap();
    let there =
        TieredCache::connect(format!("{}?prefix=spans", server.url().replace("127.0.0.1", "localhost")))
            .await
            .unwrap();
    let end = tokio::time::Instant::now() + DEADLINE;
    let value = loop {
        here.namespace("shared").insert("a", &7, policy()).await.unwrap();
        if let Some(value) = there.namespace("shared").get::<i32>("a").await.unwrap() {
            break value;
        }
        assert!(tokio::time::Instant::now() < end, "it is not shared");
    };
    assert_eq!(value, 7);
    let spans = seen("namespace", "shared");
    let get = spans.iter().rfind(|span| span.name == "larder.get").unwrap();
    assert_eq!((get.field("outcome"), get.field("tier")), ("hit", "redis"));

    here.invalidate(["a", "b", "c"]).await;
    let invalidate =
        all().into_iter().rfind(|span| span.name == "larder.invalidate" && span.field("scopes") == "3");
    let invalidate = invalidate.unwrap();
    assert_eq!((invalidate.field("outcome"), invalidate.field("what")), ("delivered", ""));
    assert!(invalidate.field("epoch").contains('-') && invalidate.closed, "{invalidate:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_found_in_memory_is_no_span_though_it_is_due_for_a_refresh() {
    listen(Level::DEBUG);
    let server = RedisServer::start();
    let cache = TieredCache::connect(format!("{}?prefix=due", server.url())).await.unwrap().namespace("due");
    let policy = Policy::builder().ttl(Duration::from_secs(60)).refresh_ahead(0.001).build().unwrap();
    cache.insert("key", &1, policy).await.unwrap();
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert_eq!(cache.get::<i32>("key").await.unwrap(), Some(1));
    let gets = || seen("namespace", "due").iter().filter(|span| span.name == "larder.get").count();
    assert_eq!(gets(), 0);
    assert_eq!(cache.get::<i32>("nothing").await.unwrap(), None);
    assert_eq!(gets(), 1, "what asks the server is one");
}

#[tokio::test]
async fn what_a_transaction_invalidates_is_one_invalidation() {
    #[invalidate("a:<id>", "b:<id>", "c:<id>", "d:<id>", "e:<id>", cache = cache)]
    async fn change(cache: &MemoryCache, id: u64) {}

    listen(Level::DEBUG);
    let cache = MemoryCache::new(10);
    let scope = larder::deferred();
    scope.run(async { change(&cache, 7).await }).await;
    let invalidations = || {
        all().iter().filter(|span| span.name == "larder.invalidate" && span.field("scopes") == "5").count()
    };
    assert_eq!(invalidations(), 0);
    scope.commit().await;
    assert_eq!(invalidations(), 1);
}

/// A stream of two numbers.
struct Two(u64);

impl Stream for Two {
    type Item = Result<u64, u64>;

    fn poll_next(
        mut self: std::pin::Pin<&mut Self>,
        _: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<Self::Item>> {
        tracing::info_span!("inside", row = self.0).in_scope(|| ());
        self.0 += 1;
        let item = if self.0 % 10 == 9 { Err(self.0) } else { Ok(self.0) };
        std::task::Poll::Ready((self.0 % 10 != 3).then_some(item))
    }
}

#[cached(ttl = 60, key = "stream:<from>", cache = cache, skip(cache))]
fn traced_stream(cache: &TieredCache, from: u64) -> impl Stream<Item = Result<u64, u64>> {
    Two(from)
}

#[tokio::test]
async fn a_stream_is_looked_for_computed_while_it_is_polled_and_stored() {
    listen(Level::DEBUG);
    let server = RedisServer::start();
    let cache = TieredCache::connect(&server.url()).await.unwrap();
    let consume = async |from: u64| {
        let mut stream = std::pin::pin!(traced_stream(&cache, from));
        while std::future::poll_fn(|task| stream.as_mut().poll_next(task)).await.is_some() {}
    };
    consume(100).await;
    let function = |name: &str| {
        let mut spans = seen("function", "spans::traced_stream");
        spans.retain(|span| span.name == name);
        spans
    };
    let (get, compute, store) =
        (function("larder.get"), function("larder.compute"), function("larder.store"));
    assert_eq!((get.len(), compute.len(), store.len()), (1, 1, 1));
    assert_eq!(
        (get[0].field("outcome"), compute[0].field("outcome"), store[0].field("outcome")),
        ("miss", "success", "stored")
    );
    assert!(get[0].closed && compute[0].closed && store[0].closed);
    let inside: Vec<_> =
        all().into_iter().filter(|span| span.name == "inside" && !span.field("row").is_empty()).collect();
    assert_eq!(inside.len(), 3, "{inside:#?}");
    assert!(inside.iter().all(|span| span.parent == Some(compute[0].number)), "{inside:#?}");

    consume(100).await;
    assert_eq!(function("larder.get").len(), 1, "a hit in memory");
    consume(108).await;
    assert_eq!(function("larder.compute")[1].field("outcome"), "failure");
}
