//! Options of `#[cached_many]`, and what it tells of each element.

use std::{
    collections::HashMap,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use larder::{Cache, CacheExt, MemoryCache, NotStored, Source, TimedOut, cached_many};

use super::support::{Calls, Gate, eventually, in_time, secs};

/// Neither `Clone` nor made from a text: nothing of larder's can share it.
#[derive(Debug, PartialEq)]
enum Error {
    NoConnection,
    TimedOut,
}

impl Error {
    fn shared(&self) -> Self {
        match self {
            Self::NoConnection => Self::NoConnection,
            Self::TimedOut => Self::TimedOut,
        }
    }
}

impl From<TimedOut> for Error {
    fn from(_: TimedOut) -> Self {
        Self::TimedOut
    }
}

#[cached_many(
    ttl = 60,
    key = "length:<text>",
    each = text in texts,
    unless = |length| *length > longest,
    skip(cache, calls, longest),
    cache = cache
)]
async fn lengths(cache: &MemoryCache, calls: &Calls, texts: &[&str], longest: usize) -> Vec<usize> {
    calls.call();
    texts.iter().map(|text| text.len()).collect()
}

#[tokio::test]
async fn values_that_unless_picks_out_are_not_stored() {
    let (cache, calls) = (MemoryCache::new(100), Calls::default());
    assert_eq!(lengths(&cache, &calls, &["a", "four", "bc"], 3).await, [1, 4, 2]);
    assert_eq!(cache.stats().stores, 2);
    assert_eq!(lengths(&cache, &calls, &["a", "bc"], 3).await, [1, 2]);
    assert_eq!(calls.made(), 1);
    assert_eq!(lengths(&cache, &calls, &["four"], 4).await, [4]);
    assert_eq!(lengths(&cache, &calls, &["four"], 4).await, [4]);
    assert_eq!(calls.made(), 2);
}

/// A source that fails, and how many asked it at once.
#[derive(Clone, Default)]
struct Failing {
    calls: Calls,
    running: Arc<AtomicUsize>,
    most: Arc<AtomicUsize>,
}

impl Failing {
    async fn ask(&self) -> Error {
        self.calls.call();
        let running = self.running.fetch_add(1, Ordering::SeqCst) + 1;
        self.most.fetch_max(running, Ordering::SeqCst);
        tokio::time::sleep(Duration::from_millis(5)).await;
        self.running.fetch_sub(1, Ordering::SeqCst);
        Error::NoConnection
    }
}

type Rows = Result<HashMap<u64, u64>, Error>;

#[cached_many(ttl = 60, key = "failing:<id>", each = id in ids, skip(cache, failing), cache = cache)]
async fn failing_rows(cache: &MemoryCache, failing: &Failing, ids: &[u64]) -> Rows {
    assert!(!ids.is_empty());
    Err(failing.ask().await)
}

const CALLERS: usize = 200;

#[tokio::test]
async fn batches_that_fail_take_turns() {
    let (cache, failing) = (MemoryCache::new(100), Failing::default());
    let calls = (0..CALLERS).map(|_| {
        let (cache, failing) = (cache.clone(), failing.clone());
        tokio::spawn(async move { failing_rows(&cache, &failing, &[1_001, 1_002]).await })
    });
    for call in calls.collect::<Vec<_>>() {
        assert_eq!(in_time(call).await.unwrap(), Err(Error::NoConnection));
    }
    assert_eq!(failing.calls.made(), CALLERS);
    let most = failing.most.load(Ordering::SeqCst);
    assert!(most <= 64, "{most} of {CALLERS} asked at once");
}

#[cached_many(
    ttl = 60,
    key = "shared:<id>",
    each = id in ids,
    share_err = Error::shared,
    skip(cache, gate),
    cache = cache
)]
async fn sharing_rows(cache: &MemoryCache, gate: &Gate, ids: &[u64]) -> Rows {
    assert!(!ids.is_empty());
    gate.pass().await;
    Err(Error::NoConnection)
}

