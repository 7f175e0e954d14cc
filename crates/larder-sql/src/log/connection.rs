//! A connection to a log in tables: all but the statements.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use larder::{
    Epoch,
    internal::shared::{
        Appended, Appending, LogConnection, LogEnds, LogEntry, LogError, LogRead, LogReply, LogServer,
        first_epoch_of,
    },
};
use tokio::time::Instant;

use super::{Answer, Seen, entries, within};
use crate::{epochs::column, polling::Polling};

/// The tables of a log over one connection, which is given up after an error.
#[async_trait]
pub(crate) trait LogTables: Send {
    /// Whether the connection leads where its address does.
    fn check(&self) -> Result<(), LogError> {
        Ok(())
    }

    /// The log from a position on, inclusive, as it is at one moment; `most` records and the one at the position.
    async fn ask(&mut self, after: i64, most: usize) -> sqlx::Result<Answer>;

    /// The newest records of a range, newest first.
    async fn newest(&mut self, from: i64, below: i64, most: i64) -> sqlx::Result<Vec<(i64, Vec<u8>)>>;

    /// Takes the first records that committed transactions left into the log. Those that another process is taking are in
    /// the log when this returns.
    async fn take_pending(&mut self) -> sqlx::Result<()>;

    /// Returns when there may be news since the last [`ask`](Self::ask), or at the end.
    async fn wait(&mut self, polling: &mut Polling, end: Instant, limit: Duration) -> Result<(), LogError>;

    /// What was read after [`wait`](Self::wait) had news in it, which others appended.
    fn had_news(&mut self) {}

    /// Makes the log, or puts a record above what is there. In one step, which does not end half done and holds up others
    /// for no longer than the database takes.
    async fn make(&mut self, id: i64, record: &[u8]) -> sqlx::Result<bool>;

    /// Puts a log with one record in the place of one whose last is `above` or higher; in one step as well.
    async fn lower(&mut self, above: i64, id: i64, record: &[u8]) -> sqlx::Result<bool>;

    /// See [`LogConnection::append`].
    async fn append(&mut self, append: Appending<'_>, limit: Duration) -> Result<Appended, LogError>;

    /// Shows that the connection is alive.
    async fn nudge(&mut self) -> sqlx::Result<()>;
}

/// A connection to a log in tables.
pub(crate) struct TableLog<T> {
    pub(crate) server: LogServer,
    pub(crate) seen: Arc<Seen>,
    pub(crate) polling: Polling,
    pub(crate) tables: T,
}

impl<T: LogTables> TableLog<T> {
    /// The log from a position on, with all in it that transactions had left when this was called, and whether others
    /// appended something.
    async fn current(&mut self, after: i64, most: usize) -> sqlx::Result<(Answer, bool)> {
        let mut answer = self.tables.ask(after, most).await?;
        let is_news = answer.rows.iter().any(|(id, _)| *id > after);
        let Some((_, last)) = answer.head.as_ref().and_then(|head| head.pending) else {
            return Ok((answer, is_news));
        };
        // What is beyond `most` is read by the next call, and so is what comes after this one began.
        while answer.rows.len() <= most
            && answer.head.as_ref().and_then(|head| head.pending).is_some_and(|(first, _)| first <= last)
        {
            self.tables.take_pending().await?;
            answer = self.tables.ask(after, most).await?;
        }
        Ok((answer, is_news))
    }
}

#[async_trait]
impl<T: LogTables + 'static> LogConnection for TableLog<T> {
    fn server(&self) -> &LogServer {
        &self.server
    }

    async fn read(&mut self, read: &LogRead, limit: Duration) -> Result<LogReply, LogError> {
        let after = column(read.after);
        let end = Instant::now() + read.wait.unwrap_or_default();
        self.tables.check()?;
        let (mut answer, _) = within(limit, self.current(after, read.most)).await?;
        loop {
            let has_news = answer.rows.iter().any(|(id, _)| *id > after);
            self.polling.read(has_news);
            if has_news || answer.head.is_none() || Instant::now() >= end {
                break;
            }
            self.tables.wait(&mut self.polling, end, limit).await?;
            let (current, is_news) = within(limit, self.current(after, read.most)).await?;
            answer = current;
            if is_news {
                self.tables.had_news();
            }
        }
        let mut reply = self.seen.reply(answer, after, read.most)?;
        if let Some(below) = read.older_than {
            reply.older = self.newest(Epoch::ZERO, Some(below), read.most, limit).await?;
        }
        Ok(reply)
    }

    async fn look(&mut self, limit: Duration) -> Result<(Option<LogEnds>, u64), LogError> {
        self.tables.check()?;
        // Also what a process left that died right after its commit.
        let (answer, _) = within(limit, self.current(i64::MAX, 0)).await?;
        let time_ms = answer.time_ms.unwrap_or(self.server.time_ms);
        let Some(head) = answer.head else { return Ok((None, time_ms)) };
        let newest = within(limit, self.tables.newest(i64::MIN, i64::MAX, 1)).await?.pop();
        self.seen.begins(newest.clone().filter(|(id, _)| *id == head.last));
        Ok((Some(head.ends(entries(newest.as_slice()).pop())), time_ms))
    }

    async fn newest(
        &mut self,
        from: Epoch,
        below: Option<Epoch>,
        most: usize,
        limit: Duration,
    ) -> Result<Vec<LogEntry>, LogError> {
        let (below, most) = (below.map_or(i64::MAX, column), i64::try_from(most).unwrap_or(i64::MAX));
        let rows = within(limit, self.tables.newest(column(from), below, most)).await?;
        Ok(entries(&rows))
    }

    async fn create(&mut self, epoch: Epoch, record: Vec<u8>, limit: Duration) -> Result<bool, LogError> {
        within(limit, self.tables.make(column(epoch), &record)).await
    }

    async fn lower(
        &mut self,
        above_ms: u64,
        epoch: Epoch,
        record: Vec<u8>,
        limit: Duration,
    ) -> Result<bool, LogError> {
        let above = first_epoch_of(above_ms.saturating_add(1)).map_or(i64::MAX, column);
        within(limit, self.tables.lower(above, column(epoch), &record)).await
    }

    async fn append(&mut self, append: Appending<'_>, limit: Duration) -> Result<Appended, LogError> {
        self.tables.check()?;
        self.tables.append(append, limit).await
    }

    async fn nudge(&mut self, limit: Duration) -> Result<(), LogError> {
        within(limit, self.tables.nudge()).await
    }
}
