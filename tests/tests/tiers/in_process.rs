//! Functions that are not async, and values that stay in their process: in the memory of a cache that others share.

use std::{
    convert::Infallible,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use larder::{CacheExt, MemoryCache, Policy, RedisCache, Scope, TieredCache, cache_put, cached, invalidate};
use larder_servers::{Data, RedisServer};
use larder_tests::caches::{Process, calls, eventually, long, patient};

use super::found;

/// It cannot leave the process.
#[derive(Clone)]
struct Compiled(Arc<dyn Fn() -> u64 + Send + Sync>);

static SOURCE: AtomicU64 = AtomicU64::new(1);

#[cached(ttl = 600, key = "rule:<id>", tags = ["rules"], cache = cache, skip(cache))]
fn rule(cache: &TieredCache, id: u64) -> Compiled {
    let version = SOURCE.load(Ordering::SeqCst);
    Compiled(Arc::new(move || 1_000 * id + version))
}

#[cached(ttl = 600, key = "rules:<id>", cache = cache, skip(cache))]
fn twice(cache: &TieredCache, id: u64) -> u64 {
    2 * (rule(cache, id).0)()
}

#[invalidate("rule:<id>", cache = cache)]
fn change(cache: &TieredCache, id: u64, to: u64) {
    SOURCE.store(to, Ordering::SeqCst);
}

#[cached(ttl = 600, key = "compiled:<id>", cache = cache, skip(cache), local)]
async fn compiled(cache: &TieredCache, id: u64) -> Result<Compiled, Infallible> {
    let version = SOURCE.load(Ordering::SeqCst);
    Ok(Compiled(Arc::new(move || 1_000 * id + version)))
}

#[cache_put(ttl = 600, key = "number:<id>", cache = cache)]
fn put(cache: &TieredCache, id: u64, number: u64) -> u64 {
    number
}

#[track_caller]
fn soon(mut condition: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !condition() {
        assert!(begun.elapsed() < Duration::from_secs(20), "the condition never came true");
        thread::sleep(Duration::from_micros(200));
    }
}

/// A cache that is opened outside of any runtime.
fn opened(process: Process, server: &RedisServer) -> TieredCache {
    let redis = patient(RedisCache::builder().url(process.url(server))).connect_lazily().unwrap();
    TieredCache::new(MemoryCache::new(10_000), redis)
}

/// No runtime exists in this test, but for the one of the log's own thread.
#[test]
fn without_a_runtime_an_invalidation_reaches_the_other_process() {
    assert!(tokio::runtime::Handle::try_current().is_err());
    let server = RedisServer::start();
    let (a, b) = (opened(Process::A, &server), opened(Process::B, &server));
    SOURCE.store(1, Ordering::SeqCst);
    for round in 1..50 {
        assert_eq!((twice(&a, 7), (rule(&a, 7).0)()), (2 * (7_000 + round), 7_000 + round));
        soon(|| twice(&b, 7) == 2 * (7_000 + round));
        change(&a, 7, round + 1);
        assert_eq!(twice(&a, 7), 2 * (7_001 + round), "here it is done at once");
        soon(|| (rule(&b, 7).0)() == 7_001 + round && twice(&b, 7) == 2 * (7_001 + round));
    }
    let computed = b.stats().computations;
    assert_eq!(twice(&b, 7), twice(&b, 7));
    assert_eq!(b.stats().computations, computed, "what is not invalidated is kept");

    drop(a.invalidate(Scope::tag("rules")));
    soon(|| {
        let before = b.stats().computations;
        rule(&b, 7);
        b.stats().computations > before
    });
    soon(|| a.link().waiting == 0);
    assert_eq!((a.stats().shared_stores, b.stats().shared_stores), (0, 0));
}

#[test]
fn what_is_queued_without_a_runtime_is_delivered_when_the_server_is_back() {
    let server = RedisServer::builder().append_only().start();
    let (a, b) = (opened(Process::A, &server), opened(Process::B, &server));
    let kept = |cache: &TieredCache| cache.blocking().get::<u64>("queued").unwrap();
    let keep = || {
        b.blocking().insert("queued", &1_u64, long()).unwrap();
        kept(&b) == Some(1)
    };
    soon(|| {
        a.link().records > 0 || {
            drop(a.invalidate("first"));
            false
        }
    });
    // In this order: a log on which nothing happens is heard of once a second.
    soon(|| keep() && b.link().out_of_touch < Duration::from_millis(500));
    server.kill();
    drop(a.invalidate("queued"));
    assert_eq!(kept(&b), Some(1), "no process could tell it");
    server.restart(Data::Kept);
    soon(|| kept(&b).is_none());
    soon(|| a.link().waiting == 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_local_value_never_leaves_its_process() {
    let server = RedisServer::start();
    let (a, b) = (Process::A.tiered(&server).await, Process::B.tiered(&server).await);
    let written = || ["set", "eval", "evalsha", "get", "mget"].map(|command| calls(&server, command));
    let before = written();
    for _ in 0..3 {
        let Ok(value) = compiled(&a, 1).await;
        assert!((value.0)() >= 1_000);
    }
    a.local().insert("secret", &"text".to_owned(), long()).await.unwrap();
    assert_eq!(a.local().get::<String>("secret").unwrap().as_deref(), Some("text"));
    assert_eq!(found::<String>(&a, "secret").await.as_deref(), Some("text"), "here, an entry is an entry");
    assert_eq!(written(), before, "neither asked for nor stored");
    assert_eq!(found::<String>(&b, "secret").await, None);
    let stats = a.stats();
    assert_eq!((stats.computations, stats.shared_stores, stats.shared_failures), (1, 0, 0));
    assert_eq!((stats.unshared_unencodable, stats.shared_skipped), (0, 0), "it is no failure");

    drop(b.invalidate("compiled:*"));
    eventually(async || {
        let Ok(_) = compiled(&a, 1).await;
        a.stats().computations == 2
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_thread_puts_replaces_what_others_have() {
    let server = RedisServer::start();
    let (a, b) = (Process::A.tiered(&server).await, Process::B.tiered(&server).await);
    b.insert("number:1", &1_u64, long()).await.unwrap();
    eventually(async || found::<u64>(&a, "number:1").await == Some(1)).await;
    let task = tokio::task::spawn_blocking({
        let a = a.clone();
        move || put(&a, 1, 2)
    });
    assert_eq!(task.await.unwrap(), 2);
    assert_eq!(found::<u64>(&a, "number:1").await, Some(2));
    eventually(async || found::<u64>(&b, "number:1").await.is_none()).await;
    assert_eq!(found::<u64>(&a, "number:1").await, Some(2), "and it stays");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cache_without_memory_keeps_local_values_too() {
    let server = RedisServer::start();
    let (a, b) = (Process::A.bare(&server).await, Process::B.bare(&server).await);
    let policy = Policy::builder().ttl(Duration::from_secs(600)).tag("own").build().unwrap();
    a.local().insert("key", &Compiled(Arc::new(|| 7)), &policy).await.unwrap();
    assert_eq!(a.local().get::<Compiled>("key").unwrap().map(|value| (value.0)()), Some(7));
    assert!(b.local().get::<Compiled>("key").unwrap().is_none());
    drop(b.invalidate(Scope::tag("own")));
    eventually(async || a.local().get::<Compiled>("key").unwrap().is_none()).await;
}
