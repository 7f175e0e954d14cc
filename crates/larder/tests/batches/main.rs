//! `get_or_compute_many`: one call for all that is missing, and still one computation a key.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

mod overlapping;
#[path = "../support/mod.rs"]
mod support;

use std::{
    collections::{BTreeSet, HashMap},
    convert::Infallible,
    sync::{Arc, Mutex},
    time::Duration,
};

use larder::{Cache, CacheExt, MemoryCache, Policy, context};

use self::support::{Calls, Gate, eventually, in_time, long, secs};

type Squares<E = Infallible> = Result<HashMap<u64, u64>, E>;

fn key(n: &u64) -> String {
    format!("square:{n}")
}

fn squares(of: impl IntoIterator<Item = u64>) -> HashMap<u64, u64> {
    of.into_iter().map(|n| (n, n * n)).collect()
}

/// Squares, and what each call was asked for.
struct Lab {
    cache: MemoryCache,
    policy: Policy,
    asked: Mutex<Vec<Vec<u64>>>,
}

impl Lab {
    fn new() -> Self {
        Self { cache: MemoryCache::new(10_000), policy: long(), asked: Mutex::default() }
    }

    async fn ask(&self, items: impl IntoIterator<Item = u64, IntoIter: Send> + Send) -> HashMap<u64, u64> {
        self.ask_with(items, async |missing| Ok::<_, Infallible>(squares(missing))).await.unwrap()
    }

    async fn ask_with<E: Send + 'static, Fut: Future<Output = Squares<E>> + Send>(
        &self,
        items: impl IntoIterator<Item = u64, IntoIter: Send> + Send,
        compute: impl Fn(Vec<u64>) -> Fut + Send + Sync,
    ) -> Squares<E> {
        let compute = |missing: Vec<u64>| {
            self.asked.lock().unwrap().push(missing.clone());
            compute(missing)
        };
        in_time(self.cache.get_or_compute_many(items, key, &self.policy, compute)).await
    }

    /// What the calls were asked for since the last look.
    fn asked(&self) -> Vec<Vec<u64>> {
        std::mem::take(&mut self.asked.lock().unwrap())
    }
}

#[tokio::test]
async fn one_call_makes_all_that_is_missing() {
    let lab = Lab::new();
    lab.cache.insert("square:2", &4_u64, long()).await.unwrap();
    assert_eq!(lab.ask([1, 2, 3]).await, squares([1, 2, 3]));
    assert_eq!(lab.asked(), [[1, 3]]);
    assert_eq!(lab.ask([3, 2, 1]).await, squares([1, 2, 3]));
    assert!(lab.asked().is_empty());
    assert_eq!(lab.cache.get("square:3").await.unwrap(), Some(9_u64));
    let stats = lab.cache.stats();
    assert_eq!((stats.computations, stats.misses, stats.stores), (1, 2, 3));
}

#[tokio::test]
async fn nothing_asked_is_nothing_computed() {
    let lab = Lab::new();
    assert!(lab.ask([]).await.is_empty());
    assert!(lab.asked().is_empty());
}

#[tokio::test]
async fn an_item_without_a_value_is_left_out_and_not_kept() {
    let lab = Lab::new();
    for _ in 0..2 {
        let odd = async |missing: Vec<u64>| {
            Ok::<_, Infallible>(squares(missing.into_iter().filter(|n| n % 2 == 1)))
        };
        assert_eq!(lab.ask_with([1, 2, 3, 4], odd).await, Ok(squares([1, 3])));
    }
    assert_eq!(lab.asked(), [vec![1, 2, 3, 4], vec![2, 4]]);
}

#[tokio::test]
async fn a_value_that_was_not_asked_for_is_left_out() {
    let lab = Lab::new();
    let more = async |_| Ok::<_, Infallible>(squares([1, 2, 3]));
    assert_eq!(lab.ask_with([1], more).await, Ok(squares([1])));
    assert!(!lab.cache.contains("square:2").await.unwrap());
}

#[tokio::test]
async fn an_item_asked_for_twice_is_computed_once() {
    let lab = Lab::new();
    assert_eq!(lab.ask([1, 2, 1, 1, 2]).await, squares([1, 2]));
    assert_eq!(lab.asked(), [[1, 2]]);
    let none = async |_| Ok::<_, Infallible>(HashMap::new());
    assert_eq!(lab.ask_with([3, 3, 3], none).await, Ok(HashMap::new()));
    assert_eq!(lab.asked(), [[3]], "also if there is no value for it");
}

