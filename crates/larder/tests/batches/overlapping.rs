//! Batches that ask for the same keys at once.

use super::*;

#[tokio::test]
async fn batches_that_overlap_compute_each_key_once() {
    let lab = Lab::new();
    let gate = Gate::closed();
    let slow = async |missing: Vec<u64>| {
        gate.pass().await;
        Ok::<_, Infallible>(squares(missing))
    };
    let opener = async {
        gate.until(3).await;
        gate.open();
    };
    let (one, two, three, four, ()) = tokio::join!(
        lab.ask_with([1, 2, 3], slow),
        lab.ask_with([5, 4, 3, 2], slow),
        lab.ask_with([6, 5, 1], slow),
        lab.ask_with([1, 2, 3, 4, 5, 6], slow),
        opener
    );
    assert_eq!(one, Ok(squares([1, 2, 3])));
    assert_eq!(two, Ok(squares([2, 3, 4, 5])));
    assert_eq!(three, Ok(squares([1, 5, 6])));
    assert_eq!(four, Ok(squares(1..=6)));
    assert_eq!(lab.asked(), [vec![1, 2, 3], vec![5, 4], vec![6]]);
}

#[tokio::test]
async fn a_batch_and_single_callers_wait_for_each_other() {
    let lab = Lab::new();
    let gate = Gate::closed();
    let slow = async |missing: Vec<u64>| {
        gate.pass().await;
        Ok::<_, Infallible>(squares(missing))
    };
    let single = async |n: u64| {
        let compute = async || {
            gate.pass().await;
            Ok::<_, Infallible>(n * n)
        };
        lab.cache.get_or_compute(&key(&n), long(), compute).await.unwrap()
    };
    let opener = async {
        gate.until(2).await;
        gate.open();
    };
    let (one, batch, two, ()) = tokio::join!(single(1), lab.ask_with([1, 2], slow), single(2), opener);
    assert_eq!((one, batch, two), (1, Ok(squares([1, 2])), 4));
    assert_eq!((lab.asked(), gate.came()), (vec![vec![2]], 2));
}

#[tokio::test]
async fn what_another_batch_has_no_value_for_is_asked_again() {
    let lab = Lab::new();
    let gate = Gate::closed();
    let leader = async |_| {
        gate.pass().await;
        Ok::<_, Infallible>(squares([1]))
    };
    let opener = async {
        eventually(|| lab.cache.stats().misses == 4).await;
        gate.open();
    };
    let second = async {
        gate.until(1).await;
        lab.ask([1, 2]).await
    };
    let (one, two, ()) = tokio::join!(lab.ask_with([1, 2], leader), second, opener);
    assert_eq!((one, two), (Ok(squares([1])), squares([1, 2])));
    assert_eq!(lab.asked(), [vec![1, 2], vec![2]]);
}

#[tokio::test]
async fn when_another_batch_fails_its_waiters_ask_themselves() {
    let lab = Lab::new();
    let gate = Gate::closed();
    let failing = async |_| {
        gate.pass().await;
        Err("failed")
    };
    let opener = async {
        eventually(|| lab.cache.stats().misses == 5).await;
        gate.open();
    };
    let second = async {
        gate.until(1).await;
        lab.ask([1, 2, 3]).await
    };
    let (one, two, ()) = tokio::join!(lab.ask_with([1, 2], failing), second, opener);
    assert_eq!((one, two), (Err("failed"), squares([1, 2, 3])));
    assert_eq!(lab.asked(), [vec![1, 2], vec![3], vec![1, 2]]);
}

#[tokio::test]
async fn a_cancelled_batch_hands_its_keys_over() {
    let lab = Arc::new(Lab::new());
    let gate = Gate::closed();
    let leader = tokio::spawn({
        let (lab, gate) = (lab.clone(), gate.clone());
        async move {
            let slow = async |missing: Vec<u64>| {
                gate.pass().await;
                Ok::<_, Infallible>(squares(missing))
            };
            lab.ask_with([1, 2, 3], slow).await
        }
    });
    gate.until(1).await;
    let waiters = [[1, 2], [2, 3]].map(|items| {
        let lab = lab.clone();
        tokio::spawn(async move { lab.ask(items).await })
    });
    eventually(|| lab.cache.stats().misses == 7).await;
    leader.abort();
    for (waiter, items) in waiters.into_iter().zip([[1, 2], [2, 3]]) {
        assert_eq!(in_time(waiter).await.unwrap(), squares(items));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn many_batches_at_once_compute_each_key_once() {
    for round in 0..100 {
        let cache = MemoryCache::new(10_000);
        let computed = Arc::new(Mutex::new(Vec::new()));
        let tasks: Vec<_> = (0..8)
            .map(|task| {
                let (cache, computed) = (cache.clone(), computed.clone());
                let mut random = fastrand::Rng::with_seed(round * 8 + task);
                tokio::spawn(async move {
                    for _ in 0..10 {
                        let items: BTreeSet<u64> = (0..20).map(|_| random.u64(..50)).collect();
                        let expected = squares(items.clone());
                        let compute = async |missing: Vec<u64>| {
                            computed.lock().unwrap().extend(missing.clone());
                            tokio::task::yield_now().await;
                            Ok::<_, Infallible>(squares(missing))
                        };
                        let found = cache.get_or_compute_many(items, key, long(), compute).await;
                        assert_eq!(found, Ok(expected));
                    }
                })
            })
            .collect();
        for task in tasks {
            in_time(task).await.unwrap();
        }
        let mut computed = computed.lock().unwrap().clone();
        computed.sort_unstable();
        let distinct: BTreeSet<_> = computed.iter().copied().collect();
        assert_eq!(computed, Vec::from_iter(distinct), "in round {round}: {:?}", cache.stats());
    }
}

/// What one batch left is computed in one call, not key after key.
#[tokio::test]
async fn the_keys_of_a_cancelled_batch_are_taken_over_in_one_call() {
    let lab = Lab::new();
    let (abandoned, gate) = (Gate::closed(), Gate::closed());
    let leader = tokio::spawn({
        let (cache, abandoned) = (lab.cache.clone(), abandoned.clone());
        async move {
            let never = async |missing: Vec<u64>| {
                abandoned.pass().await;
                Ok::<_, Infallible>(squares(missing))
            };
            cache.get_or_compute_many(0..10, key, long(), never).await
        }
    });
    abandoned.until(1).await;
    let cancel = async {
        eventually(|| lab.cache.stats().misses == 20).await;
        leader.abort();
        gate.until(1).await;
        gate.open();
    };
    let compute = async |missing: Vec<u64>| {
        gate.pass().await;
        Ok::<_, Infallible>(squares(missing))
    };
    let (found, ()) = tokio::join!(lab.ask_with(0..10, compute), cancel);
    assert_eq!(found, Ok(squares(0..10)));
    assert_eq!(lab.asked(), [Vec::from_iter(0..10)]);
}
