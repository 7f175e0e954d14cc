//! A cluster: its slots, failovers wanted and unwanted, and a slot on its way.

use std::time::Duration;

use larder_servers::{DEADLINE, Data, RedisCluster, until};
use redis::cluster::{ClusterClient, ClusterConnection};
use redis::{Commands, RedisResult, ServerErrorKind};

use crate::{connect, send};

fn connection(cluster: &RedisCluster) -> RedisResult<ClusterConnection> {
    ClusterClient::builder(cluster.urls())
        .response_timeout(DEADLINE)
        .connection_timeout(Duration::from_secs(10))
        .build()?
        .get_connection()
}

/// On a new connection each time: the blocking client was seen to ask a master that refuses it for a minute.
fn get(cluster: &RedisCluster, key: &str) -> Option<String> {
    until("a client finds the new master", || connection(cluster).ok()?.get(key).ok())
}

#[test]
fn three_masters_serve_all_slots() {
    let cluster = RedisCluster::start_with(&[("maxmemory-policy", "volatile-lfu")]);
    let mut client = connection(&cluster).unwrap();
    let mut masters = Vec::new();
    for number in 0..100 {
        let key = format!("key:{number}");
        client.set::<_, _, ()>(&key, number).unwrap();
        assert_eq!(client.get::<_, usize>(&key).unwrap(), number);
        masters.push(cluster.slot_of(&key));
    }
    masters.sort_unstable_by_key(|slot| slot / 5462);
    masters.dedup_by_key(|slot| *slot / 5462);
    let mut masters: Vec<usize> = masters.into_iter().map(|slot| cluster.master_of(slot)).collect();
    masters.sort_unstable();
    assert_eq!(masters, [0, 1, 2]);
    let policy: Vec<String> = cluster.server(4).command(&["CONFIG", "GET", "maxmemory-policy"]);
    assert_eq!(policy[1], "volatile-lfu");
    assert_eq!((0..3).map(|master| cluster.replica_of(master)).collect::<Vec<_>>(), [3, 4, 5]);
}

#[test]
fn failover_makes_the_replica_the_master() {
    let cluster = RedisCluster::start();
    let mut client = connection(&cluster).unwrap();
    client.set::<_, _, ()>("key", "before").unwrap();
    let slot = cluster.slot_of("key");
    let (old, replica) = (cluster.master_of(slot), cluster.replica_of(cluster.master_of(slot)));

    let new = cluster.failover(slot);
    assert_eq!(new, replica);
    assert_eq!(cluster.master_of(slot), new);
    assert_eq!(cluster.replica_of(new), old);
    assert_eq!(get(&cluster, "key").as_deref(), Some("before"));

    assert_eq!(cluster.kill_master_of(slot), new);
    assert_eq!(cluster.master_of(slot), old);
    assert_eq!(get(&cluster, "key").as_deref(), Some("before"));

    cluster.server(new).restart(Data::Kept);
    cluster.wait_until_settled();
    assert_eq!(cluster.replica_of(old), new);
}

#[test]
fn a_slot_moves_with_its_keys() {
    let cluster = RedisCluster::start();
    let mut client = connection(&cluster).unwrap();
    for number in 0..5 {
        client.set::<_, _, ()>(format!("{{tag}}:{number}"), number).unwrap();
    }
    let slot = cluster.slot_of("{tag}");
    let from = cluster.master_of(slot);
    let to = (from + 1) % 3;

    let migration = cluster.begin_migration(slot, to);
    assert_eq!(migration.move_keys(2), 2);
    let mut old = connect(&cluster.server(from).url());
    let asked = (0..5).filter(|number| {
        let reply = send::<String>(&mut old, &format!("GET {{tag}}:{number}"));
        reply.is_err_and(|error| error.kind() == ServerErrorKind::Ask.into())
    });
    assert_eq!(asked.count(), 2);
    for number in 0..5 {
        assert_eq!(client.get::<_, usize>(format!("{{tag}}:{number}")).unwrap(), number);
    }
    assert_eq!(migration.move_keys(100), 3);
    assert_eq!(migration.move_keys(100), 0);
    migration.finish();

    assert_eq!(cluster.master_of(slot), to);
    let moved = send::<String>(&mut old, "GET {tag}:0").unwrap_err();
    assert_eq!(moved.kind(), ServerErrorKind::Moved.into());
    for number in 0..5 {
        assert_eq!(client.get::<_, usize>(format!("{{tag}}:{number}")).unwrap(), number);
    }

    cluster.migrate_slot(slot, from);
    assert_eq!(cluster.master_of(slot), from);
    assert_eq!(get(&cluster, "{tag}:4").as_deref(), Some("4"));
}

#[test]
fn a_node_that_lost_its_data_is_still_itself() {
    let cluster = RedisCluster::start();
    let slot = cluster.slot_of("key");
    let master = cluster.master_of(slot);
    let id: String = cluster.server(master).command(&["CLUSTER", "MYID"]);
    cluster.server(master).restart(Data::Lost);
    cluster.wait_until_settled();
    assert_eq!(cluster.server(master).command::<String>(&["CLUSTER", "MYID"]), id);
}