#[tokio::test]
async fn items_with_one_key_share_its_value() {
    let cache = MemoryCache::new(10);
    let calls = Calls::default();
    let compute = async |missing: Vec<u64>| {
        calls.call();
        Ok::<_, Infallible>(missing.into_iter().map(|n| (n, n % 10)).collect())
    };
    let found =
        in_time(cache.get_or_compute_many([1, 11, 21], |n| format!("{}", n % 10), long(), compute)).await;
    assert_eq!(found, Ok(HashMap::from([(1, 1), (11, 1), (21, 1)])));
    assert_eq!(calls.made(), 1);
}

#[tokio::test]
async fn a_failure_is_the_batchs() {
    let lab = Lab::new();
    lab.cache.insert("square:2", &4_u64, long()).await.unwrap();
    assert_eq!(lab.ask_with([1, 2], async |_| Err("failed")).await, Err("failed"));
    assert!(!lab.cache.contains("square:1").await.unwrap());
    assert_eq!(lab.ask_with([2], async |_| Err("failed")).await, Ok(squares([2])));
    assert_eq!((lab.cache.stats().failures, lab.cache.stats().computations), (1, 1));
}

#[tokio::test]
async fn nones_are_kept_for_negative_ttl() {
    let cache = MemoryCache::new(10);
    let policy = Policy::builder().ttl(secs(100)).negative_ttl(secs(10)).build().unwrap();
    let calls = Calls::default();
    let ask = async || {
        let compute = async |missing: Vec<u64>| {
            calls.call();
            Ok::<_, Infallible>(missing.into_iter().map(|n| (n, (n == 1).then_some(n))).collect())
        };
        cache.get_or_compute_many([1, 2], key, &policy, compute).await.unwrap()
    };
    for _ in 0..2 {
        assert_eq!(ask().await, HashMap::from([(1, Some(1)), (2, None)]));
    }
    assert_eq!(calls.made(), 1);
    cache.core().advance(secs(20));
    ask().await;
    assert_eq!(calls.made(), 2);
}

#[tokio::test]
async fn values_that_are_due_are_refreshed_in_the_same_call() {
    let each_asks = || Policy::builder().ttl(secs(100)).retry_after(Duration::ZERO);
    let refresh_ahead = each_asks().refresh_ahead(0.5).build().unwrap();
    let window = each_asks().stale_while_revalidate(secs(100)).build().unwrap();
    for (policy, age) in [(refresh_ahead, 60), (window, 150)] {
        let lab = Lab { policy, ..Lab::new() };
        lab.ask([1, 2]).await;
        lab.cache.core().advance(secs(age));
        lab.ask([3]).await;
        let again = lab.ask_with([1, 2, 3, 4], async |_| Err("failed"));
        assert_eq!(again.await, Err("failed"), "for 4 there is nothing to stand in");
        let again = lab.ask_with([1, 2, 3], async |_| Err("failed"));
        assert_eq!(again.await, Ok(squares([1, 2, 3])), "a failed refresh leaves the values as they were");
        assert_eq!(lab.ask([1, 2, 3, 4]).await, squares([1, 2, 3, 4]));
        let asked = [vec![1, 2], vec![3], vec![1, 2, 4], vec![1, 2], vec![1, 2, 4]];
        assert_eq!(lab.asked(), asked);
        assert_eq!(lab.ask([1, 2, 3, 4]).await, squares([1, 2, 3, 4]));
        assert!(lab.asked().is_empty());
    }
}

#[tokio::test]
async fn a_batch_invalidated_while_it_is_computed_is_not_kept() {
    let lab = Lab::new();
    let invalidating = async |missing: Vec<u64>| {
        lab.cache.invalidate("square:1");
        Ok::<_, Infallible>(squares(missing))
    };
    assert_eq!(lab.ask_with([1, 2], invalidating).await, Ok(squares([1, 2])));
    assert_eq!(lab.cache.get_many(&["square:1", "square:2"]).await.unwrap(), [None, Some(4_u64)]);
}

#[tokio::test]
async fn a_second_round_counts_as_begun_when_it_began() {
    let lab = Lab::new();
    let gate = Gate::closed();
    let first = async {
        let slow = async || {
            gate.pass().await;
            Ok::<_, Infallible>(100_u64)
        };
        lab.cache.get_or_compute("square:1", long(), slow).await
    };
    let batch = async {
        gate.until(1).await;
        lab.ask([1]).await
    };
    let change = async {
        eventually(|| lab.cache.stats().misses == 2).await;
        lab.cache.invalidate("square:1");
        gate.open();
    };
    let (one, found, ()) = tokio::join!(first, batch, change);
    assert_eq!((one, found), (Ok(100), squares([1])));
    assert_eq!(lab.cache.get("square:1").await.unwrap(), Some(1_u64), "it was computed after the change");
}

