//! A leader that is cancelled, or panics.

use super::*;

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

/// A computation that panicked twice panics for all callers: those who wait find out at once, not in turn.
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
