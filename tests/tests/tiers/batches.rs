//! Many keys at once.

use std::{collections::HashMap, convert::Infallible, time::Duration};

use larder::{CacheExt, RedisCache};
use larder_servers::{Direction, Proxy, RedisServer};
use larder_tests::caches::{Process, calls, eventually, long, ms, patient, tiered};

#[tokio::test(flavor = "multi_thread")]
async fn a_thousand_keys_are_one_round_trip() {
    let server = RedisServer::start();
    let a = Process::A.tiered(&server).await;
    let values: Vec<_> = (0..1_000_u64).map(|n| (format!("key:{n}"), n)).collect();
    let keys: Vec<_> = values.iter().map(|(key, _)| key.clone()).collect();
    a.insert_many(&values, long()).await.unwrap();
    assert_eq!(a.stats().shared_stores, 1_000);

    // The server is sent all of them before the first reply arrives.
    let proxy = Proxy::start(server.address());
    let b = tiered(RedisCache::builder().url(proxy.url()).deadline(Duration::from_secs(60))).await;
    let asked = || ["get", "mget"].map(|command| calls(&server, command));
    let [one, many] = asked();
    proxy.set(Direction::ToClient, larder_servers::Fault::Hold);
    let found = tokio::spawn({
        let (b, keys) = (b.clone(), keys.clone());
        async move { b.get_many(&keys).await.unwrap() }
    });
    // Up to 250 keys are one command.
    eventually(async || asked() == [one, many + 4]).await;
    proxy.heal();
    let found: Vec<Option<u64>> = found.await.unwrap();
    assert_eq!(found, (0..1_000).map(Some).collect::<Vec<_>>());
    assert_eq!(b.stats().shared_hits, 1_000);
    let again: Vec<Option<u64>> = b.get_many(&keys).await.unwrap();
    assert_eq!(again, found);
    // Seldom a set of the table is full before the cache is.
    let stats = b.stats();
    assert!(stats.shared_hits <= 1_000 + stats.evictions, "they are in memory: {stats:?}");
    assert!(stats.evictions < 20, "{stats:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_missing_is_computed_in_one_call_and_stored_in_one_round_trip() {
    let server = RedisServer::start();
    let proxy = Proxy::start(server.address());
    let a = tiered(patient(RedisCache::builder().url(proxy.url()))).await;
    let b = Process::B.tiered(&server).await;
    let known: Vec<_> = (0..10_u64).map(|n| (format!("key:{n}"), n)).collect();
    b.insert_many(&known, long()).await.unwrap();

    proxy.set(Direction::ToServer, larder_servers::Fault::Delay(ms(50)));
    let (mut asked, begun) = (Vec::new(), std::time::Instant::now());
    let computed = a.get_or_compute_many(
        0..100_u64,
        |n| format!("key:{n}"),
        long(),
        |missing: Vec<u64>| {
            asked.push(missing.len());
            async move { Ok::<_, Infallible>(missing.into_iter().map(|n| (n, n)).collect::<HashMap<_, _>>()) }
        },
    );
    let all = computed.await.unwrap();
    let took = begun.elapsed();
    proxy.heal();
    assert_eq!(all, (0..100).map(|n| (n, n)).collect());
    assert_eq!(asked, [90], "what another process stored is found");
    // A look, the values, and once more for a script that the server does not know yet.
    assert!(took < ms(1_500), "{took:?}: a round trip for each value");

    let found = b.get_or_compute_many(
        0..100_u64,
        |n| format!("key:{n}"),
        long(),
        |_| async { Err::<HashMap<u64, u64>, _>("it computed") },
    );
    assert_eq!(found.await, Ok(all));
}
