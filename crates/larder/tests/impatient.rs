//! Callers who wait for less time than the computation takes.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

mod support;

use std::{
    convert::Infallible,
    future::Future,
    pin::pin,
    task::{Context, Poll, Waker},
    time::Duration,
};

use larder::{CacheExt, MemoryCache, Policy, cached, context};
use tokio::{
    task::JoinSet,
    time::{sleep, timeout},
};
use tracing::{Instrument, level_filters::LevelFilter};
use tracing_subscriber::layer::SubscriberExt;

use self::support::{Calls, Gate, eventually, in_time, long, secs};

const WORK: Duration = Duration::from_millis(700);
const PATIENCE: Duration = Duration::from_millis(500);
const PAUSE: Duration = Duration::from_millis(100);
const CALLERS: usize = 40;

/// What is asked of a database that takes its time.
#[derive(Clone, Default)]
struct Db {
    queries: Calls,
}

impl Db {
    async fn query(&self, id: u64) -> String {
        let number = self.queries.call();
        sleep(WORK).await;
        format!("{id}: {number}")
    }
}

#[cached(ttl = 3_600, key = "report:<name>:<id>", skip(db, cache), cache = cache, spawn)]
async fn report(db: &Db, cache: &MemoryCache, name: &str, id: u64) -> String {
    context().tag(name);
    db.query(id).await
}

/// Which of the callers, who come one after the other, were answered in time.
async fn come_and_go<F>(ask: impl Fn() -> F) -> Vec<bool>
where
    F: Future<Output = String> + Send + 'static,
{
    let mut callers = JoinSet::new();
    for number in 0..CALLERS {
        let asked = timeout(PATIENCE, ask());
        callers.spawn(async move { (number, asked.await.is_ok()) });
        sleep(PAUSE).await;
    }
    let mut answers = callers.join_all().await;
    answers.sort_unstable();
    answers.into_iter().map(|(_, answered)| answered).collect()
}

/// One who comes before is gone when the first computation ends, but it ends.
#[track_caller]
fn assert_answered(answers: &[bool]) {
    let first = usize::try_from((WORK - PATIENCE).as_millis() / PAUSE.as_millis()).unwrap() + 1;
    assert!(answers[first..].iter().all(|&answered| answered), "{answers:?}");
}

#[tokio::test(start_paused = true)]
async fn all_callers_of_a_spawned_function_are_answered_by_one_computation() {
    let (db, cache) = (Db::default(), MemoryCache::new(10));
    let answers = come_and_go(|| {
        let (db, cache) = (db.clone(), cache.clone());
        async move { report(&db, &cache, "acme", 7).await }
    });
    assert_answered(&answers.await);
    assert_eq!((db.queries.made(), cache.stats().computations), (1, 1));
    assert_eq!(report(&db, &cache, "acme", 7).await, "7: 1");
    cache.invalidate(larder::Scope::tag("acme")).await;
    assert_eq!(report(&db, &cache, "acme", 7).await, "7: 2", "what the task decided counts");
}

#[tokio::test(start_paused = true)]
async fn also_by_hand() {
    let (db, cache) = (Db::default(), MemoryCache::new(10));
    let policy = Policy::builder().ttl(secs(3_600)).spawn().build().unwrap();
    let answers = come_and_go(|| {
        let (db, cache, policy) = (db.clone(), cache.clone(), policy.clone());
        async move {
            let compute = move || async move { Ok::<_, Infallible>(db.query(7).await) };
            cache.get_or_compute_background("report", policy, compute).await.unwrap()
        }
    });
    assert_answered(&answers.await);
    assert_eq!((db.queries.made(), cache.stats().computations), (1, 1));
}

/// What invalidates a value that a task made from another one drops both.
#[tokio::test]
async fn what_a_task_reads_covers_its_value() {
    #[cached(ttl = 3_600, key = "outer", skip(db, cache), cache = cache, spawn)]
    async fn outer(db: &Db, cache: &MemoryCache) -> usize {
        inner(db, cache).await + 100
    }
    #[cached(ttl = 3_600, key = "inner", skip(db, cache), cache = cache, spawn)]
    async fn inner(db: &Db, cache: &MemoryCache) -> usize {
        db.queries.call()
    }
    let (db, cache) = (Db::default(), MemoryCache::new(10));
    assert_eq!((outer(&db, &cache).await, outer(&db, &cache).await), (101, 101));
    cache.invalidate("inner").await;
    assert_eq!(outer(&db, &cache).await, 102);
}

