//! `heartbeat`: what a process publishes of itself.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use larder::{
    CacheExt, MemoryCache, RedisCache, TieredCache, cached, heartbeat, internal::inspect::Inspector,
};
use larder_servers::{Data, RedisCluster, RedisServer};
use serde_json::Value;

use crate::support::{eventually, in_time, processes::both};

const EVERY: Duration = Duration::from_millis(200);

#[cached(ttl = 60, key = "beaten:<id>", cache = cache, skip(cache))]
async fn beaten(cache: &TieredCache, id: u64) -> u64 {
    id
}

const KEY: &str = "larder:h:all";

/// What is published and has not ended, by the fields.
fn published(server: &RedisServer) -> Vec<(String, Value)> {
    let fields: BTreeMap<String, String> = server.command(&["HGETALL", KEY]);
    let now = now_ms(server);
    let read = |(owner, field): (String, String)| {
        let (until, text) = field.split_once(' ')?;
        (until.parse::<u64>().unwrap() > now).then(|| (owner, serde_json::from_str(text).unwrap()))
    };
    fields.into_iter().filter_map(read).collect()
}

fn now_ms(server: &RedisServer) -> u64 {
    let (seconds, micros): (u64, u64) = server.command(&["TIME"]);
    seconds * 1_000 + micros / 1_000
}

