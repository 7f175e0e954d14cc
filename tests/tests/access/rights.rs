//! The least rights that larder needs, and what becomes of it without one.

use std::time::Duration;

use larder::{
    CacheExt, RedisCache,
    counters::{Added, Counters, Expiry, Ranking},
    events::{Event, Events},
};
use larder_servers::{RedisCluster, RedisSentinel, RedisServer};
use larder_tests::caches::{calls, eventually, long, ms, tiered};

use crate::world::{PASSWORD, USER, admit, as_user, commands, connect, everything, refused, spelled, two};

#[tokio::test(flavor = "multi_thread")]
async fn the_least_rights_on_one_server() {
    let server = RedisServer::start();
    let commands: Vec<_> = commands().collect();
    admit(&server, Some("larder:*"), &commands);
    let (a, b) = two(|index| RedisCache::builder().url(format!("redis://{}", spelled(&server, index)))).await;
    let before = calls(&server, "xadd");
    everything(&a, &b, async || _ = server.delete("larder:log")).await;
    assert!(calls(&server, "xadd") > before);
    assert_eq!(refused(&server), [""; 0], "it needs more");
    let unused: Vec<_> = commands.iter().filter(|command| calls(&server, command) == 0).collect();
    assert!(unused.is_empty(), "it needs less: {unused:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn another_prefix_and_database() {
    let server = RedisServer::start();
    let commands: Vec<_> = commands().chain(["select"]).collect();
    admit(&server, Some("mine:*"), &commands);
    let builder =
        |index| RedisCache::builder().url(format!("redis://{}/3?prefix=mine", spelled(&server, index)));
    let (a, b) = two(builder).await;
    everything(&a, &b, async || server.flush_all()).await;
    assert_eq!(refused(&server), [""; 0]);
    assert!(calls(&server, "select") > 0);
}

/// A cluster in which a busy machine makes no failovers.
fn cluster() -> RedisCluster {
    let cluster = RedisCluster::start();
    cluster.servers().iter().for_each(|server| server.set_config("cluster-node-timeout", "60000"));
    cluster
}

#[tokio::test(flavor = "multi_thread")]
async fn the_least_rights_on_a_cluster() {
    let cluster = cluster();
    let commands: Vec<_> = commands().chain(["cluster|slots", "cluster|info", "asking"]).collect();
    cluster.servers().iter().for_each(|server| admit(server, Some("larder:*"), &commands));
    let builder =
        |index| RedisCache::builder().cluster(cluster.servers().iter().map(|server| spelled(server, index)));
    let (a, b) = two(builder).await;
    // A slot on the move: its keys are asked for where it goes to, which takes an ASKING.
    let slot = cluster.slot_of("larder:e:moving");
    let (from, to) = (cluster.master_of(slot), (0..3).find(|server| *server != cluster.master_of(slot)));
    let migration = cluster.begin_migration(slot, to.expect("there are three masters"));
    a.insert("moving", &1_u64, long()).await.unwrap();
    eventually(async || b.get("moving").await.unwrap() == Some(1_u64)).await;
    assert!(calls(cluster.server(to.unwrap()), "asking") > 0, "from {from}");
    drop(migration);
    let log = cluster.master_of(cluster.slot_of("larder:log"));
    everything(&a, &b, async || _ = cluster.server(log).delete("larder:log")).await;
    for server in cluster.servers() {
        assert_eq!(refused(server), [""; 0]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_least_rights_with_sentinels() {
    let sentinel = RedisSentinel::start();
    let commands: Vec<_> = commands().collect();
    sentinel.servers().iter().for_each(|server| admit(server, Some("larder:*"), &commands));
    for server in sentinel.sentinels() {
        admit(server, None, &["sentinel|get-master-addr-by-name"]);
    }
    let builder = |index| {
        let nodes = sentinel.sentinels().iter().map(|server| spelled(server, index));
        RedisCache::builder().sentinel(nodes, "larder").sentinel_username(USER).sentinel_password(PASSWORD)
    };
    let (a, b) = two(builder).await;
    let master = &sentinel.servers()[sentinel.master()];
    everything(&a, &b, async || _ = master.delete("larder:log")).await;
    for server in sentinel.servers().iter().chain(sentinel.sentinels()) {
        assert_eq!(refused(server), [""; 0]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_least_rights_for_reads_from_replicas() {
    let cluster = cluster();
    let more = ["cluster|slots", "cluster|info", "asking", "readonly"];
    let rights: Vec<_> = commands().chain(more).collect();
    cluster.servers().iter().for_each(|server| admit(server, Some("larder:*"), &rights));
    let nodes = cluster.servers().iter().map(|server| spelled(server, 0));
    let of_cluster = RedisCache::builder().cluster(nodes);

    let sentinel = RedisSentinel::start();
    let rights: Vec<_> = commands().collect();
    sentinel.servers().iter().for_each(|server| admit(server, Some("larder:*"), &rights));
    for server in sentinel.sentinels() {
        admit(server, None, &["sentinel|get-master-addr-by-name", "sentinel|replicas"]);
    }
    let nodes = sentinel.sentinels().iter().map(|server| spelled(server, 0));
    let of_sentinel = RedisCache::builder().sentinel(nodes, "larder");
    let of_sentinel = of_sentinel.sentinel_username(USER).sentinel_password(PASSWORD);

    for builder in [of_cluster, of_sentinel] {
        let cache = as_user(builder.read_from_replicas(true)).connect().await.unwrap();
        cache.insert("key", &1_u64, long()).await.unwrap();
        eventually(async || {
            assert_eq!(cache.get("key").await.unwrap(), Some(1_u64));
            cache.stats().replica_hits > 0
        })
        .await;
    }
    for server in cluster.servers().iter().chain(sentinel.servers()).chain(sentinel.sentinels()) {
        assert_eq!(refused(server), [""; 0]);
    }
}

#[derive(Clone, serde::Serialize, serde::Deserialize)]
struct Happened;

impl Event for Happened {
    const NAME: &str = "happened";
}

#[tokio::test(flavor = "multi_thread")]
async fn the_least_rights_of_counters_and_events() {
    const OF_COUNTERS: [&str; 12] = [
        "incrby", "get", "pttl", "pexpire", "evalsha", "eval", "zscore", "zcard", "zpopmin", "zadd",
        "zincrby", "zrange",
    ];
    const OF_EVENTS: [&str; 12] = [
        "xadd",
        "xrevrange",
        "xrange",
        "xread",
        "xreadgroup",
        "xpending",
        "xclaim",
        "xack",
        "xdel",
        "xgroup|create",
        "publish",
        "subscribe",
    ];
    let server = RedisServer::start();
    let rights: Vec<_> = commands().chain(OF_COUNTERS).chain(["zrevrange"]).chain(OF_EVENTS).collect();
    admit(&server, Some("larder:*"), &rights);
    server.command::<()>(&["ACL", "SETUSER", USER, "&larder:*"]);
    let cache = as_user(RedisCache::builder().url(server.url())).connect().await.unwrap();
    let counters = Counters::new(cache.clone()).shards(2).expiry(Expiry::AfterLast(Duration::from_secs(60)));
    assert_eq!(counters.add("key", 1).await.unwrap(), Added::Counted);
    assert_eq!(counters.get("key").await.unwrap(), 1);
    let ranking = Ranking::new(cache.clone(), "r").capacity(1).per(Duration::from_secs(3_600));
    for member in ["a", "b"] {
        assert_eq!(ranking.add(member, 1).await.unwrap(), Added::Counted);
    }
    ranking.top(1).await.unwrap();

    let events = Events::redis(&cache).unwrap();
    let group = || events.group("g").attempts(1).claim_after(ms(100));
    let failing = async |_: std::sync::Arc<Happened>| {
        tokio::time::sleep(ms(200)).await;
        Err("no")
    };
    let consumers = group().handle(failing).start().await.unwrap();
    let mut heard = events.subscribe::<Happened>().await.unwrap();
    events.broadcast(&Happened).await.unwrap();
    assert!(heard.next().await.is_some());
    events.publish(&Happened).await.unwrap();
    eventually(async || consumers.stats().dead == 1).await;
    let dead = group().dead::<Happened>(1).await.unwrap();
    assert!(group().replay(&dead[0]).await.unwrap());
    // Given to a process that says nothing of it any more.
    assert!(consumers.stop(Duration::from_secs(10)).await);
    let read = ["XREADGROUP", "GROUP", "g", "larder", "STREAMS", "larder:v:{happened}", ">"];
    events.publish(&Happened).await.unwrap();
    _ = server.command::<redis::Value>(&read);
    let consumers = group().handle(failing).attempts(2).start().await.unwrap();
    eventually(async || consumers.stats().claimed > 0 && consumers.stats().dead > 0).await;
    assert_eq!(refused(&server), [""; 0], "it needs more");
    let all = OF_COUNTERS.iter().chain(&OF_EVENTS);
    let unused: Vec<_> = all.filter(|command| calls(&server, command) == 0).collect();
    assert!(unused.is_empty(), "it needs less: {unused:?}");
}

/// Several entries are read by one command where that may be, and by one for each where not.
#[tokio::test(flavor = "multi_thread")]
async fn batches_need_no_right_of_their_own() {
    let server = RedisServer::start();
    let without: Vec<_> = commands().filter(|command| *command != "mget").collect();
    admit(&server, Some("larder:*"), &without);
    let cache = as_user(RedisCache::builder().url(server.url())).connect().await.unwrap();
    let values: Vec<_> = (0..300_u64).map(|n| (format!("many:{n}"), n)).collect();
    let keys: Vec<_> = values.iter().map(|(key, _)| key).collect();
    cache.insert_many(&values, long()).await.unwrap();
    let read = async || {
        let before = ["get", "mget"].map(|command| calls(&server, command));
        let found = cache.get_many::<u64>(&keys).await.unwrap();
        let asked = ["get", "mget"].map(|command| calls(&server, command));
        (found.into_iter().flatten().count(), asked[0] - before[0], asked[1] - before[1])
    };
    assert_eq!(read().await, (300, 300, 0));
    assert_eq!(cache.link().refusals, [], "it is not missed");

    // With the right from the next connection on; and without it again, once it is refused.
    admit(&server, Some("larder:*"), &commands().collect::<Vec<_>>());
    server.command::<u64>(&["CLIENT", "KILL", "USER", USER]);
    eventually(async || read().await == (300, 0, 2)).await;
    admit(&server, Some("larder:*"), &without);
    eventually(async || read().await == (300, 300, 0)).await;
}

/// Without a right, everything else goes on, or the connection is refused with that reason.
#[tokio::test(flavor = "multi_thread")]
async fn a_right_that_is_missing_is_named() {
    let server = RedisServer::start();
    for missing in ["info", "time"] {
        let commands: Vec<_> = commands().filter(|command| *command != missing).collect();
        admit(&server, Some("larder:*"), &commands);
        let error = connect(as_user(RedisCache::builder().url(server.url()))).await.unwrap_err();
        assert!(error.is_connect(), "{error}");
        assert!(error.to_string().contains("rights"), "{error}");
        assert!(!format!("{error} {error:?}").contains(PASSWORD));
    }
    let commands: Vec<_> = commands().filter(|command| !command.starts_with("client|")).collect();
    admit(&server, Some("larder:*"), &commands);
    let cache = tiered(as_user(RedisCache::builder().url(server.url()))).await;
    cache.insert("key", &1_u64, long()).await.unwrap();
    assert_eq!(cache.stats().shared_stores, 1, "neither is needed");
    assert!(
        !format!("{cache:?} {:?}", as_user(RedisCache::builder().url(server.url_as(USER, PASSWORD))))
            .contains(PASSWORD)
    );
}
