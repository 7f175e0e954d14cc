//! The invalidation log in PostgreSQL.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use larder::internal::shared::{
    Appended, Appending, LogConnection, LogError, LogServer, LogStore, Placed, Purpose, contained,
};
use sqlx::{
    Executor, PgConnection, Row,
    postgres::{PgConnectOptions, PgListener, PgPoolOptions, PgRow},
};
use tokio::time::{Instant, sleep, timeout, timeout_at};

use super::{
    connection::{ISOLATION, connect, settle},
    statements::{Statements, is_missing},
};
use crate::{
    epochs::{column, epoch},
    log::{Answer, Head, LogTables, PendingCommits, Seen, TableLog, failure, placed, rows_for, within},
    polling::Polling,
    row_keys::Places,
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
    pub(super) places: Places,
    pub(super) statements: Arc<Statements>,
    pub(super) seen: Arc<Seen>,
    pub(super) pending_commits: Arc<PendingCommits>,
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
            Purpose::Append => PostgresConnection::Plain(connect(&self.options).await.map_err(failure)?),
            Purpose::Read => {
                // A listener takes its connection from a pool: from one that has no other.
                let pool = PgPoolOptions::new().max_connections(1).connect_lazy_with(self.options.clone());
                let mut listener = PgListener::connect_with(&pool).await.map_err(failure)?;
                listener.eager_reconnect(false);
                let isolation = listener.fetch_one(ISOLATION).await.map_err(failure)?;
                if let Some(settling) = settle(&isolation).map_err(failure)? {
                    listener.execute(settling).await.map_err(failure)?;
                }
                let hearing = Hearing::new(self.listens(&mut listener).await?);
                PostgresConnection::Listening { listener, hearing }
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
        let (statements, pending_commits) = (self.statements.clone(), self.pending_commits.clone());
        let tables = PostgresTables { link, statements, pending_commits, places: self.places.clone() };
        Ok(Box::new(TableLog { server, seen: self.seen.clone(), polling: Polling::default(), tables }))
    }

    /// Whether notifications arrive: through a pooler that gives a connection to many in turn they do not.
    async fn listens(&self, listener: &mut PgListener) -> Result<bool, LogError> {
        listener.listen(&self.tables.log).await.map_err(failure)?;
        let said = sqlx::query("SELECT pg_notify($1, '')").bind(&self.tables.log);
        said.execute(&mut *listener).await.map_err(failure)?;
        Ok(matches!(timeout(NOTIFIED, listener.try_recv()).await, Ok(Ok(Some(_)))))
    }

    /// Which server it is, and which of its histories: as far as the user may know.
    async fn history(&self, link: &mut PostgresConnection) -> String {
        const SERVER: &str = "SELECT s.system_identifier::text || '.' || c.timeline_id
                              FROM pg_control_system() s, pg_control_checkpoint() c";
        let server: Option<String> =
            link.one(sqlx::query(SERVER)).await.ok().and_then(|row| row.try_get(0).ok());
        server.unwrap_or_default()
    }
}

type Query<'q> = sqlx::query::Query<'q, sqlx::Postgres, sqlx::postgres::PgArguments>;

/// A connection.
enum PostgresConnection {
    Plain(PgConnection),
    Listening { listener: PgListener, hearing: Hearing },
}

impl PostgresConnection {
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

    /// Several statements without parameters, in one message. Returns the rows of all.
    async fn batch(&mut self, statements: &str) -> sqlx::Result<Vec<PgRow>> {
        match self {
            Self::Plain(connection) => connection.fetch_all(statements).await,
            Self::Listening { listener, .. } => listener.fetch_all(statements).await,
        }
    }
}

/// Whether notifications arrive on a connection.
///
/// A pooler may pass on what a connection notifies itself of, and nothing after that: news that come with nothing heard
/// for as long as the wait could be tell.
#[derive(Debug)]
struct Hearing {
    works: bool,
    /// The last wait ended with nothing heard.
    in_vain: bool,
    /// How often in a row there were news after that. Once may be chance: they came as the wait ended.
    missed: u8,
}

impl Hearing {
    const MOST_MISSED: u8 = 2;

    fn new(works: bool) -> Self {
        Self { works, in_vain: false, missed: 0 }
    }

    fn waited(&mut self, heard: bool, in_vain: bool) {
        self.in_vain = in_vain;
        if heard {
            self.missed = 0;
        }
    }

    fn had_news(&mut self) {
        if std::mem::take(&mut self.in_vain) {
            self.missed += 1;
            self.works &= self.missed < Self::MOST_MISSED;
        }
    }
}

fn get<'r, T: sqlx::Decode<'r, sqlx::Postgres> + sqlx::Type<sqlx::Postgres>>(
    row: &'r PgRow,
    index: usize,
) -> Result<T, LogError> {
    row.try_get(index).map_err(failure)
}

struct PostgresTables {
    link: PostgresConnection,
    statements: Arc<Statements>,
    pending_commits: Arc<PendingCommits>,
    places: Places,
}

