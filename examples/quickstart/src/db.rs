//! The database of a service: SQLite behind a small pool of connections.

mod data;

use std::{
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard},
    time::{Duration, Instant},
};

use anyhow::{Context, Result};
use rusqlite::{Connection, Params, Row};
use tokio::{sync::Semaphore, task};

const CONNECTIONS: usize = 4;

/// A handle to the database; clones share its connections.
#[derive(Clone)]
pub struct Db(Arc<Pool>);

struct Pool {
    file: PathBuf,
    permits: Arc<Semaphore>,
    /// Connections are opened when they are first needed.
    idle: Mutex<Vec<Connection>>,
    ran: Mutex<Vec<Statement>>,
}

/// A statement that SQLite truly ran.
pub struct Statement {
    pub name: &'static str,
    pub time: Duration,
}

impl Db {
    /// Makes a database of so many rows in a directory.
    pub fn create(directory: &Path, rows: u32) -> Result<Self> {
        let file = directory.join("service.sqlite");
        data::fill(&mut Connection::open(&file)?, rows)?;
        let permits = Arc::new(Semaphore::new(CONNECTIONS));
        Ok(Self(Arc::new(Pool { file, permits, idle: Mutex::default(), ran: Mutex::default() })))
    }

    /// All the rows of a query.
    pub async fn rows<T: Send + 'static>(
        &self,
        name: &'static str,
        sql: &'static str,
        parameters: impl Params + Send + 'static,
        read: fn(&Row<'_>) -> rusqlite::Result<T>,
    ) -> Result<Vec<T>> {
        self.run(name, move |connection| connection.prepare(sql)?.query_map(parameters, read)?.collect())
            .await
    }

    /// The one row of a query.
    pub async fn row<T: Send + 'static>(
        &self,
        name: &'static str,
        sql: &'static str,
        read: fn(&Row<'_>) -> rusqlite::Result<T>,
    ) -> Result<T> {
        self.run(name, move |connection| connection.query_row(sql, [], read)).await
    }

    /// Runs a statement that changes something.
    pub async fn execute(
        &self,
        name: &'static str,
        sql: &'static str,
        parameters: impl Params + Send + 'static,
    ) -> Result<()> {
        self.run(name, move |connection| connection.execute(sql, parameters).map(drop)).await
    }

    /// The statements that ran since this was last called.
    pub fn take_statements(&self) -> Vec<Statement> {
        std::mem::take(&mut *lock(&self.0.ran))
    }

    /// Runs a statement on a thread that may block.
    async fn run<T: Send + 'static>(
        &self,
        name: &'static str,
        statement: impl FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T> {
        let pool = self.0.clone();
        let permit = pool.permits.clone().acquire_owned().await?;
        let run = move || {
            // SQLite goes on when the caller is gone, and the connection is in use until it is done.
            let _permit = permit;
            pool.run(name, statement)
        };
        task::spawn_blocking(run).await?.with_context(|| format!("the statement `{name}` failed"))
    }
}

impl Pool {
    fn run<T>(
        &self,
        name: &'static str,
        statement: impl FnOnce(&Connection) -> rusqlite::Result<T>,
    ) -> rusqlite::Result<T> {
        let idle = lock(&self.idle).pop();
        let connection = match idle {
            Some(connection) => connection,
            None => Connection::open(&self.file)?,
        };
        let begin = Instant::now();
        let outcome = statement(&connection);
        lock(&self.ran).push(Statement { name, time: begin.elapsed() });
        lock(&self.idle).push(connection);
        outcome
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().expect("nothing panics while it holds a lock")
}
