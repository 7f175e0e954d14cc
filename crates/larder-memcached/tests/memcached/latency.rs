//! Nodes that answer, and take their time.

use std::time::{Duration, Instant};

use larder::{CacheExt, Invalidation, Scope};
use larder_servers::{Direction, Fault, MemcachedServer, Proxy};

use crate::nodes::{Place, bulk, eventually, generation, policy, share};

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

/// What callers take from each other is no failure of the node's.
#[tokio::test(flavor = "multi_thread")]
async fn a_node_is_not_gone_because_many_ask_it_at_once() {
    let server = MemcachedServer::start();
    let proxy = Proxy::start(server.address());
    let builder = behind([&proxy]).builder().deadline(Duration::from_secs(1)).connections(1);
    let cache = builder.connect().await.unwrap();
    share(&cache, &cache, "k", 1).await;
    proxy.set(Direction::ToClient, Fault::Delay(Duration::from_millis(100)));
    let found =
        futures_util::future::join_all((0..30).map(async |_| cache.get::<u64>("k").await.unwrap())).await;
    let hits = found.iter().flatten().count();
    assert!((1..30).contains(&hits), "{hits} of 30 in time for ten");
    assert!(cache.link().servers[0].available);
    assert!(matches!(cache.invalidate("k").await, Invalidation::Delivered(_)));
}

/// The deadline is for each piece of what is asked, and not for all of it.
#[tokio::test(flavor = "multi_thread")]
async fn a_large_batch_takes_as_long_as_it_takes() {
    let server = MemcachedServer::start();
    let proxy = Proxy::start(server.address());
    let builder = behind([&proxy]).builder().deadline(Duration::from_millis(500));
    let cache = builder.connect().await.unwrap();
    // A second each way.
    proxy.set_both(Fault::Throttle(10 << 20));
    let items: Vec<_> = (0..100).map(|key| (format!("k:{key}"), bulk(100_000))).collect();
    let keys: Vec<_> = items.iter().map(|(key, _)| key.clone()).collect();
    eventually("all of them are stored", async || {
        cache.insert_many(&items, policy()).await.unwrap();
        let found = cache.get_many::<String>(&keys).await.unwrap();
        found.iter().zip(&items).all(|(found, (_, value))| found.as_ref() == Some(value))
    })
    .await;
}

/// Thousands of generations begin at once.
#[tokio::test(flavor = "multi_thread")]
async fn a_batch_of_many_new_keys_is_shared() {
    let server = MemcachedServer::start();
    let proxy = Proxy::start(server.address());
    let builder = behind([&proxy]).builder().deadline(Duration::from_millis(400));
    let cache = builder.connect().await.unwrap();
    proxy.set(Direction::ToClient, Fault::Delay(Duration::from_millis(10)));
    let keys: Vec<_> = (0..4_000).map(|key| format!("k{key}")).collect();
    eventually("no key is computed again", async || {
        let mut computed = 0;
        let compute = |keys: Vec<String>| {
            computed = keys.len();
            let values = keys.into_iter().map(|key| (key, 1_u64));
            std::future::ready(Ok::<_, String>(values.collect::<std::collections::HashMap<_, _>>()))
        };
        cache.get_or_compute_many(keys.clone(), String::clone, policy(), compute).await.unwrap();
        computed == 0
    })
    .await;
}
