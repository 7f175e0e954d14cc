//! A leader that fails: who is given its failure, and how many compute after it.

use super::*;

/// Ten callers whose computation fails.
async fn failing() -> (Vec<Result<usize, Failed>>, MemoryCache) {
    let cache = MemoryCache::new(10);
    let (calls, gate) = (Calls::default(), Gate::closed());
    let callers: Vec<_> = (0..10)
        .map(|_| {
            let (cache, calls, gate) = (cache.clone(), calls.clone(), gate.clone());
            tokio::spawn(async move {
                let compute = || async {
                    let number = calls.call();
                    gate.pass().await;
                    Err::<usize, _>(Failed(number))
                };
                cache.get_or_compute_shared("key", long(), compute).await
            })
        })
        .collect();
    eventually(|| cache.stats().misses == 10).await;
    gate.open();
    (all(callers).await, cache)
}

/// How many computations run, and the most that ran at once.
#[derive(Clone, Default)]
struct Running(Arc<(AtomicUsize, AtomicUsize)>);

impl Running {
    async fn run<T>(&self, computation: impl Future<Output = T>) -> T {
        let running = self.0.0.fetch_add(1, Ordering::SeqCst) + 1;
        self.0.1.fetch_max(running, Ordering::SeqCst);
        let output = computation.await;
        self.0.0.fetch_sub(1, Ordering::SeqCst);
        output
    }

    fn most(&self) -> usize {
        self.0.1.load(Ordering::SeqCst)
    }
}

/// Callers of a computation that fails for the first `failures` times, with an error that cannot be given to others. And
/// the most that computed at once.
async fn failing_for_each(
    callers: usize,
    failures: usize,
) -> (Vec<Result<usize, Failed>>, MemoryCache, usize) {
    let cache = MemoryCache::new(10);
    let (calls, gate, running) = (Calls::default(), Gate::closed(), Running::default());
    let callers: Vec<_> = (0..callers)
        .map(|_| {
            let (cache, calls, gate, running) = (cache.clone(), calls.clone(), gate.clone(), running.clone());
            tokio::spawn(async move {
                let compute = || {
                    running.run(async {
                        let number = calls.call();
                        gate.pass().await;
                        tokio::time::sleep(Duration::from_millis(2)).await;
                        if number <= failures { Err(Failed(number)) } else { Ok(number) }
                    })
                };
                cache.get_or_compute("key", long(), compute).await
            })
        })
        .collect();
    eventually(|| cache.stats().misses == callers.len() as u64).await;
    gate.open();
    (all(callers).await, cache, running.most())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn after_a_failure_that_is_not_shared_a_few_compute_at_once() {
    let (results, cache, most) = failing_for_each(50, usize::MAX).await;
    let mut numbers: Vec<_> = results.into_iter().map(|result| result.unwrap_err().0).collect();
    numbers.sort_unstable();
    assert_eq!(numbers, (1..=50).collect::<Vec<_>>(), "each has an error of its own");
    let stats = cache.stats();
    assert_eq!((stats.failures, stats.unjoined, stats.joined, stats.stores), (50, 49, 0, 0));
    assert!(most >= 2, "{most} at once");
}

/// Four that have a turn, none of which has ended. And one that missed, and came to wait when the first one had failed
/// already: it waits for no turn, as a first one itself. A turn ends after ten seconds.
fn is_few(at_once: usize, took: Duration) -> bool {
    matches!(at_once, 4 | 5) || took > secs(9)
}

/// While none of those that have a turn has ended, there are no more.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn no_more_than_four_have_a_turn_at_once() {
    let cache = MemoryCache::new(10);
    let (first, gate) = (Gate::closed(), Gate::closed());
    let callers: Vec<_> = (0..50)
        .map(|_| {
            let (cache, first, gate) = (cache.clone(), first.clone(), gate.clone());
            tokio::spawn(async move {
                let compute = || async {
                    let gate = if first.came() == 0 { first } else { gate };
                    gate.pass().await;
                    Err::<usize, _>(Failed(0))
                };
                cache.get_or_compute("key", long(), compute).await
            })
        })
        .collect();
    eventually(|| cache.stats().misses == 50).await;
    first.open();
    let start = Instant::now();
    gate.until(4).await;
    tokio::time::sleep(Duration::from_millis(100)).await;
    let (most, took) = (gate.came(), start.elapsed());
    gate.open();
    assert_eq!(all(callers).await, vec![Err(Failed(0)); 50]);
    assert!(is_few(most, took), "{most} at once, in {took:?}");
}

