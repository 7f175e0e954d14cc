//! Entries and counters in SQLite.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    time::Duration,
};

use async_trait::async_trait;
use sqlx::{Connection, Executor, Row as _, SqliteConnection, SqlitePool};
use tokio::sync::Mutex;

use super::statements::{Statements, is_missing};
use crate::database::{Database, MOST_PIECES, PIECE, Row, milliseconds};

pub(super) struct SqliteEntries {
    pool: SqlitePool,
    statements: Arc<Statements>,
    /// A table is missing, as a call found out.
    lacks_tables: AtomicBool,
    /// One writer of this process at a time, in turn: SQLite lets those wait that come too soon, and in no order.
    turn: Mutex<()>,
}

impl SqliteEntries {
    pub(super) fn new(pool: SqlitePool, statements: Arc<Statements>) -> Self {
        Self { pool, statements, lacks_tables: AtomicBool::new(true), turn: Mutex::new(()) }
    }

    /// Notes that a table is missing.
    fn noted<T>(&self, done: sqlx::Result<T>) -> sqlx::Result<T> {
        if done.as_ref().is_err_and(is_missing) {
            self.lacks_tables.store(true, Relaxed);
        }
        done
    }

    async fn read_all(&self, places: &[Vec<u8>]) -> sqlx::Result<Vec<Option<Vec<u8>>>> {
        let mut link = self.pool.acquire().await?;
        let mut found = Vec::with_capacity(places.len());
        for place in places {
            let row = sqlx::query(&self.statements.read).bind(place).fetch_optional(&mut *link).await?;
            found.push(row.map(|row| row.try_get(0)).transpose()?);
        }
        Ok(found)
    }

    async fn write_all(&self, rows: &[Row], latest: i64) -> sqlx::Result<Vec<bool>> {
        let _turn = self.turn.lock().await;
        let mut link = self.pool.acquire().await?;
        if let [row] = rows {
            return Ok(vec![self.write_one(&mut link, row, latest).await?]);
        }
        let mut stored = Vec::with_capacity(rows.len());
        // A transaction that only reads at first may not be able to write later.
        let mut transaction = link.begin_with("BEGIN IMMEDIATE").await?;
        for row in rows {
            stored.push(self.write_one(&mut transaction, row, latest).await?);
        }
        transaction.commit().await?;
        Ok(stored)
    }

    async fn write_one(&self, link: &mut SqliteConnection, row: &Row, latest: i64) -> sqlx::Result<bool> {
        let query = sqlx::query(&self.statements.write).bind(&row.place).bind(row.epoch);
        let query = query.bind(row.lifetime_ms).bind(&row.message).bind(latest);
        Ok(query.execute(link).await?.rows_affected() > 0)
    }

    /// Deletes what a statement names, piece by piece.
    async fn delete(&self, statement: &str) -> sqlx::Result<()> {
        for _ in 0..MOST_PIECES {
            let _turn = self.turn.lock().await;
            let deleted = sqlx::query(statement).execute(&self.pool).await?.rows_affected();
            if deleted < PIECE.cast_unsigned() {
                break;
            }
        }
        Ok(())
    }
}

#[async_trait]
impl Database for SqliteEntries {
    async fn read(&self, places: &[Vec<u8>]) -> sqlx::Result<Vec<Option<Vec<u8>>>> {
        self.noted(self.read_all(places).await)
    }

    async fn write(&self, rows: &[Row], latest: i64) -> sqlx::Result<Vec<bool>> {
        self.noted(self.write_all(rows, latest).await)
    }

    async fn count(&self, place: &[u8], by: i64, ttl: Option<Duration>) -> sqlx::Result<Option<i64>> {
        if by == 0 {
            let query = sqlx::query(&self.statements.counter).bind(place);
            let row = self.noted(query.fetch_optional(&self.pool).await)?;
            return row.map_or(Ok(Some(0)), |row| row.try_get(0).map(Some));
        }
        let _turn = self.turn.lock().await;
        let query = sqlx::query(&self.statements.count).bind(place).bind(by).bind(ttl.map(milliseconds));
        let row = self.noted(query.fetch_optional(&self.pool).await)?;
        row.map(|row| row.try_get(0)).transpose()
    }

    async fn tidy(&self) -> sqlx::Result<()> {
        if self.lacks_tables.load(Relaxed) {
            self.pool.execute(&*self.statements.create_tables).await?;
            self.lacks_tables.store(false, Relaxed);
        }
        for statement in [&self.statements.trim, &self.statements.expire, &self.statements.expire_counters] {
            self.delete(statement).await?;
        }
        Ok(())
    }

    async fn ping(&self) -> sqlx::Result<()> {
        self.pool.execute("SELECT 1").await.map(drop)
    }
}