#[tokio::test]
async fn a_failure_is_shared_with_those_who_waited() {
    let (cache, gate) = (MemoryCache::new(100), Gate::closed());
    let calls = (0..CALLERS).map(|_| {
        let (cache, gate) = (cache.clone(), gate.clone());
        tokio::spawn(async move { sharing_rows(&cache, &gate, &[1, 2]).await })
    });
    let calls: Vec<_> = calls.collect();
    eventually(|| cache.stats().misses == 2 * CALLERS as u64).await;
    gate.open();
    for call in calls {
        assert_eq!(in_time(call).await.unwrap(), Err(Error::NoConnection));
    }
    assert_eq!((gate.came(), cache.stats().computations), (1, 1));
}

#[cached_many(
    ttl = 60,
    stale_if_error = 600,
    deadline = "30ms",
    key = "slow:<id>",
    each = id in ids,
    skip(cache, hangs),
    cache = cache
)]
async fn slow_rows(cache: &MemoryCache, hangs: bool, ids: &[u64]) -> Rows {
    if hangs {
        std::future::pending::<()>().await;
    }
    Ok(ids.iter().map(|id| (*id, *id)).collect())
}

#[tokio::test]
async fn a_batch_is_answered_by_its_deadline() {
    let cache = MemoryCache::new(100);
    assert_eq!(in_time(slow_rows(&cache, true, &[1, 2])).await, Err(Error::TimedOut));
    let both = Ok(HashMap::from([(1, 1), (2, 2)]));
    assert_eq!(slow_rows(&cache, false, &[1, 2]).await, both);
    cache.core().advance(secs(61));
    let (rows, outcomes) = in_time(slow_rows::with_outcome(&cache, true, &[1, 2])).await;
    assert_eq!(rows, both, "the old values");
    assert_eq!(outcomes.iter().map(|outcome| outcome.source).collect::<Vec<_>>(), [Source::Stale; 2]);
    // With one that has no old value there is no answer.
    assert_eq!(in_time(slow_rows(&cache, true, &[1, 3])).await, Err(Error::TimedOut));
    // It is left alone for a while, and served old values at once; then it is asked again.
    assert_eq!(slow_rows(&cache, true, &[1, 2]).await, both);
    cache.core().advance(secs(60));
    let invalidated = async { cache.invalidate("slow:1").await };
    let (rows, _) = in_time(async { tokio::join!(slow_rows(&cache, true, &[1, 2]), invalidated) }).await;
    assert_eq!(rows, Err(Error::TimedOut), "never one that was invalidated while it was waited for");
}

#[cached_many(
    ttl = 60,
    key = "spawned:<prefix>:<id>",
    each = id in ids,
    spawn,
    skip(cache, gate),
    cache = cache
)]
async fn spawned(cache: &MemoryCache, gate: &Gate, prefix: &str, ids: Vec<u64>) -> HashMap<u64, String> {
    gate.pass().await;
    ids.into_iter().map(|id| (id, format!("{prefix}{id}"))).collect()
}

#[tokio::test]
async fn with_spawn_a_batch_outlives_its_caller() {
    let (cache, gate) = (MemoryCache::new(100), Gate::closed());
    {
        let (cache, gate) = (cache.clone(), gate.clone());
        let call = tokio::spawn(async move { spawned(&cache, &gate, "n", vec![1, 2]).await });
        gate_reached(&call, 1).await;
        call.abort();
        assert!(call.await.unwrap_err().is_cancelled());
    }
    gate.open();
    eventually(|| cache.stats().stores == 2).await;
    let values = spawned(&cache, &gate, "n", vec![2, 1]).await;
    assert_eq!(values, HashMap::from([(1, "n1".to_owned()), (2, "n2".to_owned())]));
    assert_eq!(cache.stats().computations, 1);
    // In front of it, what it reads still covers what is computed around it: an invalidation is not lost in the task.
    let sum = async || Ok::<_, Error>(spawned(&cache, &gate, "n", vec![3]).await.len());
    assert_eq!(cache.get_or_compute("sum", super::support::long(), sum).await, Ok(1));
    cache.invalidate("spawned:n:3").await;
    assert_eq!(cache.get::<usize>("sum").await.unwrap(), None);
}

async fn gate_reached<T>(call: &tokio::task::JoinHandle<T>, _: usize) {
    // The body runs in another task: it is enough that the call was polled, and spawned it.
    for _ in 0..20 {
        tokio::task::yield_now().await;
    }
    assert!(!call.is_finished());
}

