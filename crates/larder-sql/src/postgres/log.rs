//! The invalidation log in PostgreSQL.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use larder::{
    Epoch,
    internal::shared::{
        Appended, Appending, LogConnection, LogEnds, LogEntry, LogError, LogRead, LogReply, LogServer,
        LogStore, Placed, Purpose, first_epoch_of,
    },
};
use sqlx::{
    Connection, Executor, PgConnection, Row,
    postgres::{PgConnectOptions, PgListener, PgPoolOptions, PgRow},
};
use tokio::time::{Instant, sleep, timeout, timeout_at};

use super::statements::{Statements, is_missing};
use crate::{
    database::place,
    epochs::{column, epoch},
    log::{Answer, Head, Seen, entries, failure, placed, rows_for, within},
    polling::Polling,
    tables::Tables,
};

/// How long a connection may take to be made.
const CONNECT: Duration = Duration::from_secs(10);

/// How long a notification may take to arrive that is asked for at the beginning.
const NOTIFIED: Duration = Duration::from_millis(500);

/// Where the log is.
pub(super) struct PostgresLog {
    pub(super) options: PgConnectOptions,
    pub(super) tables: Tables,
    pub(super) statements: Arc<Statements>,
    pub(super) seen: Arc<Seen>,
}

#[async_trait]
impl LogStore for PostgresLog {
    async fn connect(&self, purpose: Purpose) -> Result<Box<dyn LogConnection>, LogError> {
        timeout(CONNECT, self.open(purpose)).await.map_err(|_| LogError::new("no connection in time"))?
    }
}

impl PostgresLog {
    async fn open(&self, purpose: Purpose) -> Result<Box<dyn LogConnection>, LogError> {
        let mut link = match purpose {
            Purpose::Append => Link::Plain(PgConnection::connect_with(&self.options).await.map_err(failure)?),
            Purpose::Read => {
                // A listener takes its connection from a pool: from one that has no other.
                let pool = PgPoolOptions::new().max_connections(1).connect_lazy_with(self.options.clone());
                let mut listener = PgListener::connect_with(&pool).await.map_err(failure)?;
                listener.eager_reconnect(false);
                Link::Listening { hears: self.listens(&mut listener).await?, listener }
            }
        };
        let statement = sqlx::query(&self.statements.server);
        let row = link.one(statement).await.map_err(failure)?;
        let (time_ms, process): (i64, i32) = (get(&row, 0)?, get(&row, 1)?);
        let server = LogServer {
            history: format!("{}/{}", self.history(&mut link).await, self.seen.histories()),
            connection: u64::from(process.cast_unsigned()),
            time_ms: time_ms.cast_unsigned(),
        };
        let (statements, seen) = (self.statements.clone(), self.seen.clone());
        Ok(Box::new(PostgresLogConnection { link, server, statements, seen, polling: Polling::default() }))
    }

    /// Whether notifications arrive: through a pooler that gives a connection to many in turn they do not.
    async fn listens(&self, listener: &mut PgListener) -> Result<bool, LogError> {
        listener.listen(&self.tables.log).await.map_err(failure)?;
        let said = sqlx::query("SELECT pg_notify($1, '')").bind(&self.tables.log);
        said.execute(&mut *listener).await.map_err(failure)?;
        Ok(matches!(timeout(NOTIFIED, listener.try_recv()).await, Ok(Ok(Some(_)))))
    }

    /// Which server it is, and which of its histories: as far as the user may know.
    async fn history(&self, link: &mut Link) -> String {
        const SERVER: &str = "SELECT s.system_identifier::text || '.' || c.timeline_id
                              FROM pg_control_system() s, pg_control_checkpoint() c";
        let server: Option<String> =
            link.one(sqlx::query(SERVER)).await.ok().and_then(|row| row.try_get(0).ok());
        server.unwrap_or_default()
    }
}

type Query<'q> = sqlx::query::Query<'q, sqlx::Postgres, sqlx::postgres::PgArguments>;

/// A connection.
enum Link {
    Plain(PgConnection),
    Listening { listener: PgListener, hears: bool },
}

impl Link {
    async fn one(&mut self, query: Query<'_>) -> sqlx::Result<PgRow> {
        match self {
            Self::Plain(connection) => query.fetch_one(connection).await,
            Self::Listening { listener, .. } => query.fetch_one(listener).await,
        }
    }

    async fn all(&mut self, query: Query<'_>) -> sqlx::Result<Vec<PgRow>> {
        match self {
            Self::Plain(connection) => query.fetch_all(connection).await,
            Self::Listening { listener, .. } => query.fetch_all(listener).await,
        }
    }

    async fn run(&mut self, query: Query<'_>) -> sqlx::Result<u64> {
        let done = match self {
            Self::Plain(connection) => query.execute(connection).await?,
            Self::Listening { listener, .. } => query.execute(listener).await?,
        };
        Ok(done.rows_affected())
    }

