//! The invalidation log in SQLite.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use larder::internal::shared::{
    Appended, Appending, LogConnection, LogError, LogServer, LogStore, Placed, Purpose,
};
use sqlx::{
    Connection, Executor, Row as _, SqliteConnection,
    sqlite::{SqliteConnectOptions, SqliteRow},
};
use tokio::time::{Instant, sleep, timeout};

use super::{
    file::FileIdentity,
    statements::{Statements, is_missing},
};
use crate::{
    epochs::{column, epoch},
    log::{Answer, Head, LogTables, Seen, TableLog, failure, placed, rows_for, within},
    polling::Polling,
    row_keys::Places,
};

/// How long a connection may take to be made.
const CONNECT: Duration = Duration::from_secs(10);

/// Where the log is.
pub(super) struct SqliteLog {
    pub(super) options: SqliteConnectOptions,
    pub(super) statements: Arc<Statements>,
    pub(super) places: Places,
    pub(super) seen: Arc<Seen>,
}

#[async_trait]
impl LogStore for SqliteLog {
    async fn connect(&self, _: Purpose) -> Result<Box<dyn LogConnection>, LogError> {
        let opened = timeout(CONNECT, self.open()).await;
        Ok(Box::new(opened.map_err(|_| LogError::new("no connection in time"))??))
    }
}

impl SqliteLog {
    async fn open(&self) -> Result<TableLog<SqliteTables>, LogError> {
        let (mut link, file) = self.link().await?;
        let now = sqlx::query(&self.statements.now).fetch_one(&mut link).await.map_err(failure)?;
        let time_ms: i64 = now.try_get(0).map_err(failure)?;
        let server = LogServer {
            history: format!("{}/{}", file.name(), self.seen.histories()),
            connection: fastrand::u64(..),
            time_ms: time_ms.cast_unsigned(),
        };
        let (statements, places) = (self.statements.clone(), self.places.clone());
        let tables = SqliteTables { link, file, statements, places, version: 0 };
        Ok(TableLog { server, seen: self.seen.clone(), polling: Polling::default(), tables })
    }

    /// A connection, and which file it has open: the one that was there before and is there afterwards.
    async fn link(&self) -> Result<(SqliteConnection, FileIdentity), LogError> {
        /// The first one may make the file.
        const ATTEMPTS: usize = 3;
        for _ in 0..ATTEMPTS {
            let file = FileIdentity::of(self.options.get_filename());
            let link = SqliteConnection::connect_with(&self.options).await.map_err(failure)?;
            if file.is_there() {
                return Ok((link, file));
            }
        }
        Err(LogError::new("the file is replaced as soon as it is opened"))
    }
}

struct SqliteTables {
    link: SqliteConnection,
    file: FileIdentity,
    statements: Arc<Statements>,
    places: Places,
    /// Of the file, when it was read last.
    version: i64,
}

fn as_row(row: &SqliteRow) -> sqlx::Result<(i64, Vec<u8>)> {
    Ok((row.try_get(0)?, row.try_get(1)?))
}

impl SqliteTables {
    /// A number that is another one after any other connection has changed the file. Costs no look at a table.
    async fn version(&mut self) -> sqlx::Result<i64> {
        sqlx::query("PRAGMA data_version").fetch_one(&mut self.link).await?.try_get(0)
    }

    /// The last epoch of `count` records that are appended in the transaction that is open; none if there is no log.
    async fn advance(&mut self, first: i64, records: &[Vec<u8>]) -> sqlx::Result<Option<i64>> {
        let further = i64::try_from(records.len()).unwrap_or(i64::MAX) - 1;
        let query = sqlx::query(&self.statements.advance).bind(first).bind(further);
        let row = match query.fetch_optional(&mut self.link).await {
            Err(error) if is_missing(&error) => None,
            row => row?,
        };
        let Some(row) = row else { return Ok(None) };
        let last: i64 = row.try_get(0)?;
        for (id, record) in (last - further..).zip(records) {
            self.insert(id, record).await?;
        }
        Ok(Some(last))
    }

    async fn insert(&mut self, id: i64, record: &[u8]) -> sqlx::Result<()> {
        sqlx::query(&self.statements.insert).bind(id).bind(record).execute(&mut self.link).await.map(drop)
    }

    async fn begin(&mut self) -> sqlx::Result<()> {
        self.link.execute("BEGIN IMMEDIATE").await.map(drop)
    }

    async fn commit(&mut self) -> sqlx::Result<()> {
        self.link.execute("COMMIT").await.map(drop)
    }

    async fn mark(&mut self, id: i64, record: &[u8]) -> sqlx::Result<Placed> {
        let marked = sqlx::query(&self.statements.mark).bind(id).execute(&mut self.link).await;
        let is_marked = match marked {
            Err(error) if is_missing(&error) => return Ok(Placed::NoLog),
            marked => marked?.rows_affected() > 0,
        };
        if is_marked {
            self.insert(id, record).await?;
        }
        Ok(if is_marked { Placed::At(epoch(id)) } else { Placed::Overtaken })
    }

