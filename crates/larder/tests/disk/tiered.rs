//! Memory, disk and Redis: what other processes invalidate while this one is down is not found either.

use std::time::Duration;

use larder::{Cache, CacheExt, MemoryCache, Policy, RedisCache, Scope, TieredCache, contract};
use larder_servers::{Data, RedisServer};
use tempfile::TempDir;

use crate::{
    LONG, folder, get, on, open, snapshot,
    support::{long, processes::eventually},
};

/// As another process: what spells the server's address in another way shares nothing with it.
async fn redis(server: &RedisServer, host: &str) -> RedisCache {
    let url = server.url().replace("127.0.0.1", host);
    RedisCache::builder().url(url).prefix("shop").deadline(Duration::from_secs(5)).connect().await.unwrap()
}

async fn start(server: &RedisServer, folder: &TempDir) -> TieredCache {
    TieredCache::new(open(folder), redis(server, "127.0.0.1").await)
}

/// Drops what is in Redis, so that what is found is found on disk; the log stays.
fn empty(server: &RedisServer) {
    for key in server.command::<Vec<String>>(&["KEYS", "shop:e:*"]) {
        assert!(server.delete(&key));
    }
}

async fn store(cache: &TieredCache, keys: &[&str]) {
    for (n, key) in (1_u64..).zip(keys) {
        cache.get_or_compute(key, long(), async || Ok::<_, String>(n)).await.unwrap();
    }
    cache
        .insert("inserted", &100_u64, Policy::builder().ttl(LONG).tag("org:7").build().unwrap())
        .await
        .unwrap();
    let stored = keys.len() as u64 + 1;
    eventually(async || cache.stats().disk_stores == stored).await;
}

