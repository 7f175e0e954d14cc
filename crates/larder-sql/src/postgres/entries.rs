//! Entries and counters in PostgreSQL.

use std::{
    collections::{HashMap, HashSet},
    sync::{Arc, atomic::AtomicBool},
    time::Duration,
};

use async_trait::async_trait;
use sqlx::{Executor, Row as _, postgres::PgRow};

use super::{
    connection::Connector,
    statements::{Statements, is_missing},
};
use crate::{
    database::{Ask, Database, Excess, Row, milliseconds, noted},
    pool::{Lent, Pool},
};

pub(super) struct PostgresEntries {
    pool: Arc<Pool<Connector>>,
    statements: Arc<Statements>,
    lacks_tables: AtomicBool,
}

impl PostgresEntries {
    pub(super) fn new(pool: Arc<Pool<Connector>>, statements: Arc<Statements>) -> Self {
        Self { pool, statements, lacks_tables: AtomicBool::new(true) }
    }

    fn settle<T>(&self, link: Lent<Connector>, done: sqlx::Result<T>) -> sqlx::Result<T> {
        noted(link.settle(done), is_missing, &self.lacks_tables)
    }

    /// Whether a statement changes a row.
    async fn changes(&self, query: Query<'_>) -> sqlx::Result<bool> {
        let mut link = self.pool.lend().await?;
        let done = query.execute(link.link()).await;
        Ok(self.settle(link, done)?.rows_affected() > 0)
    }

    /// The one row of a statement, if there is one; after its commit, which comes behind the row.
    async fn row(&self, query: Query<'_>) -> sqlx::Result<Option<PgRow>> {
        let mut link = self.pool.lend().await?;
        let rows = query.fetch_all(link.link()).await;
        Ok(self.settle(link, rows)?.pop())
    }
}

type Query<'q> = sqlx::query::Query<'q, sqlx::Postgres, sqlx::postgres::PgArguments>;

#[async_trait]
impl Database for PostgresEntries {
    async fn read(&self, places: &[Vec<u8>]) -> sqlx::Result<Vec<Option<Vec<u8>>>> {
        let mut link = self.pool.lend().await?;
        let rows = sqlx::query(&self.statements.read).bind(places).fetch_all(link.link()).await;
        let rows = self.settle(link, rows)?;
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
        let mut link = self.pool.lend().await?;
        let stored = query.fetch_all(link.link()).await;
        let stored = self.settle(link, stored)?;
        let stored: sqlx::Result<HashSet<Vec<u8>>> = stored.iter().map(|row| row.try_get(0)).collect();
        let stored = stored?;
        Ok(rows.iter().map(|row| stored.contains(&row.place)).collect())
    }

    async fn count(&self, place: &[u8], by: i64, ttl: Option<Duration>) -> sqlx::Result<Option<i64>> {
        /// `numeric_value_out_of_range`.
        const OVERFLOW: &str = "22003";
        if by == 0 {
            let row = self.row(sqlx::query(&self.statements.common.counter).bind(place)).await?;
            return row.map_or(Ok(Some(0)), |row| row.try_get(0).map(Some));
        }
        let ttl = ttl.map(milliseconds);
        let query = sqlx::query(&self.statements.count).bind(place).bind(by).bind(ttl);
        match self.row(query).await {
            Ok(row) => row.ok_or(sqlx::Error::RowNotFound)?.try_get(0).map(Some),
            Err(error)
                if error.as_database_error().and_then(|said| said.code()).as_deref() == Some(OVERFLOW) =>
            {
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }

    #[cfg(feature = "limit")]
    async fn take_units(&self, place: &[u8], capacity: i64, increment: i64) -> sqlx::Result<(i64, i64)> {
        let query = sqlx::query(&self.statements.take_units).bind(place);
        let row = self.row(query.bind(capacity).bind(increment)).await?.ok_or(sqlx::Error::RowNotFound)?;
        Ok((row.try_get(0)?, row.try_get(1)?))
    }

    async fn lease(&self, ask: Ask<'_>) -> sqlx::Result<(Vec<u8>, Option<Vec<u8>>)> {
        let query = sqlx::query(&self.statements.lease).bind(ask.place).bind(ask.own);
        let query = query.bind(ask.lifetime_ms).bind(ask.outdated).bind(ask.waits);
        let row = self.row(query).await?.ok_or(sqlx::Error::RowNotFound)?;
        let (holder, mut message): (Vec<u8>, Option<Vec<u8>>) = (row.try_get(0)?, row.try_get(1)?);
        // It was given back meanwhile: what its holder had stored before is not in what this statement saw, which may be
        // an older one.
        if holder == ask.own && row.try_get(2)? {
            message = self.read(&[ask.place.to_vec()]).await?.pop().flatten();
        }
        Ok((holder, message))
    }

    async fn renew(&self, place: &[u8], holder: &[u8], lifetime_ms: i64) -> sqlx::Result<bool> {
        self.changes(sqlx::query(&self.statements.common.renew).bind(place).bind(holder).bind(lifetime_ms))
            .await
    }

    async fn release(&self, place: &[u8], holder: &[u8]) -> sqlx::Result<bool> {
        let row = self.row(sqlx::query(&self.statements.common.release).bind(place).bind(holder)).await?;
        row.map_or(Ok(false), |row| row.try_get(0))
    }

    async fn take(&self, name: &[u8], token: &str, ttl_ms: i64) -> sqlx::Result<Option<i64>> {
        let take = sqlx::query(&self.statements.take_lock).bind(name).bind(token).bind(ttl_ms);
        self.row(take).await?.map(|row| row.try_get(0)).transpose()
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
        // In one transaction: these are several statements in one message.
        let made = link.link().execute(&*self.statements.create_tables).await.map(drop);
        link.settle(made)
    }

    async fn delete(&self, excess: Excess) -> sqlx::Result<u64> {
        let statement = self.statements.common.delete(excess);
        self.pool.retire();
        let mut link = self.pool.lend().await?;
        let done = sqlx::query(statement).execute(link.link()).await;
        Ok(self.settle(link, done)?.rows_affected())
    }

    async fn probe(&self) -> sqlx::Result<()> {
        self.pool.probe().await
    }
}
