//! What stands between a program and its servers: slow links, proxies, slots on the move.

#![expect(clippy::unwrap_used, reason = "what fails in a helper fails the test")]

use std::{
    net::SocketAddr,
    time::{Duration, Instant},
};

use larder::{CacheExt, Invalidation, RedisCache, RedisCacheBuilder, TieredCache};
use larder_servers::{Ability, Direction, Fault, Proxy, RedisCluster, RedisServer, lacks};
use larder_tests::{
    caches::{eventually, long, ms, patient, tiered},
    warnings,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};

/// A proxy that closes connections on which nothing was said for so long. Returns its address, and lives as long as the
/// runtime.
async fn impatient_proxy(server: SocketAddr, patience: Duration) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((client, _)) = listener.accept().await {
            tokio::spawn(carry(client, server, patience));
        }
    });
    address
}

async fn carry(mut client: TcpStream, server: SocketAddr, patience: Duration) -> Option<()> {
    let mut server = TcpStream::connect(server).await.ok()?;
    let (mut asked, mut answered) = ([0; 4096], [0; 4096]);
    loop {
        tokio::select! {
            read = client.read(&mut asked) => match read.ok()? {
                0 => return None,
                bytes => server.write_all(&asked[..bytes]).await.ok()?,
            },
            read = server.read(&mut answered) => match read.ok()? {
                0 => return None,
                bytes => client.write_all(&answered[..bytes]).await.ok()?,
            },
            () = tokio::time::sleep(patience) => return None,
        }
    }
}

fn connections(server: &RedisServer) -> u64 {
    server.info("stats", "total_connections_received").unwrap().trim().parse().unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_proxy_that_closes_idle_connections() {
    warnings::listen();
    let server = RedisServer::start();
    let proxy = impatient_proxy(server.address(), Duration::from_secs(1)).await;
    let cache = tiered(patient(RedisCache::builder().url(format!("redis://{proxy}?prefix=idle")))).await;
    eventually(async || !warnings::heard(&["idle timeout", "more than 10 s"]).is_empty()).await;
    // From then on connections stay, without a call of ours: for five seconds on end, where this process is not kept from
    // running for one of them.
    eventually(async || {
        let before = connections(&server);
        tokio::time::sleep(Duration::from_secs(5)).await;
        // One is the look of ours.
        connections(&server) - before <= 1 && cache.link().servers[0].connected
    })
    .await;
    let begun = Instant::now();
    assert!(matches!(cache.invalidate("key").await, Invalidation::Delivered(_)));
    assert!(begun.elapsed() < ms(500), "{:?}", begun.elapsed());
    assert_eq!(warnings::heard(&["idle timeout"]).len(), 1);
    assert_eq!(warnings::heard(&["idle:log", "lost contact"]), [""; 0]);
}

/// Each way takes longer than half of what an attempt had whatever was set.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_link_that_is_slower_than_two_seconds() {
    let server = RedisServer::start();
    let proxy = Proxy::start(server.address());
    for way in [Direction::ToServer, Direction::ToClient] {
        proxy.set(way, Fault::Delay(ms(1_200)));
    }
    let builder = RedisCache::builder()
        .url(format!("redis://{}?prefix=slow", proxy.address()))
        .connect_timeout(Duration::from_secs(15))
        .deadline(Duration::from_secs(15))
        .connect_attempts(1);
    let cache = builder.connect().await.unwrap();
    cache.insert("key", &1_u64, long()).await.unwrap();
    assert_eq!(cache.get("key").await.unwrap(), Some(1_u64));
}

fn nodes(cluster: &RedisCluster, index: usize) -> RedisCacheBuilder {
    let host = ["127.0.0.1", "localhost"][index];
    let nodes = cluster.servers().iter().map(|server| format!("{host}:{}", server.port()));
    patient(RedisCache::builder().cluster(nodes).prefix("moving"))
}

