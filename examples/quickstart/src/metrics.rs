//! What a service wants to know about itself: a function for each metric, with a TTL of its own.
//!
//! Each metric is tagged with the tables it reads, and what writes to a table invalidates its tag. All
//! arguments of a function are part of its key, except those it skips: the database is the same for all.

use std::time::SystemTime;

use anyhow::Result;
use larder::{cached, invalidate};
use serde::{Deserialize, Serialize};

use crate::db::Db;

#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Dashboard {
    pub as_of: SystemTime,
    pub traffic: Traffic,
    pub error_rate: f64,
    pub p95_latency: f64,
    pub active_users: u32,
    pub revenue: Vec<Paid>,
    pub top_customers: Vec<Paid>,
}

/// Requests per minute.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Traffic {
    pub average: f64,
    pub peak: u32,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Paid {
    pub by: String,
    pub cents: i64,
}

/// Computed from the metrics below, all at once; each of them comes from the cache if it is there.
///
/// This function need not say when it changes: what invalidates a metric invalidates it too.
#[cached(ttl = 30, skip(db))]
pub async fn dashboard(db: &Db) -> Result<Dashboard> {
    let as_of = SystemTime::now();
    let (traffic, error_rate, p95_latency, active_users, revenue, top_customers) = tokio::try_join!(
        traffic(db),
        error_rate(db),
        p95_latency(db),
        active_users(db),
        revenue(db),
        top_customers(db, 3),
    )?;
    Ok(Dashboard { as_of, traffic, error_rate, p95_latency, active_users, revenue, top_customers })
}

#[cached(ttl = 30, tags = ["requests"], skip(db))]
pub async fn traffic(db: &Db) -> Result<Traffic> {
    let sql = "SELECT avg(n), max(n) FROM (SELECT count(*) AS n FROM requests GROUP BY at / 60)";
    db.row("traffic", sql, |row| Ok(Traffic { average: row.get(0)?, peak: row.get(1)? })).await
}

#[cached(ttl = 30, tags = ["requests"], skip(db))]
pub async fn error_rate(db: &Db) -> Result<f64> {
    let sql = "SELECT avg(status >= 500) FROM requests";
    db.row("error_rate", sql, |row| row.get(0)).await
}

/// In milliseconds.
#[cached(ttl = "1m", tags = ["requests"], skip(db))]
pub async fn p95_latency(db: &Db) -> Result<f64> {
    let sql = "
        SELECT ms FROM requests ORDER BY ms DESC
        LIMIT 1 OFFSET (SELECT count(*) / 20 FROM requests)";
    db.row("p95_latency", sql, |row| row.get(0)).await
}

#[cached(ttl = "1m", tags = ["requests"], skip(db))]
pub async fn active_users(db: &Db) -> Result<u32> {
    let sql = "SELECT count(DISTINCT user) FROM requests";
    db.row("active_users", sql, |row| row.get(0)).await
}

/// By country, the best first.
#[cached(ttl = "5m", tags = ["transactions", "users"], skip(db))]
pub async fn revenue(db: &Db) -> Result<Vec<Paid>> {
    let sql = "
        SELECT country, sum(cents) FROM transactions JOIN users ON users.id = user
        WHERE NOT refunded GROUP BY country ORDER BY 2 DESC";
    db.rows("revenue", sql, [], |row| Ok(Paid { by: row.get(0)?, cents: row.get(1)? })).await
}

/// The top 3 and the top 50 are two entries: `count` is in the key, which is made of the function's path
/// and its arguments unless it is written out, as here.
#[cached(ttl = "5m", key = "top-customers:<count>", tags = ["transactions", "users"], skip(db))]
pub async fn top_customers(db: &Db, count: u32) -> Result<Vec<Paid>> {
    let sql = "
        SELECT name, sum(cents) FROM transactions JOIN users ON users.id = user
        WHERE NOT refunded GROUP BY user ORDER BY 2 DESC LIMIT ?1";
    db.rows("top_customers", sql, [count], |row| Ok(Paid { by: row.get(0)?, cents: row.get(1)? })).await
}

/// Says which table it changes, and need not know who reads it.
#[invalidate(tags = ["transactions"])]
pub async fn refund(db: &Db, transaction: u32) -> Result<()> {
    let sql = "UPDATE transactions SET refunded = TRUE WHERE id = ?1";
    db.execute("refund", sql, [transaction]).await
}
