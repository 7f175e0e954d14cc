//! Nodes that answer, and take their time.

use std::time::{Duration, Instant};

use larder::{CacheExt, Scope};
use larder_servers::{Direction, Fault, MemcachedServer, Proxy};

use crate::nodes::{Place, generation, policy};

fn behind<'p>(proxies: impl IntoIterator<Item = &'p Proxy>) -> Place {
    let addresses = proxies.into_iter().map(|proxy| proxy.address().to_string()).collect();
    Place { addresses, ..Place::on([]) }
}

/// One new key after the other, faster than generations would begin one at a time.
#[tokio::test(flavor = "multi_thread")]
async fn no_miss_waits_for_those_before_it() {
    const DEADLINE: Duration = Duration::from_secs(1);
    let server = MemcachedServer::start();
    let proxy = Proxy::start(server.address());
    let cache = behind([&proxy]).builder().deadline(DEADLINE).connect().await.unwrap();
    proxy.set(Direction::ToClient, Fault::Delay(Duration::from_millis(100)));
    let tasks: Vec<_> = (0..300)
        .map(async |key: u64| {
            tokio::time::sleep(Duration::from_millis(10) * u32::try_from(key).unwrap()).await;
            let (key, begun) = (format!("k:{key}"), Instant::now());
            let computed = cache.get_or_compute(&key, policy(), async || Ok::<_, String>(begun.elapsed()));
            computed.await.unwrap()
        })
        .collect();
    let waited = futures_util::future::join_all(tasks).await;
    let longest = waited.iter().max().unwrap();
    // Two for the read, and three for the generations.
    assert!(*longest < DEADLINE * 6, "a computation began after {longest:?}");
}

/// What looks at the counter holds no connection each, however slow its node is.
#[tokio::test(flavor = "multi_thread")]
async fn misses_open_no_connection_each() {
    let servers = [MemcachedServer::start(), MemcachedServer::start()];
    let proxies = [Proxy::start(servers[0].address()), Proxy::start(servers[1].address())];
    let has = |node: usize, name: &str| servers[node].tell(&format!("get {name}")).starts_with("VALUE");
    // The counter is alone on its node, with what no key of these needs.
    let (place, cache) = loop {
        let place = behind(&proxies);
        let cache = place.builder().connections(4).connect().await.unwrap();
        cache.get_or_compute("k", policy(), async || Ok::<_, String>(1_u64)).await.unwrap();
        if has(0, &format!("{}:n", place.prefix)) && has(1, &generation(&place, &Scope::all())) {
            break (place, cache);
        }
    };
    let mut keys = Vec::new();
    for key in (0..200).map(|key: u32| format!("k{key}")) {
        cache.get_or_compute(&key, policy(), async || Ok::<_, String>(1_u64)).await.unwrap();
        let entry = format!("{}:e:{key}", place.prefix);
        if has(1, &entry) && has(1, &generation(&place, &Scope::key(&key))) {
            servers[1].tell(&format!("delete {entry}"));
            keys.push(key);
        }
    }
    assert!(keys.len() > 20, "{}", keys.len());
    let before = proxies[0].connections();
    proxies[0].set(Direction::ToClient, Fault::Delay(Duration::from_millis(300)));
    let compute = async |key: &String| {
        cache.get_or_compute(key, policy(), async || Ok::<_, String>(proxies[0].connections())).await.unwrap()
    };
    let open = futures_util::future::join_all(keys.iter().map(compute)).await;
    let most = open.into_iter().max().unwrap();
    assert!(most <= before + 8, "{most} connections for {} misses, {before} before", keys.len());
}
