//! Lifetimes that are chosen, where other processes share the values.

use std::{convert::Infallible, time::Duration};

use larder::{Cache, CacheExt, Policy, TieredCache};
use larder_servers::RedisServer;
use larder_tests::caches::{Process, eventually};

fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

async fn report(cache: &TieredCache) {
    let policy = Policy::adaptive(secs(10)..=secs(3_600));
    let computed = async || {
        tokio::time::sleep(Duration::from_millis(30)).await;
        Ok::<_, Infallible>("the same".to_owned())
    };
    cache.get_or_compute("report", &policy, computed).await.unwrap();
}

/// Its lifetime is that of the entry in Redis, and other processes serve it as long.
#[tokio::test(flavor = "multi_thread")]
async fn others_have_a_value_for_as_long_as_was_chosen() {
    let server = RedisServer::start();
    let (a, b) = (Process::A.tiered(&server).await, Process::B.tiered(&server).await);
    report(&a).await;
    let first = server.command::<u64>(&["PTTL", "larder:e:report"]);
    assert!((5_000..=10_000).contains(&first), "{first}");
    // Its own clock goes forward, and Redis' does not: as if the entry had ended.
    a.core().advance(secs(11));
    server.command::<()>(&["DEL", "larder:e:report"]);
    report(&a).await;
    let second = server.command::<u64>(&["PTTL", "larder:e:report"]);
    assert!((30_000..=40_000).contains(&second), "{second}");
    eventually(async || {
        report(&b).await;
        b.stats().shared_hits > 0 || b.stats().computations > 0
    })
    .await;
    let left = b.remaining_ttl("report").await.unwrap().unwrap();
    assert!(left > secs(5) && left <= secs(40), "{left:?}");
}