#[cached_many(ttl = 60, key = "told:<id>", each = id in ids, when = used, skip(cache, used), cache = cache)]
async fn told(cache: &MemoryCache, used: bool, ids: &[u64]) -> HashMap<u64, u64> {
    ids.iter().filter(|id| **id < 100).map(|id| (*id, *id)).collect()
}

#[tokio::test]
async fn what_became_of_each_element_is_told_in_their_order() {
    let cache = MemoryCache::new(100);
    told(&cache, true, &[1]).await;
    let (values, outcomes) = told::with_outcome(&cache, true, &[2, 1, 100, 2]).await;
    assert_eq!(values, HashMap::from([(1, 1), (2, 2)]));
    let sources: Vec<_> = outcomes.iter().map(|outcome| outcome.source).collect();
    assert_eq!(sources, [Source::Computed, Source::Hit, Source::Computed, Source::Computed]);
    let why: Vec<_> = outcomes.iter().map(|outcome| outcome.why_not_stored).collect();
    assert_eq!(why, [None, None, Some(NotStored::NotFound), None]);
    assert!(outcomes[0].ttl > secs(59) && outcomes[1].ttl > secs(59));

    let (_, outcomes) = told::with_outcome(&cache, false, &[1]).await;
    assert_eq!(outcomes[0].why_not_stored, Some(NotStored::PassedBy));
    let scope = larder::deferred();
    let (_, outcomes) = scope.run(told::with_outcome(&cache, true, &[1, 3])).await;
    assert_eq!(outcomes[0].source, Source::Hit);
    assert_eq!(outcomes[1].why_not_stored, Some(NotStored::InTransaction));
}

#[cached_many(
    ttl = 60,
    key = "chunk:<id>",
    each = id in ids,
    skip(cache, runs, fails_from, at_most),
    cache = cache,
    when = *fails_from != 100,
    max_batch_size = *at_most
)]
async fn chunks(
    cache: &MemoryCache,
    runs: &std::sync::Mutex<Vec<Vec<u64>>>,
    ids: &[u64],
    fails_from: &u64,
    at_most: &usize,
) -> Result<Vec<u64>, u64> {
    runs.lock().unwrap().push(ids.to_vec());
    match ids.iter().find(|id| *id >= fails_from && *fails_from != 100) {
        Some(id) => Err(*id),
        None => Ok(ids.iter().map(|id| id * 10).collect()),
    }
}

#[tokio::test]
async fn a_body_is_given_no_more_elements_than_it_takes() {
    let (cache, runs) = (MemoryCache::new(100), std::sync::Mutex::default());
    let taken = || std::mem::take(&mut *runs.lock().unwrap());
    assert_eq!(chunks(&cache, &runs, &[5, 3, 4, 5, 1, 2], &9, &2).await, Ok(vec![50, 30, 40, 50, 10, 20]));
    let given = taken();
    assert_eq!(given.iter().map(Vec::len).collect::<Vec<_>>(), [2, 2, 1]);
    assert_eq!(chunks(&cache, &runs, &[1, 2, 6], &9, &2).await, Ok(vec![10, 20, 60]));
    assert_eq!(taken(), [[6]]);

    // The first failure ends the call.
    assert_eq!(chunks(&cache, &runs, &[7, 8, 11, 12, 13, 14], &9, &2).await, Err(11));
    assert_eq!(taken().len(), 2);

    // As many without the cache. None is as one.
    assert_eq!(chunks(&cache, &runs, &[1, 2, 1], &100, &0).await, Ok(vec![10, 20, 10]));
    assert_eq!(taken(), [[1], [2], [1]]);
}

#[cached_many(ttl = 60, key = "spawned-chunk:<id>", each = id in ids, max_batch_size = 3, spawn)]
async fn spawned_chunks(ids: std::collections::BTreeSet<u8>) -> Vec<(u8, usize)> {
    let count = ids.len();
    ids.into_iter().map(|id| (id, count)).collect()
}

#[tokio::test]
async fn a_task_gives_its_body_no_more_either() {
    let found = spawned_chunks((0..7).collect()).await;
    let expected = [(0, 3), (1, 3), (2, 3), (3, 3), (4, 3), (5, 3), (6, 1)];
    assert_eq!(found, expected);
}
