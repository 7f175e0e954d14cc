//! What calls take.

use std::time::{Duration, Instant};

use larder::CacheExt;
use larder_servers::MemcachedServer;

use crate::nodes::{Place, policy};

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort();
    times[times.len() / 2]
}

/// `cargo test -p larder-memcached --all-features --test memcached -- --ignored --nocapture speed`
#[tokio::test(flavor = "multi_thread")]
#[ignore = "measures"]
async fn hits_misses_and_invalidations() {
    let server = MemcachedServer::start();
    let place = Place::on([&server]);
    let (a, b) = (place.cache().await, place.cache().await);
    // It has to know the counter.
    b.get::<String>("k").await.unwrap();
    let value = "x".repeat(100);
    let (mut first, mut again, mut hits, mut gone) = (vec![], vec![], vec![], vec![]);
    for round in 0..1_000 {
        let key = format!("k:{round}");
        let compute = async || Ok::<_, String>(value.clone());
        let begun = Instant::now();
        a.get_or_compute(&key, policy(), compute).await.unwrap();
        first.push(begun.elapsed());
        let begun = Instant::now();
        assert!(b.get::<String>(&key).await.unwrap().is_some());
        hits.push(begun.elapsed());
        server.tell(&format!("delete {}:e:{key}", place.prefix));
        let begun = Instant::now();
        a.get_or_compute(&key, policy(), compute).await.unwrap();
        again.push(begun.elapsed());
        let begun = Instant::now();
        a.invalidate(&key).await;
        gone.push(begun.elapsed());
    }
    println!(
        "p50 of a hit {:?}, of the first miss of a key {:?}, of another one {:?}, of invalidate().await {:?}",
        median(hits),
        median(first),
        median(again),
        median(gone)
    );
}