    /// Several statements without parameters.
    async fn batch(&mut self, statements: &str) -> sqlx::Result<()> {
        match self {
            Self::Plain(connection) => connection.execute(statements).await.map(drop),
            Self::Listening { listener, .. } => listener.execute(statements).await.map(drop),
        }
    }
}

fn get<'r, T: sqlx::Decode<'r, sqlx::Postgres> + sqlx::Type<sqlx::Postgres>>(
    row: &'r PgRow,
    index: usize,
) -> Result<T, LogError> {
    row.try_get(index).map_err(failure)
}

struct PostgresLogConnection {
    link: Link,
    server: LogServer,
    statements: Arc<Statements>,
    seen: Arc<Seen>,
    polling: Polling,
}

impl PostgresLogConnection {
    /// The log from a position on, as it is at one moment.
    async fn ask(&mut self, after: i64, most: usize) -> sqlx::Result<Answer> {
        let query = sqlx::query(&self.statements.read_log).bind(after).bind(rows_for(most));
        let rows = match self.link.all(query).await {
            Err(error) if is_missing(&error) => Vec::new(),
            rows => rows?,
        };
        let mut answer = Answer { head: None, rows: Vec::new(), time_ms: self.server.time_ms };
        for row in rows {
            if let Some(id) = row.try_get("id")? {
                answer.rows.push((id, row.try_get("record")?));
            }
            answer.head = Some(Head {
                last: row.try_get("last")?,
                first: row.try_get("first")?,
                has_pending: row.try_get("pending")?,
            });
            answer.time_ms = row.try_get::<i64, _>("now")?.cast_unsigned();
        }
        Ok(answer)
    }

    /// Takes what committed transactions left into the log.
    async fn take_pending(&mut self) -> sqlx::Result<()> {
        self.link.run(sqlx::query(&self.statements.take_pending)).await.map(drop)
    }

    /// Waits for news; returns when there may be some.
    async fn wait(&mut self, end: Instant) -> Result<(), LogError> {
        match &mut self.link {
            Link::Listening { listener, hears: true } => {
                let heard = timeout_at(end, listener.try_recv()).await;
                while listener.next_buffered().is_some() {}
                match heard {
                    Ok(Ok(None)) => Err(LogError::new("the connection to the database broke")),
                    Ok(Err(error)) => Err(failure(error)),
                    Ok(Ok(Some(_))) | Err(_) => Ok(()),
                }
            }
            _ => {
                sleep(self.polling.pause().min(end.saturating_duration_since(Instant::now()))).await;
                Ok(())
            }
        }
    }

    /// Runs steps as one transaction. A connection on which one failed is given up, and with it the transaction.
    async fn make(&mut self, id: i64, record: Vec<u8>) -> sqlx::Result<bool> {
        self.link.batch(&format!("BEGIN; {}", self.statements.create_tables)).await?;
        let made = sqlx::query(&self.statements.make).bind(id);
        let is_made = self.link.run(made).await? > 0;
        if is_made {
            self.link.run(sqlx::query(&self.statements.clear).bind(id)).await?;
            self.link.run(sqlx::query(&self.statements.insert).bind(id).bind(record)).await?;
        }
        self.link.batch("COMMIT").await?;
        Ok(is_made)
    }

    async fn lower_to(&mut self, above: i64, id: i64, record: Vec<u8>) -> sqlx::Result<bool> {
        self.link.batch("BEGIN").await?;
        let lower = sqlx::query(&self.statements.lower).bind(id).bind(above);
        let is_lowered = self.link.run(lower).await? > 0;
        if is_lowered {
            self.link.run(sqlx::query(&self.statements.clear).bind(i64::MIN)).await?;
            self.link.run(sqlx::query(&self.statements.insert).bind(id).bind(record)).await?;
        }
        self.link.batch("COMMIT").await?;
        Ok(is_lowered)
    }

    /// Appends records; none if there is no log.
    async fn append_all(&mut self, first: i64, records: &[Vec<u8>]) -> sqlx::Result<Option<i64>> {
        let further = i64::try_from(records.len()).unwrap_or(i64::MAX) - 1;
        let query = sqlx::query(&self.statements.append).bind(records).bind(first).bind(further);
        match self.link.all(query).await {
            Err(error) if is_missing(&error) => Ok(None),
            rows => rows?.first().map(|row| row.try_get(0)).transpose(),
        }
    }

    async fn mark(&mut self, id: i64, record: &[u8]) -> sqlx::Result<Placed> {
        let row = match self.link.one(sqlx::query(&self.statements.mark).bind(id).bind(record)).await {
            Err(error) if is_missing(&error) => return Ok(Placed::NoLog),
            row => row?,
        };
        Ok(match (row.try_get::<i64, _>(0)?, row.try_get::<i64, _>(1)?) {
            (_, 0) => Placed::NoLog,
            (0, _) => Placed::Overtaken,
            _ => Placed::At(epoch(id)),
        })
    }

