//! A process that invalidates far more than it can settle.

use std::time::Duration;

use larder::{CacheExt, Scope};
use larder_servers::{Direction, Fault, MemcachedServer, Proxy};

use crate::nodes::{Place, eventually, generation, share};

/// How many scopes are kept in mind at most, each by itself.
const MOST: u64 = 1 << 16;

/// The node with the counter is slow to one process alone, so that nothing is settled. What is delivered becomes one that covers
/// everything there, and others hear nothing of that.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_delivered_and_never_settled_takes_no_room_and_costs_others_nothing() {
    let servers = [MemcachedServer::start(), MemcachedServer::start()];
    let proxies = servers.each_ref().map(|server| Proxy::start(server.address()));
    let addresses = proxies.iter().map(|proxy| proxy.address().to_string()).collect();
    let place = Place { addresses, ..Place::on(&servers) };
    let other = place.cache().await;
    share(&other, &other, "kept", 1).await;
    share(&other, &other, "k:0", 1).await;
    let has = |server: &MemcachedServer, name: &str| server.tell(&format!("get {name}")).starts_with("VALUE");
    let slow = usize::from(has(&servers[1], &format!("{}:n", place.prefix)));
    let (near, far) = (&servers[1 - slow], &proxies[slow]);
    // Its generation is on the other node: once that is gone, what was invalidated before it is delivered.
    let mut last = None;
    for number in 0..64 {
        let key = format!("last:{number}");
        share(&other, &other, &key, 1).await;
        if has(near, &generation(&place, &Scope::key(&*key))) {
            last = Some(key);
            break;
        }
    }
    let last = last.expect("of so many, some are on either node");
    let cache = place.impatient();
    assert_eq!(cache.get::<u64>("kept").await.unwrap(), Some(1));

    far.set(Direction::ToClient, Fault::Delay(Duration::from_secs(3)));
    let set = format!("set {} 0 0 1\r\n1", generation(&place, &Scope::key(&*last)));
    for chunk in 0..50 {
        near.tell(&set);
        let mut keys: Vec<String> = (0..1_000).map(|n| format!("k:{}", chunk * 1_000 + n)).collect();
        keys.push(last.clone());
        drop(cache.invalidate(keys));
        eventually("it is delivered", async || !has(near, &generation(&place, &Scope::key(&*last)))).await;
        assert!(cache.link().waiting <= MOST, "{}", cache.link().waiting);
    }
    assert!(cache.link().waiting > 10_000, "what the slow node has is not delivered: {:?}", cache.link());
    far.heal();
    assert!(cache.flush(Duration::from_secs(120)).await);
    assert_eq!(cache.link().waiting, 0);
    assert_eq!(other.get::<u64>("k:0").await.unwrap(), None, "it was invalidated");
    assert_eq!(other.get::<u64>("kept").await.unwrap(), Some(1), "and this was not");
    assert_eq!(cache.get::<u64>("kept").await.unwrap(), None, "what this process has forgotten may be of it");
    share(&cache, &other, "k:0", 2).await;
    share(&other, &cache, "kept", 2).await;
}
