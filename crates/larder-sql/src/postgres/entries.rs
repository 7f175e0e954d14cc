//! Entries and counters in PostgreSQL.

use std::{
    collections::HashMap,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    time::Duration,
};

use async_trait::async_trait;
use sqlx::{Executor, PgPool, Row as _};

use super::statements::{Statements, is_missing};
use crate::database::{Database, MOST_PIECES, PIECE, Row, milliseconds};

pub(super) struct PostgresEntries {
    pool: PgPool,
    statements: Arc<Statements>,
    /// A table is missing, as a call found out.
    lacks_tables: AtomicBool,
}

impl PostgresEntries {
    pub(super) fn new(pool: PgPool, statements: Arc<Statements>) -> Self {
        Self { pool, statements, lacks_tables: AtomicBool::new(true) }
    }

    /// Notes that a table is missing.
    fn noted<T>(&self, done: sqlx::Result<T>) -> sqlx::Result<T> {
        if done.as_ref().is_err_and(is_missing) {
            self.lacks_tables.store(true, Relaxed);
        }
        done
    }

    /// Deletes what a statement names, piece by piece.
    async fn delete(&self, statement: &str) -> sqlx::Result<()> {
        for _ in 0..MOST_PIECES {
            let deleted = sqlx::query(statement).execute(&self.pool).await?.rows_affected();
            if deleted < PIECE.cast_unsigned() {
                break;
            }
        }
        Ok(())
    }
}

#[async_trait]
impl Database for PostgresEntries {
    async fn read(&self, places: &[Vec<u8>]) -> sqlx::Result<Vec<Option<Vec<u8>>>> {
        let rows = sqlx::query(&self.statements.read).bind(places).fetch_all(&self.pool).await;
        let rows = self.noted(rows)?;
        let mut found = HashMap::with_capacity(rows.len());
        for row in rows {
            found.insert(row.try_get::<Vec<u8>, _>(0)?, row.try_get::<Vec<u8>, _>(1)?);
        }
        Ok(places.iter().map(|place| found.get(place).cloned()).collect())
    }

    async fn write(&self, rows: &[Row], latest: i64) -> sqlx::Result<Vec<bool>> {
        // In one order for all, so that no two wait for each other; and each place once, the last one.
        let mut sorted: Vec<&Row> = rows.iter().rev().collect();
        sorted.sort_by(|one, other| one.place.cmp(&other.place));
        sorted.dedup_by(|later, kept| later.place == kept.place);
        let query = sqlx::query(&self.statements.write)
            .bind(sorted.iter().map(|row| row.place.clone()).collect::<Vec<_>>())
            .bind(sorted.iter().map(|row| row.epoch).collect::<Vec<_>>())
            .bind(sorted.iter().map(|row| row.lifetime_ms).collect::<Vec<_>>())
            .bind(sorted.iter().map(|row| row.message.clone()).collect::<Vec<_>>())
            .bind(latest);
        let stored = self.noted(query.fetch_all(&self.pool).await)?;
        let stored: sqlx::Result<Vec<Vec<u8>>> = stored.iter().map(|row| row.try_get(0)).collect();
        let stored = stored?;
        Ok(rows.iter().map(|row| stored.contains(&row.place)).collect())
    }

    async fn count(&self, place: &[u8], by: i64, ttl: Option<Duration>) -> sqlx::Result<Option<i64>> {
        /// `numeric_value_out_of_range`.
        const OVERFLOW: &str = "22003";
        if by == 0 {
            let query = sqlx::query(&self.statements.counter).bind(place);
            let row = self.noted(query.fetch_optional(&self.pool).await)?;
            return row.map_or(Ok(Some(0)), |row| row.try_get(0).map(Some));
        }
        let ttl = ttl.map(milliseconds);
        let query = sqlx::query(&self.statements.count).bind(place).bind(by).bind(ttl);
        match self.noted(query.fetch_one(&self.pool).await) {
            Ok(row) => row.try_get(0).map(Some),
            Err(error)
                if error.as_database_error().and_then(|said| said.code()).as_deref() == Some(OVERFLOW) =>
            {
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }

    async fn tidy(&self) -> sqlx::Result<()> {
        if self.lacks_tables.load(Relaxed) {
            // In one transaction: these are several statements in one message.
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