/// The waiter's own task takes over, and outlives it as the first one did.
#[tokio::test]
async fn after_a_panic_the_next_computation_is_a_task_too() {
    let (cache, calls, gate) = (MemoryCache::new(10), Calls::default(), Gate::closed());
    let ask = || {
        let (calls, gate) = (calls.clone(), gate.clone());
        let compute = move || async move {
            let number = calls.call();
            gate.pass().await;
            assert_ne!(number, 1, "on purpose");
            Ok::<_, Infallible>(number)
        };
        let cache = cache.clone();
        tokio::spawn(async move { cache.get_or_compute_background("key", long(), compute).await })
    };
    let first = ask();
    gate.until(1).await;
    let second = ask();
    eventually(|| cache.stats().misses == 2).await;
    gate.open();
    assert!(in_time(first).await.unwrap_err().is_panic());
    eventually(|| calls.made() == 2).await;
    second.abort();
    eventually(|| cache.stats().stores == 1).await;
    assert_eq!((cache.get::<usize>("key").await.unwrap(), calls.made()), (Some(2), 2));
}

#[tokio::test]
async fn the_callers_span_is_current_in_the_task() {
    #[cached(ttl = 3_600, key = "span", skip(cache), cache = cache, spawn)]
    async fn spanned(cache: &MemoryCache) -> String {
        tracing::Span::current().metadata().map_or("none", |span| span.name()).to_owned()
    }
    // Without larder's own spans, which are at DEBUG.
    let registry = tracing_subscriber::registry().with(LevelFilter::INFO);
    let _subscriber = tracing::subscriber::set_default(registry);
    let cache = MemoryCache::new(10);
    let spanned = async { spanned(&cache).await }.instrument(tracing::info_span!("request"));
    assert_eq!(spanned.await, "request");
}

#[test]
fn outside_of_a_runtime_the_caller_computes() {
    let (cache, db) = (MemoryCache::new(10), Db::default());
    #[cached(ttl = 3_600, key = "plain", skip(db, cache), cache = cache, spawn)]
    async fn plain(db: &Db, cache: &MemoryCache) -> usize {
        db.queries.call()
    }
    for _ in 0..2 {
        let answer = pin!(plain(&db, &cache)).poll(&mut Context::from_waker(Waker::noop()));
        assert_eq!(answer, Poll::Ready(1));
    }
}

/// A task of a runtime that ends is dropped: those of other runtimes who wait compute.
#[test]
fn a_runtime_that_ends_hands_over() {
    let (cache, calls, gate) = (MemoryCache::new(10), Calls::default(), Gate::closed());
    let ask = |number: usize| {
        let (calls, gate, cache) = (calls.clone(), gate.clone(), cache.clone());
        async move {
            let compute = move || async move {
                calls.call();
                if number == 1 {
                    gate.pass().await;
                }
                Ok::<_, Infallible>(number)
            };
            cache.get_or_compute_background("key", long(), compute).await
        }
    };
    let runtime =
        || tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let (ending, staying) = (runtime(), runtime());
    ending.spawn(ask(1));
    staying.block_on(gate.until(1));
    let waiter = staying.spawn(ask(2));
    staying.block_on(eventually(|| cache.stats().misses == 2));
    ending.shutdown_background();
    assert_eq!(staying.block_on(in_time(waiter)).unwrap(), Ok(2));
}

#[tokio::test]
async fn spawn_is_refused_once_where_a_computation_may_borrow() {
    larder_warnings::listen();
    let cache = MemoryCache::new(10);
    let policy = Policy::builder().ttl(secs(60)).spawn().build().unwrap();
    for key in ["a", "b"] {
        let asked = cache.get_or_compute(key, &policy, async || Ok::<_, Infallible>(1));
        assert_eq!(asked.await, Ok(1));
    }
    let told = larder_warnings::heard(&["spawn"]);
    assert_eq!(told.len(), 1, "{told:?}");
    assert!(told[0].contains("get_or_compute_background"), "it names the mend");
}
