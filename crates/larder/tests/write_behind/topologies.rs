//! A Cluster, Sentinel, and a user with the least rights.

use std::time::{Duration, Instant};

use larder::{RedisCache, write_behind::WriteBehind};
use larder_servers::{RedisCluster, RedisSentinel, RedisServer};

use crate::{
    database::{Database, LONG, ms},
    processes::builder,
};

fn addresses(servers: &[RedisServer]) -> Vec<String> {
    servers.iter().map(|server| server.address().to_string()).collect()
}

async fn insist(queue: &WriteBehind<u64>, value: u64) {
    let start = Instant::now();
    while let Err(error) = queue.write("a", &value).await {
        assert!(start.elapsed() < LONG, "{error}");
        tokio::time::sleep(ms(50)).await;
    }
}

async fn flushed(queue: &WriteBehind<u64>) {
    let start = Instant::now();
    while !queue.flush(Duration::from_secs(5)).await.unwrap_or(false) {
        assert!(start.elapsed() < LONG, "{:?}", queue.stats());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_queue_lies_in_one_slot_of_a_cluster_and_moves_with_it() {
    let cluster = tokio::task::spawn_blocking(RedisCluster::start).await.unwrap();
    let builder_of = RedisCache::builder().cluster(addresses(cluster.servers())).prefix("shop");
    let cache = builder_of.deadline(Duration::from_secs(5)).connect().await.unwrap();
    let database = Database::default();
    let queue = builder(&cache).start(database.clone()).unwrap();
    for value in 0..5 {
        insist(&queue, value).await;
    }
    queue.write_many(&[("b", 1), ("c", 2)]).await.unwrap();
    flushed(&queue).await;
    assert_eq!((database.row("b"), database.row("c")), (Some(1), Some(2)));
    let slot = cluster.slot_of("shop:w:{rows}");
    for part in ["dead", "keys", "consumer"] {
        assert_eq!(cluster.slot_of(&format!("shop:w:{{rows}}:{part}")), slot);
    }
    let to = (0..3).find(|master| *master != cluster.master_of(slot)).unwrap();
    cluster.migrate_slot(slot, to);
    insist(&queue, 5).await;
    flushed(&queue).await;
    assert_eq!(database.row("a"), Some(5));
    cluster.failover(slot);
    insist(&queue, 6).await;
    flushed(&queue).await;
    assert_eq!(database.row("a"), Some(6));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_queue_follows_the_master_of_a_sentinel() {
    let sentinel = tokio::task::spawn_blocking(RedisSentinel::start).await.unwrap();
    let (sentinels, master) = (addresses(sentinel.sentinels()), RedisSentinel::SERVICE);
    let cache =
        RedisCache::builder().sentinel(sentinels, master).prefix("shop").deadline(Duration::from_secs(5));
    let cache = cache.connect().await.unwrap();
    let database = Database::default();
    let queue = builder(&cache).start(database.clone()).unwrap();
    insist(&queue, 1).await;
    flushed(&queue).await;
    sentinel.failover();
    insist(&queue, 2).await;
    flushed(&queue).await;
    assert_eq!(database.row("a"), Some(2));
}

/// What the guide lists is enough.
#[tokio::test(flavor = "multi_thread")]
async fn a_user_with_the_least_rights_can_do_it() {
    const RIGHTS: &str = "user app on >s3cret resetchannels -@all ~shop:* +get +set +evalsha +eval +getrange +pttl \
                          +unlink +xadd +xread +xrevrange +xinfo|stream +info +time +pexpire +del +exists +xlen \
                          +xreadgroup +xautoclaim +xpending +xack +xdel +xrange +xgroup|create +hset +hget +hdel +hexists";
    let server = RedisServer::builder().user(RIGHTS.trim_start_matches("user ")).start();
    let url = server.url_as("app", "s3cret");
    let cache = RedisCache::builder().url(url).prefix("shop").deadline(Duration::from_secs(5));
    let cache = cache.connect().await.unwrap();
    let database = Database::default();
    database.fails("b", true);
    let queue =
        WriteBehind::<u64>::builder("rows").cache(&cache).redis(&cache).start(database.clone()).unwrap();
    let policy = larder::Policy::ttl(LONG);
    queue.write_cached("a", &1, "row:a", &policy).await.unwrap();
    queue.write("b", &1).await.unwrap();
    flushed(&queue).await;
    let letters = queue.dead_letters(1).await.unwrap();
    database.heal();
    queue.replay(&[letters[0].id]).await.unwrap();
    flushed(&queue).await;
    assert_eq!((database.row("a"), database.row("b")), (Some(1), Some(1)));
    assert_eq!(queue.stop(LONG).await.unwrap(), 0);
}