    /// No part of the promise: what fails here is left to upkeep.
    async fn delete(&mut self, keys: &[Arc<str>]) -> sqlx::Result<()> {
        let places: Vec<Vec<u8>> = keys.iter().map(|key| place(key)).collect();
        self.link.run(sqlx::query(&self.statements.delete_entries).bind(&places)).await?;
        self.link.run(sqlx::query(&self.statements.delete_counters).bind(&places)).await.map(drop)
    }
}

#[async_trait]
impl LogConnection for PostgresLogConnection {
    fn server(&self) -> &LogServer {
        &self.server
    }

    async fn read(&mut self, read: &LogRead, limit: Duration) -> Result<LogReply, LogError> {
        let after = column(read.after);
        let end = Instant::now() + read.wait.unwrap_or_default();
        let mut answer = within(limit, self.ask(after, read.most)).await?;
        loop {
            if answer.head.as_ref().is_some_and(|head| head.has_pending) {
                within(limit, self.take_pending()).await?;
                answer = within(limit, self.ask(after, read.most)).await?;
            }
            let has_news = answer.rows.iter().any(|(id, _)| *id > after);
            self.polling.read(has_news);
            if has_news || answer.head.is_none() || Instant::now() >= end {
                break;
            }
            self.wait(end).await?;
            answer = within(limit, self.ask(after, read.most)).await?;
        }
        let mut reply = self.seen.reply(answer, after, read.most)?;
        if let Some(below) = read.older_than {
            reply.older = self.newest(Epoch::ZERO, Some(below), read.most, limit).await?;
        }
        Ok(reply)
    }

    async fn look(&mut self, limit: Duration) -> Result<(Option<LogEnds>, u64), LogError> {
        let answer = within(limit, self.ask(i64::MAX, 0)).await?;
        let Some(head) = answer.head else { return Ok((None, answer.time_ms)) };
        let newest = self.newest(Epoch::ZERO, None, 1, limit).await?.pop();
        Ok((Some(head.ends(newest)), answer.time_ms))
    }

    async fn newest(
        &mut self,
        from: Epoch,
        below: Option<Epoch>,
        most: usize,
        limit: Duration,
    ) -> Result<Vec<LogEntry>, LogError> {
        let (below, most) = (below.map_or(i64::MAX, column), i64::try_from(most).unwrap_or(i64::MAX));
        let query = sqlx::query(&self.statements.newest).bind(column(from)).bind(below).bind(most);
        let rows = within(limit, self.link.all(query)).await?;
        let rows: sqlx::Result<Vec<_>> =
            rows.iter().map(|row| Ok((row.try_get(0)?, row.try_get(1)?))).collect();
        Ok(entries(&rows.map_err(failure)?))
    }

    async fn create(&mut self, epoch: Epoch, record: Vec<u8>, limit: Duration) -> Result<bool, LogError> {
        within(limit, self.make(column(epoch), record)).await
    }

    async fn lower(
        &mut self,
        above_ms: u64,
        epoch: Epoch,
        record: Vec<u8>,
        limit: Duration,
    ) -> Result<bool, LogError> {
        let above = first_epoch_of(above_ms.saturating_add(1)).map_or(i64::MAX, column);
        within(limit, self.lower_to(above, column(epoch), record)).await
    }

    async fn append(&mut self, append: Appending<'_>, limit: Duration) -> Result<Appended, LogError> {
        let Appending { start, first, records, wakes: _, keys } = append;
        let mut appended = Appended::default();
        if let Some((mark, record)) = start {
            appended.start = Some(Ok(match mark {
                Some(mark) => within(limit, self.mark(column(mark), &record)).await?,
                None => match within(limit, self.append_all(i64::MIN, &[record])).await? {
                    Some(id) => Placed::At(epoch(id)),
                    None => Placed::NoLog,
                },
            }));
        }
        if !records.is_empty() {
            let first = first.map_or(i64::MIN, column);
            let last = within(limit, self.append_all(first, &records)).await?;
            appended.records = match last {
                Some(last) => {
                    placed(last, records.len()).into_iter().map(|epoch| Ok(Placed::At(epoch))).collect()
                }
                None => records.iter().map(|_| Ok(Placed::NoLog)).collect(),
            };
        }
        if !keys.is_empty()
            && let Err(failure) = within(limit, self.delete(keys)).await
        {
            tracing::debug!(%failure, "invalid entries are not deleted from the database");
        }
        Ok(appended)
    }

    async fn nudge(&mut self, limit: Duration) -> Result<(), LogError> {
        within(limit, self.link.batch("SELECT 1")).await
    }
}
