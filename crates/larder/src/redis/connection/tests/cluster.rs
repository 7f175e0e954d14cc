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
    recovered(&connections, &set("k7", "v")).await;
    recovered(&connections, &set(&other, "v")).await;
    cluster.server(lost).kill();
    for _ in 0..20 {
        let (reply, late) = overdue(Duration::from_millis(250), connections.call(&get("k7"))).await;
        assert!(reply.is_err() && late < SLACK, "{reply:?} {late:?}");
        assert_eq!(connections.call(&get(&other)).await.unwrap(), bulk("v"), "the others go on");
        let both = connections.call_many(vec![get("k7"), get(&other)]).await;
        assert!(both[0].is_err() && both[1].is_ok(), "{both:?}");
    }
    recovered(&connections, &set("k7", "w")).await;
    assert_eq!(connections.call(&get("k7")).await.unwrap(), bulk("w"));
}

/// One of the masters does not answer while the connections to all of them are made, and is replaced.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_master_that_is_replaced_is_not_waited_for() {
    let cluster = RedisCluster::start();
    let lost = cluster.master_of(cluster.slot_of("k7"));
    let seeds = (0..6).filter(|node| *node != lost).map(|node| cluster.server(node).address().to_string());
    // Long enough for a failover on a busy machine, and shorter than what the one that is lost would take.
    let (patience, connecting) = (3 * DEADLINE, 4 * DEADLINE);
    let settings =
        RedisCacheBuilder::default().cluster(seeds).connect_timeout(connecting).connect_attempts(1);
    let connections = Connections::new(config(settings), None);
    cluster.server(lost).pause();
    let ready = tokio::time::timeout(patience, connections.ready()).await;
    ready.expect("it waits for the one that takes its place").unwrap();
    recovered(&connections, &set("k7", "v")).await;
    cluster.server(lost).resume();
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

/// One node takes most of a caller's time, and sends it on to one that does not answer.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_redirection_is_within_the_deadline_of_its_call() {
    const LIMIT: Duration = Duration::from_secs(2);
    let cluster = Arc::new(RedisCluster::start());
    // No failover is to end it.
    cluster.servers().iter().for_each(|server| server.set_config("cluster-node-timeout", "60000"));
    let nodes = cluster.servers().iter().map(|server| server.address().to_string());
    let connections =
        Connections::new(config(RedisCacheBuilder::default().cluster(nodes).deadline(LIMIT)), None);
    connections.ready().await.unwrap();
    let slot = cluster.slot_of("k7");
    let from = cluster.master_of(slot);
    let to = (0..3).find(|node| *node != from).unwrap();
    let pause = || {
        cluster.server(to).pause();
        cluster.server(from).pause();
        let cluster = cluster.clone();
        tokio::spawn(async move {
            tokio::time::sleep(LIMIT * 9 / 10).await;
            tokio::task::block_in_place(|| cluster.server(from).resume());
        })
    };
    let check = async |kind: &str| {
        let resumed = pause();
        let many = async { connections.call_many(vec![get("k7")]).await.remove(0) };
        let (reply, late) = overdue(LIMIT, many).await;
        assert!(matches!(unavailable(reply), Unavailable::Deadline));
        assert!(late < LIMIT / 2, "{kind} began anew: {late:?}");
        resumed.await.unwrap();
        cluster.server(to).resume();
    };
    let migration = cluster.begin_migration(slot, to);
    check("ASK").await;
    migration.finish();
    // The connections do not know that yet.
    check("MOVED").await;
}

/// What a call has left for a node tells nothing of the node if it is next to nothing.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_that_was_given_no_time_has_not_failed() {
    let server = RedisServer::start();
    let connections = to(server.url());
    recovered(&connections, &get("k")).await;
    server.pause();
    for _ in 0..20 {
        let replies = connections.call_many_by(tokio::time::Instant::now(), vec![get("k")]).await;
        assert!(
            matches!(&replies[..], [Err(CommandFailure::Unavailable(Unavailable::Deadline))]),
            "{replies:?}"
        );
    }
    assert!(connections.states()[0].connected);
    server.resume();
    recovered(&connections, &get("k")).await;
}

/// It says so of each key of that slot, and answers for all others.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_slot_without_an_owner_is_no_failure_of_the_node_that_says_so() {
    let cluster = RedisCluster::start_with(&[("cluster-require-full-coverage", "no")]);
    let connections = to_cluster(&cluster);
    connections.ready().await.unwrap();
    let slot = cluster.slot_of("k7");
    let owner = cluster.master_of(slot);
    // The node has not got it any longer, and the connections do not know that yet.
    cluster.server(owner).command::<()>(&["CLUSTER", "DELSLOTS", &slot.to_string()]);
    let link = connections
        .masters()
        .into_iter()
        .find(|master| master.name() == cluster.server(owner).address().to_string());
    let link = link.expect("it is known");
    for _ in 0..20 {
        match link.call(&get("k7")).await {
            Err(CommandFailure::Refused(error)) => assert_eq!(error.code(), "CLUSTERDOWN", "{error}"),
            // A busy machine.
            Err(CommandFailure::Unavailable(Unavailable::Deadline)) => {}
            other => panic!("{other:?}"),
        }
    }
    assert!(connections.states().iter().all(|state| state.connected), "{:?}", connections.states());
}
