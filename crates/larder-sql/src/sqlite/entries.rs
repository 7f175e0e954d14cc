//! Entries and counters in SQLite.

use std::{
    sync::{Arc, atomic::AtomicBool},
    time::Duration,
};

use async_trait::async_trait;
use sqlx::{
    Connection, Executor, Row as _, SqliteConnection,
    sqlite::{SqliteConnectOptions, SqliteRow},
};
use tokio::sync::Mutex;

use super::statements::{Statements, is_missing};
use crate::{
    database::{Ask, Database, Excess, Row, milliseconds, noted},
    pool::{Connect, Lent, Pool},
};

/// Makes connections.
pub(super) struct Connector(pub(super) SqliteConnectOptions);

#[async_trait]
impl Connect for Connector {
    type Connection = SqliteConnection;

    async fn connect(&self) -> sqlx::Result<SqliteConnection> {
        SqliteConnection::connect_with(&self.0).await
    }
}

pub(super) struct SqliteEntries {
    pool: Arc<Pool<Connector>>,
    statements: Arc<Statements>,
    lacks_tables: AtomicBool,
    /// One writer of this process at a time, in turn: SQLite lets those wait that come too soon, and in no order.
    turn: Mutex<()>,
}

async fn read_all(
    link: &mut SqliteConnection,
    statement: &str,
    places: &[Vec<u8>],
) -> sqlx::Result<Vec<Option<Vec<u8>>>> {
    let mut found = Vec::with_capacity(places.len());
    for place in places {
        let row = sqlx::query(statement).bind(place).fetch_optional(&mut *link).await?;
        found.push(row.map(|row| row.try_get(0)).transpose()?);
    }
    Ok(found)
}

async fn write_all(
    link: &mut SqliteConnection,
    statement: &str,
    rows: &[Row],
    latest: i64,
) -> sqlx::Result<Vec<bool>> {
    let mut stored = Vec::with_capacity(rows.len());
    // A transaction that only reads at first may not be able to write later.
    let mut transaction = link.begin_with("BEGIN IMMEDIATE").await?;
    for row in rows {
        let query = sqlx::query(statement).bind(&row.place).bind(row.epoch);
        let query = query.bind(row.lifetime_ms).bind(&row.message).bind(latest);
        stored.push(query.execute(&mut *transaction).await?.rows_affected() > 0);
    }
    transaction.commit().await?;
    Ok(stored)
}

impl SqliteEntries {
    pub(super) fn new(pool: Arc<Pool<Connector>>, statements: Arc<Statements>) -> Self {
        Self { pool, statements, lacks_tables: AtomicBool::new(true), turn: Mutex::new(()) }
    }

    fn settle<T>(&self, link: Lent<Connector>, done: sqlx::Result<T>) -> sqlx::Result<T> {
        noted(link.settle(done), is_missing, &self.lacks_tables)
    }

    /// How many rows a statement changes.
    async fn changed(&self, query: Query<'_>) -> sqlx::Result<u64> {
        let _turn = self.turn.lock().await;
        let mut link = self.pool.lend().await?;
        let done = query.execute(link.link()).await;
        Ok(self.settle(link, done)?.rows_affected())
    }

    async fn changes(&self, query: Query<'_>) -> sqlx::Result<bool> {
        Ok(self.changed(query).await? > 0)
    }

    /// The rows that a statement has changed. All of them: the commit comes behind the last one, and who does not wait for
    /// it does not hear that it failed.
    async fn rows(&self, query: Query<'_>) -> sqlx::Result<Vec<SqliteRow>> {
        let _turn = self.turn.lock().await;
        let mut link = self.pool.lend().await?;
        let rows = query.fetch_all(link.link()).await;
        self.settle(link, rows)
    }
}

type Query<'q> = sqlx::query::Query<'q, sqlx::Sqlite, sqlx::sqlite::SqliteArguments<'q>>;

#[async_trait]
impl Database for SqliteEntries {
    async fn read(&self, places: &[Vec<u8>]) -> sqlx::Result<Vec<Option<Vec<u8>>>> {
        let mut link = self.pool.lend().await?;
        let found = read_all(link.link(), &self.statements.read, places).await;
        self.settle(link, found)
    }

