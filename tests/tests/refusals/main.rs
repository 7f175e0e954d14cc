//! What a server refuses until it is mended: found when larder connects, told, and done without where that is possible.

#![expect(clippy::unwrap_used, reason = "what fails in a helper fails the test")]

mod commands;
mod proxies;

use std::{
    convert::Infallible,
    net::TcpStream,
    sync::atomic::{AtomicU64, Ordering::Relaxed},
    time::{Duration, Instant},
};

use larder::{CacheExt, Invalidation, Operation, RedisCache, RedisCacheBuilder, Refusal, TieredCache};
use larder_servers::RedisServer;
use larder_tests::{
    caches::{eventually, long, ms, patient, tiered},
    warnings,
};

/// A prefix that no other test in this process has: warnings are told of caches by it, or by their server.
fn builder(server: &RedisServer) -> RedisCacheBuilder {
    patient(RedisCache::builder().url(server.url()).prefix(format!("p{}", server.port())))
        .lease_lifetime(ms(600))
}

/// As another process would be.
fn other(server: &RedisServer) -> RedisCacheBuilder {
    let url = server.url().replace("127.0.0.1", "localhost");
    builder(server).url(url)
}

fn refusal(cache: &TieredCache, operation: Operation) -> Option<Refusal> {
    cache.link().refusals.into_iter().find(|refusal| refusal.operation == operation)
}

/// Does everything once.
async fn use_it(cache: &TieredCache) {
    static N: AtomicU64 = AtomicU64::new(0);
    let n = N.fetch_add(1, Relaxed);
    // What is inserted is stored after its invalidation alone: where that is refused, what is computed is stored.
    let computed = cache.get_or_compute(&format!("key:{n}"), long(), async || Ok::<_, Infallible>(n)).await;
    assert_eq!(computed, Ok(n));
    drop(cache.invalidate("thing"));
}

async fn everything_is_accepted(cache: &TieredCache) {
    eventually(async || {
        use_it(cache).await;
        cache.link().refusals.is_empty()
    })
    .await;
}

fn acl(server: &RedisServer, rules: &[&str]) {
    let words = ["ACL", "SETUSER", "app", "on", ">pw", "~*", "&*"];
    server.command::<()>(&[&words[..], rules].concat());
}

