//! Cached functions that return a stream.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

mod dependencies;
mod elsewhere;
mod panics;
#[path = "../support/mod.rs"]
mod support;
mod told;
mod traits;

use std::{
    collections::VecDeque,
    future::{Future, poll_fn},
    pin::{Pin, pin},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    task::{Context, Poll, Waker},
};

use futures_core::Stream;
use larder::{Cache, CacheExt, MemoryCache, Scope, cached, context};

use self::support::{Calls, in_time, long, secs};

type BoxStream<'a, T> = Pin<Box<dyn Stream<Item = T> + Send + 'a>>;
type Items<'a, T> = VecDeque<Pin<Box<dyn Future<Output = T> + Send + 'a>>>;

/// A stream of what these futures give, one after the other.
struct Source<'a, T>(Items<'a, T>);

impl<T> Stream for Source<'_, T> {
    type Item = T;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<T>> {
        let Some(first) = self.0.front_mut() else { return Poll::Ready(None) };
        let item = std::task::ready!(first.as_mut().poll(context));
        self.0.pop_front();
        Poll::Ready(Some(item))
    }
}

fn of<'a, T: Send + 'a>(items: impl IntoIterator<Item = T>) -> Source<'a, T> {
    Source(items.into_iter().map(|item| Box::pin(async move { item }) as _).collect())
}

async fn next<S: Stream + Unpin>(stream: &mut S) -> Option<S::Item> {
    poll_fn(|context| Pin::new(&mut *stream).poll_next(context)).await
}

async fn all<S: Stream>(stream: S) -> Vec<S::Item> {
    let mut stream = pin!(stream);
    let mut items = Vec::new();
    while let Some(item) = next(&mut stream).await {
        items.push(item);
    }
    assert!(next(&mut stream).await.is_none(), "it has ended");
    items
}

/// A database: what is in it, and how often it was asked.
#[derive(Clone)]
struct Db {
    cache: MemoryCache,
    asked: Calls,
}

impl Db {
    fn new() -> Self {
        Self { cache: MemoryCache::new(100), asked: Calls::default() }
    }

    async fn kept(&self, key: &str) -> Option<Vec<u64>> {
        self.cache.get(key).await.unwrap()
    }

    #[cached(ttl = 300, key = "method:<most>", cache = self.cache, skip(self))]
    fn method(&self, most: u64) -> BoxStream<'_, u64> {
        self.asked.call();
        Box::pin(of(1..=most))
    }
}

#[cached(ttl = 300, key = "numbers:<most>", cache = db.cache, skip(db))]
fn numbers(db: &Db, most: u64) -> impl Stream<Item = u64> {
    db.asked.call();
    of(1..=most)
}

#[cached(ttl = 300, max_items = 3, key = "results:<text>", cache = db.cache, skip(db))]
fn results(db: &Db, text: &str) -> impl Stream<Item = Result<u64, String>> {
    db.asked.call();
    of(text.split(',').map(|part| part.parse().map_err(|_| part.to_owned())).collect::<Vec<_>>())
}

#[tokio::test]
async fn a_stream_is_stored_when_it_has_ended_and_streamed_again() {
    let db = Db::new();
    let mut first = pin!(numbers(&db, 3));
    assert_eq!(db.asked.made(), 0, "nothing was polled");
    assert_eq!(next(&mut first).await, Some(1), "what came is passed on");
    assert_eq!((next(&mut first).await, next(&mut first).await), (Some(2), Some(3)));
    assert_eq!(db.kept("numbers:3").await, None, "it may go on");
    assert_eq!(next(&mut first).await, None);
    assert_eq!(db.kept("numbers:3").await, Some(vec![1, 2, 3]));
    assert_eq!(all(numbers(&db, 3)).await, [1, 2, 3]);
    for _ in 0..2 {
        assert!(all(numbers(&db, 0)).await.is_empty(), "an empty one is stored as well");
    }
    let stats = db.cache.stats();
    assert_eq!((db.asked.made(), stats.computations, stats.stores, stats.misses), (2, 2, 2, 3));

    numbers::invalidate(&db, 3).await;
    assert_eq!(numbers::key(&db, 3), "numbers:3");
    assert_eq!(all(numbers(&db, 3)).await, [1, 2, 3]);
    assert_eq!(all(numbers::refresh(&db, 3)).await, [1, 2, 3], "whatever the cache has");
    assert_eq!(db.asked.made(), 4);
    db.cache.core().advance(secs(301));
    all(numbers(&db, 3)).await;
    assert_eq!(db.asked.made(), 5, "its time is over");
}

