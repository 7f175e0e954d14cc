//! One rate limit for all processes.

use std::time::{Duration, Instant};

use larder::{
    CacheExt,
    limit::{DecidedBy, Limiter, Rate},
};
use larder_servers::PostgresServer;

use crate::places::{Place, eventually};

/// So slow that no unit comes back while a test goes on.
fn slow(burst: u32) -> Rate {
    Rate::new(1, Duration::from_secs(36_000)).unwrap().burst(burst)
}

#[tokio::test(flavor = "multi_thread")]
async fn processes_together_take_no_more_than_a_burst() {
    for place in Place::all() {
        let mut tasks = Vec::new();
        for _ in 0..4 {
            let limiter = Limiter::new(place.tiered().await, slow(10));
            for _ in 0..10 {
                let limiter = limiter.clone();
                tasks.push(tokio::spawn(async move { limiter.check("k").await.is_allowed() }));
            }
        }
        let mut allowed = 0;
        for task in tasks {
            allowed += u32::from(task.await.unwrap());
        }
        assert_eq!(allowed, 10, "{}", place.url);
        // One of its own for each key, and each rate; a counter of that name is another thing.
        let cache = place.plain().await;
        assert!(Limiter::new(cache.clone(), slow(10)).check("other").await.is_allowed());
        let decision = Limiter::new(cache.clone(), slow(11)).check("k").await;
        assert!(decision.is_allowed() && decision.decided_by() == DecidedBy::Server, "{decision:?}");
        let refused = Limiter::new(cache.clone(), slow(10)).check("k").await;
        assert!(
            !refused.is_allowed() && refused.retry_after() > Some(Duration::from_secs(30_000)),
            "{refused:?}"
        );
        assert_eq!(cache.increment("k", 1, None).await.unwrap(), 1);
    }
}

/// What is refused takes nothing; what comes back is there for all.
#[tokio::test(flavor = "multi_thread")]
async fn units_come_back() {
    for place in Place::all() {
        let rate = Rate::per_second(20).burst(2);
        let all = [place.plain().await, place.plain().await].map(|cache| Limiter::new(cache, rate));
        let (begun, mut allowed) = (Instant::now(), 0_u32);
        while allowed < 12 {
            for limiter in &all {
                allowed += u32::from(limiter.check("k").await.is_allowed());
            }
            tokio::time::sleep(Duration::from_millis(1)).await;
            assert!(begun.elapsed() < Duration::from_secs(60), "{allowed}");
        }
        // Two at once, and ten at 50 ms each.
        assert!(begun.elapsed() >= Duration::from_millis(490), "{:?}", begun.elapsed());
    }
}

/// Without the database each process holds the rate for itself, and all of them when it is back.
#[tokio::test(flavor = "multi_thread")]
async fn a_limit_goes_on_without_its_database() {
    let Some(server) = PostgresServer::start() else { return };
    let place = Place::on(&server);
    let cache = place.builder().deadline(Duration::from_millis(250)).connect().await.unwrap();
    let limiter = Limiter::new(cache, slow(3));
    let mut key = 0;
    eventually("the database decides", async || {
        key += 1;
        limiter.check(&format!("before:{key}")).await.decided_by() == DecidedBy::Server
    })
    .await;
    server.kill();
    eventually("this process decides", async || {
        key += 1;
        // A server that is killed may answer what is on its way.
        let decision = limiter.check(&format!("away:{key}")).await;
        assert!(decision.is_allowed(), "{decision:?}");
        decision.decided_by() != DecidedBy::Server
    })
    .await;
    server.restart();
    eventually("the database decides again", async || {
        key += 1;
        limiter.check(&format!("after:{key}")).await.decided_by() == DecidedBy::Server
    })
    .await;
}
