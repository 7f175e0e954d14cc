//! What is marked stale: served for a moment while it is computed anew, and never in place of what was invalidated.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

mod support;

use std::{
    convert::Infallible,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
};

use larder::{
    Cache, CacheExt, MemoryCache, NotStored, Policy, PolicyBuilder, Scope, Source, Store, cached, deferred,
    invalidate,
};

use self::support::{Gate, in_time, long, secs};

/// A cache, and a source whose value others change.
#[derive(Clone)]
struct World {
    cache: MemoryCache,
    row: Arc<AtomicU64>,
    fails: Arc<AtomicBool>,
}

impl World {
    fn new() -> Self {
        Self::over(MemoryCache::new(100))
    }

    fn over(cache: MemoryCache) -> Self {
        Self { cache, row: Arc::new(AtomicU64::new(1)), fails: Arc::default() }
    }

    fn set(&self, value: u64) {
        self.row.store(value, Ordering::SeqCst);
    }

    fn fail(&self, fails: bool) {
        self.fails.store(fails, Ordering::SeqCst);
    }

    async fn ask(&self, key: &str, policy: &Policy) -> Result<u64, &'static str> {
        let (row, fails) = (self.row.clone(), self.fails.clone());
        let compute = move || async move {
            if fails.load(Ordering::SeqCst) {
                Err("the source is away")
            } else {
                Ok(row.load(Ordering::SeqCst))
            }
        };
        in_time(self.cache.get_or_compute_background(key, policy, compute)).await
    }

    async fn get(&self, key: &str) -> Option<u64> {
        self.cache.get(key).await.unwrap()
    }

    /// Waits for a refresh to be stored.
    async fn fresh(&self, key: &str, value: u64) {
        in_time(async {
            while self.get(key).await != Some(value) {
                tokio::task::yield_now().await;
            }
        })
        .await;
    }
}

fn policy(set: impl FnOnce(PolicyBuilder) -> PolicyBuilder) -> Policy {
    set(Policy::builder().ttl(secs(3_600)).tag("tag").retry_after(secs(0))).build().unwrap()
}

/// Served stale for 30 s.
fn windowed() -> Policy {
    policy(|policy| policy.stale_while_revalidate(secs(30)))
}

#[tokio::test]
async fn what_is_marked_is_served_while_it_is_computed_anew() {
    let moka = MemoryCache::builder().capacity(100).store(Store::Moka).build().unwrap();
    for world in [World::new(), World::over(moka)] {
        for scope in [Scope::key("a:b"), Scope::prefix("a"), Scope::tag("tag"), Scope::all()] {
            drop(world.cache.invalidate("a:b"));
            world.set(1);
            assert_eq!(world.ask("a:b", &windowed()).await, Ok(1));
            world.set(2);
            drop(world.cache.mark_stale(scope.clone()));
            assert_eq!(world.get("a:b").await, None, "{scope} ended its ttl");
            let before = world.cache.stats();
            assert_eq!(world.ask("a:b", &windowed()).await, Ok(1), "{scope}");
            world.fresh("a:b", 2).await;
            assert_eq!(world.ask("a:b", &windowed()).await, Ok(2));
            let stats = world.cache.stats().since(&before);
            assert_eq!((stats.computations, stats.stale_hits, stats.invalidated_reads), (1, 1, 0), "{scope}");
        }
        assert_eq!(world.cache.stats().marks, 4);
    }
}

#[tokio::test]
async fn without_a_window_it_is_computed_anew() {
    let world = World::new();
    let policy = policy(|policy| policy);
    assert_eq!(world.ask("a", &policy).await, Ok(1));
    world.set(2);
    drop(world.cache.mark_stale("a"));
    assert_eq!(world.get("a").await, None);
    assert_eq!(world.ask("a", &policy).await, Ok(2));
    assert_eq!(world.get("a").await, Some(2));
}

/// Not by what is left of the `ttl`, and not anew with each mark.
#[tokio::test]
async fn the_window_begins_with_the_first_mark() {
    let world = World::new();
    for (later, expected) in [(29, 1), (31, 2)] {
        drop(world.cache.invalidate("a"));
        world.set(1);
        assert_eq!(world.ask("a", &windowed()).await, Ok(1));
        world.cache.core().advance(secs(60));
        world.set(2);
        drop(world.cache.mark_stale("a"));
        world.cache.core().advance(secs(later));
        drop(world.cache.mark_stale(["b:*", "a"]));
        assert_eq!(world.ask("a", &windowed()).await, Ok(expected), "{later} s after the mark");
        world.fresh("a", 2).await;
    }
}

#[tokio::test]
async fn it_stands_in_for_a_failure_where_the_policy_says_so() {
    let world = World::new();
    let policy = policy(|policy| policy.stale_if_error(secs(30)));
    assert_eq!(world.ask("a", &policy).await, Ok(1));
    drop(world.cache.mark_stale("a"));
    world.fail(true);
    assert_eq!(world.ask("a", &policy).await, Ok(1));
    world.cache.core().advance(secs(31));
    assert_eq!(world.ask("a", &policy).await, Err("the source is away"));
}

