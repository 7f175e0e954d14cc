//! Transactions: what is invalidated inside of a scope is invalidated at its end, and nothing that is computed in it stays.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

mod support;

use std::{
    collections::HashMap,
    convert::Infallible,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    thread,
};

use async_trait::async_trait;
use larder::{
    Cache, CacheExt, Entry, Invalidating, Lookup, MemoryCache, Scope, Storage, cache_put, cached, deferred,
    in_current_computation, invalidate,
};

use self::support::long;

/// A cache, and a database of one row, of which a transaction sees another value than all others.
#[derive(Clone)]
struct World {
    cache: MemoryCache,
    row: Arc<AtomicU64>,
}

impl World {
    fn new() -> Self {
        Self { cache: MemoryCache::new(100), row: Arc::new(AtomicU64::new(1)) }
    }

    fn set(&self, value: u64) {
        self.row.store(value, Ordering::SeqCst);
    }

    async fn cached(&self) -> Option<u64> {
        self.cache.get("row:7").await.unwrap()
    }
}

#[cached(ttl = 60, key = "row:<id>", tags = ["rows"], cache = world.cache, skip(world))]
async fn row(world: &World, id: u64) -> u64 {
    world.row.load(Ordering::SeqCst)
}

#[cached(ttl = 60, key = "page:<id>", cache = world.cache, skip(world))]
async fn page(world: &World, id: u64) -> String {
    format!("page of {}", row(world, id).await)
}

#[cached(ttl = 60, key = "other", cache = world.cache, skip(world))]
async fn other(world: &World) -> u64 {
    world.row.load(Ordering::SeqCst)
}

#[invalidate("row:<id>", cache = world.cache)]
async fn change(world: &World, id: u64, value: u64) {
    world.set(value + id - id);
}

#[cached(ttl = 60, key = "row:<id>", cache = world.cache, skip(world), shared_key)]
fn row_here(world: &World, id: u64) -> u64 {
    world.row.load(Ordering::SeqCst)
}

#[invalidate("row:<id>", cache = world.cache)]
fn change_here(world: &World, id: u64, value: u64) {
    world.set(value + id - id);
}

#[cache_put(ttl = 60, key = "row:<id>", cache = world.cache)]
async fn put(world: &World, id: u64, value: u64) -> u64 {
    world.set(value);
    value + id - id
}

#[tokio::test]
async fn what_is_invalidated_waits_for_the_commit() {
    let world = World::new();
    assert_eq!((row(&world, 7).await, page(&world, 7).await), (1, "page of 1".to_owned()));
    let before = world.cache.stats();
    let scope = deferred();
    scope.run(change(&world, 7, 2)).await;
    assert_eq!(world.cached().await, Some(1), "not before the commit");
    scope
        .run(async {
            assert_eq!((row(&world, 7).await, page(&world, 7).await), (2, "page of 2".to_owned()));
            assert_eq!(
                world.cached().await,
                None,
                "inside, it is invalidated, with all that was computed from it"
            );
        })
        .await;
    assert_eq!(world.cached().await, Some(1), "nothing was stored");
    assert_eq!(world.cache.stats().since(&before).invalidations, 0);
    scope.commit().await;
    assert_eq!(world.cached().await, None);
    assert_eq!(page(&world, 7).await, "page of 2");
    assert_eq!(world.cache.stats().since(&before).invalidations, 1, "all at once");
}

#[tokio::test]
async fn what_was_never_committed_is_not_kept() {
    let world = World::new();
    let scope = deferred();
    scope
        .run(async {
            world.set(2);
            assert_eq!((row(&world, 7).await, page(&world, 7).await), (2, "page of 2".to_owned()));
            assert_eq!(
                world.cache.get_or_compute("by-hand", long(), async || Ok::<_, Infallible>(2)).await,
                Ok(2)
            );
            world.cache.insert("inserted", &2, long()).await.unwrap();
            assert_eq!(row::key(&world, 7), "row:7");
            assert_eq!(row::refresh(&world, 7).await, 2);
            let many =
                async |ids: Vec<u64>| Ok::<_, Infallible>(ids.into_iter().map(|id| (id, id)).collect());
            let got = world.cache.get_or_compute_many([1, 2], |id| format!("many:{id}"), long(), many).await;
            assert_eq!(got, Ok(HashMap::from([(1, 1), (2, 2)])));
        })
        .await;
    world.set(1);
    scope.rollback();
    for key in ["row:7", "page:7", "by-hand", "inserted", "many:1"] {
        assert!(!world.cache.contains(key).await.unwrap(), "{key}");
    }
    assert_eq!(page(&world, 7).await, "page of 1");
}

