//! Vehicles report where they are, more often than a database likes to be written to: `cargo run -p fleet`.
//!
//! A report is acknowledged at once, shown to readers at once, and written in batches: of several reports of one vehicle in
//! a batch, the last. With `REDIS_URL` the reports that wait lie in Redis, and survive this process.

#![expect(clippy::print_stdout, reason = "printing is what this program is for")]

mod db;

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use larder::{
    MemoryCache, Policy, RedisCache, TieredCache, cached,
    write_behind::{Batch, SinkError, WriteBehind},
};

use crate::db::{Db, Position};

const VEHICLES: u32 = 50;
const REPORTS: u32 = 100;

/// Where a vehicle was last: a query, where no report is in the cache.
#[cached(ttl = 60, key = "position:<vehicle>", skip(db))]
async fn position(db: &Db, vehicle: u32) -> Result<Position> {
    db.position(vehicle).await?.context("it never reported")
}

/// The queue, and the cache that shows what is in it.
async fn start(db: &Db) -> Result<WriteBehind<Position>> {
    let queue = WriteBehind::builder("positions").max_delay(Duration::from_millis(50));
    let queue = match std::env::var("REDIS_URL") {
        Ok(url) => {
            let redis = RedisCache::builder().url(url).prefix("fleet").connect().await?;
            let cache = TieredCache::new(MemoryCache::new(10_000), redis);
            larder::install(cache.clone())?;
            queue.tiered(&cache)
        }
        Err(_) => {
            let cache = MemoryCache::new(10_000);
            larder::install(cache.clone())?;
            queue.cache(&cache)
        }
    };
    let db = db.clone();
    let sink = move |batch: Batch<Position>| {
        let db = db.clone();
        async move { Ok::<_, SinkError>(db.write(batch).await?) }
    };
    Ok(queue.start(sink)?)
}

#[tokio::main]
async fn main() -> Result<()> {
    let directory = tempfile::tempdir()?;
    let db = Db::create(&directory.path().join("fleet.sqlite"))?;
    let queue = start(&db).await?;
    // Longer than reports wait: until they are written, the cache is the only one that knows them.
    let policy = Policy::ttl(Duration::from_secs(60));

    let begun = Instant::now();
    let report = async |vehicle: u32, number: u32| {
        let here = Position { latitude: 50.0 + f64::from(vehicle), longitude: f64::from(number) };
        let key = format!("position:{vehicle}");
        queue.write_cached(&vehicle.to_string(), &here, &key, &policy).await
    };
    for number in 1..=REPORTS {
        for vehicle in 0..VEHICLES {
            report(vehicle, number).await?;
        }
    }
    println!("{} reports acknowledged in {:.0?}", VEHICLES * REPORTS, begun.elapsed());

    report(7, 1_000).await?;
    let shown = position(&db, 7).await?.longitude;
    println!("vehicle 7 is shown at {shown}, and the database has {:?}", db.longitude(7).await?);

    // Before the program ends: what waits is written.
    let left = queue.stop(Duration::from_secs(10)).await?;
    let stats = queue.stats();
    println!("{} rows written in {} batches, {left} reports left", db.written(), stats.batches);
    println!("vehicle 7 is at {:?} in the database", db.longitude(7).await?);
    Ok(())
}
