//! The dashboard as it would be without a cache: six queries for each request. It exists for
//! `scripts/load`, which compares the two. A service of your own has no such file.

use anyhow::Result;

use crate::{
    db::Db,
    metrics::{Dashboard, now},
};

/// Six queries, each time.
pub async fn dashboard(db: &Db) -> Result<Dashboard> {
    let (traffic, error_rate, p95_latency, active_users, revenue, top_customers) = tokio::try_join!(
        db.traffic(),
        db.error_rate(),
        db.p95_latency(),
        db.active_users(),
        db.revenue(),
        db.top_customers(5),
    )?;
    Ok(Dashboard { as_of: now(), traffic, error_rate, p95_latency, active_users, revenue, top_customers })
}
