//! Encrypted connections, sockets, and a user with the least rights.

#![expect(clippy::unwrap_used, reason = "what fails in a helper fails the test")]

use std::{convert::Infallible, future::Future, time::Duration};

use larder::{
    CacheExt, Invalidation, RedisCache, RedisCacheBuilder, Scope, TieredCache,
    counters::{Added, Counters, Expiry, Ranking},
    events::{Event, Events},
    limit::{DecidedBy, Limiter, Rate},
};
use larder_servers::{Ability, RedisCluster, RedisSentinel, RedisServer, lacks};
use larder_tests::caches::{calls, eventually, long, ms, patient, tiered};

const USER: &str = "app";
const PASSWORD: &str = "s3cret";

/// What larder sends, in commands and from scripts. Everything else is refused.
const COMMANDS: [&str; 27] = [
    // Entries.
    "get",
    "set",
    "evalsha",
    "eval",
    "getrange",
    "pttl",
    "unlink",
    // The log.
    "xadd",
    "xread",
    "xrevrange",
    "xinfo|stream",
    "info",
    "time",
    // Leases.
    "setrange",
    "pexpire",
    "del",
    // Counters.
    "exists",
    "incrby",
    // Locks.
    "hmget",
    "hset",
    // The connections' names in lists of clients, and their numbers; larder goes without where that is refused.
    "client|setname",
    "client|id",
    // Where the database is not 0.
    "select",
    // In a Cluster.
    "cluster|slots",
    "cluster|info",
    "asking",
    // Of a Sentinel, whose users are its own.
    "sentinel|get-master-addr-by-name",
];

/// Those that only some have, or need.
const OTHERS_ONLY: [&str; 5] =
    ["select", "cluster|slots", "cluster|info", "asking", "sentinel|get-master-addr-by-name"];

/// Those of one server.
fn commands() -> impl Iterator<Item = &'static str> {
    COMMANDS.into_iter().filter(|command| !OTHERS_ONLY.contains(command))
}

/// Gives the user these rights, and no channel.
fn admit(server: &RedisServer, keys: Option<&str>, commands: &[&str]) {
    let password = format!(">{PASSWORD}");
    let mut rules: Vec<String> = commands.iter().map(|command| format!("+{command}")).collect();
    rules.extend(keys.map(|pattern| format!("~{pattern}")));
    let mut words = vec!["ACL", "SETUSER", USER, "reset", "on", &password, "resetchannels", "-@all"];
    words.extend(rules.iter().map(String::as_str));
    server.command::<()>(&words);
}

/// What was refused to anybody, by its name.
fn refused(server: &RedisServer) -> Vec<String> {
    let log: Vec<Vec<redis::Value>> = server.command(&["ACL", "LOG"]);
    let field = |entry: &Vec<redis::Value>| redis::from_redis_value::<String>(entry.get(7)?.clone()).ok();
    log.iter().filter_map(field).collect()
}

fn as_user(builder: RedisCacheBuilder) -> RedisCacheBuilder {
    patient(builder).username(USER).password(PASSWORD)
}