    /// All in one transaction: one write to the disk.
    async fn append_all(&mut self, append: Appending<'_>) -> sqlx::Result<Appended> {
        let Appending { start, first, records, wakes, keys } = append;
        let (count, records) = (records.len(), [records, wakes].concat());
        let mut appended = Appended::default();
        self.begin().await?;
        if let Some((mark, record)) = start {
            appended.start = Some(Ok(match mark {
                Some(mark) => self.mark(column(mark), &record).await?,
                None => match self.advance(i64::MIN, &[record]).await? {
                    Some(id) => Placed::At(epoch(id)),
                    None => Placed::NoLog,
                },
            }));
        }
        if !records.is_empty() {
            appended.records = match self.advance(first.map_or(i64::MIN, column), &records).await? {
                Some(last) => {
                    placed(last, records.len()).into_iter().map(Placed::At).map(Ok).take(count).collect()
                }
                None => (0..count).map(|_| Ok(Placed::NoLog)).collect(),
            };
        }
        for key in keys {
            let entry = (&self.statements.delete_entry, self.places.entry(key));
            let counter = (&self.statements.delete_counter, self.places.counter(key));
            for (statement, place) in [entry, counter] {
                match sqlx::query(statement).bind(&place).execute(&mut self.link).await {
                    // No part of the promise.
                    Err(error) if is_missing(&error) => {}
                    deleted => _ = deleted?,
                }
            }
        }
        self.commit().await?;
        Ok(appended)
    }
}

#[async_trait]
impl LogTables for SqliteTables {
    /// A file that was replaced lives on for those who have it open.
    fn check(&self) -> Result<(), LogError> {
        self.file.is_there().then_some(()).ok_or_else(|| LogError::new("the file is not what it was"))
    }

    async fn ask(&mut self, after: i64, most: usize) -> sqlx::Result<Answer> {
        // Before the look: what comes after it is another version.
        self.version = self.version().await?;
        let query = sqlx::query(&self.statements.read_log).bind(after).bind(rows_for(most));
        let rows = match query.fetch_all(&mut self.link).await {
            Err(error) if is_missing(&error) => Vec::new(),
            rows => rows?,
        };
        let mut answer = Answer { head: None, rows: Vec::new(), time_ms: None };
        for row in rows {
            if let Some(id) = row.try_get(5)? {
                answer.rows.push((id, row.try_get(6)?));
            }
            let pending: (Option<i64>, Option<i64>) = (row.try_get(2)?, row.try_get(3)?);
            let pending = pending.0.zip(pending.1);
            answer.head = Some(Head { last: row.try_get(0)?, first: row.try_get(1)?, pending });
            answer.time_ms = Some(row.try_get::<i64, _>(4)?.cast_unsigned());
        }
        Ok(answer)
    }

    async fn newest(&mut self, from: i64, below: i64, most: i64) -> sqlx::Result<Vec<(i64, Vec<u8>)>> {
        let query = sqlx::query(&self.statements.common.newest).bind(from).bind(below).bind(most);
        query.fetch_all(&mut self.link).await?.iter().map(as_row).collect()
    }

    async fn take_pending(&mut self) -> sqlx::Result<()> {
        self.begin().await?;
        let rows = sqlx::query(&self.statements.first_pending).fetch_all(&mut self.link).await?;
        let rows: sqlx::Result<Vec<_>> = rows.iter().map(as_row).collect();
        let (ids, records): (Vec<i64>, Vec<Vec<u8>>) = rows?.into_iter().unzip();
        if let Some(last) = ids.last()
            && self.advance(i64::MIN, &records).await?.is_some()
        {
            sqlx::query(&self.statements.delete_pending).bind(last).execute(&mut self.link).await?;
        }
        self.commit().await
    }

    async fn wait(&mut self, polling: &mut Polling, end: Instant, limit: Duration) -> Result<(), LogError> {
        let mut version = self.version;
        while version == self.version && Instant::now() < end {
            sleep(polling.pause().min(end.saturating_duration_since(Instant::now()))).await;
            version = within(limit, self.version()).await?;
        }
        Ok(())
    }

    async fn make(&mut self, id: i64, record: &[u8]) -> sqlx::Result<bool> {
        self.begin().await?;
        self.link.execute(&*self.statements.create_tables).await?;
        let made = sqlx::query(&self.statements.make).bind(id).execute(&mut self.link).await?;
        let is_made = made.rows_affected() > 0;
        if is_made {
            sqlx::query(&self.statements.clear).bind(id).execute(&mut self.link).await?;
            self.insert(id, record).await?;
        }
        self.commit().await?;
        Ok(is_made)
    }

    async fn lower(&mut self, above: i64, id: i64, record: &[u8]) -> sqlx::Result<bool> {
        self.begin().await?;
        let lower = sqlx::query(&self.statements.lower).bind(id).bind(above).execute(&mut self.link).await?;
        let is_lowered = lower.rows_affected() > 0;
        if is_lowered {
            sqlx::query(&self.statements.clear).bind(i64::MIN).execute(&mut self.link).await?;
            self.insert(id, record).await?;
        }
        self.commit().await?;
        Ok(is_lowered)
    }

    async fn append(&mut self, append: Appending<'_>, limit: Duration) -> Result<Appended, LogError> {
        within(limit, self.append_all(append)).await
    }

    async fn nudge(&mut self) -> sqlx::Result<()> {
        self.version().await.map(drop)
    }
}