#[tokio::test]
async fn other_callers_are_not_given_what_a_transaction_computes() {
    let world = World::new();
    let (begun, goes_on) = (tokio::sync::Semaphore::new(0), tokio::sync::Semaphore::new(0));
    let slow = async || {
        begun.add_permits(1);
        goes_on.acquire().await.unwrap().forget();
        Ok::<_, Infallible>(2)
    };
    let scope = deferred();
    let inside = scope.run(world.cache.get_or_compute("key", long(), slow));
    let outside = async {
        begun.acquire().await.unwrap().forget();
        let own = world.cache.get_or_compute("key", long(), async || Ok::<_, Infallible>(1)).await;
        goes_on.add_permits(1);
        own
    };
    assert_eq!(tokio::join!(inside, outside), (Ok(2), Ok(1)));
    assert_eq!(world.cache.get("key").await.unwrap(), Some(1));
}

#[tokio::test]
async fn a_scope_that_is_dropped_invalidates() {
    let world = World::new();
    row(&world, 7).await;
    let scope = deferred();
    scope.run(change(&world, 7, 2)).await;
    drop(scope);
    assert_eq!(world.cached().await, None);

    row(&world, 7).await;
    let panics = tokio::spawn({
        let world = world.clone();
        async move {
            let scope = deferred();
            scope
                .run(async {
                    change(&world, 7, 3).await;
                    panic!("on purpose");
                })
                .await;
        }
    });
    assert!(panics.await.unwrap_err().is_panic());
    assert_eq!(world.cached().await, None);

    row(&world, 7).await;
    let scope = deferred();
    scope.run(change(&world, 7, 2)).await;
    scope.rollback();
    assert_eq!(world.cached().await, Some(3), "a rollback that is certain invalidates nothing");
}

#[tokio::test]
async fn what_nothing_has_changed_is_served_inside_too() {
    let world = World::new();
    assert_eq!((row(&world, 7).await, other(&world).await), (1, 1));
    let scope = deferred();
    scope.run(change(&world, 7, 2)).await;
    scope.run(async { assert_eq!((row(&world, 7).await, other(&world).await), (2, 1)) }).await;
    scope
        .run(async {
            drop(world.cache.invalidate(Scope::all()));
            assert_eq!(other(&world).await, 2);
        })
        .await;
    assert_eq!(other(&world).await, 2, "by hand, it is invalidated at once");
    world.set(3);
    scope.commit().await;
    assert_eq!(other(&world).await, 3, "and again at the end");
}

#[tokio::test]
async fn a_put_is_an_invalidation() {
    let world = World::new();
    row(&world, 7).await;
    let scope = deferred();
    scope.run(put(&world, 7, 2)).await;
    assert_eq!(world.cached().await, Some(1));
    scope.commit().await;
    assert_eq!(world.cached().await, None);
    put(&world, 7, 4).await;
    assert_eq!(world.cached().await, Some(4));
}

#[tokio::test]
async fn scopes_nest() {
    let world = World::new();
    row(&world, 7).await;
    let outer = deferred();
    outer
        .run(async {
            let inner = deferred();
            inner.run(change(&world, 7, 2)).await;
            inner.commit().await;
            assert_eq!(row(&world, 7).await, 2);
        })
        .await;
    assert_eq!(world.cached().await, Some(1), "it waits for the outer one");
    outer.commit().await;
    assert_eq!(world.cached().await, None);
}

