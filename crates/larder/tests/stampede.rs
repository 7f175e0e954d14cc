//! Many callers of one key: one of them computes.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

mod support;

use std::{
    convert::Infallible,
    future::Future,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use larder::{CacheExt, MemoryCache, Policy, context};
use tokio::task::{JoinHandle, JoinSet};

use self::support::{Calls, Gate, eventually, in_time, long};

type Done = Result<usize, Infallible>;

#[derive(Debug, Clone, PartialEq)]
struct Failed(usize);

/// A caller in a task of its own: its computation counts itself, passes the gate, and gives its number.
fn caller(cache: &MemoryCache, calls: &Calls, gate: &Gate) -> JoinHandle<Done> {
    let (cache, calls, gate) = (cache.clone(), calls.clone(), gate.clone());
    tokio::spawn(async move {
        let compute = || async {
            let number = calls.call();
            gate.pass().await;
            Ok(number)
        };
        cache.get_or_compute("key", long(), compute).await
    })
}

async fn all<T: 'static>(callers: impl IntoIterator<Item = JoinHandle<T>>) -> Vec<T> {
    let mut results = Vec::new();
    for caller in callers {
        results.push(in_time(caller).await.unwrap());
    }
    results
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_thousand_callers_are_one_computation() {
    let cache = MemoryCache::new(10);
    let (calls, gate) = (Calls::default(), Gate::closed());
    let callers: Vec<_> = (0..1_000).map(|_| caller(&cache, &calls, &gate)).collect();
    eventually(|| cache.stats().misses == 1_000).await;
    gate.open();
    assert_eq!(all(callers).await, vec![Ok(1); 1_000]);
    assert_eq!((calls.made(), cache.stats().computations, cache.stats().stores), (1, 1, 1));
}

#[tokio::test]
async fn waiters_are_counted_as_joined() {
    let cache = MemoryCache::new(10);
    let (calls, gate) = (Calls::default(), Gate::closed());
    let callers: Vec<_> = (0..10).map(|_| caller(&cache, &calls, &gate)).collect();
    eventually(|| cache.stats().misses == 10).await;
    gate.open();
    all(callers).await;
    let stats = cache.stats();
    assert_eq!((stats.joined, stats.unjoined, stats.hits), (9, 0, 0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn callers_that_keep_coming_see_one_computation() {
    for _ in 0..50 {
        let cache = MemoryCache::new(10);
        let calls = Calls::default();
        let mut callers = JoinSet::new();
        for _ in 0..100 {
            let (cache, calls) = (cache.clone(), calls.clone());
            callers.spawn(async move {
                cache.get_or_compute("key", long(), async || Ok::<_, Infallible>(calls.call())).await
            });
        }
        assert_eq!(in_time(callers.join_all()).await, vec![Ok(1); 100]);
        assert_eq!(calls.made(), 1);
    }
}

#[tokio::test]
async fn a_cancelled_leader_hands_over_to_one_waiter() {
    let cache = MemoryCache::new(10);
    let (calls, gate) = (Calls::default(), Gate::closed());
    let leader = caller(&cache, &calls, &gate);
    gate.until(1).await;
    let callers: Vec<_> = (0..10).map(|_| caller(&cache, &calls, &gate)).collect();
    eventually(|| cache.stats().misses == 11).await;
    leader.abort();
    gate.until(2).await;
    gate.open();
    assert_eq!(all(callers).await, vec![Ok(2); 10]);
    assert_eq!(calls.made(), 2);
}

#[tokio::test]
async fn one_cancelled_leader_after_the_other() {
    let cache = MemoryCache::new(10);
    let (calls, gate) = (Calls::default(), Gate::closed());
    let mut callers: Vec<_> = (0..5).map(|_| caller(&cache, &calls, &gate)).collect();
    eventually(|| cache.stats().misses == 5).await;
    // Tasks are polled in the order in which they were spawned, and woken in the order of their waits.
    for number in 1..5 {
        gate.until(number).await;
        callers.remove(0).abort();
    }
    gate.until(5).await;
    gate.open();
    assert_eq!(all(callers).await, [Ok(5)]);
}

#[tokio::test]
async fn when_all_are_cancelled_the_next_caller_computes() {
    let cache = MemoryCache::new(10);
    let (calls, gate) = (Calls::default(), Gate::closed());
    let callers: Vec<_> = (0..5).map(|_| caller(&cache, &calls, &gate)).collect();
    eventually(|| cache.stats().misses == 5).await;
    for caller in callers {
        caller.abort();
        assert!(caller.await.unwrap_err().is_cancelled());
    }
    gate.open();
    let before = calls.made();
    assert_eq!(in_time(caller(&cache, &calls, &gate)).await.unwrap(), Ok(before + 1));
}

#[tokio::test]
async fn a_panicking_leader_hands_over() {
    let cache = MemoryCache::new(10);
    let (calls, gate) = (Calls::default(), Gate::closed());
    let leader = tokio::spawn({
        let (cache, gate) = (cache.clone(), gate.clone());
        async move {
            let compute = async || {
                gate.pass().await;
                panic!("on purpose")
            };
            cache.get_or_compute::<usize, Infallible, _>("key", long(), compute).await
        }
    });
    gate.until(1).await;
    let callers: Vec<_> = (0..10).map(|_| caller(&cache, &calls, &gate)).collect();
    eventually(|| cache.stats().misses == 11).await;
    gate.open();
    assert!(in_time(leader).await.unwrap_err().is_panic(), "the panic is the leader's");
    assert_eq!(all(callers).await, vec![Ok(1); 10]);
}

/// A computation that panicked twice panics for everybody: who waits finds out at once, not in turn.
#[tokio::test]
async fn after_a_second_panic_all_waiters_compute_at_once() {
    let cache = MemoryCache::new(10);
    let gates = [(); 3].map(|()| Gate::closed());
    let calls = Calls::default();
    let callers: Vec<_> = (0..10)
        .map(|_| {
            let (cache, gates, calls) = (cache.clone(), gates.clone(), calls.clone());
            tokio::spawn(async move {
                let compute = async || {
                    gates[calls.call().min(3) - 1].pass().await;
                    panic!("on purpose")
                };
                cache.get_or_compute::<usize, Infallible, _>("key", long(), compute).await
            })
        })
        .collect();
    eventually(|| cache.stats().misses == 10).await;
    gates[0].open();
    gates[1].until(1).await;
    assert_eq!(calls.made(), 2, "one panic may be an accident");
    gates[1].open();
    in_time(gates[2].until(8)).await;
    gates[2].open();
    for caller in callers {
        assert!(in_time(caller).await.unwrap_err().is_panic());
    }
}

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

/// Callers of a computation that fails for the first `failures` times, with an error that cannot be given to others.
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
    assert!((2..=4).contains(&most), "{most} at once");
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
    assert!(stats.computations <= 9 + 4, "{stats:?}");
    assert_eq!(
        cache.function_stats()[0].stats.joined,
        stats.joined,
        "what has no function of its own counts, too"
    );
    assert!(most <= 4, "{most} at once");
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

#[test]
fn threads_wait_for_turns_too() {
    let cache = MemoryCache::new(10);
    let (now, most, begun) = (AtomicUsize::new(0), AtomicUsize::new(0), AtomicUsize::new(0));
    std::thread::scope(|scope| {
        for _ in 0..50 {
            scope.spawn(|| {
                let failed = cache.blocking().get_or_compute("key", long(), || {
                    if begun.fetch_add(1, Ordering::SeqCst) == 0 {
                        while cache.stats().misses < 50 {
                            std::thread::yield_now();
                        }
                    }
                    most.fetch_max(now.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                    std::thread::sleep(Duration::from_millis(2));
                    now.fetch_sub(1, Ordering::SeqCst);
                    Err::<usize, _>(Failed(1))
                });
                assert_eq!(failed, Err(Failed(1)));
            });
        }
    });
    assert_eq!(begun.into_inner(), 50);
    let most = most.into_inner();
    assert!((2..=4).contains(&most), "{most} at once");
}

#[tokio::test]
async fn a_shared_failure_is_everybodys() {
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

#[tokio::test]
async fn value_types_do_not_wait_for_each_other() {
    let cache = MemoryCache::new(10);
    let (calls, gate) = (Calls::default(), Gate::closed());
    let number = caller(&cache, &calls, &gate);
    gate.until(1).await;
    let text = cache.get_or_compute("key", long(), async || Ok::<_, Infallible>("text".to_owned()));
    assert_eq!(in_time(text).await.unwrap(), "text");
    gate.open();
    assert_eq!(in_time(number).await.unwrap(), Ok(1));
}

/// Ten callers at once, whose computation decides something about its own entry.
async fn deciding(decide: impl Fn() + Copy + Send + Sync + 'static) -> (Vec<Done>, MemoryCache) {
    let cache = MemoryCache::new(10);
    let (calls, gate) = (Calls::default(), Gate::closed());
    let callers: Vec<_> = (0..10)
        .map(|_| {
            let (cache, calls, gate) = (cache.clone(), calls.clone(), gate.clone());
            tokio::spawn(async move {
                let compute = || async {
                    let number = calls.call();
                    decide();
                    gate.pass().await;
                    Ok(number)
                };
                cache.get_or_compute("key", long(), compute).await
            })
        })
        .collect();
    eventually(|| cache.stats().misses == 10).await;
    gate.open();
    (all(callers).await, cache)
}

#[tokio::test]
async fn an_unshared_value_is_its_computers_alone() {
    let decide = || {
        context().unshared();
    };
    let (results, cache) = deciding(decide).await;
    let mut numbers: Vec<_> = results.into_iter().map(Result::unwrap).collect();
    numbers.sort_unstable();
    assert_eq!(numbers, (1..=10).collect::<Vec<_>>());
    assert_eq!(cache.get::<usize>("key").await.unwrap(), None, "nor is it stored");
}

#[tokio::test]
async fn a_value_that_is_not_stored_is_still_shared() {
    let decide = || {
        context().no_store();
    };
    let (results, cache) = deciding(decide).await;
    assert_eq!(results, vec![Ok(1); 10]);
    assert_eq!(cache.get::<usize>("key").await.unwrap(), None);
    assert_eq!(cache.stats().stores, 0);
}

#[tokio::test]
async fn a_ttl_of_zero_still_shares_the_computation() {
    let cache = MemoryCache::new(10);
    let (calls, gate) = (Calls::default(), Gate::closed());
    let mut callers = JoinSet::new();
    for _ in 0..10 {
        let (cache, calls, gate) = (cache.clone(), calls.clone(), gate.clone());
        callers.spawn(async move {
            let compute = || async {
                gate.pass().await;
                Ok::<_, Infallible>(calls.call())
            };
            cache.get_or_compute("key", Policy::ttl(Duration::ZERO), compute).await
        });
    }
    eventually(|| cache.stats().misses == 10).await;
    gate.open();
    assert_eq!(in_time(callers.join_all()).await, vec![Ok(1); 10]);
    assert!(!cache.contains("key").await.unwrap());
}

/// By a clock that only goes on when no task has anything to do: how busy the machine is does not matter.
#[tokio::test(start_paused = true)]
async fn distinct_cold_keys_do_not_wait_for_each_other() {
    let cache = MemoryCache::new(10_000);
    let start = tokio::time::Instant::now();
    let mut callers = JoinSet::new();
    for key in 0..1_000 {
        let cache = cache.clone();
        callers.spawn(async move {
            let compute = async || {
                tokio::time::sleep(Duration::from_millis(50)).await;
                Ok::<_, Infallible>(key)
            };
            cache.get_or_compute(&format!("key:{key}"), long(), compute).await
        });
    }
    assert_eq!(in_time(callers.join_all()).await.len(), 1_000);
    assert!(start.elapsed() < Duration::from_millis(500), "took {:?}", start.elapsed());
}

#[derive(Clone, serde::Serialize, serde::Deserialize)]
struct Alive {
    #[serde(skip)]
    made: Arc<AtomicUsize>,
}

impl Alive {
    fn new(made: &Arc<AtomicUsize>) -> Self {
        made.fetch_add(1, Ordering::SeqCst);
        Self { made: made.clone() }
    }
}

#[tokio::test]
async fn a_computation_that_ended_keeps_no_value() {
    let cache = MemoryCache::new(10);
    let made = Arc::new(AtomicUsize::new(0));
    let gate = Gate::closed();
    let mut callers = JoinSet::new();
    for _ in 0..10 {
        let (cache, made, gate) = (cache.clone(), made.clone(), gate.clone());
        callers.spawn(async move {
            let compute = || async {
                context().no_store();
                gate.pass().await;
                Ok::<_, Infallible>(Alive::new(&made))
            };
            let value = cache.get_or_compute("key", long(), compute).await.unwrap();
            assert!(Arc::ptr_eq(&value.made, &made));
        });
    }
    eventually(|| cache.stats().misses == 10).await;
    gate.open();
    in_time(callers.join_all()).await;
    assert_eq!(made.load(Ordering::SeqCst), 1, "one computation ran");
    assert_eq!(Arc::strong_count(&made), 1, "and its value is held no more");
}
