//! Reads from replicas: of a master that Sentinel watches, and of a Cluster's.

use std::time::Instant;

use larder::{CacheExt, Invalidation, RedisCache, RedisCacheBuilder};
use larder_servers::{Data, RedisCluster, RedisSentinel, RedisServer};
use larder_tests::caches::{calls, eventually, long, ms, patient};

use super::{found, served};

/// A master with a replica. Its caches know no more of each other than those of two processes do.
struct Watched(RedisSentinel);

impl Watched {
    /// The sentinels, as they are spelled by one process.
    fn builder(&self, host: &str) -> RedisCacheBuilder {
        let sentinels = self.0.sentinels().iter().map(|server| format!("{host}:{}", server.port()));
        RedisCache::builder().sentinel(sentinels, RedisSentinel::SERVICE)
    }

    async fn writer(&self) -> RedisCache {
        patient(self.builder("127.0.0.1")).connect().await.unwrap()
    }

    async fn reader(&self, builder: RedisCacheBuilder) -> RedisCache {
        let reader = builder.read_from_replicas(true).connect().await.unwrap();
        eventually(async || reader.link().replicas.iter().any(|replica| replica.connected)).await;
        reader
    }

    fn master(&self) -> &RedisServer {
        &self.0.servers()[0]
    }

    fn replica(&self) -> &RedisServer {
        &self.0.servers()[1]
    }