#[tokio::test]
async fn a_hard_invalidation_always_wins() {
    let world = World::new();
    for marked_first in [true, false] {
        world.set(1);
        assert_eq!(world.ask("a:1", &windowed()).await, Ok(1));
        world.set(2);
        let mark = || drop(world.cache.mark_stale("a:1"));
        if marked_first {
            mark();
        }
        drop(world.cache.invalidate("a:*"));
        if !marked_first {
            mark();
        }
        world.fail(true);
        assert_eq!(world.ask("a:1", &windowed()).await, Err("the source is away"));
        world.fail(false);
        assert_eq!(world.ask("a:1", &windowed()).await, Ok(2));
        drop(world.cache.invalidate("a:1"));
    }
}

/// Whatever else happens, and however often it is asked for: it does not become fresh.
#[tokio::test]
async fn a_mark_is_not_forgotten() {
    let world = World::new();
    assert_eq!(world.ask("a", &windowed()).await, Ok(1));
    drop(world.cache.mark_stale("*"));
    world.fail(true);
    for round in 0..100 {
        drop(world.cache.invalidate(format!("other:{round}")));
        drop(world.cache.mark_stale(format!("other:{round}")));
        assert_eq!(world.get("a").await, None);
        assert_eq!(world.ask("a", &windowed()).await, Ok(1), "round {round}");
    }
    assert_eq!(world.cache.stats().hits, 0);
}

/// What marks look like is a matter of bits: an entry that nothing marked stays what it was.
#[tokio::test]
async fn nothing_else_is_marked() {
    let world = World::new();
    for number in 0..50 {
        assert_eq!(world.ask(&format!("a:{number}"), &windowed()).await, Ok(1));
    }
    drop(world.cache.mark_stale(["a:7", "b:*"]));
    drop(world.cache.mark_stale(Scope::tag("other")));
    for number in 0..50 {
        let expected = (number != 7).then_some(1);
        assert_eq!(world.get(&format!("a:{number}")).await, expected, "a:{number}");
    }
}

#[tokio::test]
async fn a_computation_that_a_mark_overtakes_is_marked() {
    for (policy, expected) in [(windowed(), Ok(1)), (policy(|policy| policy), Err("asked again"))] {
        let (cache, gate) = (MemoryCache::new(10), Gate::closed());
        let compute = async || {
            gate.pass().await;
            Ok::<_, Infallible>(1_u64)
        };
        let mark = async {
            gate.until(1).await;
            drop(cache.mark_stale("a"));
            gate.open();
        };
        assert_eq!(tokio::join!(cache.get_or_compute("a", &policy, compute), mark).0, Ok(1));
        assert_eq!(cache.get::<u64>("a").await.unwrap(), None);
        assert_eq!(cache.get_or_compute("a", &policy, async || Err::<u64, _>("asked again")).await, expected);
    }
}

/// Who comes after a mark is not given what was begun before it.
#[tokio::test]
async fn no_caller_joins_a_computation_from_before_the_mark() {
    let (world, gate) = (World::new(), Gate::closed());
    let compute = async || {
        let value = world.row.load(Ordering::SeqCst);
        gate.pass().await;
        Ok::<_, Infallible>(value)
    };
    let first = world.cache.get_or_compute("a", long(), compute);
    let second = async {
        gate.until(1).await;
        world.set(2);
        drop(world.cache.mark_stale("a"));
        let late = world.cache.get_or_compute("a", long(), compute);
        let open = async {
            gate.until(2).await;
            gate.open();
        };
        in_time(async { tokio::join!(late, open).0 }).await
    };
    assert_eq!(in_time(async { tokio::join!(first, second) }).await, (Ok(1), Ok(2)));
}

#[tokio::test]
async fn an_insert_after_the_mark_is_fresh_and_one_of_an_earlier_read_is_not_kept() {
    let world = World::new();
    world.cache.insert("a", &1_u64, windowed()).await.unwrap();
    drop(world.cache.mark_stale("a"));
    world.cache.insert("a", &2_u64, windowed()).await.unwrap();
    assert_eq!(world.get("a").await, Some(2));

    let since = world.cache.begin();
    drop(world.cache.mark_stale("*"));
    world.cache.insert_since(since, "a", &1_u64, windowed()).await.unwrap();
    assert_eq!(world.get("a").await, None);
    assert_eq!(world.ask("a", &long()).await, Ok(1));
}

#[cached(ttl = 3600, stale_while_revalidate = 30, retry_after = "1ms", key = "row:<id>", cache = world.cache, skip(world))]
async fn row(world: World, id: u64) -> Result<u64, String> {
    let _ = id;
    if world.fails.load(Ordering::SeqCst) { Err("away".into()) } else { Ok(world.row.load(Ordering::SeqCst)) }
}

