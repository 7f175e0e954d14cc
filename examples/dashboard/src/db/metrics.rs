//! The queries behind the metrics. None of them is fast: they read all of a table.

use anyhow::Result;
use serde::{Deserialize, Serialize};

use super::Db;

/// Requests per minute.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Traffic {
    /// Of all minutes.
    pub average: f64,
    /// Of the busiest minute.
    pub peak: u32,
}

/// What was paid, by country or by customer.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Paid {
    /// The country, or the name.
    pub by: String,
    /// The sum.
    pub cents: i64,
}

impl Db {
    /// Requests per minute.
    pub async fn traffic(&self) -> Result<Traffic> {
        let sql = "SELECT avg(n), max(n) FROM (SELECT count(*) AS n FROM requests GROUP BY at / 60)";
        self.row(sql, [], |row| Ok(Traffic { average: row.get(0)?, peak: row.get(1)? })).await
    }

    /// Failed requests, as a part of all: from 0 to 1.
    pub async fn error_rate(&self) -> Result<f64> {
        self.row("SELECT avg(status >= 500) FROM requests", [], |row| row.get(0)).await
    }

    /// In milliseconds.
    pub async fn p95_latency(&self) -> Result<f64> {
        let sql = "
            SELECT ms FROM requests ORDER BY ms DESC
            LIMIT 1 OFFSET (SELECT count(*) / 20 FROM requests)";
        self.row(sql, [], |row| row.get(0)).await
    }

    /// Users with at least one request.
    pub async fn active_users(&self) -> Result<u32> {
        self.row("SELECT count(DISTINCT user) FROM requests", [], |row| row.get(0)).await
    }

    /// By country, the best first.
    pub async fn revenue(&self) -> Result<Vec<Paid>> {
        let sql = "
            SELECT country, sum(cents) FROM transactions JOIN users ON users.id = user
            GROUP BY country ORDER BY 2 DESC";
        self.rows(sql, [], |row| Ok(Paid { by: row.get(0)?, cents: row.get(1)? })).await
    }

    /// By name, the best first.
    pub async fn top_customers(&self, count: u32) -> Result<Vec<Paid>> {
        let sql = "
            SELECT name, sum(cents) FROM transactions JOIN users ON users.id = user
            GROUP BY user ORDER BY 2 DESC LIMIT ?1";
        self.rows(sql, [count], |row| Ok(Paid { by: row.get(0)?, cents: row.get(1)? })).await
    }
}