    async fn write(&self, rows: &[Row], latest: i64) -> sqlx::Result<Vec<bool>> {
        let _turn = self.turn.lock().await;
        let mut link = self.pool.lend().await?;
        let stored = write_all(link.link(), &self.statements.write, rows, latest).await;
        self.settle(link, stored)
    }

    async fn count(&self, place: &[u8], by: i64, ttl: Option<Duration>) -> sqlx::Result<Option<i64>> {
        if by == 0 {
            let mut link = self.pool.lend().await?;
            let query = sqlx::query(&self.statements.common.counter).bind(place);
            let row = query.fetch_optional(link.link()).await;
            let row = self.settle(link, row)?;
            return row.map_or(Ok(Some(0)), |row| row.try_get(0).map(Some));
        }
        let query = sqlx::query(&self.statements.count).bind(place).bind(by).bind(ttl.map(milliseconds));
        let rows = self.rows(query).await?;
        rows.first().map(|row| row.try_get(0)).transpose()
    }

    #[cfg(feature = "limit")]
    async fn take_units(&self, place: &[u8], capacity: i64, increment: i64) -> sqlx::Result<(i64, i64)> {
        let query = sqlx::query(&self.statements.take_units).bind(place);
        let rows = self.rows(query.bind(capacity).bind(increment)).await?;
        let row = rows.first().ok_or(sqlx::Error::RowNotFound)?;
        Ok((row.try_get(0)?, row.try_get(1)?))
    }

    async fn lease(&self, ask: Ask<'_>) -> sqlx::Result<(Vec<u8>, Option<Vec<u8>>)> {
        let query = sqlx::query(&self.statements.lease).bind(ask.place).bind(ask.own);
        let query = query.bind(ask.lifetime_ms).bind(ask.outdated).bind(ask.waits);
        let rows = self.rows(query).await?;
        let holder = rows.first().ok_or(sqlx::Error::RowNotFound)?.try_get(0)?;
        // Afterwards: a holder stores a value before it gives the lease back.
        let mut messages = self.read(&[ask.place.to_vec()]).await?;
        Ok((holder, messages.pop().flatten()))
    }

    async fn renew(&self, place: &[u8], holder: &[u8], lifetime_ms: i64) -> sqlx::Result<bool> {
        self.changes(sqlx::query(&self.statements.common.renew).bind(place).bind(holder).bind(lifetime_ms))
            .await
    }

    async fn release(&self, place: &[u8], holder: &[u8]) -> sqlx::Result<bool> {
        let rows = self.rows(sqlx::query(&self.statements.common.release).bind(place).bind(holder)).await?;
        rows.first().map_or(Ok(false), |row| row.try_get(0))
    }

    async fn take(&self, name: &[u8], token: &str, ttl_ms: i64) -> sqlx::Result<Option<i64>> {
        let take = sqlx::query(&self.statements.take_lock).bind(name).bind(token).bind(ttl_ms);
        self.rows(take).await?.first().map(|row| row.try_get(0)).transpose()
    }

    async fn prolong(&self, name: &[u8], token: &str, ttl_ms: i64) -> sqlx::Result<bool> {
        self.changes(sqlx::query(&self.statements.common.prolong_lock).bind(name).bind(token).bind(ttl_ms))
            .await
    }

    fn lacks_tables(&self) -> &AtomicBool {
        &self.lacks_tables
    }

    async fn create_tables(&self) -> sqlx::Result<()> {
        let mut link = self.pool.lend().await?;
        let made = link.link().execute(&*self.statements.create_tables).await.map(drop);
        link.settle(made)
    }

    async fn delete(&self, excess: Excess) -> sqlx::Result<u64> {
        let statement = self.statements.common.delete(excess);
        self.pool.retire();
        self.changed(sqlx::query(statement)).await
    }

    async fn probe(&self) -> sqlx::Result<()> {
        self.pool.probe().await
    }
}