impl PostgresTables {
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
        let entries: Vec<Vec<u8>> = keys.iter().map(|key| self.places.entry(key)).collect();
        let counters: Vec<Vec<u8>> = keys.iter().map(|key| self.places.counter(key)).collect();
        self.link.run(sqlx::query(&self.statements.delete_entries).bind(&entries)).await?;
        self.link.run(sqlx::query(&self.statements.delete_counters).bind(&counters)).await.map(drop)
    }

    /// Whether statements that are sent at once, and so are one transaction that waits for no client, made the log: the
    /// last of them says so.
    async fn made(&mut self, statements: &str) -> sqlx::Result<bool> {
        let rows = self.link.batch(statements).await?;
        rows.last().map_or(Ok(false), |row| row.try_get(0))
    }
}

#[async_trait]
impl LogTables for PostgresTables {
    async fn ask(&mut self, after: i64, most: usize) -> sqlx::Result<Answer> {
        if let PostgresConnection::Listening { listener, .. } = &mut self.link {
            // What was heard until now is what is read now. sqlx keeps all that it is not asked for.
            while listener.next_buffered().is_some() {}
        }
        let query = sqlx::query(&self.statements.read_log).bind(after).bind(rows_for(most));
        let rows = match self.link.all(query).await {
            Err(error) if is_missing(&error) => Vec::new(),
            rows => rows?,
        };
        let mut answer = Answer { head: None, rows: Vec::new(), time_ms: None };
        for row in rows {
            if let Some(id) = row.try_get("id")? {
                answer.rows.push((id, row.try_get("record")?));
            }
            let pending: (Option<i64>, Option<i64>) = (row.try_get("oldest")?, row.try_get("latest")?);
            answer.head = Some(Head {
                last: row.try_get("last")?,
                first: row.try_get("first")?,
                pending: pending.0.zip(pending.1),
            });
            answer.time_ms = Some(row.try_get::<i64, _>("now")?.cast_unsigned());
        }
        Ok(answer)
    }

    async fn newest(&mut self, from: i64, below: i64, most: i64) -> sqlx::Result<Vec<(i64, Vec<u8>)>> {
        let query = sqlx::query(&self.statements.common.newest).bind(from).bind(below).bind(most);
        let rows = self.link.all(query).await?;
        rows.iter().map(|row| Ok((row.try_get(0)?, row.try_get(1)?))).collect()
    }

    async fn take_pending(&mut self) -> sqlx::Result<()> {
        self.link.run(sqlx::query(&self.statements.take_pending)).await.map(drop)
    }

    async fn wait(&mut self, polling: &mut Polling, end: Instant, _: Duration) -> Result<(), LogError> {
        let PostgresConnection::Listening { listener, hearing } = &mut self.link else {
            return Err(LogError::new("this connection is not for reading"));
        };
        if !hearing.works {
            sleep(polling.pause().min(end.saturating_duration_since(Instant::now()))).await;
            return Ok(());
        }
        let heard = tokio::select! {
            heard = timeout_at(end, listener.try_recv()) => heard,
            () = self.pending_commits.look() => {
                hearing.waited(false, false);
                return Ok(());
            }
        };
        hearing.waited(heard.is_ok(), heard.is_err());
        match heard {
            Ok(Ok(None)) => Err(LogError::new("the connection to the database broke")),
            Ok(Err(error)) => Err(failure(error)),
            Ok(Ok(Some(_))) | Err(_) => Ok(()),
        }
    }

    fn had_news(&mut self) {
        if let PostgresConnection::Listening { hearing, .. } = &mut self.link {
            hearing.had_news();
        }
    }

    async fn make(&mut self, id: i64, record: &[u8]) -> sqlx::Result<bool> {
        let statements = self.statements.make(id, record);
        self.made(&statements).await
    }

    async fn lower(&mut self, above: i64, id: i64, record: &[u8]) -> sqlx::Result<bool> {
        let statements = self.statements.lower(above, id, record);
        self.made(&statements).await
    }

    async fn append(&mut self, append: Appending<'_>, limit: Duration) -> Result<Appended, LogError> {
        let Appending { start, first, records, wakes, keys } = append;
        let (count, records) = (records.len(), [records, wakes].concat());
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
                    placed(last, records.len()).into_iter().map(Placed::At).map(Ok).take(count).collect()
                }
                None => (0..count).map(|_| Ok(Placed::NoLog)).collect(),
            };
        }
        if !keys.is_empty()
            && let Err(failure) = within(limit, self.delete(keys)).await
        {
            contained(|| tracing::debug!(%failure, "invalid entries are not deleted from the database"));
        }
        Ok(appended)
    }

    async fn nudge(&mut self) -> sqlx::Result<()> {
        self.link.batch("SELECT 1").await.map(drop)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn news_that_were_not_heard_of_twice_tell() {
        let mut hearing = Hearing::new(true);
        hearing.waited(false, true);
        hearing.had_news();
        hearing.had_news();
        assert!(hearing.works, "once may be chance");
        hearing.waited(true, false);
        hearing.had_news();
        hearing.waited(false, true);
        hearing.had_news();
        assert!(hearing.works, "something was heard in between");
        hearing.waited(false, true);
        hearing.had_news();
        assert!(!hearing.works);
    }
}
