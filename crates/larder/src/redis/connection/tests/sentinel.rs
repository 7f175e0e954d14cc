use larder_servers::RedisSentinel;

use super::*;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_failover_is_followed() {
    let sentinel = RedisSentinel::start();
    let hosts: Vec<_> = sentinel.sentinels().iter().map(|server| server.address().to_string()).collect();
    let url = format!("redis+sentinel://{}/{}", hosts.join(","), RedisSentinel::SERVICE);
    let config = config(builder(url));
    let connections = Connections::new(Arc::clone(&config), None);
    let before = connections.ready().await.unwrap();
    connections.call(&set("k", "v")).await.unwrap();
    let killed = sentinel.kill_master();
    let took = recovered(&connections, &set("k", "w")).await;
    assert!(took < Duration::from_secs(3), "{took:?}");
    let master = sentinel.servers()[1 - killed].command::<String>(&["GET", "k"]);
    assert_eq!(master, "w");
    let log = connect_to_log(&config, "log", "-log", &question()).await.unwrap().dialed;
    assert_ne!(log.server_info.replication_id, before.replication_id);

    // In good order: the old master lives on as a replica.
    sentinel.restart(killed, larder_servers::Data::Lost);
    sentinel.wait_until_settled();
    let master = sentinel.failover();
    recovered(&connections, &set("k", "x")).await;
    assert_eq!(sentinel.servers()[master].command::<String>(&["GET", "k"]), "x");

    let unknown = config.nodes().iter().map(|(host, port)| format!("{host}:{port}"));
    let unknown = RedisCacheBuilder::default().sentinel(unknown, "other").connect_attempts(1);
    let error = Connections::new(super::config(unknown), None).ready().await.unwrap_err();
    assert!(error.to_string().contains("no master named \"other\""), "{error}");
}