/// No error can be made for them, so that each of them computes: more at once, the more of them wait.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn the_last_of_a_thousand_who_wait_for_a_turn_waits_for_seconds_at_most() {
    let start = Instant::now();
    let (results, _, most) = failing_for_each(1_000, usize::MAX).await;
    let took = start.elapsed();
    assert_eq!(results.iter().filter(|result| result.is_err()).count(), 1_000);
    // One after the other takes 2 ms and a pause of 5 ms or more; four at a time, that is two seconds.
    assert!((5..=64).contains(&most), "{most} at once, in {took:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn when_one_of_them_succeeds_the_others_have_its_value() {
    let (results, cache, most) = failing_for_each(100, 9).await;
    let failed = results.iter().filter(|result| result.is_err()).count();
    assert_eq!(failed, 9);
    let stats = cache.stats();
    assert!(stats.computations <= 9 + most as u64, "{most} at once: {stats:?}");
    assert_eq!(
        cache.function_stats()[0].stats.joined,
        stats.joined,
        "what has no function of its own counts, too"
    );
}

/// A computation that has a turn asks for its own key: it waits for no other turn.
#[tokio::test]
async fn a_turn_inside_of_a_turn_is_not_waited_for() {
    let cache = MemoryCache::new(10);
    let (gate, calls) = (Gate::closed(), Calls::default());
    let callers: Vec<_> = (0..20)
        .map(|_| {
            let (cache, gate, calls) = (cache.clone(), gate.clone(), calls.clone());
            tokio::spawn(async move {
                let compute = || async {
                    gate.pass().await;
                    let nested = || async {
                        calls.call();
                        tokio::task::yield_now().await;
                        Err::<usize, _>(Failed(0))
                    };
                    cache.get_or_compute("key", long(), nested).await
                };
                cache.get_or_compute("key", long(), compute).await
            })
        })
        .collect();
    eventually(|| cache.stats().misses == 20).await;
    gate.open();
    assert_eq!(all(callers).await, vec![Err(Failed(0)); 20]);
    assert_eq!(calls.made(), 20);
}

/// There are more turns only after computations that were slow, and none ends here before those at once were counted: so it
/// holds on a machine that is busy, too.
#[test]
fn threads_wait_for_turns_too() {
    let cache = MemoryCache::new(10);
    let (begun, is_open) = (AtomicUsize::new(0), AtomicBool::new(false));
    std::thread::scope(|scope| {
        for _ in 0..50 {
            scope.spawn(|| {
                let failed = cache.blocking().get_or_compute("key", long(), || {
                    let leads = begun.fetch_add(1, Ordering::SeqCst) == 0;
                    blocked_until(|| {
                        if leads { cache.stats().misses == 50 } else { is_open.load(Ordering::SeqCst) }
                    });
                    Err::<usize, _>(Failed(1))
                });
                assert_eq!(failed, Err(Failed(1)));
            });
        }
        // The first one, and the four that have a turn after it. Without turns all others begin at once.
        let start = blocked_until(|| begun.load(Ordering::SeqCst) >= 5);
        std::thread::sleep(Duration::from_millis(100));
        let (most, took) = (begun.load(Ordering::SeqCst) - 1, start.elapsed());
        is_open.store(true, Ordering::SeqCst);
        assert!(is_few(most, took), "{most} at once, in {took:?}");
    });
    assert_eq!(begun.into_inner(), 50);
}

/// Blocks this thread until the condition holds, and says since when it did.
fn blocked_until(condition: impl Fn() -> bool) -> Instant {
    let start = Instant::now();
    while !condition() {
        assert!(start.elapsed() < secs(20), "it never came true");
        std::thread::sleep(Duration::from_millis(1));
    }
    start
}

#[tokio::test]
async fn a_shared_failure_is_given_to_all_callers() {
    let (results, cache) = failing().await;
    assert_eq!(results, vec![Err(Failed(1)); 10]);
    let stats = cache.stats();
    assert_eq!((stats.failures, stats.joined, stats.stores), (1, 9, 0));
}

#[tokio::test]
async fn a_failure_is_not_kept() {
    let cache = MemoryCache::new(10);
    let failed = cache.get_or_compute_shared("key", long(), async || Err::<u8, _>("no")).await;
    assert_eq!(failed, Err("no"));
    assert_eq!(cache.get_or_compute_shared("key", long(), async || Ok::<_, &str>(1)).await, Ok(1));
}

#[tokio::test]
async fn callers_with_another_error_type_do_not_share_the_failure() {
    let cache = MemoryCache::new(10);
    let gate = Gate::closed();
    let leader = tokio::spawn({
        let (cache, gate) = (cache.clone(), gate.clone());
        async move {
            let compute = async || {
                gate.pass().await;
                Err::<u8, _>(Failed(1))
            };
            cache.get_or_compute_shared("key", long(), compute).await
        }
    });
    gate.until(1).await;
    let other = tokio::spawn({
        let cache = cache.clone();
        async move { cache.get_or_compute_shared("key", long(), async || Err::<u8, _>("its own")).await }
    });
    eventually(|| cache.stats().misses == 2).await;
    gate.open();
    assert_eq!(in_time(leader).await.unwrap(), Err(Failed(1)));
    assert_eq!(in_time(other).await.unwrap(), Err("its own"));
}