#[cached(ttl = 3600, key = "page:<id>", cache = world.cache, skip(world))]
async fn page(world: World, id: u64) -> Result<String, String> {
    Ok(format!("page of {}", row(world, id).await?))
}

#[cached(ttl = 3600, stale_while_revalidate = 30, key = "site", cache = world.cache, skip(world))]
async fn site(world: World) -> Result<String, String> {
    Ok(format!("site with {}", page(world, 7).await?))
}

#[invalidate(soft, "row:<id>", cache = world.cache)]
async fn change(world: &World, id: u64, value: u64) {
    world.set(value + id - id);
}

#[invalidate(soft, row(world.clone(), id))]
async fn change_row(world: &World, id: u64, value: u64) {
    world.set(value + id - id);
}

#[invalidate(soft, "row:<id>", cache = world.cache)]
fn change_blocking(world: &World, id: u64, value: u64) {
    world.set(value + id - id);
}

#[tokio::test]
async fn functions_mark_what_they_name() {
    let world = World::new();
    assert_eq!(row(world.clone(), 7).await, Ok(1));
    for value in 2..8 {
        match value % 3 {
            0 => change(&world, 7, value).await,
            1 => change_row(&world, 7, value).await,
            _ => change_blocking(&world, 7, value),
        }
        let (found, outcome) = row::with_outcome(world.clone(), 7).await;
        assert_eq!((found, outcome.source), (Ok(value - 1), Source::Stale));
        world.fresh("row:7", value).await;
        assert_eq!(row(world.clone(), 7).await, Ok(value));
    }
}

/// Whether it was made before the mark, or after it from what was marked.
#[tokio::test]
async fn what_is_made_from_it_is_as_stale() {
    let world = World::new();
    assert_eq!(site(world.clone()).await.unwrap(), "site with page of 1");
    world.fail(true);
    change(&world, 7, 2).await;
    assert_eq!(world.cache.get::<String>("page:7").await.unwrap(), None);
    assert_eq!(world.cache.get::<String>("site").await.unwrap(), None);

    // Made anew, from a row that cannot be.
    let (made, outcome) = page::with_outcome(world.clone(), 7).await;
    assert_eq!(made.unwrap(), "page of 1");
    assert_eq!((outcome.source, outcome.why_not_stored), (Source::Computed, Some(NotStored::Stale)));
    assert_eq!(world.cache.get::<String>("page:7").await.unwrap(), None);
    drop(world.cache.invalidate("site"));
    assert_eq!(site(world.clone()).await.unwrap(), "site with page of 1");
    assert_eq!(world.cache.get::<String>("site").await.unwrap(), None, "made from what was made from it");
    assert_eq!(site::with_outcome(world.clone()).await.1.source, Source::Stale);

    world.fail(false);
    in_time(async {
        while row(world.clone(), 7).await != Ok(2) {
            tokio::task::yield_now().await;
        }
    })
    .await;
    assert_eq!(page(world.clone(), 7).await.unwrap(), "page of 2");
    assert!(world.cache.get::<String>("page:7").await.unwrap().is_some());
    let site = || site(world.clone());
    in_time(async {
        while site().await.unwrap() != "site with page of 2" {
            tokio::task::yield_now().await;
        }
    })
    .await;
}

#[tokio::test]
async fn in_a_transaction_marks_wait_for_the_commit() {
    let world = World::new();
    assert_eq!(row(world.clone(), 7).await, Ok(1));
    let scope = deferred();
    scope
        .run(async {
            change(&world, 7, 2).await;
            assert_eq!(row(world.clone(), 7).await, Ok(2), "its own changes are seen");
        })
        .await;
    assert_eq!(row(world.clone(), 7).await, Ok(1));
    assert_eq!(world.cache.stats().stale_hits, 0);
    scope.commit().await;
    assert_eq!(row::with_outcome(world.clone(), 7).await.1.source, Source::Stale);
    world.fresh("row:7", 2).await;
}

/// It is freed when nothing more can be served of it.
#[tokio::test]
async fn what_is_marked_is_not_swept_away() {
    let world = World::new();
    assert_eq!(world.ask("a", &windowed()).await, Ok(1));
    drop(world.cache.mark_stale("a"));
    for number in 0..2_000 {
        world.cache.insert(&format!("b:{}", number % 20), &1_u64, long()).await.unwrap();
    }
    assert_eq!(world.ask("a", &windowed()).await, Ok(1));
    assert_eq!(world.cache.stats().stale_hits, 1);
    assert_eq!(world.cache.stats().invalidated_dropped, 0);
}

#[tokio::test]
async fn a_namespace_marks_its_own() {
    let world = World::new();
    let users = world.cache.namespace("users");
    users.insert("a", &1_u64, long()).await.unwrap();
    world.cache.insert("a", &1_u64, long()).await.unwrap();
    drop(users.mark_stale(Scope::all()));
    assert_eq!((users.get::<u64>("a").await.unwrap(), world.get("a").await), (None, Some(1)));
}
