//! Slow SQL queries, cached, shared and invalidated: `cargo run -p quickstart`.
//!
//! This file is the story, and `metrics.rs` is what you would write in a service of your own. `db.rs` is
//! any database, and `report.rs` prints.

#![expect(clippy::print_stdout, reason = "printing is what this program is for")]
#![expect(unreachable_pub, reason = "`pub` is for the other modules here")]

mod db;
mod metrics;
mod report;

use anyhow::{Context, Result};
use tokio::task::JoinSet;

use crate::{
    db::Db,
    metrics::{dashboard, refund, top_customers},
};

#[tokio::main]
async fn main() -> Result<()> {
    let directory = tempfile::tempdir()?; // removed at the end of `main`
    let rows = rows()?;
    let db = report::setup(rows, || Db::create(directory.path(), rows))?;

    report::heading();
    let first = report::step(&db, "dashboard(), the first call", dashboard(&db)).await?;
    report::step(&db, "dashboard(), the second call", dashboard(&db)).await?;
    report::step(&db, "top_customers(50), 1,000 calls at once", crowd(&db)).await?;
    report::step(&db, "refund(42), an UPDATE of `transactions`", refund(&db, 42)).await?;
    let after = report::step(&db, "dashboard(), the call after that", dashboard(&db)).await?;

    report::numbers(&after.value);
    report::recomputed(&first, &after);
    report::totals(larder::global());
    Ok(())
}

/// A thousand callers who all want what was not computed yet.
async fn crowd(db: &Db) -> Result<()> {
    let mut calls = JoinSet::new();
    for _ in 0..1_000 {
        let db = db.clone();
        calls.spawn(async move { top_customers(&db, 50).await });
    }
    calls.join_all().await.into_iter().try_for_each(|call| call.map(drop))
}

/// The size of the database: try `QUICKSTART_ROWS=5000000 cargo run -p quickstart`.
fn rows() -> Result<u32> {
    match std::env::var("QUICKSTART_ROWS") {
        Ok(rows) => rows.parse().context("QUICKSTART_ROWS is not a number"),
        Err(_) => Ok(500_000),
    }
}