#[tokio::test]
async fn decisions_count_for_all_items() {
    let lab = Lab::new();
    let brief = async |missing: Vec<u64>| {
        context().ttl(Duration::from_secs(5)).tag("squares");
        Ok::<_, Infallible>(squares(missing))
    };
    lab.ask_with([1, 2], brief).await.unwrap();
    for key in ["square:1", "square:2"] {
        assert!(lab.cache.remaining_ttl(key).await.unwrap().unwrap() <= secs(5));
    }
    lab.cache.invalidate(larder::Scope::tag("squares"));
    let fleeting = async |missing: Vec<u64>| {
        context().no_store();
        Ok::<_, Infallible>(squares(missing))
    };
    lab.ask_with([1, 2], fleeting).await.unwrap();
    lab.ask([1, 2]).await;
    assert_eq!(lab.asked(), vec![vec![1, 2]; 3]);
}

#[tokio::test]
async fn keys_that_are_refused_are_computed_without_the_cache() {
    let cache = MemoryCache::new(10);
    let calls = Calls::default();
    let ask = async || {
        let compute = async |missing: Vec<usize>| {
            calls.call();
            Ok::<_, Infallible>(missing.into_iter().map(|n| (n, n)).collect())
        };
        let key = |n: &usize| "k".repeat(*n);
        in_time(cache.get_or_compute_many([0, 1, 100_000], key, long(), compute)).await.unwrap()
    };
    for _ in 0..2 {
        assert_eq!(ask().await, HashMap::from([(0, 0), (1, 1), (100_000, 100_000)]));
    }
    assert_eq!((calls.made(), cache.stats().refused_keys), (2, 4));
}

/// Lengths of names, as a source of the user's has them.
async fn lengths_of(names: &[&str]) -> Result<HashMap<String, usize>, Infallible> {
    tokio::task::yield_now().await;
    Ok(names.iter().map(|name| ((*name).to_owned(), name.len())).collect())
}

fn name_key(name: &impl std::fmt::Display) -> String {
    format!("length:{name}")
}

/// Items may be borrowed, and closures async ones, where the call has to be `Send` too.
#[tokio::test]
async fn items_are_owned_or_borrowed_in_the_natural_spellings() {
    type Lengths<K> = Result<HashMap<K, usize>, Infallible>;
    let task = tokio::spawn(async {
        let cache = MemoryCache::new(100);
        let owned: Vec<String> = ["a", "four"].map(str::to_owned).to_vec();

        let all = cache.get_or_compute_many(["a", "four"], name_key, long(), async |missing: Vec<&str>| {
            tokio::task::yield_now().await;
            Ok::<_, Infallible>(missing.into_iter().map(|name| (name, name.len())).collect())
        });
        assert_eq!(all.await, Ok(HashMap::from([("a", 1), ("four", 4)])));
        cache.invalidate("*").await;

        let names = || owned.iter().map(String::as_str);
        let from_source = cache.get_or_compute_many(names(), name_key, long(), async |missing: Vec<&str>| {
            let found = lengths_of(&missing).await?;
            Ok::<_, Infallible>(
                missing.into_iter().filter_map(|name| Some((name, *found.get(name)?))).collect(),
            )
        });
        assert_eq!(from_source.await.unwrap().len(), 2);
        cache.invalidate("*").await;

        // Before the call the compiler does not know whose names they are: `_` leaves it open.
        let before = async |missing: Vec<_>| -> Lengths<_> {
            tokio::task::yield_now().await;
            Ok(missing.into_iter().map(|name: &str| (name, name.len())).collect())
        };
        assert_eq!(cache.get_or_compute_many(names(), name_key, long(), before).await.unwrap().len(), 2);
        cache.invalidate("*").await;

        let in_place = cache.get_or_compute_many(&owned, name_key, long(), async |missing| {
            Ok::<_, Infallible>(missing.into_iter().map(|name: &String| (name, name.len())).collect())
        });
        assert_eq!(in_place.await.unwrap().len(), 2);
        cache.invalidate("*").await;

        let calls = Calls::default();
        let counted =
            cache.get_or_compute_many(owned.clone(), name_key, long(), async |missing: Vec<String>| {
                calls.call();
                tokio::task::yield_now().await;
                Ok::<_, Infallible>(missing.into_iter().map(|name| (name.clone(), name.len())).collect())
            });
        assert_eq!(counted.await.unwrap().len(), 2);
        assert_eq!(calls.made(), 1);
    });
    task.await.unwrap();
}
