//! The admin routes of a process that shares its cache, while its server is there, gone, and back.

use std::time::{Duration, Instant};

use larder::{CacheExt as _, DisconnectPolicy, MemoryCache, Policy, RedisCache, TieredCache};
use larder_servers::{Data, RedisServer};
use serde_json::{Value, json};

use crate::{
    admin::{ask, post},
    support::servers::{Framework, Server},
};

/// Asks until the answer has this status.
async fn health(server: &Server, status: u16) -> Value {
    let end = Instant::now() + Duration::from_secs(60);
    loop {
        let (got, health) = ask(server, "/health").await;
        if got == status {
            return health;
        }
        assert!(Instant::now() < end, "{got}: {health}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_outage_is_told_and_nothing_waits_for_it() {
    let redis = RedisServer::start();
    let connect = async || {
        let shared = RedisCache::builder().url(redis.url()).connect().await.unwrap();
        TieredCache::new(MemoryCache::new(1_000), shared)
    };
    let cache = connect().await;
    let minute = Policy::ttl(Duration::from_secs(60));
    cache.insert("user:1", &1, &minute).await.unwrap();
    let mut servers = Vec::new();
    for framework in Framework::ALL {
        let admin = larder_http::admin(cache.clone()).in_touch_within(Duration::from_secs(3));
        servers.push(framework.administer(admin).await);
    }
    for server in &servers {
        let well = health(server, 200).await;
        assert_eq!((&well["status"], &well["redis"]["available"]), (&json!("ok"), &json!(true)));
        let (status, done) = post(server, "/invalidate", &json!({ "scopes": ["user:2"] })).await;
        // Its echo is awaited for a moment: a busy machine may need longer.
        match status {
            200 => assert!(done["outcome"] == "delivered" && done["epoch"].as_str().is_some(), "{done}"),
            status => assert_eq!((status, &done["outcome"]), (202, &json!("queued"))),
        }
        assert!(cache.flush(Duration::from_secs(60)).await);
        let stats = ask(server, "/stats").await.1;
        assert_eq!(stats["redis"]["waiting"], 0, "{stats}");
    }
    // What only the server has.
    let other =
        RedisCache::builder().url(redis.url().replace("127.0.0.1", "localhost")).connect().await.unwrap();
    other.insert("user:3", &3, &minute).await.unwrap();
    for server in &servers {
        let end = Instant::now() + Duration::from_secs(60);
        // Until the record of the insert has come here.
        let explained = loop {
            let explained = ask(server, "/explain/user:3").await.1;
            if explained["served"] == true || Instant::now() > end {
                break explained;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        };
        assert_eq!(
            (&explained["served"], &explained["tier"]),
            (&json!(true), &json!("redis")),
            "{explained}"
        );
        assert_eq!(ask(server, "/explain/user:1").await.1["tier"], "memory");
    }

    redis.kill();
    for server in &servers {
        let ill = health(server, 503).await;
        assert_eq!(ill["status"], "degraded");
        assert!(ill["why"].as_str().unwrap().contains("no contact with Redis for"), "{ill}");
        let (status, done) = post(server, "/invalidate", &json!({ "scopes": ["user:4"] })).await;
        assert_eq!((status, &done["outcome"], &done["epoch"]), (202, &json!("queued"), &Value::Null));
        assert_eq!(ask(server, "/keys").await.0, 200);
        assert_eq!(ask(server, "/stats").await.1["redis"]["waiting"], 1);
        assert_eq!(ask(server, "/explain/user:1").await.1["served"], true, "an outage takes nothing down");
    }
    redis.restart(Data::Kept);
    for server in &servers {
        assert_eq!(health(server, 200).await["why"], Value::Null);
    }
    assert!(cache.flush(Duration::from_secs(60)).await);
}

/// A cache that serves nothing while it is disconnected says so of a key, and serves it again afterwards.
#[tokio::test(flavor = "multi_thread")]
async fn a_key_that_cannot_be_vouched_for_is_explained() {
    let redis = RedisServer::start();
    let bypass = DisconnectPolicy::Bypass(Duration::from_millis(500));
    let shared = RedisCache::builder().url(redis.url()).on_disconnect(bypass).connect().await.unwrap();
    let cache = TieredCache::new(MemoryCache::new(1_000), shared);
    cache.insert("user:1", &1, Policy::ttl(Duration::from_secs(600))).await.unwrap();
    let server = Framework::Axum.administer(larder_http::admin(cache)).await;
    let until = async |state: &str| {
        let end = Instant::now() + Duration::from_secs(60);
        loop {
            let explained = ask(&server, "/explain/user:1").await.1;
            if explained["state"] == state {
                return explained;
            }
            assert!(Instant::now() < end, "{explained}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    assert_eq!(until("valid").await["served"], true);
    redis.pause();
    let explained = until("out of touch").await;
    assert_eq!(explained["served"], false);
    assert!(explained["why"].as_str().unwrap().contains("/health"), "{explained}");
    redis.resume();
    assert_eq!(until("valid").await["served"], true);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_was_never_there_is_told() {
    let redis = RedisServer::start();
    redis.kill();
    let cache = TieredCache::connect_lazily(redis.url()).unwrap();
    for framework in Framework::ALL {
        let server = framework.administer(larder_http::admin(cache.clone())).await;
        let ill = health(&server, 503).await;
        assert!(ill["why"].as_str().unwrap().contains("no contact"), "{ill}");
        assert_eq!(ill["redis"]["out_of_touch_ms"], Value::Null);
    }
}

/// In touch, and yet others do not hear of this process.
#[tokio::test(flavor = "multi_thread")]
async fn a_refused_append_is_told_with_what_mends_it() {
    let redis = RedisServer::start();
    let user = |rule: &str| {
        let () = redis.command(&["ACL", "SETUSER", "app", "on", ">pw", "~*", "&*", "+@all", rule]);
    };
    user("+xadd");
    let url = redis.url_as("app", "pw");
    let cache = RedisCache::builder().url(url).connect().await.unwrap();
    let server = Framework::Axum.administer(larder_http::admin(cache.clone())).await;
    health(&server, 200).await;
    user("-xadd");
    assert_eq!(post(&server, "/invalidate", &json!({ "tags": ["news"] })).await.0, 202);
    let ill = health(&server, 503).await;
    assert!(ill["why"].as_str().unwrap().contains("refuses appending to the invalidation log"), "{ill}");
    assert!(ill["redis"]["refusals"][0]["mend"].as_str().unwrap().contains("+xadd"), "{ill}");
    assert!(!ill.to_string().contains("pw"), "no secret: {ill}");
    user("+xadd");
    health(&server, 200).await;
}
