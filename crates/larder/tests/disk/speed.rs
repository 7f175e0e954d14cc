//! What a warm restart is worth.

use std::time::{Duration, Instant};

use larder::{CacheExt, MemoryCache};

use crate::{LONG, folder, on, support::long};

/// `cargo test --release -p larder --all-features --test disk -- --ignored --nocapture restart_of_a_large_cache`
#[tokio::test(flavor = "multi_thread")]
#[ignore = "measures, and takes half a minute"]
async fn restart_of_a_large_cache() {
    const ENTRIES: u64 = 100_000;
    let folder = folder();
    let value = |n: u64| (n, "x".repeat(1_000));
    let open = || on(&folder).capacity(ENTRIES * 2).build().unwrap();
    let cache = open();
    let began = Instant::now();
    for n in 0..ENTRIES {
        let compute = async || Ok::<_, String>(value(n));
        cache.get_or_compute(&format!("user:{n}"), long(), compute).await.unwrap();
        if n % 8_192 == 0 {
            assert!(cache.flush(LONG).await);
        }
    }
    assert!(cache.flush(LONG).await);
    let stats = cache.stats();
    println!(
        "{ENTRIES} entries of 1 kB computed and written in {:?}; {} on disk",
        began.elapsed(),
        stats.disk_stores
    );
    drop(cache);
    let began = Instant::now();
    let cache = open();
    println!("opened in {:?}", began.elapsed());
    serve("with a disk tier", &cache, value).await;
    serve("without", &MemoryCache::new(ENTRIES * 2), value).await;
}

/// 16 tasks ask for what a service is asked for, which takes 5 ms to compute, for a second; invalidations go on.
async fn serve(
    what: &str,
    cache: &MemoryCache,
    value: impl Fn(u64) -> (u64, String) + Copy + Send + Sync + 'static,
) {
    let end = Instant::now() + Duration::from_secs(1);
    let tasks: Vec<_> = (0..16)
        .map(|task| {
            let cache = cache.clone();
            tokio::spawn(async move {
                let mut asked = 0_u64;
                while Instant::now() < end {
                    // Some are asked for far more often than others.
                    let n = (fastrand::f64().powi(4) * 100_000.0) as u64;
                    let compute = async || {
                        tokio::time::sleep(Duration::from_millis(5)).await;
                        Ok::<_, String>(value(n))
                    };
                    cache.get_or_compute(&format!("user:{n}"), long(), compute).await.unwrap();
                    asked += 1;
                    if task == 0 && asked.is_multiple_of(100) {
                        cache.invalidate(format!("user:{n}")).await;
                    }
                    tokio::task::yield_now().await;
                }
                asked
            })
        })
        .collect();
    let mut asked = 0;
    for task in tasks {
        asked += task.await.unwrap();
    }
    let stats = cache.stats();
    let ratio = 1.0 - stats.computations as f64 / asked as f64;
    println!(
        "{what}: {asked} reads in the first second, {:.1} % without a computation; {} from disk",
        ratio * 100.0,
        stats.disk_hits
    );
}