#[cached(ttl = 300, max_items = 3, key = "anew", cache = db.cache, skip(db, items))]
fn anew(db: &Db, items: Vec<Result<u64, String>>) -> impl Stream<Item = Result<u64, String>> {
    db.asked.call();
    of(items)
}

/// An item that cannot be cloned, if it is 666.
#[derive(Debug, PartialEq, serde::Serialize, serde::Deserialize)]
struct Unique(u64);

impl Clone for Unique {
    fn clone(&self) -> Self {
        assert_ne!(self.0, 666, "on purpose, in a clone");
        Self(self.0)
    }
}

#[cached(ttl = 300, max_items = 3, key = "unique", cache = db.cache, skip(db, item))]
fn unique(db: &Db, item: u64) -> impl Stream<Item = Unique> {
    db.asked.call();
    of([Unique(item)])
}

/// What was there is older than what was made.
#[tokio::test]
async fn a_refresh_that_cannot_be_stored_leaves_nothing_old() {
    let db = Db::new();
    let old = [Ok(1), Ok(2)];
    all(anew(&db, old.to_vec())).await;
    let failed = [Ok(1), Err("away".to_owned())];
    assert_eq!(all(anew::refresh(&db, failed.to_vec())).await, failed);
    assert_eq!(all(anew(&db, vec![])).await, old, "nothing newer was made");
    let long = [Ok(1), Ok(2), Ok(3), Ok(4)];
    assert_eq!(all(anew::refresh(&db, long.to_vec())).await, long);
    assert_eq!(all(anew(&db, vec![Ok(7)])).await, [Ok(7)]);

    assert_eq!(all(unique(&db, 1)).await, [Unique(1)]);
    assert_eq!(all(unique::refresh(&db, 666)).await, [Unique(666)]);
    assert_eq!(all(unique(&db, 2)).await, [Unique(2)]);
}

#[tokio::test]
async fn a_stream_that_is_not_polled_to_its_end_is_not_stored() {
    let db = Db::new();
    {
        let mut left = pin!(numbers(&db, 2));
        assert_eq!((next(&mut left).await, next(&mut left).await), (Some(1), Some(2)));
    }
    drop(numbers(&db, 2));
    assert_eq!(db.kept("numbers:2").await, None);
    let stats = db.cache.stats();
    assert_eq!((stats.stores, stats.stores_unfinished), (0, 1));
}

#[tokio::test]
async fn an_error_is_passed_on_and_nothing_is_stored() {
    let db = Db::new();
    let bad = || Err("x".to_owned());
    assert_eq!(all(results(&db, "1,x,3")).await, [Ok(1), bad(), Ok(3)]);
    assert_eq!(all(results(&db, "1,x,3")).await, [Ok(1), bad(), Ok(3)]);
    let stats = db.cache.stats();
    assert_eq!((db.asked.made(), stats.stores, stats.failures, stats.stores_unfinished), (2, 0, 2, 0));
    assert_eq!(all(results(&db, "1,2")).await, [Ok(1), Ok(2)]);
    assert_eq!(all(results(&db, "1,2")).await, [Ok(1), Ok(2)]);
    assert_eq!((db.asked.made(), db.kept("results:1,2").await), (3, Some(vec![1, 2])));
}

#[tokio::test]
async fn one_with_too_many_items_is_passed_on_and_not_stored() {
    let db = Db::new();
    all(results(&db, "1,2,3")).await;
    assert_eq!(db.kept("results:1,2,3").await, Some(vec![1, 2, 3]));
    assert_eq!(all(results(&db, "1,2,3,4")).await.len(), 4);
    assert_eq!(db.kept("results:1,2,3,4").await, None);
    let stats = db.cache.stats();
    assert_eq!((stats.stores, stats.stores_too_long, stats.stores_unfinished), (1, 1, 0));
    all(numbers(&db, 1_000)).await;
    all(numbers(&db, 1_001)).await;
    assert_eq!(db.cache.stats().stores_too_long, 2, "a thousand, unless it is said");
}

/// Its own key, or what it has read so far or will read, invalidated at any time.
#[tokio::test]
async fn what_is_invalidated_under_way_is_not_stored() {
    for scope in [Scope::key("numbers:3"), Scope::prefix("numbers"), Scope::all()] {
        let db = Db::new();
        let mut stream = pin!(numbers(&db, 3));
        assert_eq!(next(&mut stream).await, Some(1));
        drop(db.cache.invalidate(scope));
        assert_eq!(all(stream).await, [2, 3], "who has begun gets the rest");
        assert_eq!(db.kept("numbers:3").await, None);
        assert_eq!(db.cache.stats().stores_outdated, 1);
    }
}

