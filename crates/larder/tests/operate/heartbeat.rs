//! `heartbeat`: what a process publishes of itself.

use std::{collections::BTreeSet, time::Duration};

use larder::{CacheExt, MemoryCache, TieredCache, cached, heartbeat};
use larder_servers::{Data, RedisServer};
use serde_json::Value;

use crate::support::{eventually, in_time, processes::both};

const EVERY: Duration = Duration::from_millis(200);

#[cached(ttl = 60, key = "beaten:<id>", cache = cache, skip(cache))]
async fn beaten(cache: &TieredCache, id: u64) -> u64 {
    id
}

/// What is published, by the keys.
fn published(server: &RedisServer) -> Vec<(String, Value)> {
    let keys: Vec<String> = server.command(&["KEYS", "larder:h:*"]);
    let read = |key: String| {
        let text: Option<String> = server.command(&["GET", &key]);
        Some((key, serde_json::from_str(&text?).unwrap()))
    };
    keys.into_iter().filter_map(read).collect()
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
    let (key, beat) = found.unwrap();
    let of = &beat["functions"][0];
    assert!(of["function"].as_str().unwrap().ends_with("::beaten"), "{beat}");
    assert_eq!((&of["total"]["misses"], &of["total"]["computed"]), (&3.into(), &3.into()));
    assert_eq!((&beat["name"], &beat["entries"], &beat["enabled"]), (&"one".into(), &3.into(), &true.into()));
    assert!(beat["log"]["lag_ms"].is_u64(), "{beat}");
    // None if it is late just now.
    eventually(|| (1..=600).contains(&server.command::<i64>(&["PTTL", &key]))).await;

    drop(beating);
    eventually(|| published_names(&server) == ["other"]).await;
}

fn published_names(server: &RedisServer) -> Vec<String> {
    published(server).iter().map(|(_, beat)| beat["name"].as_str().unwrap().to_owned()).collect()
}

/// Of two processes in one place both move on, and are seen.
#[tokio::test(flavor = "multi_thread")]
async fn a_place_that_another_process_has_is_left() {
    let server = RedisServer::start();
    let (one, _) = both(&server).await;
    let _beating = heartbeat(&one, "one", EVERY).unwrap();
    let mut place = None;
    eventually(|| {
        place = published(&server).pop().map(|(place, _)| place);
        place.is_some()
    })
    .await;
    let place = place.unwrap();
    let foreign = r#"{"process":"0000000000000001","name":"foreign"}"#;
    server.command::<()>(&["SET", &place, foreign]);
    // It finds out when it next writes there; all other places are free.
    eventually(|| {
        let elsewhere = |(key, beat): &(String, Value)| *key != place && beat["name"] == "one";
        published(&server).iter().any(elsewhere)
    })
    .await;
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
