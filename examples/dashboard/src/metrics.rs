//! What the service wants to know: a cached function for each metric, with a TTL of its own.
//!
//! Each metric is tagged with the tables it reads. Functions that write to a table invalidate its tag, and need
//! not know which metrics read it.

use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::Result;
use larder::cached;
use serde::{Deserialize, Serialize};

use crate::db::{Db, Paid, Traffic};

/// All metrics in one.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Dashboard {
    /// When it was put together, in milliseconds since 1970.
    pub as_of: u64,
    /// Requests per minute.
    pub traffic: Traffic,
    /// Failed requests, as a part of all: from 0 to 1.
    pub error_rate: f64,
    /// In milliseconds.
    pub p95_latency: f64,
    /// Users with at least one request.
    pub active_users: u32,
    /// By country, the best first.
    pub revenue: Vec<Paid>,
    /// By name, the best first.
    pub top_customers: Vec<Paid>,
}

/// Computed from the metrics below, all at once; each of them comes from the cache if it is there.
///
/// After its five seconds, it is given out as it is while a new one is made: no caller waits for that. It need
/// not say when it changes: what invalidates a metric invalidates it too, and then it is not given out again.
#[cached(ttl = 5, stale_while_revalidate = 30, key = "dashboard", skip(db))]
pub async fn dashboard(db: &Db) -> Result<Dashboard> {
    let (traffic, error_rate, p95_latency, active_users, revenue, top_customers) = tokio::try_join!(
        traffic(db),
        error_rate(db),
        p95_latency(db),
        active_users(db),
        revenue(db),
        top_customers(db, 5),
    )?;
    Ok(Dashboard { as_of: now(), traffic, error_rate, p95_latency, active_users, revenue, top_customers })
}

/// Requests per minute.
#[cached(ttl = 5, key = "metrics:traffic", tags = ["requests"], skip(db))]
pub async fn traffic(db: &Db) -> Result<Traffic> {
    db.traffic().await
}

/// Failed requests, as a part of all: from 0 to 1.
#[cached(ttl = 5, key = "metrics:error-rate", tags = ["requests"], skip(db))]
pub async fn error_rate(db: &Db) -> Result<f64> {
    db.error_rate().await
}

/// The latency that 95 % of the requests stay under, in milliseconds.
#[cached(ttl = 30, key = "metrics:p95-latency", tags = ["requests"], skip(db))]
pub async fn p95_latency(db: &Db) -> Result<f64> {
    db.p95_latency().await
}

/// Users with at least one request.
#[cached(ttl = "1m", key = "metrics:active-users", tags = ["requests"], skip(db))]
pub async fn active_users(db: &Db) -> Result<u32> {
    db.active_users().await
}

/// By country, the best first.
#[cached(ttl = "5m", key = "metrics:revenue", tags = ["transactions", "users"], skip(db))]
pub async fn revenue(db: &Db) -> Result<Vec<Paid>> {
    db.revenue().await
}

/// The top 5 and the top 50 are two entries.
#[cached(ttl = "5m", key = "metrics:top-customers:<count>", tags = ["transactions", "users"], skip(db))]
pub async fn top_customers(db: &Db, count: u32) -> Result<Vec<Paid>> {
    db.top_customers(count).await
}

/// Milliseconds since 1970.
pub fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis() as u64)
}
