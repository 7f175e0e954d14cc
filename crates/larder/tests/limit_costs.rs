//! What a decision of a rate limit costs: figures for the documentation, not a test of them.
//!
//! `cargo test --release -p larder --features limit,test-util --test limit_costs -- --ignored --nocapture`

mod support;

use std::time::{Duration, Instant};

use larder::{
    MemoryCache,
    limit::{DecidedBy, Limiter, Rate},
};
use larder_servers::RedisServer;

use self::support::processes::both;

/// The least of several rounds: the machine has other things to do too.
async fn least(limiter: &Limiter, times: u32, by: DecidedBy) -> Duration {
    let mut least = Duration::MAX;
    for round in 0..20 {
        let key = format!("ip:192.0.2.{round}");
        if by == DecidedBy::Remembered {
            while limiter.check(&key).await.is_allowed() {}
        }
        let begun = Instant::now();
        for _ in 0..times {
            assert_eq!(limiter.check(&key).await.decided_by(), by);
        }
        least = least.min(begun.elapsed() / times);
    }
    least
}

#[tokio::test]
#[ignore = "it measures, and is run by hand"]
async fn decisions() {
    let server = RedisServer::start();
    let (shared, _) = both(&server).await;
    let memory = Limiter::new(MemoryCache::new(1), Rate::per_hour(1_000));
    println!("in memory: {:?}", least(&memory, 10_000, DecidedBy::Process).await);
    let flooded = Limiter::new(shared.clone(), Rate::per_hour(2));
    println!("remembered: {:?}", least(&flooded, 10_000, DecidedBy::Remembered).await);
    let asked = Limiter::new(shared, Rate::per_second(4_000_000_000));
    println!("by Redis: {:?}", least(&asked, 500, DecidedBy::Server).await);
}