async fn one_hears_of_the_other(from: &TieredCache, by: &TieredCache) {
    eventually(async || {
        from.insert("key", &1_u64, long()).await.unwrap();
        by.get::<u64>("key").await.unwrap() == Some(1)
    })
    .await;
    eventually(async || matches!(from.invalidate("key").await, Invalidation::Delivered(_))).await;
    eventually(async || by.get::<u64>("key").await.unwrap().is_none()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_log_is_followed_while_its_slot_is_stuck_half_way() {
    let cluster = RedisCluster::start();
    let (a, b) = (tiered(nodes(&cluster, 0)).await, tiered(nodes(&cluster, 1)).await);
    one_hears_of_the_other(&a, &b).await;
    let slot = cluster.slot_of("moving:log");
    let from = cluster.master_of(slot);
    let to = (0..3).find(|server| *server != from).unwrap();
    let migration = cluster.begin_migration(slot, to);
    one_hears_of_the_other(&a, &b).await;
    while migration.move_keys(100) > 0 {}
    // The log is at the new place, and the slot is still the old one's.
    one_hears_of_the_other(&a, &b).await;
    one_hears_of_the_other(&b, &a).await;
    // One that connects now finds it as well.
    let host = format!("LOCALHOST:{}", cluster.server(0).port());
    let late = tiered(patient(RedisCache::builder().cluster([host]).prefix("moving"))).await;
    one_hears_of_the_other(&a, &late).await;
    migration.finish();
    one_hears_of_the_other(&a, &b).await;
    assert_eq!(a.link().resets + b.link().resets + late.link().resets, 1, "the first start's");
}

/// Valkey 9: all keys of a slot at once, with what is written meanwhile.
#[tokio::test(flavor = "multi_thread")]
async fn slots_that_move_in_one_step_under_load() {
    if lacks(Ability::AtomicSlotMigration) {
        return;
    }
    let cluster = RedisCluster::start();
    let (a, b) = (tiered(nodes(&cluster, 0)).await, tiered(nodes(&cluster, 1)).await);
    one_hears_of_the_other(&a, &b).await;
    let stop = std::sync::Arc::new(std::sync::atomic::AtomicBool::new(false));
    // Keys of its own: what is put in by others after an invalidation is valid.
    let load = tokio::spawn({
        let (a, b, stop) = (a.clone(), b.clone(), stop.clone());
        async move {
            let mut rounds = 0_u64;
            while !stop.load(std::sync::atomic::Ordering::Relaxed) {
                rounds += 1;
                for key in ["load:0", "load:1", "load:2"] {
                    a.insert(key, &rounds, long()).await.unwrap();
                    let found = b.get::<u64>(key).await.unwrap();
                    assert!(found.is_none_or(|found| found <= rounds), "{found:?}");
                    if let Invalidation::Delivered(epoch) = a.invalidate(key).await
                        && larder::CacheExt::wait_for(&b, epoch).await
                    {
                        assert_eq!(b.get::<u64>(key).await.unwrap(), None, "round {rounds}");
                    }
                }
            }
            rounds
        }
    });
    for key in ["moving:log", "moving:e:load:0", "moving:log", "moving:e:load:1"] {
        let slot = cluster.slot_of(key);
        let to = (cluster.master_of(slot) + 1) % 3;
        cluster.migrate_slot_atomically(slot, to);
        one_hears_of_the_other(&a, &b).await;
    }
    stop.store(true, std::sync::atomic::Ordering::Relaxed);
    assert!(load.await.unwrap() > 10);
    assert_eq!(a.link().resets + b.link().resets, 1, "the first start's: the log moved with its slot");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_of_a_cluster() {
    let with = !lacks(Ability::ClusterDatabases);
    let cluster =
        if with { RedisCluster::start_with(&[("cluster-databases", "4")]) } else { RedisCluster::start() };
    let url = |host: &str| format!("redis+cluster://{host}:{}/3?prefix=moving", cluster.server(0).port());
    let builder = |host| patient(RedisCache::builder().url(url(host))).connect_attempts(1);
    if !with {
        let error = builder("127.0.0.1").connect().await.unwrap_err();
        return assert!(error.to_string().contains("database 3 was refused"), "{error}");
    }
    let (a, b) = (tiered(builder("127.0.0.1")).await, tiered(builder("localhost")).await);
    one_hears_of_the_other(&a, &b).await;
    let elsewhere = tiered(nodes(&cluster, 0)).await;
    elsewhere.insert("key", &7_u64, long()).await.unwrap();
    assert_eq!(b.get::<u64>("key").await.unwrap(), None, "database 0 has keys of its own");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_default_prefix_is_warned_of() {
    warnings::listen();
    let server = RedisServer::start();
    let told = || warnings::heard(&["LARDER_PREFIX", "?prefix="]).len();
    drop(RedisCache::builder().url(format!("{}?prefix=larder", server.url())).connect().await.unwrap());
    assert_eq!(told(), 0, "it was chosen");
    for _ in 0..3 {
        drop(RedisCache::connect(server.url()).await.unwrap());
    }
    assert_eq!(told(), 1);
}

/// A counter is deleted once, and not again. The log does not wait for the node that has it, and that is not forgotten.
#[tokio::test(flavor = "multi_thread")]
async fn a_counter_on_a_slow_node_is_deleted() {
    let cluster = RedisCluster::start();
    let nodes: Vec<_> = cluster.servers().iter().map(|server| server.address().to_string()).collect();
    let cache = tiered(patient(RedisCache::builder().cluster(nodes).prefix("slow"))).await;
    let owner = |name: &str| cluster.master_of(cluster.slot_of(name));
    let log = owner("slow:log");
    let mut keys = (0..).map(|n| format!("counter:{n}"));
    let key = keys.find(|key| owner(&format!("slow:c:{key}")) != log).unwrap();
    assert_eq!(cache.increment(&key, 5, Duration::from_secs(3_600)).await.unwrap(), 5);
    let slow = cluster.server(owner(&format!("slow:c:{key}")));
    slow.pause();
    let invalidated = cache.invalidate(&*key).await;
    // Less than what makes it fail over.
    tokio::time::sleep(ms(300)).await;
    slow.resume();
    assert!(matches!(invalidated, Invalidation::Delivered(_)));
    eventually(async || cache.counter(&key).await.is_ok_and(|count| count == 0)).await;
}
