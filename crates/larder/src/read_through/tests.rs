//! Nothing is left under way when no caller computes or waits any more.

use std::{borrow::Cow, collections::HashMap, convert::Infallible, future::pending, time::Duration};

use tokio::task::{JoinSet, yield_now};

use crate::{Cache, CacheExt, MemoryCache, Policy, context};

const LONG: Duration = Duration::from_secs(3_600);

fn policy() -> Policy {
    let windows = Policy::builder().ttl(LONG).stale_while_revalidate(LONG).stale_if_error(LONG);
    windows.build().expect("a `ttl` is all it takes")
}

/// How a computation ends.
#[derive(Debug, Clone, Copy)]
enum End {
    Value,
    NoStore,
    Unshared,
    Failure,
    Panic,
    Never,
    Invalidated,
}

const ENDS: [End; 7] =
    [End::Value, End::NoStore, End::Unshared, End::Failure, End::Panic, End::Never, End::Invalidated];

async fn compute(cache: MemoryCache, end: End) -> Result<u32, &'static str> {
    yield_now().await;
    match end {
        End::Value => {}
        End::NoStore => drop(context().no_store().clone()),
        End::Unshared => drop(context().unshared().clone()),
        End::Failure => return Err("failed"),
        End::Panic => panic!("on purpose"),
        End::Never => pending().await,
        End::Invalidated => drop(cache.invalidate("a:*")),
    }
    Ok(1)
}

async fn ask(cache: MemoryCache, end: End, form: usize) {
    let compute = || compute(cache.clone(), end);
    let inner = cache.clone();
    match form {
        0 => drop(cache.get_or_compute("a:1", policy(), compute).await),
        1 => drop(cache.get_or_compute_shared("a:1", policy(), compute).await),
        2 => {
            let compute = move || self::compute(inner, end);
            let _ = cache.get_or_compute_background("a:1", policy(), compute).await;
        }
        _ => {
            let compute = async |missing: Vec<u32>| {
                let value = compute().await?;
                // The last one stays without a value.
                Ok::<HashMap<_, _>, &str>(
                    missing.into_iter().filter(|n| *n < 3).map(|n| (n, value)).collect(),
                )
            };
            drop(cache.get_or_compute_many([1, 2, 3], |n| format!("a:{n}"), policy(), compute).await);
        }
    }
}

async fn leaves_nothing(cache: &MemoryCache, what: &str) {
    for _ in 0..1_000 {
        if cache.core().singleflight().len() == 0 {
            return;
        }
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    panic!("{} computations are left: {what}", cache.core().singleflight().len());
}

#[tokio::test]
async fn nothing_is_left_however_computations_end() {
    for end in ENDS {
        for form in 0..4 {
            let cache = MemoryCache::new(10);
            let mut callers = JoinSet::new();
            for _ in 0..10 {
                callers.spawn(ask(cache.clone(), end, form));
            }
            if let End::Never = end {
                for _ in 0..10 {
                    yield_now().await;
                }
                callers.abort_all();
            }
            while callers.join_next().await.is_some() {}
            if let (End::Never, 2) = (end, form) {
                // A computation in the background goes on, and no caller is left to end this one.
                assert_eq!(cache.core().singleflight().len(), 1);
            } else {
                leaves_nothing(&cache, &format!("{end:?}, form {form}")).await;
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn nothing_is_left_after_all_of_it_at_once() {
    let cache = MemoryCache::new(10);
    let mut callers = JoinSet::new();
    for n in 0..2_000 {
        let cache = cache.clone();
        callers.spawn(async move {
            let mut random = fastrand::Rng::with_seed(n);
            let ends = [End::Value, End::NoStore, End::Unshared, End::Failure, End::Invalidated];
            let end = ends[random.usize(..ends.len())];
            let asked = ask(cache.clone(), end, random.usize(..4));
            cache.core().advance(LONG / 100 * random.u32(..5));
            match random.u8(..4) {
                0 => drop(tokio::time::timeout(Duration::from_micros(random.u64(..500)), asked).await),
                1 => drop(cache.invalidate("a:1")),
                _ => asked.await,
            }
        });
    }
    while callers.join_next().await.is_some() {}
    leaves_nothing(&cache, "all of it").await;
}

#[tokio::test]
async fn nothing_is_left_of_an_outdated_computation() {
    let cache = MemoryCache::new(10);
    let outdated = async || {
        for _ in 0..3 {
            cache.invalidate("key");
            let fresh = async || Ok::<_, Infallible>(2);
            assert_eq!(cache.get_or_compute("key", policy(), fresh).await, Ok(2));
        }
        Ok::<_, Infallible>(1)
    };
    assert_eq!(cache.get_or_compute("key", policy(), outdated).await, Ok(1));
    assert_eq!(cache.core().singleflight().len(), 0);
}

/// A caller that finds nothing in memory, and comes to lead only after another one has read the key from Redis, takes
/// what that one has put in memory.
#[cfg(feature = "redis")]
#[tokio::test]
async fn what_was_read_since_the_lookup_is_not_read_again() {
    use super::{get_or_compute, lookup::look, request::Wanted};
    use crate::{TieredCache, error_sharing::Cloned};

    let server = larder_servers::RedisServer::start();
    let (writes, reads) = (TieredCache::connect(server.url()), TieredCache::connect(server.url()));
    let (writes, reads) = (writes.await.unwrap(), reads.await.unwrap());
    writes.insert("key", &1_u32, policy()).await.unwrap();

    let missed = look::<u32>(&reads, &Cow::from("key")).expect_err("memory is empty");
    assert_eq!(reads.get::<u32>("key").await.unwrap(), Some(1));
    let gets = || server.info("commandstats", "cmdstat_get").expect("the server counts its calls");
    let before = gets();
    let (policy, compute) = (policy(), async || Err("it is there"));
    let terms = (&policy, Wanted::shared::<u32>(&policy));
    let found: Result<u32, _> = get_or_compute((&reads, "key"), missed, terms, Cloned, compute).await;
    assert_eq!(found, Ok(1));
    assert_eq!(gets(), before);
}
