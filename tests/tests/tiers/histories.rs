//! Servers that go on with other data than they had.

use larder::CacheExt;
use larder_servers::RedisServer;
use larder_tests::caches::{Process, eventually, long};

/// The connection for commands leads to what the log says is no longer the server that is followed: it is made anew, though
/// nothing has ended it.
#[tokio::test(flavor = "multi_thread")]
async fn commands_follow_the_log() {
    let (server, other) = (RedisServer::start(), RedisServer::start());
    let cache = Process::A.tiered(&server).await;
    let number = || {
        let clients: String = server.command(&["CLIENT", "LIST"]);
        let own = clients.lines().find(|client| client.contains(" name=larder "));
        own.and_then(|own| own.split_once(' ')).map(|(number, _)| number.to_owned())
    };
    let before = number().expect("it is connected");
    // A replica of the other one for a moment, whose history of data it goes on with.
    server.command::<()>(&["REPLICAOF", "127.0.0.1", &other.port().to_string()]);
    eventually(async || server.info("replication", "master_link_status").as_deref() == Some("up")).await;
    server.command::<()>(&["REPLICAOF", "NO", "ONE"]);
    eventually(async || number().is_some_and(|now| now != before)).await;
    eventually(async || {
        cache.insert("key", &1_u64, long()).await.unwrap();
        server.command::<u64>(&["EXISTS", "larder:e:key"]) == 1
    })
    .await;
}