#[tokio::test]
async fn no_consumer_waits_for_another_one() {
    let db = Db::new();
    let mut slow = pin!(numbers(&db, 3));
    assert_eq!(next(&mut slow).await, Some(1));
    assert_eq!(in_time(all(numbers(&db, 3))).await, [1, 2, 3]);
    assert_eq!(db.asked.made(), 2, "each has a stream of its own");
    assert_eq!(all(slow).await, [2, 3]);
    assert_eq!(all(numbers(&db, 3)).await, [1, 2, 3]);
    assert_eq!(db.asked.made(), 2);
}

/// Neither serde, nor a stream that is `Send`.
#[derive(Clone, Debug, PartialEq)]
struct Compiled(Arc<str>);

#[cached(ttl = 300, key = "compiled:<name>", local, cache = db.cache, skip(db))]
async fn compiled(db: &Db, name: String) -> Pin<Box<dyn Stream<Item = std::io::Result<Compiled>>>> {
    db.asked.call();
    let not_send = std::rc::Rc::new(name);
    let made = of([Ok(Compiled(not_send.as_str().into()))]);
    Box::pin(made)
}

/// Generic, with a lifetime, and a part of the key of its own.
#[cached(ttl = 300, key = "generic:<T>:<items.len()>", cache = db.cache, skip(db))]
fn generic<'a, T: larder::Value + Unpin>(db: &'a Db, items: &'a [T]) -> impl Stream<Item = T> + use<'a, T> {
    db.asked.call();
    of(items.iter().cloned())
}

#[tokio::test]
async fn streams_have_many_forms() {
    let db = Db::new();
    for _ in 0..2 {
        assert_eq!(all(db.method(2)).await, [1, 2]);
        let made = all(compiled(&db, "a".into()).await).await;
        assert_eq!(made.into_iter().map(Result::unwrap).collect::<Vec<_>>(), [Compiled("a".into())]);
        assert_eq!(all(generic(&db, &["x".to_owned()])).await, ["x"]);
        assert_eq!(all(generic(&db, &[7_u8])).await, [7]);
    }
    assert_eq!(db.asked.made(), 4);
}

#[cached(ttl = 300, key = "when", when = uses, cache = db.cache, skip(db, uses))]
fn when(db: &Db, uses: bool) -> impl Stream<Item = u64> {
    db.asked.call();
    of([1])
}

#[cached(ttl = 300, key = "decides:<text>", cache = db.cache, skip(db))]
fn decides(db: &Db, text: &'static str) -> impl Stream<Item = u64> {
    let _ = db;
    Source(VecDeque::from([Box::pin(async move {
        match text {
            "not" => drop(context().no_store()),
            "tag" => drop(context().tag("tagged")),
            _ => drop(context().ttl(secs(5))),
        }
        1_u64
    }) as _]))
}

#[tokio::test]
async fn a_call_can_go_without_the_cache_and_the_source_can_decide() {
    let db = Db::new();
    for uses in [false, false, true, true] {
        assert_eq!(all(when(&db, uses)).await, [1]);
    }
    assert_eq!(db.asked.made(), 3);

    for text in ["not", "tag", "ttl"] {
        all(decides(&db, text)).await;
    }
    assert_eq!(db.kept("decides:not").await, None);
    assert!(db.kept("decides:tag").await.is_some() && db.kept("decides:ttl").await.is_some());
    drop(db.cache.invalidate(Scope::tag("tagged")));
    db.cache.core().advance(secs(6));
    assert!(db.kept("decides:tag").await.is_none() && db.kept("decides:ttl").await.is_none());
}

#[tokio::test]
async fn nothing_is_stored_in_a_transaction_or_by_a_cache_that_is_disabled() {
    let db = Db::new();
    let scope = larder::deferred();
    scope.run(all(numbers(&db, 1))).await;
    // Begun and ended outside, and polled within.
    let mut stream = pin!(numbers(&db, 1));
    scope.run(async { assert_eq!(next(&mut stream).await, Some(1)) }).await;
    assert_eq!(next(&mut stream).await, None);
    drop(scope);
    assert_eq!(db.kept("numbers:1").await, None);
    all(numbers(&db, 1)).await;
    db.cache.disable();
    all(numbers(&db, 1)).await;
    db.cache.enable();
    all(numbers(&db, 1)).await;
    assert_eq!(db.asked.made(), 4);
    assert_eq!(db.cache.stats().bypassed, 1);
}
