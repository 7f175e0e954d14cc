//! What a hit from the database and a delivery take.

use std::time::{Duration, Instant};

use larder::CacheExt;

use crate::places::{Place, policy};

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort();
    times[times.len() / 2]
}

/// `cargo test -p larder-sql --all-features --test sql -- --ignored --nocapture speed`
#[tokio::test(flavor = "multi_thread")]
#[ignore = "measures"]
async fn hits_and_deliveries() {
    for place in Place::all() {
        let kind = place.url.split(':').next().unwrap_or_default().to_owned();
        let (a, b, near) = (place.plain().await, place.plain().await, place.tiered().await);
        let value = "x".repeat(100);
        let (mut stores, mut hits, mut deliveries, mut invalidations) = (vec![], vec![], vec![], vec![]);
        for round in 0..1_000 {
            let key = format!("k:{round}");
            let begun = Instant::now();
            a.get_or_compute(&key, policy(), async || Ok::<_, String>(value.clone())).await.unwrap();
            stores.push(begun.elapsed());
            let begun = Instant::now();
            assert!(b.get::<String>(&key).await.unwrap().is_some());
            hits.push(begun.elapsed());
        }
        for round in 0..300 {
            let key = format!("k:{round}");
            near.get::<String>(&key).await.unwrap();
            tokio::time::sleep(Duration::from_millis(fastrand::u64(..20))).await;
            let position = near.link().position;
            let begun = Instant::now();
            let invalidated = tokio::spawn({
                let (a, key) = (a.clone(), key.clone());
                async move {
                    let begun = Instant::now();
                    a.invalidate(&key).await;
                    begun.elapsed()
                }
            });
            while near.link().position == position {
                tokio::time::sleep(Duration::from_micros(20)).await;
            }
            deliveries.push(begun.elapsed());
            invalidations.push(invalidated.await.unwrap());
        }
        println!(
            "{kind}: p50 of a miss that computes and stores {:?}, of a hit from the database {:?}, of invalidate().await \
             {:?}, of delivery to another process' memory {:?}",
            median(stores),
            median(hits),
            median(invalidations),
            median(deliveries)
        );
    }
}
