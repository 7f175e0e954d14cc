//! The service that sends receipts, and shows orders: `REDIS_URL=redis://localhost cargo run -p order-events --bin
//! notifications`. Start several: each receipt is sent by one of them.

#![expect(clippy::print_stdout, reason = "printing is what this program is for")]

use std::{convert::Infallible, sync::Arc, time::Duration};

use anyhow::Result;
use larder::{CacheExt as _, Policy, TieredCache};
use order_events::OrderPaid;

/// Where an order stands, as the database would say. Slow, and so cached.
async fn status(cache: &TieredCache, order: u64, from_database: &'static str) -> Result<String> {
    let policy = Policy::ttl(Duration::from_secs(3_600));
    let status = async || Ok::<_, Infallible>(from_database.to_owned());
    Ok(cache.get_or_compute(&format!("order:{order}"), policy, status).await?)
}

#[tokio::main]
async fn main() -> Result<()> {
    let (cache, events) = order_events::connect().await?;
    println!("order 7 is {}", status(&cache, 7, "open").await?);
    let shown = cache.clone();
    let consumers = events
        .group("notifications")
        // What is cached of the order is dropped in all processes, before the handler is called.
        .on::<OrderPaid, _>(|event| format!("order:{}", event.order))
        // A receipt is sent at least once: the mailer is given the order's number, and drops what it has sent before.
        .handle(move |event: Arc<OrderPaid>| {
            let cache = shown.clone();
            async move {
                let status = status(&cache, event.order, "paid").await?;
                println!("receipt for order {} to {}: it is {status}", event.order, event.customer);
                anyhow::Ok(())
            }
        })
        .start()
        .await?;
    println!("ready");
    tokio::signal::ctrl_c().await?;
    consumers.stop(Duration::from_secs(10)).await;
    Ok(())
}