    async fn caught_up(&self) {
        let offset = |server: &RedisServer, field| {
            server.info("replication", field).and_then(|text| text.parse::<u64>().ok())
        };
        let sent = offset(self.master(), "master_repl_offset");
        eventually(async || offset(self.replica(), "slave_repl_offset") >= sent).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_replica_that_lags_costs_a_round_trip_and_nothing_else() {
    let watched = Watched(RedisSentinel::start());
    let (writer, reader) =
        (watched.writer().await, watched.reader(patient(watched.builder("localhost"))).await);
    let keys: Vec<_> = (0..50).map(|n| format!("k:{n}")).collect();
    for key in &keys {
        writer.insert(key, &1_u32, long()).await.unwrap();
    }
    watched.caught_up().await;

    let at_master = calls(watched.master(), "get");
    for key in &keys {
        assert_eq!(found::<u32>(&reader, key).await, Some(1));
    }
    assert!(reader.get_many::<u32>(&keys).await.unwrap().iter().all(|value| *value == Some(1)));
    let stats = reader.stats();
    assert_eq!((stats.replica_hits, stats.shared_hits, stats.replica_misses), (100, 100, 0));
    assert_eq!(calls(watched.master(), "get"), at_master, "the replica answers all of it");

    // From here on the replica knows of nothing.
    watched.master().refuse_replicas();
    let Invalidation::Delivered(epoch) = writer.invalidate("k:0").await else { panic!("the log is there") };
    assert!(reader.wait_for(epoch).await);
    let before = reader.stats();
    assert_eq!(found::<u32>(&reader, "k:0").await, None);
    let stats = reader.stats().since(&before);
    assert_eq!(
        (stats.replica_misses, stats.invalidated_reads),
        (1, 1),
        "the replica has it still: {stats:?}"
    );
    writer.insert("k:1", &2_u32, long()).await.unwrap();
    eventually(async || found::<u32>(&reader, "k:1").await == Some(2)).await;
    writer.insert("new", &3_u32, long()).await.unwrap();
    assert_eq!(served::<u32>(&reader, "new", &long()).await, Some(3), "what was stored just now is there");
    let many = reader.get_many::<u32>(&["k:0", "k:1", "k:2", "new"]).await.unwrap();
    assert_eq!(many, [None, Some(2), Some(1), Some(3)]);
    assert_eq!(reader.stats().shared_failures, 0);

    watched.master().accept_replicas();
    let before = reader.stats();
    eventually(async || {
        assert_eq!(found::<u32>(&reader, "k:1").await, Some(2));
        reader.stats().since(&before).replica_hits > 0
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_replica_that_is_gone_or_of_no_use_fails_no_call() {
    let watched = Watched(RedisSentinel::start());
    let deadline = ms(2_000);
    let (writer, reader) =
        (watched.writer().await, watched.reader(watched.builder("localhost").deadline(deadline)).await);
    writer.insert("k", &1_u32, long()).await.unwrap();
    watched.caught_up().await;
    let reads_again = async || {
        let before = reader.stats();
        eventually(async || {
            assert_eq!(found::<u32>(&reader, "k").await, Some(1));
            reader.stats().since(&before).replica_hits > 0
        })
        .await;
    };
    let is_right = async || {
        let before = reader.stats();
        let began = Instant::now();
        let reads: Vec<_> = (0..8)
            .map(|_| {
                let reader = reader.clone();
                tokio::spawn(async move { found::<u32>(&reader, "k").await })
            })
            .collect();
        for read in reads {
            assert_eq!(read.await.unwrap(), Some(1), "{:?}", reader.stats());
        }
        assert!(began.elapsed() < deadline + ms(150), "{:?}", began.elapsed());
        let stats = reader.stats().since(&before);
        assert!(stats.replica_failures > 0 && stats.replica_hits == 0, "{stats:?}");
        assert_eq!((stats.shared_failures, stats.shared_misses), (0, 0), "{stats:?}");
    };
    reads_again().await;

    // It answers nothing. A second of eight reads is over before the master is asked.
    watched.replica().pause();
    is_right().await;
    watched.replica().resume();
    reads_again().await;

    // MASTERDOWN.
    watched.replica().set_config("replica-serve-stale-data", "no");
    watched.master().refuse_replicas();
    eventually(async || watched.replica().try_command::<u32>(&["EXISTS", "k"]).is_err()).await;
    is_right().await;
    watched.master().accept_replicas();
    reads_again().await;

    watched.replica().kill();
    eventually(async || !reader.link().replicas[0].connected).await;
    is_right().await;
    watched.replica().restart(Data::Kept);
    reads_again().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_replicas_of_a_cluster() {
    let cluster = RedisCluster::start();
    let nodes =
        |host: &'static str| cluster.servers().iter().map(move |server| format!("{host}:{}", server.port()));
    let writer = patient(RedisCache::builder().cluster(nodes("127.0.0.1"))).connect().await.unwrap();
    let reader = patient(RedisCache::builder().cluster(nodes("localhost")).read_from_replicas(true));
    let reader = reader.connect().await.unwrap();
    let keys: Vec<_> = (0..60).map(|n| format!("k:{n}")).collect();
    for key in &keys {
        writer.insert(key, key, long()).await.unwrap();
    }
    let all = async || {
        let before = reader.stats();
        for key in &keys {
            assert_eq!(found::<String>(&reader, key).await.as_ref(), Some(key));
        }
        let values = reader.get_many::<String>(&keys).await.unwrap();
        assert!(values.iter().zip(&keys).all(|(value, key)| value.as_ref() == Some(key)));
        reader.stats().since(&before)
    };
    // As soon as the links are there, and the replicas have everything.
    eventually(async || all().await.replica_hits == 120).await;
    assert_eq!(reader.link().replicas.len(), 3);
    assert!(reader.link().replicas.iter().all(|replica| replica.connected));
    let gets = || (0..3).map(|master| calls(cluster.server(master), "get")).sum::<u64>();
    let before = gets();
    assert_eq!(all().await.replica_hits, 120);
    assert_eq!(gets(), before, "no master is asked");

    let slot = cluster.slot_of("larder:e:k:7");
    let from = cluster.master_of(slot);
    cluster.migrate_slot(slot, (from + 1) % 3);
    assert_eq!(found::<String>(&reader, "k:7").await.as_deref(), Some("k:7"), "its replica sends readers on");
    eventually(async || all().await.replica_hits == 120).await;
}
