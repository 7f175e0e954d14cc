//! Sentinels: failovers wanted and unwanted.

use larder_servers::{Data, RedisSentinel, until};
use redis::Commands;
use redis::sentinel::{SentinelClient, SentinelServerType};

fn client(sentinel: &RedisSentinel) -> SentinelClient {
    let service = RedisSentinel::SERVICE.to_owned();
    SentinelClient::build(sentinel.urls(), service, None, SentinelServerType::Master).unwrap()
}

fn get(client: &mut SentinelClient, key: &str) -> Option<String> {
    until("the client follows the change", || client.get_connection().ok()?.get(key).ok())
}

#[test]
fn failovers_change_the_master() {
    let sentinel = RedisSentinel::start();
    let mut client = client(&sentinel);
    assert_eq!(sentinel.master(), 0);
    let first = sentinel.master_address();
    client.get_connection().unwrap().set::<_, _, ()>("key", "value").unwrap();
    assert_eq!(get(&mut client, "key").as_deref(), Some("value"));

    assert_eq!(sentinel.failover(), 1);
    assert_ne!(sentinel.master_address(), first);
    assert_eq!(get(&mut client, "key").as_deref(), Some("value"));
    client.get_connection().unwrap().set::<_, _, ()>("key", "other").unwrap();

    // The old master follows the new one, and refuses to write.
    let refusal = sentinel.servers()[0].try_command::<()>(&["SET", "key", "value"]).unwrap_err();
    assert_eq!(refusal.code(), Some("READONLY"));
    until("the replica has everything", || {
        let value: String = sentinel.servers()[0].command(&["GET", "key"]);
        (value == "other").then_some(())
    });

    assert_eq!(sentinel.kill_master(), 1);
    assert_eq!(sentinel.master_address(), first);
    assert_eq!(get(&mut client, "key").as_deref(), Some("other"));

    sentinel.restart(1, Data::Kept);
    assert_eq!(sentinel.master(), 0);
}