/// Everything that a cache does with Redis, in two processes.
async fn everything(a: &TieredCache, b: &TieredCache, lose_the_log: impl AsyncFnOnce()) {
    // Entries, small and large, one and many.
    a.insert("key", &1_u64, long()).await.unwrap();
    eventually(async || b.get("key").await.unwrap() == Some(1_u64)).await;
    a.insert("large", &vec![7_u64; 100_000], long()).await.unwrap();
    eventually(async || b.get::<Vec<u64>>("large").await.unwrap().is_some()).await;
    let many: Vec<_> = (0..100_u64).map(|n| (format!("many:{n}"), n)).collect();
    a.insert_many(&many, long()).await.unwrap();
    let keys: Vec<_> = many.iter().map(|(key, _)| key).collect();
    eventually(async || b.get_many::<u64>(&keys).await.unwrap().iter().all(Option::is_some)).await;

    // The log.
    for scope in [Scope::key("key"), Scope::prefix("many"), Scope::tag("tag"), Scope::all()] {
        let Invalidation::Delivered(epoch) = a.invalidate(scope).await else {
            panic!("nothing is in its way")
        };
        assert!(larder::CacheExt::wait_for(b, epoch).await);
    }
    assert_eq!(b.get::<u64>("key").await.unwrap(), None);

    // A lease that one holds, renews, and the other one waits for.
    let begun = tokio::sync::Notify::new();
    let hold = a.get_or_compute("leased", long(), async || {
        begun.notify_one();
        // Through a renewal.
        tokio::time::sleep(ms(250)).await;
        Ok::<_, Infallible>(5_u64)
    });
    let wait = async {
        begun.notified().await;
        b.get_or_compute("leased", long(), async || Err::<u64, _>("it computed")).await
    };
    let (held, waited) = tokio::join!(hold, wait);
    assert_eq!((held, waited), (Ok(5), Ok(5)));

    // Counters.
    assert_eq!(a.increment("count", 5, Duration::from_secs(60)).await.unwrap(), 5);
    assert_eq!(b.counter("count").await.unwrap(), 5);

    // Locks.
    let mut held = a.try_lock("lock", Duration::from_secs(60)).await.unwrap().expect("it is free");
    assert!(b.try_lock("lock", Duration::from_secs(60)).await.unwrap().is_none());
    assert!(held.renew(Duration::from_secs(60)).await.unwrap());
    assert!(held.release().await.unwrap());

    // Rate limits.
    let limiter = |cache: &TieredCache| Limiter::new(cache.clone(), Rate::per_hour(1));
    assert!(limiter(a).check("limited").await.is_allowed());
    let decision = limiter(b).check("limited").await;
    assert_eq!((decision.is_allowed(), decision.decided_by()), (false, DecidedBy::Server));

    lose_the_log().await;
    eventually(async || {
        a.insert("after", &2_u64, long()).await.unwrap();
        b.get("after").await.unwrap() == Some(2_u64)
    })
    .await;
}

async fn two(builder: impl Fn(usize) -> RedisCacheBuilder) -> (TieredCache, TieredCache) {
    let connect = async |index: usize| tiered(as_user(builder(index)).lease_lifetime(ms(600))).await;
    (connect(0).await, connect(1).await)
}

fn spelled(server: &RedisServer, index: usize) -> String {
    format!("{}:{}", ["127.0.0.1", "localhost"][index], server.port())
}

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

