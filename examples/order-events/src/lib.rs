//! What the two services have in common: the events, and where they are.

use anyhow::{Context as _, Result};
use larder::{
    MemoryCache, RedisCache, TieredCache,
    events::{Event, Events},
};
use serde::{Deserialize, Serialize};

/// An order was paid.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct OrderPaid {
    /// Its number.
    pub order: u64,
    /// Who is to have the receipt.
    pub customer: String,
}

impl Event for OrderPaid {
    const NAME: &str = "order_paid";
}

/// The cache of a service, and the events that all services share: on the Redis of `REDIS_URL`.
///
/// # Errors
///
/// If there is none.
pub async fn connect() -> Result<(TieredCache, Events)> {
    let url = std::env::var("REDIS_URL").context("set REDIS_URL")?;
    let redis = RedisCache::builder().url(url).prefix("shop").connect().await?;
    let cache = TieredCache::new(MemoryCache::new(10_000), redis);
    let events = Events::tiered(&cache)?;
    Ok((cache, events))
}
