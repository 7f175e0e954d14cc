//! Commands that a server does not have, or has under another name.

use std::{
    convert::Infallible,
    sync::atomic::{AtomicU64, Ordering::Relaxed},
    time::{Duration, Instant},
};

use larder::{CacheExt, Invalidation, Operation, TieredCache};
use larder_servers::{Ability, RedisServer, lacks};
use larder_tests::{
    caches::{calls, eventually, long, ms, tiered},
    warnings,
};

use crate::{acl, builder, other, refusal};

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
    let keys = long_keys();
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

/// Keys of which one is cut off within a character, where a server repeats the first words of what it does not know.
fn long_keys() -> [String; 2] {
    ["", "x"].map(|first| format!("{first}{}", "é".repeat(70)))
}

/// Each process computes for itself and serves it from memory. It is said once, and no connection breaks.
#[tokio::test(flavor = "multi_thread")]
async fn no_get() {
    warnings::listen();
    let server = RedisServer::builder().config("rename-command", "GET OTHER").start();
    let (a, b) = (tiered(builder(&server)).await, tiered(other(&server)).await);
    eventually(async || [&a, &b].iter().all(|cache| refusal(cache, Operation::Read).is_some())).await;
    let before = connections(&server);
    let begun = Instant::now();
    for n in 0..20_u64 {
        for key in long_keys().map(|key| format!("{key}:{n}")) {
            for cache in [&a, &b] {
                assert_eq!(cache.get::<u64>(&key).await.unwrap(), None);
                let computed = cache.get_or_compute(&key, long(), async || Ok::<_, Infallible>(n)).await;
                assert_eq!(computed, Ok(n));
                assert_eq!(cache.get_many::<u64>(&[&key]).await.unwrap(), [Some(n)]);
                assert_eq!(cache.get_many::<u64>(&long_keys()).await.unwrap(), [None, None]);
            }
            assert!(matches!(a.invalidate(&key).await, Invalidation::Delivered(_)));
            eventually(async || b.get::<u64>(&key).await.unwrap().is_none()).await;
            assert_eq!(a.get_many::<u64>(&[&key]).await.unwrap(), [None]);
        }
        assert!(a.counter(&long_keys()[0]).await.is_err(), "a counter is read by the same command");
    }
    assert!(begun.elapsed() < Duration::from_secs(10), "{:?}", begun.elapsed());
    assert!(connections(&server) - before < 4, "they broke");
    for cache in [&a, &b] {
        let found = refusal(cache, Operation::Read).unwrap();
        assert!(found.count > 40 && found.reply.contains("unknown command"), "{found:?}");
        let stats = cache.stats();
        assert!(stats.shared_refused > 40 && stats.shared_timeouts == 0, "{stats:?}");
    }
    let said = warnings::heard(&[&Operation::Read.to_string(), "unknown command", "GET"]);
    assert_eq!(said.len(), 2, "once for each: {said:?}");
}

/// Batches are read by a command for each key, and nothing is said.
#[tokio::test(flavor = "multi_thread")]
async fn no_mget() {
    let server = RedisServer::builder().config("rename-command", "MGET OTHER").start();
    let (a, b) = (tiered(builder(&server)).await, tiered(other(&server)).await);
    let keys = long_keys();
    a.insert_many(&keys.clone().map(|key| (key, 7_u64)), long()).await.unwrap();
    let before = connections(&server);
    eventually(async || b.get_many::<u64>(&keys).await.unwrap() == [Some(7), Some(7)]).await;
    assert!(connections(&server) - before < 3, "they broke");
    assert_eq!((a.link().refusals, b.link().refusals, b.stats().shared_failures), (vec![], vec![], 0));
}

/// A lease that cannot be given back ends by itself, and the caller has its value.
#[tokio::test(flavor = "multi_thread")]
async fn what_a_script_lacks() {
    warnings::listen();
    let told = |word| warnings::heard(&[&Operation::Lease.to_string(), word, "count="]).len();
    let compute_many = async |cache: &TieredCache| {
        for n in 0..20_u64 {
            let key = format!("key:{n}");
            assert_eq!(cache.get_or_compute(&key, long(), async || Ok::<_, Infallible>(n)).await, Ok(n));
        }
        // The last one is given back behind its value. A lease that is taken is accepted meanwhile.
        eventually(async || refusal(cache, Operation::Lease).is_some()).await;
        refusal(cache, Operation::Lease).unwrap()
    };
    let server = RedisServer::builder().config("rename-command", "DEL OTHER").start();
    let found = compute_many(&tiered(builder(&server)).await).await;
    assert!(found.reply.contains("command called from"), "{found:?}");
    assert!(found.mend.contains("under its own name"), "{found:?}");
    assert_eq!(told("command called from"), 1);

    let server = RedisServer::start();
    drop(tiered(builder(&server)).await);
    acl(&server, &["+@all", "-del"]);
    let found = compute_many(&tiered(builder(&server).username("app").password("pw")).await).await;
    assert!(["NOPERM", "can't run", "ACL"].iter().any(|word| found.reply.contains(word)), "{found:?}");
    assert!(found.mend.contains("rights") || found.mend.contains("ACL SETUSER app"), "{found:?}");
    assert!(told("rights") + told("ACL SETUSER app") > 0);
}
