//! Entries in Redis that cannot be read here: told, and in `Link`, with what mends it.

use std::convert::Infallible;

use larder::{CacheExt, Operation, RedisCache, RedisCacheBuilder, Rejection, TieredCache};
use larder_servers::RedisServer;
use larder_tests::{
    caches::{eventually, long, patient, tiered},
    warnings,
};

fn builder(server: &RedisServer) -> RedisCacheBuilder {
    patient(RedisCache::builder().url(server.url()).prefix(format!("r{}", server.port())))
}

fn other(server: &RedisServer) -> RedisCacheBuilder {
    builder(server).url(server.url().replace("127.0.0.1", "localhost"))
}

fn rejection(cache: &TieredCache, reason: &str) -> Option<Rejection> {
    cache.link().rejections.into_iter().find(|rejection| rejection.reason == reason)
}

/// A type of this test alone: warnings name it.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
struct OfAnother {
    id: u32,
}

#[tokio::test(flavor = "multi_thread")]
async fn what_another_program_wrote() {
    warnings::listen();
    let server = RedisServer::start();
    let cache = tiered(builder(&server)).await;
    assert_eq!(cache.link().rejections, []);
    for n in 0..20 {
        let name = format!("r{}:e:key:{n}", server.port());
        server.command::<()>(&["SET", &name, "{\"id\":7}", "EX", "60"]);
        let computed = async || Ok::<_, Infallible>(OfAnother { id: 7 });
        assert_eq!(
            cache.get_or_compute(&format!("key:{n}"), long(), computed).await,
            Ok(OfAnother { id: 7 })
        );
    }
    let found = rejection(&cache, "magic").unwrap();
    // Each is read on its way to the lease, and once more with it.
    assert!(found.count >= 20, "{found:?}");
    assert!(found.value_type.ends_with("OfAnother") && found.mend.contains("prefix of its own"), "{found:?}");
    let told = warnings::heard(&["magic", "OfAnother", "prefix of its own", "count="]);
    assert_eq!(told.len(), 1, "once a minute: {told:?}");
    assert_eq!(cache.stats().shared_rejected, found.count);
}

/// As two releases leave them for each other: to be seen, and no warning while it is new.
#[tokio::test(flavor = "multi_thread")]
async fn what_another_release_wrote() {
    #[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
    struct OfNewRelease {
        id: u32,
        name: String,
    }
    warnings::listen();
    let server = RedisServer::start();
    let (old, new) = (tiered(builder(&server)).await, tiered(other(&server)).await);
    let n = std::cell::Cell::new(0);
    eventually(async || {
        n.set(n.get() + 1);
        let key = format!("key:{}", n.get());
        let computed = async || Ok::<_, Infallible>(OfAnother { id: 1 });
        old.get_or_compute(&key, long(), computed).await.unwrap();
        let wanted = OfNewRelease { id: 1, name: "Ada".to_owned() };
        let computed = async || Ok::<_, Infallible>(wanted.clone());
        assert_eq!(new.get_or_compute(&key, long(), computed).await, Ok(wanted.clone()));
        rejection(&new, "shape").is_some()
    })
    .await;
    assert!(new.stats().shared_other_shape > 0);
    assert_eq!(warnings::heard(&["OfNewRelease"]), [""; 0]);
}

/// A key that is the log's by its name, and is none.
#[tokio::test(flavor = "multi_thread")]
async fn a_log_that_is_none() {
    warnings::listen();
    let server = RedisServer::start();
    let cache = tiered(builder(&server)).await;
    cache.invalidate("a").await;
    let name = format!("r{}:log", server.port());
    server.command::<()>(&["DEL", &name]);
    server.command::<()>(&["SET", &name, "of another program"]);
    eventually(async || {
        drop(cache.invalidate("a"));
        cache.link().refusals.iter().any(|refusal| {
            matches!(refusal.operation, Operation::Append | Operation::Follow)
                && refusal.reply.contains("WRONGTYPE")
        })
    })
    .await;
    assert!(!warnings::heard(&["WRONGTYPE", "mend"]).is_empty());
    server.command::<()>(&["DEL", &name]);
    drop(cache.invalidate("a"));
    eventually(async || cache.link().refusals.is_empty() && cache.link().waiting == 0).await;
}

/// A server that takes no writes.
#[tokio::test(flavor = "multi_thread")]
async fn a_replica() {
    warnings::listen();
    let (master, replica) = (RedisServer::start(), RedisServer::start());
    let cache = tiered(builder(&replica)).await;
    replica.command::<()>(&["REPLICAOF", "127.0.0.1", &master.port().to_string()]);
    eventually(async || {
        let computed = async || Ok::<_, Infallible>(1);
        drop(cache.invalidate("a"));
        assert_eq!(cache.get_or_compute("a", long(), computed).await, Ok(1));
        !warnings::heard(&[&replica.port().to_string(), "not a master"]).is_empty()
    })
    .await;
    assert!(!cache.link().servers[0].connected, "{:?}", cache.link());
}