/// Heartbeats of other processes, that end at this time.
fn others(server: &RedisServer, count: usize, until_ms: u64) {
    let field = format!(r#"{until_ms} {{"name":"foreign"}}"#);
    let names: Vec<_> = (0..count).map(|number| format!("foreign-{number}")).collect();
    let words = names.iter().flat_map(|name| [name.as_str(), &field]);
    server.command::<()>(&["HSET", KEY].into_iter().chain(words).collect::<Vec<_>>());
}

fn has_field(server: &RedisServer, field: &str) -> bool {
    server.command(&["HEXISTS", KEY, field])
}

#[tokio::test(flavor = "multi_thread")]
async fn figures_are_published_with_an_end() {
    let server = RedisServer::start();
    let (one, other) = both(&server).await;
    let beating = heartbeat(&one, "one", EVERY).unwrap();
    let _other = heartbeat(&other, "other", EVERY).unwrap();
    for id in 0..3 {
        beaten(&one, id).await;
        beaten(&one, id).await;
    }
    let mut found = None;
    eventually(|| {
        let published = published(&server);
        let names: BTreeSet<_> = published.iter().map(|(_, beat)| beat["name"].as_str().unwrap()).collect();
        let counted = |(_, beat): &&(String, Value)| beat["functions"][0]["total"]["hits"] == 3;
        found = published.iter().find(counted).cloned();
        names == BTreeSet::from(["one", "other"]) && found.is_some()
    })
    .await;
    let (owner, beat) = found.unwrap();
    assert_eq!(beat["process"], *owner);
    let of = &beat["functions"][0];
    assert!(of["function"].as_str().unwrap().ends_with("::beaten"), "{beat}");
    assert_eq!((&of["total"]["misses"], &of["total"]["computed"]), (&3.into(), &3.into()));
    assert_eq!((&beat["name"], &beat["entries"], &beat["enabled"]), (&"one".into(), &3.into(), &true.into()));
    assert!(beat["log"]["lag_ms"].is_u64(), "{beat}");
    // The hash ends some time after the last of them.
    assert!((1..=600_000).contains(&server.command::<i64>(&["PTTL", KEY])));

    drop(beating);
    eventually(|| published_names(&server) == ["other"]).await;
}

fn published_names(server: &RedisServer) -> Vec<String> {
    published(server).iter().map(|(_, beat)| beat["name"].as_str().unwrap().to_owned()).collect()
}

/// What processes leave behind that have ended does not add up.
#[tokio::test(flavor = "multi_thread")]
async fn heartbeats_that_have_ended_are_deleted() {
    let server = RedisServer::start();
    let (one, _) = both(&server).await;
    others(&server, 100, 1);
    server.command::<()>(&["HSET", KEY, "of another form", "x"]);
    let lives = now_ms(&server) + 3_600_000;
    server.command::<()>(&["HSET", KEY, "lives", &format!(r#"{lives} {{"name":"lives"}}"#)]);
    let _beating = heartbeat(&one, "one", EVERY).unwrap();
    eventually(|| server.command::<u64>(&["HLEN", KEY]) == 2).await;
    eventually(|| {
        BTreeSet::from_iter(published_names(&server)) == BTreeSet::from(["lives", "one"].map(String::from))
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn there_is_room_for_a_thousand() {
    let server = RedisServer::start();
    let (one, _) = both(&server).await;
    let beating = heartbeat(&one, "one", EVERY).unwrap();
    eventually(|| published_names(&server) == ["one"]).await;
    others(&server, 1_000, u64::MAX);
    let (other, _) = both(&server).await;
    let _beating = heartbeat(&other, "other", EVERY).unwrap();
    let withdrawn =
        || server.info("commandstats", "cmdstat_hdel").is_some_and(|said| !said.starts_with("calls=1,"));
    // It was there first, and the other one is not let in.
    eventually(withdrawn).await;
    eventually(|| {
        let names = published_names(&server);
        names.contains(&"one".to_owned()) && !names.contains(&"other".to_owned())
    })
    .await;
    drop(beating);
    server.command::<()>(&["HDEL", KEY, "foreign-1", "foreign-2"]);
    assert!(!has_field(&server, "foreign-1"));
    eventually(|| published_names(&server).contains(&"other".to_owned())).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn it_goes_on_when_the_server_is_back() {
    let server = RedisServer::start();
    let (one, _) = both(&server).await;
    let _beating = heartbeat(&one, "one", EVERY).unwrap();
    eventually(|| !published(&server).is_empty()).await;
    server.kill();
    server.restart(Data::Lost);
    eventually(|| !published(&server).is_empty()).await;
}

#[tokio::test]
async fn what_could_never_be_published_is_an_error() {
    let error = heartbeat(&MemoryCache::new(1), "x", EVERY).unwrap_err();
    assert!(error.is_invalid_configuration() && error.to_string().contains("not shared"), "{error}");
    let lazily = TieredCache::connect_lazily("redis://127.0.0.1:1").unwrap();
    let error = heartbeat(&lazily, "x", Duration::from_millis(1)).unwrap_err();
    assert!(error.to_string().contains("100 milliseconds"), "{error}");
    in_time(async { heartbeat(&lazily, "x", EVERY).unwrap().detach() }).await;
}

/// Which keys are hit most: one hit in 64 is looked at, and what is hit often is seen.
#[tokio::test(flavor = "multi_thread")]
async fn hot_keys_are_published_but_for_those_of_this_process_alone() {
    let server = RedisServer::start();
    let (one, _) = both(&server).await;
    one.local().insert("local", &std::sync::Arc::new(1), crate::support::long()).await.unwrap();
    let _beating = heartbeat(&one, "one", EVERY).unwrap();
    let hottest = || Some(published(&server).pop()?.1["hot"].clone());
    let mut hot = Value::Null;
    in_time(async {
        while hot[0]["key"] != "beaten:7" {
            hot = hottest().unwrap_or_default();
            for _ in 0..2_000 {
                beaten(&one, 7).await;
                let _ = one.local().get::<std::sync::Arc<i32>>("local");
            }
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    })
    .await;
    assert!(!hot.to_string().contains(r#""local""#), "{hot}");
}

/// How often a server was asked for its time.
fn asked_for_the_time(server: &RedisServer) -> u64 {
    let calls = server.info("commandstats", "cmdstat_time");
    let calls = calls.as_deref().and_then(|said| said.strip_prefix("calls=")?.split(',').next());
    calls.map_or(0, |calls| calls.parse().unwrap())
}

/// The nodes of a Cluster may differ: what ends is judged by the clock of the one that has the log, as entries are.
#[tokio::test(flavor = "multi_thread")]
async fn in_a_cluster_one_clock_counts() {
    const LOOKS: u64 = 40;
    let cluster = RedisCluster::start();
    let nodes: Vec<_> = cluster.servers().iter().map(|server| server.address().to_string()).collect();
    let builder = || RedisCache::builder().cluster(nodes.clone()).deadline(Duration::from_secs(5));
    let cache = builder().connect().await.unwrap();
    let _beating = heartbeat(&cache, "one", EVERY).unwrap();
    let inspector = Inspector::connect(builder()).await.unwrap();
    in_time(async {
        while inspector.heartbeats().await.unwrap().len() != 1 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    })
    .await;
    let before: Vec<_> = cluster.servers().iter().map(asked_for_the_time).collect();
    for _ in 0..LOOKS {
        inspector.heartbeats().await.unwrap();
        inspector.server_time_ms().await.unwrap();
    }
    let log = cluster.master_of(cluster.slot_of("larder:log"));
    for (node, (server, before)) in cluster.servers().iter().zip(before).enumerate() {
        let asked = asked_for_the_time(server) - before;
        match node == log {
            true => assert!(asked >= 2 * LOOKS, "the node of the log was asked {asked} times"),
            // A connection that is made anew begins with it.
            false => assert!(asked < LOOKS / 4, "node {node} was asked {asked} times"),
        }
    }
}