#[tokio::test(flavor = "multi_thread")]
async fn the_least_rights_on_a_cluster() {
    let cluster = RedisCluster::start();
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
    let cluster = RedisCluster::start();
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

fn connect(builder: RedisCacheBuilder) -> impl Future<Output = larder::Result<RedisCache>> {
    builder.connect_attempts(1).connect()
}

#[tokio::test(flavor = "multi_thread")]
async fn everything_over_tls() {
    if lacks(Ability::Tls) {
        return;
    }
    let server = RedisServer::builder().tls().password(PASSWORD).start();
    let authority = server.certificates().expect("it has some").authority().to_owned();
    admit(&server, Some("larder:*"), &commands().collect::<Vec<_>>());
    let builder = |index| {
        RedisCache::builder()
            .url(format!("rediss://{}", spelled(&server, index)))
            .tls_roots(authority.clone())
    };
    let (a, b) = two(builder).await;
    everything(&a, &b, async || server.flush_all()).await;

    // Nobody talks to a server that nobody vouches for, nor in the clear.
    let stranger = larder_servers::Certificates::make().authority().to_owned();
    let url = format!("rediss://{}", spelled(&server, 0));
    let error = connect(as_user(RedisCache::builder().url(&url)).tls_roots(stranger)).await.unwrap_err();
    assert!(error.is_connect(), "{error}");
    let plain = url.replace("rediss", "redis");
    let error = connect(as_user(RedisCache::builder().url(plain))).await.unwrap_err();
    assert!(error.is_connect(), "{error}");
    assert!(!error.to_string().contains(PASSWORD));
}

#[tokio::test(flavor = "multi_thread")]
async fn everything_with_a_certificate_of_our_own() {
    if lacks(Ability::Tls) {
        return;
    }
    let server = RedisServer::builder().mutual_tls().start();
    admit(&server, Some("larder:*"), &commands().collect::<Vec<_>>());
    let certificates = server.certificates().expect("it has some");
    let builder = |index| {
        RedisCache::builder()
            .url(format!("rediss://{}", spelled(&server, index)))
            .tls_roots(certificates.authority())
    };
    let own = certificates.client();
    let (a, b) = two(|index| builder(index).tls_client_certificate(&*own.certificate, own.key.clone())).await;
    everything(&a, &b, async || server.flush_all()).await;

    // Without one, or with that of somebody else, the server does not talk.
    let strangers = larder_servers::Certificates::make();
    let theirs = strangers.client();
    for builder in [builder(0), builder(0).tls_client_certificate(&*theirs.certificate, theirs.key.clone())] {
        let error = connect(as_user(builder)).await.unwrap_err();
        assert!(error.is_connect(), "{error}");
    }
}

/// Also of what is said to the nodes that a node names.
#[tokio::test(flavor = "multi_thread")]
async fn everything_over_tls_on_a_cluster() {
    if lacks(Ability::Tls) {
        return;
    }
    let cluster = RedisCluster::start_with_tls();
    let commands: Vec<_> = commands().chain(["cluster|slots", "cluster|info", "asking"]).collect();
    cluster.servers().iter().for_each(|server| admit(server, Some("larder:*"), &commands));
    let authority = cluster.server(0).certificates().expect("it has some").authority();
    let builder = |index| {
        let nodes = cluster.servers().iter().map(|server| spelled(server, index));
        RedisCache::builder().cluster(nodes).tls().tls_roots(authority)
    };
    let (a, b) = two(builder).await;
    let log = cluster.master_of(cluster.slot_of("larder:log"));
    everything(&a, &b, async || _ = cluster.server(log).delete("larder:log")).await;
    assert!(cluster.servers().iter().filter(|server| calls(server, "evalsha") > 0).count() > 1);
}

/// Also of what is said to the sentinels.
#[tokio::test(flavor = "multi_thread")]
async fn everything_over_tls_with_sentinels() {
    if lacks(Ability::Tls) {
        return;
    }
    let sentinel = RedisSentinel::start_with_tls();
    sentinel
        .servers()
        .iter()
        .for_each(|server| admit(server, Some("larder:*"), &commands().collect::<Vec<_>>()));
    let authority = sentinel.servers()[0].certificates().expect("it has some").authority();
    let nodes: Vec<_> = (0..2)
        .map(|index| sentinel.sentinels().iter().map(|server| spelled(server, index)).collect::<Vec<_>>())
        .collect();
    let (a, b) = two(|index| {
        RedisCache::builder().sentinel(nodes[index].clone(), "larder").tls().tls_roots(authority)
    })
    .await;
    let master = sentinel.master();
    everything(&a, &b, async || _ = sentinel.servers()[master].delete("larder:log")).await;
}

#[cfg(unix)]
#[tokio::test(flavor = "multi_thread")]
async fn everything_through_a_socket() {
    let directory = tempfile::tempdir().unwrap();
    let socket = directory.path().join("redis sock");
    let server = RedisServer::builder().config("unixsocket", &format!("\"{}\"", socket.display())).start();
    admit(&server, Some("larder:*"), &commands().collect::<Vec<_>>());
    // Spelled in two ways, as by two processes.
    let path = |index: usize| directory.path().join(["redis sock", "./redis sock"][index]);
    let url = |index| format!("redis+unix://{}", path(index).display().to_string().replace(' ', "%20"));
    let (a, b) = two(|index| RedisCache::builder().url(url(index))).await;
    everything(&a, &b, async || server.flush_all()).await;

    server.kill();
    eventually(async || a.invalidate("key").await == Invalidation::Queued).await;
    assert_eq!(a.get_or_compute("gone", long(), async || Ok::<_, Infallible>(9_u64)).await, Ok(9));
    server.restart(larder_servers::Data::Lost);
    admit(&server, Some("larder:*"), &commands().collect::<Vec<_>>());
    eventually(async || {
        a.insert("again", &3_u64, long()).await.unwrap();
        b.get("again").await.unwrap() == Some(3_u64)
    })
    .await;
}
