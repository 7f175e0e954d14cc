//! The database of the service: SQLite behind a small pool of connections.

mod data;
mod metrics;
mod users;

use std::{
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, MutexGuard,
        atomic::{AtomicU64, Ordering},
    },
};

use anyhow::{Context, Result};
use rusqlite::{CachedStatement, Connection, OpenFlags, OptionalExtension as _, Params, Row};
use tokio::{sync::Semaphore, task};

pub use self::{
    metrics::{Paid, Traffic},
    users::{NewUser, User},
};

const CONNECTIONS: usize = 4;

/// A handle to the database; clones share its connections.
#[derive(Clone)]
pub struct Db(Arc<Pool>);

struct Pool {
    file: PathBuf,
    permits: Arc<Semaphore>,
    /// Connections are opened when they are first needed.
    idle: Mutex<Vec<Connection>>,
    statements: AtomicU64,
}

impl Db {
    /// Opens the database in this file. If there is none, makes one of about so many rows.
    pub async fn open(file: PathBuf, rows: u32) -> Result<Self> {
        task::spawn_blocking(move || {
            if !file.exists() {
                data::create(&file, rows).with_context(|| format!("cannot make {}", file.display()))?;
            }
            let connection = connect(&file).and_then(data::checked);
            let connection = connection.with_context(|| format!("cannot use {}", file.display()))?;
            let permits = Arc::new(Semaphore::new(CONNECTIONS));
            let idle = Mutex::new(vec![connection]);
            Ok(Self(Arc::new(Pool { file, permits, idle, statements: AtomicU64::new(0) })))
        })
        .await?
    }

    /// How many statements SQLite ran so far: what a cache is there to save.
    pub fn statements(&self) -> u64 {
        self.0.statements.load(Ordering::Relaxed)
    }

    /// All the rows of a query.
    async fn rows<T: Send + 'static>(
        &self,
        sql: &'static str,
        parameters: impl Params + Send + 'static,
        read: fn(&Row<'_>) -> rusqlite::Result<T>,
    ) -> Result<Vec<T>> {
        self.run(sql, move |statement| statement.query_map(parameters, read)?.collect()).await
    }

    /// The row of a query that has exactly one.
    async fn row<T: Send + 'static>(
        &self,
        sql: &'static str,
        parameters: impl Params + Send + 'static,
        read: fn(&Row<'_>) -> rusqlite::Result<T>,
    ) -> Result<T> {
        self.run(sql, move |statement| statement.query_row(parameters, read)).await
    }

    /// The row of a query that has one at most.
    async fn optional_row<T: Send + 'static>(
        &self,
        sql: &'static str,
        parameters: impl Params + Send + 'static,
        read: fn(&Row<'_>) -> rusqlite::Result<T>,
    ) -> Result<Option<T>> {
        self.run(sql, move |statement| statement.query_row(parameters, read).optional()).await
    }

    /// Runs a statement on a thread that may block.
    async fn run<T: Send + 'static>(
        &self,
        sql: &'static str,
        run: impl FnOnce(&mut CachedStatement<'_>) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T> {
        let pool = self.0.clone();
        let permit = pool.permits.clone().acquire_owned().await?;
        let run = move || {
            // SQLite goes on when the caller is gone, and the connection is in use until it is done.
            let _permit = permit;
            pool.run(sql, run)
        };
        task::spawn_blocking(run).await?.with_context(|| format!("this statement failed: {sql}"))
    }
}

impl Pool {
    fn run<T>(
        &self,
        sql: &str,
        run: impl FnOnce(&mut CachedStatement<'_>) -> rusqlite::Result<T>,
    ) -> rusqlite::Result<T> {
        let idle = lock(&self.idle).pop();
        let connection = match idle {
            Some(connection) => connection,
            None => connect(&self.file)?,
        };
        self.statements.fetch_add(1, Ordering::Relaxed);
        let outcome = connection.prepare_cached(sql).and_then(|mut statement| run(&mut statement));
        lock(&self.idle).push(connection);
        outcome
    }
}

/// A file that was taken away is an error, and not a new and empty database.
fn connect(file: &Path) -> rusqlite::Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(file, flags)?;
    connection.pragma_update(None, "journal_mode", "WAL")?; // readers and a writer at once
    connection.pragma_update(None, "synchronous", "NORMAL")?;
    Ok(connection)
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().expect("nothing panics while it holds a lock")
}