#[test]
fn threads_have_scopes_too() {
    let world = World::new();
    assert_eq!(row_here(&world, 7), 1);
    let scope = deferred();
    scope.run_blocking(|| {
        change_here(&world, 7, 2);
        assert_eq!(row_here(&world, 7), 2);
        let context = larder::context();
        thread::scope(|threads| {
            assert_eq!(
                threads.spawn(|| row_here(&world, 7)).join().unwrap(),
                1,
                "another thread is not in it"
            );
            let inside = threads.spawn(|| context.run(|| row_here(&world, 7)));
            assert_eq!(inside.join().unwrap(), 2, "unless it is taken along");
        });
    });
    assert_eq!(row_here(&world, 7), 1);
    drop(scope.commit());
    assert_eq!(row_here(&world, 7), 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn tasks_are_in_a_scope_if_they_are_taken_along() {
    let world = World::new();
    row(&world, 7).await;
    let scope = deferred();
    scope
        .run(async {
            change(&world, 7, 2).await;
            let read = |world: World| async move { row(&world, 7).await };
            for _ in 0..100 {
                tokio::task::yield_now().await;
                assert_eq!(tokio::spawn(read(world.clone())).await.unwrap(), 1);
                assert_eq!(tokio::spawn(in_current_computation(read(world.clone()))).await.unwrap(), 2);
                assert_eq!(row(&world, 7).await, 2);
            }
        })
        .await;
    scope.commit().await;
    assert_eq!(row(&world, 7).await, 2);
}

/// A task that outlives its scope: what it changes is not lost.
#[tokio::test]
async fn what_comes_after_the_end_is_invalidated_at_once() {
    let world = World::new();
    row(&world, 7).await;
    let scope = deferred();
    #[expect(clippy::async_yields_async, reason = "it is awaited outside of the scope")]
    let late = scope.run(async { in_current_computation(async { change(&world, 7, 2).await }) }).await;
    scope.commit().await;
    late.await;
    assert_eq!(world.cached().await, None);
}

/// A bulk load: each thing once, and however many there are.
#[tokio::test]
async fn very_many_are_collected_in_no_time_and_become_one() {
    const MANY: u64 = 9_000;
    let world = World::new();
    let keep = async |key: &str| world.cache.insert(key, &1_u64, long()).await.unwrap();
    let kept = async |key: &str| world.cache.get::<u64>(key).await.unwrap().is_some();
    for (many, others_stay) in [(MANY, true), (MANY * 2, false)] {
        keep("row:8999").await;
        keep("elsewhere").await;
        let scope = deferred();
        let begun = std::time::Instant::now();
        scope
            .run(async {
                for id in (0..many).chain(0..10) {
                    change(&world, id, 2).await;
                }
                assert!(!kept("row:8999").await, "inside, it is passed by");
                assert_eq!(kept("elsewhere").await, others_stay);
            })
            .await;
        // Quadratic, it takes a hundred times as long as this machine needs; the limit is for a busy one.
        assert!(begun.elapsed() < std::time::Duration::from_secs(5), "{:?}", begun.elapsed());
        assert!(kept("row:8999").await, "not invalidated yet");
        scope.commit().await;
        assert_eq!((kept("row:8999").await, kept("elsewhere").await), (false, others_stay));
    }
}

/// A cache whose store panics when it is to invalidate.
#[derive(Clone)]
struct Fragile(MemoryCache);

support::cache_around_memory!(Fragile);

#[async_trait]
impl Storage for Fragile {
    fn peek(&self, at: Lookup<'_>) -> Option<Entry> {
        self.0.storage().peek(at)
    }

    async fn write(&self, entries: &[Entry]) -> larder::Result<()> {
        self.0.storage().write(entries).await
    }

    fn apply(&self, _: &[Scope]) -> Invalidating {
        panic!("on purpose, when it invalidates")
    }
}

static COUNTED: AtomicU64 = AtomicU64::new(0);

#[cached(ttl = 60, key = "deferred-counted:<id>")]
async fn counted(id: u64) -> u64 {
    COUNTED.fetch_add(1, Ordering::SeqCst) + id - id
}

#[invalidate("row:<id>", counted(id), cache = fragile)]
async fn change_both(fragile: &Fragile, id: u64) {
    let _ = id;
}

/// The panic goes on, and no other cache is left with what was changed.
#[tokio::test]
async fn a_cache_that_panics_keeps_no_other_one_from_being_invalidated() {
    let fragile = Fragile(MemoryCache::new(10));
    let before = counted(1).await;
    let alone = tokio::spawn({
        let fragile = fragile.clone();
        async move { change_both(&fragile, 1).await }
    });
    assert!(alone.await.unwrap_err().is_panic());
    let between = counted(1).await;
    assert!(between > before, "it is invalidated");
    let together = tokio::spawn(async move {
        let scope = deferred();
        scope.run(change_both(&fragile, 1)).await;
        assert_eq!(counted(1).await, between, "not yet");
        scope.commit().await;
    });
    assert!(together.await.unwrap_err().is_panic());
    assert!(counted(1).await > between, "it is invalidated");
}

/// On a runtime that drives its timers on the very thread which is blocked.
#[cfg(feature = "redis")]
#[tokio::test]
async fn a_thread_in_a_scope_waits_for_no_server() {
    let server = larder_servers::RedisServer::start();
    let cache = larder::TieredCache::connect(server.url()).await.unwrap();
    server.pause();
    let resumed = thread::spawn(move || {
        thread::sleep(std::time::Duration::from_secs(6));
        server.resume();
        server
    });
    let scope = deferred();
    let inserted = scope.run(async { cache.blocking().insert("row:7", &1_u64, long()) }).await;
    inserted.unwrap();
    assert!(!resumed.is_finished(), "it waited for the server");
    drop(scope);
    drop(tokio::task::spawn_blocking(|| resumed.join()).await.unwrap());
}
