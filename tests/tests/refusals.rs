//! What a server refuses until it is mended: found when larder connects, told, and done without where that is possible.

#![expect(clippy::unwrap_used, reason = "what fails in a helper fails the test")]

use std::{
    convert::Infallible,
    net::TcpStream,
    process::Command,
    sync::atomic::{AtomicU64, Ordering::Relaxed},
    time::{Duration, Instant},
};

use larder::{CacheExt, Invalidation, Operation, RedisCache, RedisCacheBuilder, Refusal, TieredCache};
use larder_servers::{Ability, RedisServer, lacks};
use larder_tests::{
    caches::{calls, eventually, long, ms, patient, tiered},
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

/// Connections that clients have made to the server so far, without this one.
fn connections(server: &RedisServer) -> u64 {
    server.info("stats", "total_connections_received").unwrap().trim().parse().unwrap()
}

/// What two processes do, without a connection that breaks.
async fn entries_leases_and_counters(server: &RedisServer) -> (TieredCache, TieredCache) {
    let (a, b) = (tiered(builder(server)).await, tiered(other(server)).await);
    eventually(async || a.link().servers[0].connected && b.link().servers[0].connected).await;
    a.insert("warm", &1_u64, long()).await.unwrap();
    let before = connections(server);

    let begun = Instant::now();
    for n in 0..50_u64 {
        // No text, which a server may repeat in its error.
        a.insert(&format!("key:{n}"), &vec![0xff_u8; 200], long()).await.unwrap();
        let read = async || b.get::<Vec<u8>>(&format!("key:{n}")).await.unwrap();
        eventually(async || read().await.is_some_and(|value| value.len() == 200)).await;
    }
    assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
    assert_eq!(a.stats().shared_failures + b.stats().shared_failures, 0);

    // One computation, through a renewal, and another one after it was given back.
    for _ in 0..2 {
        let computed = AtomicU64::new(0);
        let compute = |cache: &TieredCache| {
            let (cache, computed) = (cache.clone(), &computed);
            async move {
                let compute = async || {
                    computed.fetch_add(1, Relaxed);
                    tokio::time::sleep(ms(300)).await;
                    Ok::<_, Infallible>(5_u64)
                };
                cache.get_or_compute("leased", long(), compute).await
            }
        };
        assert_eq!(tokio::join!(compute(&a), compute(&b)), (Ok(5), Ok(5)));
        assert_eq!(computed.load(Relaxed), 1);
        assert!(!server.command::<bool>(&["EXISTS", &format!("p{}:l:leased", server.port())]), "given back");
        assert!(matches!(a.invalidate("leased").await, Invalidation::Delivered(_)));
        eventually(async || b.get::<u64>("leased").await.unwrap().is_none()).await;
    }

    assert_eq!(a.increment("count", 5, Duration::from_secs(60)).await.unwrap(), 5);
    assert_eq!(b.increment("count", -2, Duration::from_secs(60)).await.unwrap(), 3);
    let left: i64 = server.command(&["PTTL", &format!("p{}:c:count", server.port())]);
    assert!((1..=60_000).contains(&left), "{left}");
    // Each look of ours is one.
    eventually(async || true).await;
    let ours = connections(server) - before;
    assert!(ours < 8, "{ours} new connections: they broke");
    (a, b)
}

#[tokio::test(flavor = "multi_thread")]
async fn evalsha_under_another_name() {
    let server = RedisServer::builder().config("rename-command", "EVALSHA \"\"").start();
    let (a, b) = entries_leases_and_counters(&server).await;
    assert_eq!((a.link().refusals, b.link().refusals), (vec![], vec![]), "nothing is lost");
    let before = calls(&server, "eval");
    assert!(a.try_lock("lock", Duration::from_secs(60)).await.unwrap().is_some());
    assert!(calls(&server, "eval") > before);
}

async fn locks_need_scripts(cache: &TieredCache) {
    let error = cache.try_lock("lock", Duration::from_secs(60)).await.unwrap_err();
    assert!(error.is_unavailable() && error.to_string().contains("scripts"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn no_scripts_at_all() {
    warnings::listen();
    let server = RedisServer::builder()
        .config("rename-command", "EVALSHA \"\"")
        .config("rename-command", "EVAL \"\"")
        .start();
    let (a, b) = entries_leases_and_counters(&server).await;
    for cache in [&a, &b] {
        let found = refusal(cache, Operation::Script).unwrap();
        assert!(found.reply.contains("unknown command"), "{found:?}");
        locks_need_scripts(cache).await;
    }
    assert!(!warnings::heard(&["running scripts", "unknown command"]).is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_scripting_engine_that_is_not_loaded() {
    if lacks(Ability::ScriptsAsModule) {
        return;
    }
    let server = RedisServer::builder().config("enable-module-command", "yes").start();
    server.command::<()>(&["MODULE", "UNLOAD", "lua"]);
    let (a, _b) = entries_leases_and_counters(&server).await;
    assert!(refusal(&a, Operation::Script).unwrap().reply.contains("scripting engine"));
    locks_need_scripts(&a).await;
}

/// A value is no text, and a server repeats what it does not know: in a reply that ends the connection.
#[tokio::test(flavor = "multi_thread")]
async fn no_set() {
    let server = RedisServer::builder()
        .config("rename-command", "SET OTHER")
        .config("rename-command", "EVALSHA \"\"")
        .config("rename-command", "EVAL \"\"")
        .start();
    let cache = tiered(builder(&server)).await;
    eventually(async || refusal(&cache, Operation::Store).is_some()).await;
    let before = connections(&server);
    for _ in 0..20 {
        cache.insert("key", &vec![0xff_u8; 200], long()).await.unwrap();
    }
    assert!(refusal(&cache, Operation::Store).unwrap().count > 20);
    assert!(connections(&server) - before < 3, "they broke");
}

/// The server repeats the words of a command that it does not know, and cuts them off within a character.
#[tokio::test(flavor = "multi_thread")]
async fn no_unlink() {
    let server = RedisServer::builder().config("rename-command", "UNLINK OTHER").start();
    let cache = tiered(builder(&server)).await;
    // One of them is cut off within a character, wherever the name of a key ends that is before it.
    let keys = ["", "x"].map(|first| format!("{first}{}", "é".repeat(70)));
    let before = connections(&server);
    for n in 0..20 {
        let key = &*keys[n % 2];
        cache.insert(key, &n, long()).await.unwrap();
        assert!(matches!(cache.invalidate(key).await, Invalidation::Delivered(_)));
    }
    assert!(connections(&server) - before < 3, "they broke");
    for key in keys {
        let name = format!("p{}:e:{key}", server.port());
        eventually(async || server.command::<u64>(&["EXISTS", &name]) == 0).await;
    }
    assert_eq!(cache.link().refusals, []);
}

#[tokio::test(flavor = "multi_thread")]
async fn no_xadd() {
    let server = RedisServer::builder().config("rename-command", "XADD OTHER").start();
    let error = builder(&server).connect_attempts(1).connect_timeout(ms(500)).connect().await.unwrap_err();
    let said = std::error::Error::source(&error).map(ToString::to_string).unwrap_or_default();
    assert!(said.contains("XADD"), "{error:?}");
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

#[expect(clippy::print_stderr, reason = "what was not tested is to be seen")]
fn skipped(why: &str) {
    eprintln!("SKIPPED: {why}");
}

/// The real one, where it is installed: Debian's package `nutcracker`.
#[tokio::test(flavor = "multi_thread")]
async fn a_proxy_that_refuses_commands() {
    let program = std::env::var("LARDER_TWEMPROXY").unwrap_or_else(|_| "nutcracker".to_owned());
    if Command::new(&program).arg("--version").output().is_err() {
        return skipped(&format!("there is no twemproxy, which is called {program}"));
    }
    let server = RedisServer::start();
    let directory = tempfile::tempdir().unwrap();
    let free = || std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let (port, figures) = (free(), free().to_string());
    let settings = directory.path().join("settings.yml");
    let servers = format!("   - {}:1\n", server.address());
    let text = format!("alpha:\n  listen: 127.0.0.1:{port}\n  redis: true\n  servers:\n{servers}");
    std::fs::write(&settings, text).unwrap();
    let mut child = Command::new(&program)
        .args(["-s", &figures, "-m", "16384", "-c"])
        .arg(&settings)
        .arg("-o")
        .arg(directory.path().join("log"))
        .spawn()
        .unwrap();
    eventually(async || TcpStream::connect(("127.0.0.1", port)).is_ok()).await;
    let error = RedisCache::builder()
        .url(format!("redis://127.0.0.1:{port}?prefix=p{port}"))
        .connect_attempts(1)
        .connect()
        .await
        .unwrap_err();
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(error.to_string().contains("closed without a word"), "{error}");
    assert!(error.to_string().contains("CLIENT"), "{error}");
    assert!(!error.to_string().contains("broken pipe"), "{error}");
}
