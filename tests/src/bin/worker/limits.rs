//! Rate limits, asked as fast as can be.

use std::time::{Duration, Instant};

use larder::{
    TieredCache,
    limit::{DecidedBy, FailureMode, Limited, Limiter, Rate},
    limited,
};
use tokio::task::JoinSet;

/// 50 a second, 50 at once; refused where the server cannot be asked.
#[limited(per = "function:<key>", rate = "50/s", cache = cache, failure = FailureMode::Closed)]
async fn call(cache: &TieredCache, key: &str) -> Result<(), Limited> {
    Ok(())
}

fn limiter(cache: &TieredCache, mode: FailureMode) -> Limiter {
    Limiter::new(cache.clone(), Rate::per_second(50)).failure_mode(mode)
}

pub(crate) async fn ask(cache: &TieredCache, key: &str, tasks: usize, ms: u64) {
    let end = Instant::now() + Duration::from_millis(ms);
    let (closed, local) = (limiter(cache, FailureMode::Closed), limiter(cache, FailureMode::Local));
    let mut asking = JoinSet::new();
    for _ in 0..tasks {
        let (of_function, cache) = (key.to_owned(), cache.clone());
        asking.spawn(repeat("function", end, async move || call(&cache, &of_function).await.is_ok()));
        for (name, limiter) in [("closed", closed.clone()), ("local", local.clone())] {
            let key = format!("{name}:{key}");
            asking.spawn(repeat(name, end, async move || limiter.check(&key).await.is_allowed()));
        }
    }
    let counts = asking.join_all().await;
    for name in ["function", "closed", "local"] {
        let of = counts.iter().filter(|count| count.name == name);
        let (allowed, refused) = of
            .clone()
            .fold((0, 0), |(allowed, refused), count| (allowed + count.allowed, refused + count.refused));
        let longest = of.map(|count| count.longest.as_millis()).max().unwrap_or(0);
        println!("limited {name} {allowed} {refused} {longest}");
    }
    println!("done");
}

pub(crate) async fn wait(cache: &TieredCache) {
    let limiter = limiter(cache, FailureMode::Closed);
    while limiter.check("probe").await.decided_by() == DecidedBy::Failure {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    println!("limits");
}

struct Count {
    name: &'static str,
    allowed: usize,
    refused: usize,
    longest: Duration,
}

async fn repeat(name: &'static str, end: Instant, mut ask: impl AsyncFnMut() -> bool) -> Count {
    let mut count = Count { name, allowed: 0, refused: 0, longest: Duration::ZERO };
    while Instant::now() < end {
        let begun = Instant::now();
        match ask().await {
            true => count.allowed += 1,
            false => count.refused += 1,
        }
        count.longest = count.longest.max(begun.elapsed());
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    count
}
