use larder_servers::{RedisCluster, RedisServer};

use super::*;

fn to_cluster(cluster: &RedisCluster) -> Connections {
    let nodes = cluster.servers().iter().take(2).map(|server| server.address().to_string());
    Connections::new(config(RedisCacheBuilder::default().cluster(nodes)), None)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn keys_everywhere_and_slots_on_the_move() {
    let cluster = RedisCluster::start();
    let nodes = cluster.servers().iter().take(2).map(|server| server.address().to_string());
    let patient = RedisCacheBuilder::default().cluster(nodes).deadline(Duration::from_secs(5));
    let connections = Connections::new(config(patient), None);
    connections.ready().await.unwrap();
    let keys: Vec<_> = (0..3_000).map(|number| format!("k{number}")).collect();
    let sets = connections.call_many(keys.iter().map(|key| set(key, key)).collect()).await;
    assert!(sets.iter().all(Result::is_ok));
    let all = async || {
        let replies = connections.call_many(keys.iter().map(|key| get(key)).collect()).await;
        for (key, reply) in keys.iter().zip(replies) {
            assert_eq!(reply.unwrap(), bulk(key));
        }
    };
    all().await;
    let slot = cluster.slot_of("k7");
    let from = cluster.master_of(slot);
    let to = keys.iter().map(|key| cluster.master_of(cluster.slot_of(key))).find(|&node| node != from);
    let migration = cluster.begin_migration(slot, to.unwrap());
    all().await;
    connections.call(&set("{k7}new", "v")).await.unwrap();
    assert_eq!(connections.call(&get("{k7}new")).await.unwrap(), bulk("v"), "asked for at the new owner");
    while migration.move_keys(100) > 0 {}
    all().await;
    migration.finish();
    all().await;
    assert_eq!(connections.states().len(), 3);
    let seed = RedisCacheBuilder::default().cluster([cluster.server(0).address().to_string()]);
    connect_to_log(&config(seed), "k7", "-log", &words(&["TYPE", "k7"])).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_killed_master_is_replaced() {
    let cluster = RedisCluster::start();
    let connections = to_cluster(&cluster);
    connections.ready().await.unwrap();
    let lost = cluster.master_of(cluster.slot_of("k7"));
    let other =
        (0..).map(|n| format!("k{n}")).find(|key| cluster.master_of(cluster.slot_of(key)) != lost).unwrap();
    connections.call(&set("k7", "v")).await.unwrap();
    connections.call(&set(&other, "v")).await.unwrap();
    cluster.server(lost).kill();
    for _ in 0..20 {
        let began = Instant::now();
        assert!(connections.call(&get("k7")).await.is_err());
        assert!(began.elapsed() < Duration::from_millis(250) + SLACK);
        assert_eq!(connections.call(&get(&other)).await.unwrap(), bulk("v"), "the others go on");
        let both = connections.call_many(vec![get("k7"), get(&other)]).await;
        assert!(both[0].is_err() && both[1].is_ok(), "{both:?}");
    }
    recovered(&connections, &set("k7", "w")).await;
    assert_eq!(connections.call(&get("k7")).await.unwrap(), bulk("w"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_wrong_kind_of_url() {
    let cluster = RedisCluster::start();
    let error = to(cluster.urls()[0].clone()).ready().await.unwrap_err();
    assert!(error.to_string().contains("redis+cluster://"), "{error}");
    let server = RedisServer::start();
    let nodes = RedisCacheBuilder::default().cluster([server.address().to_string()]).connect_attempts(2);
    let error = Connections::new(config(nodes), None).ready().await.unwrap_err();
    assert!(error.to_string().contains("the URL of one server is redis://"), "{error}");
}
