//! An invalidation while a computation is under way: which callers get which value, and how often they wait.

use std::{
    convert::Infallible,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use larder::{CacheExt, MemoryCache, Policy, Scope, context};
use tokio::task::JoinHandle;

use super::support::{Calls, Gate, eventually, in_time, long};

type Done = Result<usize, Infallible>;

/// One gate for each computation, by its number.
#[derive(Clone)]
struct Lab {
    cache: MemoryCache,
    calls: Calls,
    gates: Arc<[Gate; 4]>,
}

impl Lab {
    fn new() -> Self {
        let gates = Arc::new([(); 4].map(|()| Gate::closed()));
        Self { cache: MemoryCache::new(10), calls: Calls::default(), gates }
    }

    /// A caller in a task of its own; its computation gives its number, once its gate is open.
    fn caller(&self) -> JoinHandle<Done> {
        let lab = self.clone();
        tokio::spawn(async move {
            let policy = Policy::builder().ttl(Duration::from_secs(60)).tag("static").build().unwrap();
            let compute = || async {
                let number = lab.calls.call();
                context().tag("dynamic");
                lab.cache.get::<u8>("read").await.unwrap();
                lab.gates[number - 1].pass().await;
                Ok(number)
            };
            lab.cache.get_or_compute("a:key", policy, compute).await
        })
    }

    async fn misses(&self, count: u64) {
        // Each computation begins with a miss of its own.
        eventually(|| self.cache.stats().misses == count + self.calls.made() as u64).await;
    }

    fn open(&self, number: usize) {
        self.gates[number - 1].open();
    }

    async fn begun(&self, number: usize) {
        self.gates[number - 1].until(1).await;
    }
}

async fn value(caller: JoinHandle<Done>) -> usize {
    in_time(caller).await.unwrap().unwrap()
}

#[tokio::test]
async fn later_callers_compute_at_once_and_never_get_the_old_value() {
    let wide = [Scope::key("a:key"), Scope::prefix("a"), Scope::tag("static"), Scope::all()];
    for scope in wide {
        let lab = Lab::new();
        let first = lab.caller();
        lab.begun(1).await;
        lab.cache.invalidate(scope);
        let second = lab.caller();
        lab.begun(2).await;
        lab.open(2);
        assert_eq!(value(second).await, 2, "while the first still computes");
        lab.open(1);
        assert_eq!(value(first).await, 1, "who asked before the invalidation may have what was before it");
        assert_eq!(lab.cache.get("a:key").await.unwrap(), Some(2_usize), "and what is kept is the new one");
        assert_eq!(lab.cache.stats().stores_outdated, 1);
    }
}

#[tokio::test]
async fn what_only_the_computation_knows_is_looked_at_when_it_ends() {
    for scope in [Scope::tag("dynamic"), Scope::key("read")] {
        let lab = Lab::new();
        let first = lab.caller();
        lab.begun(1).await;
        lab.cache.invalidate(scope);
        let second = lab.caller();
        lab.misses(2).await;
        assert_eq!(lab.calls.made(), 1, "it cannot be known yet that the first one is outdated");
        lab.open(1);
        lab.open(2);
        assert_eq!((value(first).await, value(second).await), (1, 2));
        assert_eq!(lab.cache.get("a:key").await.unwrap(), Some(2_usize));
    }
}

#[tokio::test]
async fn a_waiter_from_before_the_invalidation_waits_for_two_at_most() {
    let lab = Lab::new();
    let leader = lab.caller();
    lab.begun(1).await;
    let waiter = lab.caller();
    lab.misses(2).await;
    lab.cache.invalidate("a:key");
    lab.open(1);
    assert_eq!(value(leader).await, 1);
    lab.begun(2).await;
    // What begins after a caller came is new enough for it, however often the key changes meanwhile.
    lab.cache.invalidate("a:key");
    lab.open(2);
    assert_eq!(value(waiter).await, 2);
    assert_eq!(lab.calls.made(), 2);
}

#[tokio::test]
async fn a_computation_that_is_taken_over_begins_anew() {
    let lab = Lab::new();
    let leader = lab.caller();
    lab.begun(1).await;
    let waiter = lab.caller();
    lab.misses(2).await;
    lab.cache.invalidate("a:key");
    leader.abort();
    lab.begun(2).await;
    lab.open(2);
    assert_eq!(value(waiter).await, 2);
    assert_eq!(lab.cache.get("a:key").await.unwrap(), Some(2_usize), "computed after the invalidation");
}

#[tokio::test]
async fn at_most_two_are_under_way() {
    let lab = Lab::new();
    let mut callers = vec![lab.caller()];
    lab.begun(1).await;
    lab.cache.invalidate("a:key");
    callers.push(lab.caller());
    lab.begun(2).await;
    for _ in 0..5 {
        lab.cache.invalidate("a:key");
        let misses = lab.cache.stats().misses;
        callers.push(lab.caller());
        eventually(|| lab.cache.stats().misses > misses).await;
    }
    assert_eq!(lab.calls.made(), 2, "the third waits");
    lab.open(2);
    lab.begun(3).await;
    assert_eq!(value(callers.remove(1)).await, 2);
    lab.open(3);
    for caller in callers.drain(1..) {
        assert_eq!(value(caller).await, 3, "one more computation does for all who waited");
    }
    lab.open(1);
    assert_eq!(value(callers.remove(0)).await, 1);
    assert_eq!(lab.cache.get("a:key").await.unwrap(), Some(3_usize));
    assert_eq!(lab.calls.made(), 3);
}

#[tokio::test]
async fn an_insert_during_a_computation_wins() {
    let lab = Lab::new();
    let leader = lab.caller();
    lab.begun(1).await;
    lab.cache.insert("a:key", &100_usize, long()).await.unwrap();
    lab.open(1);
    assert_eq!(value(leader).await, 1);
    assert_eq!(lab.cache.get("a:key").await.unwrap(), Some(100_usize));
}

#[tokio::test]
async fn a_value_under_too_many_scopes_costs_the_waiters_one_more_computation() {
    let cache = MemoryCache::new(10);
    let (calls, gate) = (Calls::default(), Gate::closed());
    let callers: Vec<_> = (0..10)
        .map(|_| {
            let (cache, calls, gate) = (cache.clone(), calls.clone(), gate.clone());
            tokio::spawn(async move {
                let compute = || async {
                    (0..5_000).for_each(|tag| {
                        context().tag(format!("tag {tag}"));
                    });
                    gate.pass().await;
                    let number = calls.call();
                    // Until all who wait have noticed that the first one came to nothing.
                    for _ in 0..100 {
                        tokio::task::yield_now().await;
                    }
                    Ok::<_, Infallible>(number)
                };
                cache.get_or_compute("key", long(), compute).await
            })
        })
        .collect();
    eventually(|| cache.stats().misses == 10).await;
    gate.open();
    for caller in callers {
        in_time(caller).await.unwrap().unwrap();
    }
    assert_eq!(calls.made(), 2);
    assert_eq!(cache.stats().stores_too_wide, 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn under_constant_invalidation_no_caller_waits_for_long() {
    let cache = MemoryCache::new(10);
    let (running, most) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let (running, most) = (Arc::new(running), Arc::new(most));
    let invalidator = tokio::spawn({
        let cache = cache.clone();
        async move {
            loop {
                cache.invalidate("key");
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        }
    });
    let callers: Vec<_> = (0..50)
        .map(|_| {
            let (cache, running, most) = (cache.clone(), running.clone(), most.clone());
            tokio::spawn(async move {
                for _ in 0..10 {
                    let began_while_waiting = AtomicUsize::new(0);
                    let compute = || async {
                        began_while_waiting.fetch_add(1, Ordering::SeqCst);
                        let now = running.fetch_add(1, Ordering::SeqCst) + 1;
                        most.fetch_max(now, Ordering::SeqCst);
                        tokio::time::sleep(Duration::from_millis(5)).await;
                        running.fetch_sub(1, Ordering::SeqCst);
                        Ok::<_, Infallible>(1)
                    };
                    cache.get_or_compute("key", long(), compute).await.unwrap();
                }
            })
        })
        .collect();
    for caller in callers {
        in_time(caller).await.unwrap();
    }
    invalidator.abort();
    assert!(most.load(Ordering::SeqCst) <= 2, "{most:?} computations of one key at a time");
    // Each call waits for two computations at most, and in that time no more than four can begin.
    assert!(cache.stats().computations <= 4 * 10 * 2, "{:?}", cache.stats());
}