/// Waits until this process can judge what is older than it is.
async fn ready(cache: &TieredCache) {
    eventually(async || get(cache, "kept").await.is_some()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_others_invalidate_while_a_process_is_down_is_not_found() {
    let (server, folder) = (RedisServer::start(), folder());
    let other = TieredCache::new(MemoryCache::new(100), redis(&server, "localhost").await);
    let cache = start(&server, &folder).await;
    store(&cache, &["kept", "before", "down:1", "down:2", "after"]).await;
    cache.invalidate("before").await;
    drop(cache);
    for scope in [Scope::prefix("down"), Scope::tag("org:7")] {
        other.invalidate(scope).await;
    }
    empty(&server);
    let cache = start(&server, &folder).await;
    ready(&cache).await;
    assert_eq!(get(&cache, "kept").await, Some(1));
    assert!(cache.stats().disk_hits > 0 && cache.stats().shared_hits == 0, "{:?}", cache.stats());
    for key in ["before", "down:1", "down:2", "inserted"] {
        assert_eq!(get(&cache, key).await, None, "{key}");
    }
    assert_eq!(get(&cache, "after").await, Some(5));
    let epoch = match other.invalidate("after").await {
        larder::Invalidation::Delivered(epoch) => epoch,
        queued => panic!("{queued:?}"),
    };
    assert!(cache.wait_for(epoch).await);
    assert_eq!(get(&cache, "after").await, None);
}

/// It is told to no one, and the process is killed.
#[tokio::test(flavor = "multi_thread")]
async fn what_was_invalidated_without_redis_is_not_found_after_the_end() {
    let (server, folder) = (RedisServer::builder().append_only().start(), folder());
    let cache = start(&server, &folder).await;
    store(&cache, &["kept", "queued"]).await;
    server.kill();
    assert_eq!(cache.invalidate("queued").await, larder::Invalidation::Queued);
    let killed = snapshot(&folder);
    drop(cache);
    server.restart(Data::Kept);
    empty(&server);
    let cache = start(&server, &killed).await;
    ready(&cache).await;
    assert_eq!((get(&cache, "kept").await, get(&cache, "queued").await), (Some(1), None));
}

/// Of a process without Redis, one with it, and one without again: what was invalidated in Redis is told to no one else.
#[tokio::test(flavor = "multi_thread")]
async fn what_was_stored_without_redis_is_not_found_after_a_process_with_it() {
    let (server, folder) = (RedisServer::start(), folder());
    let alone = open(&folder);
    alone.insert("user:1", &1_u64, long()).await.unwrap();
    drop(alone);
    let other = TieredCache::new(MemoryCache::new(100), redis(&server, "localhost").await);
    other.invalidate("user:1").await;
    drop(start(&server, &folder).await);
    let alone = open(&folder);
    assert_eq!(get(&alone, "user:1").await, None);
    alone.insert("user:1", &2_u64, long()).await.unwrap();
    drop(alone);
    assert_eq!(get(&open(&folder), "user:1").await, Some(2));
}

/// What stands in no log cannot be proved.
#[tokio::test(flavor = "multi_thread")]
async fn without_the_log_that_it_knew_nothing_is_found() {
    let (server, folder) = (RedisServer::start(), folder());
    let cache = start(&server, &folder).await;
    store(&cache, &["kept", "a"]).await;
    drop(cache);

    // Another log, on the same server.
    let url = server.url();
    let elsewhere = RedisCache::builder().url(&url).prefix("elsewhere").connect().await.unwrap();
    let copy = snapshot(&folder);
    let cache = TieredCache::new(open(&copy), elsewhere);
    assert_eq!(get(&cache, "kept").await, None);
    drop(cache);

    // None at all: others may have invalidated what they like.
    let copy = snapshot(&folder);
    let alone = open(&copy);
    assert_eq!(get(&alone, "kept").await, None);
    alone.insert("kept", &9_u64, long()).await.unwrap();
    drop(alone);
    // And what was stored without one is not taken for what others know of.
    let cache = start(&server, &copy).await;
    // That of Redis, as soon as it can be judged.
    eventually(async || get(&cache, "kept").await == Some(1)).await;
    drop(cache);

    // It is lost, and made anew.
    server.flush_all();
    let cache = start(&server, &folder).await;
    // If the log of the cache before is followed on, the loss is noticed a moment later.
    eventually(async || get(&cache, "kept").await.is_none()).await;
    cache.insert("new", &1_u64, long()).await.unwrap();
    assert_eq!((get(&cache, "kept").await, get(&cache, "new").await), (None, Some(1)));
}

/// A log that was set back to an earlier time, as from a backup: it does not have what others invalidated since.
#[tokio::test(flavor = "multi_thread")]
async fn a_log_that_does_not_get_as_far_is_another_one() {
    let (server, folder) = (RedisServer::start(), folder());
    // So that its IDs are the server's time, and not ahead of it as those of one that larder makes.
    server.command::<String>(&["XGROUP", "CREATE", "shop:log", "group", "$", "MKSTREAM"]);
    let cache = start(&server, &folder).await;
    cache.invalidate("anything").await;
    assert!(server.command::<bool>(&["COPY", "shop:log", "backup"]));
    store(&cache, &["kept", "early"]).await;
    let other = redis(&server, "localhost").await;
    let larder::Invalidation::Delivered(epoch) = other.invalidate("early").await else {
        panic!("it is not told")
    };
    assert!(cache.wait_for(epoch).await);
    cache.get_or_compute("late", long(), async || Ok::<_, String>(1_u64)).await.unwrap();
    eventually(async || cache.stats().disk_stores == 4).await;
    drop(cache);
    drop(other);
    empty(&server);
    server.command::<String>(&["RENAME", "backup", "shop:log"]);
    let cache = start(&server, &folder).await;
    cache.insert("new", &1_u64, long()).await.unwrap();
    for _ in 0..20 {
        for key in ["kept", "early", "late"] {
            assert_eq!(get(&cache, key).await, None, "{key}");
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// A log that was made anew, at IDs below those of the lost one, and has come further since: what it covered when it was made
/// is covered, whatever its epoch.
#[tokio::test(flavor = "multi_thread")]
async fn a_log_that_was_made_anew_is_another_one() {
    let (server, folder) = (RedisServer::start(), folder());
    for prefix in ["shop", "anew"] {
        server.command::<String>(&["XGROUP", "CREATE", &format!("{prefix}:log"), "group", "$", "MKSTREAM"]);
    }
    let anew = || async {
        let url = server.url().replace("127.0.0.1", "localhost");
        RedisCache::builder()
            .url(url)
            .prefix("anew")
            .deadline(Duration::from_secs(5))
            .connect()
            .await
            .unwrap()
    };
    let maker = anew().await;
    assert!(matches!(maker.invalidate(Scope::all()).await, larder::Invalidation::Delivered(_)));
    drop(maker);
    let cache = start(&server, &folder).await;
    cache.invalidate("anything").await;
    store(&cache, &["kept"]).await;
    drop(cache);
    let later = anew().await;
    assert!(matches!(later.invalidate("anything").await, larder::Invalidation::Delivered(_)));
    drop(later);
    empty(&server);
    server.command::<String>(&["RENAME", "anew:log", "shop:log"]);
    let cache = start(&server, &folder).await;
    cache.insert("new", &1_u64, long()).await.unwrap();
    for _ in 0..20 {
        assert_eq!(get(&cache, "kept").await, None);
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn it_keeps_the_contract() {
    let (server, folder) = (RedisServer::start(), folder());
    let number = std::sync::atomic::AtomicU64::new(0);
    contract::check(async || {
        let number = number.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        // So small that much is read from the disk.
        let memory = on(&folder).capacity(16).disk(folder.path().join(number.to_string()));
        TieredCache::new(memory.build().unwrap(), redis(&server, "127.0.0.1").await)
    })
    .await;
}

/// What is on disk is what this process knew: with a `memory_ttl` it is Redis that is asked.
#[tokio::test(flavor = "multi_thread")]
async fn the_disk_does_not_answer_in_place_of_redis() {
    let (server, folder) = (RedisServer::start(), folder());
    let cache = start(&server, &folder).await;
    let policy = Policy::builder().ttl(LONG).memory_ttl(Duration::from_secs(60)).build().unwrap();
    let ask = async |value: u64| {
        cache.get_or_compute("asked", &policy, async || Ok::<_, String>(value)).await.unwrap()
    };
    assert_eq!(ask(1).await, 1);
    eventually(async || cache.stats().disk_stores == 1).await;
    cache.core().advance(Duration::from_secs(61));
    assert_eq!(ask(2).await, 1, "Redis has it");
    empty(&server);
    assert_eq!(ask(3).await, 1, "memory has it from Redis");
    cache.core().advance(Duration::from_secs(61));
    assert_eq!(ask(4).await, 4);
    assert_eq!(cache.stats().disk_hits, 0);
}
