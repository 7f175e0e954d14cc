//! A cache that is switched off, and on again.

mod support;

use std::{
    process::Command,
    sync::{
        LazyLock,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use larder::{CacheExt, MemoryCache, Policy, Scope, Store, cache_put, cached, invalidate};

use self::support::{Calls, long};

static CACHE: LazyLock<MemoryCache> = LazyLock::new(|| MemoryCache::new(1_000));

#[cached(ttl = 300, key = "user:<id>", cache = *CACHE, skip(calls))]
async fn user(calls: &Calls, id: u32) -> u32 {
    calls.call();
    id
}

#[cached(ttl = 300, key = "blocking:<id>", cache = *CACHE, skip(calls))]
fn blocking_user(calls: &Calls, id: u32) -> u32 {
    calls.call();
    id
}

#[invalidate("user:<id>", cache = *CACHE)]
async fn rename(id: u32) {}

#[cache_put(ttl = 300, key = "user:<id>", cache = *CACHE)]
async fn replace(id: u32) -> u32 {
    id + 1_000
}

#[tokio::test]
async fn functions_run_as_if_they_were_not_annotated() {
    let calls = Calls::default();
    for id in [1, 2, 3] {
        user(&calls, id).await;
        blocking_user(&calls, id);
    }
    assert_eq!(calls.made(), 6);
    let before = CACHE.stats();
    CACHE.namespace("any").disable();
    assert!(!CACHE.is_enabled(), "it is the whole cache that is disabled");
    for _ in 0..2 {
        assert_eq!((user(&calls, 1).await, blocking_user(&calls, 1)), (1, 1));
        assert_eq!(user(&calls, 4).await, 4);
    }
    assert_eq!(calls.made(), 12, "each call computes");
    assert_eq!(CACHE.stats().since(&before).bypassed, 6);
    rename(2).await;
    assert_eq!(replace(3).await, 1_003);

    CACHE.enable();
    assert_eq!(CACHE.stats().since(&before).stores, 0, "nothing was stored meanwhile");
    user(&calls, 1).await;
    blocking_user(&calls, 1);
    assert_eq!(calls.made(), 12, "what was kept before and is valid is served again");
    assert_eq!((user(&calls, 2).await, user(&calls, 3).await, user(&calls, 4).await), (2, 3, 4));
    assert_eq!(calls.made(), 15, "what was invalidated, replaced or never stored is not");
}

#[tokio::test]
async fn the_verbs_find_nothing_and_keep_nothing() {
    for store in [Store::default(), Store::Moka] {
        let cache = MemoryCache::builder().store(store).build().unwrap();
        cache.insert("key", &1, long()).await.unwrap();
        cache.get::<i32>("key").await.unwrap();
        cache.disable();
        assert_eq!(cache.get::<i32>("key").await.unwrap(), None);
        assert_eq!(cache.get_many::<i32>(&["key"]).await.unwrap(), [None]);
        assert_eq!(cache.blocking().get::<i32>("key").unwrap(), None);
        assert!(!cache.contains("key").await.unwrap());
        cache.insert("other", &1, long()).await.unwrap();
        let many = cache.get_or_compute_many(
            [1, 2],
            |id| format!("many:{id}"),
            long(),
            |ids| async move { Ok::<_, String>(ids.into_iter().map(|id| (id, id)).collect()) },
        );
        assert_eq!(many.await.unwrap().len(), 2);
        assert_eq!(cache.increment("hits", 1, Duration::from_secs(60)).await.unwrap(), 1, "counters go on");
        cache.enable();
        assert_eq!(cache.get::<i32>("key").await.unwrap(), Some(1));
        assert_eq!(cache.get_many::<i32>(&["other", "many:1"]).await.unwrap(), [None, None]);
    }
}

/// A value that an enabled cache keeps depends on what was read past a disabled one.
#[tokio::test]
async fn what_it_would_have_kept_is_a_dependency_still() {
    let (outer, inner) = (MemoryCache::new(10), MemoryCache::new(10));
    inner.disable();
    let computed = AtomicUsize::new(0);
    let part = Policy::builder().ttl(Duration::from_secs(60)).tag("parts").build().unwrap();
    let read = || async {
        let compute = || async {
            computed.fetch_add(1, Ordering::SeqCst);
            inner.get_or_compute("part", &part, async || Ok::<_, String>(1)).await
        };
        outer.get_or_compute("whole", long(), compute).await.unwrap()
    };
    read().await;
    for (changes, change) in [Scope::key("part"), Scope::tag("parts"), Scope::all()].into_iter().enumerate() {
        read().await;
        assert_eq!(computed.load(Ordering::SeqCst), changes + 1);
        inner.invalidate(change.clone());
        read().await;
        assert_eq!(computed.load(Ordering::SeqCst), changes + 2, "{change:?}");
    }
}

#[tokio::test]
async fn calls_do_not_wait_for_each_other() {
    let cache = MemoryCache::new(10);
    cache.disable();
    let both = tokio::sync::Barrier::new(2);
    let call = || {
        cache.get_or_compute("key", long(), async || {
            both.wait().await;
            Ok::<_, String>(1)
        })
    };
    let (one, two) = tokio::join!(call(), call());
    assert_eq!((one, two), (Ok(1), Ok(1)));
}

const VARIABLE: &str = "LARDER_DISABLED";

/// Runs itself in a process with that variable.
#[test]
fn the_environment_disables_all_caches() {
    if std::env::var_os(VARIABLE).is_some() {
        return assert!(!MemoryCache::new(10).is_enabled() && !larder::global().is_enabled());
    }
    let this = std::env::current_exe().unwrap();
    let name = "the_environment_disables_all_caches";
    let output =
        Command::new(this).args([name, "--exact", "--nocapture"]).env(VARIABLE, "1").output().unwrap();
    assert!(output.status.success(), "{output:?}");
    assert!(String::from_utf8_lossy(&output.stdout).contains("1 passed"), "{output:?}");
    assert!(MemoryCache::new(10).is_enabled());
}