#[tokio::test(flavor = "multi_thread")]
async fn each_missing_right_is_told_and_given_later() {
    warnings::listen();
    for (missing, operation) in [
        ("get", Operation::Read),
        ("set", Operation::Store),
        ("eval", Operation::Script),
        ("xadd", Operation::Append),
        ("xread", Operation::Follow),
    ] {
        let server = RedisServer::start();
        // A log that is there already: one that cannot be made is an error when connecting.
        drop(tiered(builder(&server)).await);
        acl(
            &server,
            &["+@all", &format!("-{missing}"), if missing == "eval" { "-evalsha" } else { "+ping" }],
        );
        let told = || warnings::heard(&[&operation.to_string(), "NOPERM", "ACL SETUSER app", "count="]).len();
        let before = told();
        let cache = tiered(builder(&server).username("app").password("pw")).await;
        // Without a call: it is found when connecting.
        eventually(async || refusal(&cache, operation).is_some()).await;
        for _ in 0..20 {
            use_it(&cache).await;
        }
        let found = refusal(&cache, operation).unwrap();
        // A script's error has other words for the same.
        assert!(["NOPERM", "can't run", "ACL"].iter().any(|word| found.reply.contains(word)), "{found:?}");
        assert!(
            found.mend.contains("ACL SETUSER app ") && found.mend.contains(&format!("+{missing}")),
            "{found:?}"
        );
        assert!(found.since.elapsed().unwrap() < Duration::from_secs(60), "{found:?}");
        assert_eq!(told() - before, 1, "{missing}: once a minute");
        if matches!(missing, "get" | "set" | "xadd") {
            assert!(found.count > 1, "{found:?}");
        }
        assert_eq!(cache.get_or_compute("computed", long(), async || Ok::<_, Infallible>(1)).await, Ok(1));

        acl(&server, &["+@all"]);
        everything_is_accepted(&cache).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_memory_missing_replicas_and_a_failing_disk() {
    let server = RedisServer::builder().config("save", "1 1").start();
    let cache = tiered(builder(&server)).await;
    use_it(&cache).await;
    assert_eq!(cache.link().refusals, []);

    let directory: Vec<String> = server.command(&["CONFIG", "GET", "dir"]);
    let snapshot = std::path::Path::new(&directory[1]).join("dump.rdb");
    for (setting, bad, good, word) in [
        ("maxmemory", "1", "0", "OOM"),
        ("min-replicas-to-write", "1", "0", "NOREPLICAS"),
        ("stop-writes-on-bgsave-error", "yes", "no", "MISCONF"),
    ] {
        server.set_config(setting, bad);
        if word == "MISCONF" {
            // A snapshot cannot take the place of a directory.
            eventually(async || {
                _ = std::fs::remove_file(&snapshot);
                _ = std::fs::create_dir_all(snapshot.join("in the way"));
                _ = server.try_command::<()>(&["BGSAVE"]);
                server.info("persistence", "rdb_last_bgsave_status").as_deref().map(str::trim) == Some("err")
            })
            .await;
        }
        for operation in [Operation::Store, Operation::Append] {
            eventually(async || {
                use_it(&cache).await;
                refusal(&cache, operation).is_some_and(|refusal| refusal.reply.contains(word))
            })
            .await;
        }
        // One that connects now finds it before its first call.
        let late = tiered(other(&server)).await;
        for operation in [Operation::Store, Operation::Append] {
            eventually(async || refusal(&late, operation).is_some()).await;
        }
        server.set_config(setting, good);
        everything_is_accepted(&cache).await;
        everything_is_accepted(&late).await;
    }
    assert!(matches!(cache.invalidate("thing").await, Invalidation::Delivered(_)));
}

/// Neither for an epoch nor for an echo: none is to come.
#[tokio::test(flavor = "multi_thread")]
async fn no_call_waits_for_a_log_that_refuses_records() {
    let server = RedisServer::start();
    let cache = tiered(builder(&server)).await;
    server.command::<()>(&["ACL", "SETUSER", "default", "-xadd"]);
    drop(cache.invalidate("thing"));
    eventually(async || refusal(&cache, Operation::Append).is_some()).await;
    let begun = Instant::now();
    for n in 0..5_u64 {
        assert_eq!(cache.invalidate("thing").await, Invalidation::Queued);
        cache.insert("key", &n, long()).await.unwrap();
        assert_eq!(cache.get::<u64>("key").await.unwrap(), Some(n));
    }
    // Each would wait for the deadline, of five seconds.
    assert!(begun.elapsed() < Duration::from_secs(10), "{:?}", begun.elapsed());
    server.command::<()>(&["ACL", "SETUSER", "default", "+xadd"]);
    everything_is_accepted(&cache).await;
    assert!(matches!(cache.invalidate("thing").await, Invalidation::Delivered(_)));
}

#[tokio::test(flavor = "multi_thread")]
async fn too_many_clients() {
    warnings::listen();
    let server = RedisServer::builder().config("maxclients", "10").start();
    let others: Vec<_> = (0..10).map(|_| TcpStream::connect(server.address()).unwrap()).collect();
    eventually(async || server.try_command::<()>(&["PING"]).is_err()).await;
    let error = builder(&server).connect_attempts(1).connect().await.unwrap_err();
    assert!(error.to_string().contains("maxclients"), "{error}");
    let said = std::error::Error::source(&error).map(ToString::to_string).unwrap_or_default();
    assert!(said.contains("max number of clients reached"), "{error:?}");
    let cache = TieredCache::new(larder::MemoryCache::new(100), builder(&server).connect_lazily().unwrap());
    eventually(async || refusal(&cache, Operation::Connect).is_some()).await;
    let found = refusal(&cache, Operation::Connect).unwrap();
    assert!(found.reply.contains("max number of clients") && found.mend.contains("maxclients"), "{found:?}");
    let port = server.port().to_string();
    assert!(!warnings::heard(&["connecting", &port, "max number of clients", "maxclients"]).is_empty());
    drop(others);
    everything_is_accepted(&cache).await;
}
