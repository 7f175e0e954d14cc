//! The database: SQLite, one row for each vehicle.

use std::{
    path::Path,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
};

use anyhow::Result;
use larder::write_behind::Batch;
use rusqlite::{Connection, OptionalExtension as _, params};
use serde::{Deserialize, Serialize};
use tokio::task;

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Position {
    pub(crate) latitude: f64,
    pub(crate) longitude: f64,
}

#[derive(Debug, Clone)]
pub(crate) struct Db(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    connection: Mutex<Connection>,
    written: AtomicUsize,
}

impl Db {
    pub(crate) fn create(file: &Path) -> Result<Self> {
        let connection = Connection::open(file)?;
        connection.execute_batch(
            "CREATE TABLE positions (vehicle TEXT PRIMARY KEY, latitude REAL, longitude REAL, write INTEGER)",
        )?;
        Ok(Self(Arc::new(Shared { connection: Mutex::new(connection), written: AtomicUsize::new(0) })))
    }

    /// Writes a batch in one transaction. It may be given once more after a crash, and late: so a row is left alone that a
    /// later write made.
    pub(crate) async fn write(&self, batch: Batch<Position>) -> Result<()> {
        self.run(move |connection, written| {
            let transaction = connection.transaction()?;
            for write in &batch {
                let Position { latitude, longitude } = write.value();
                let changed = transaction.execute(
                    "INSERT INTO positions VALUES (?1, ?2, ?3, ?4) ON CONFLICT (vehicle) DO UPDATE
                     SET latitude = ?2, longitude = ?3, write = ?4 WHERE write < ?4",
                    params![write.key(), latitude, longitude, i64::try_from(write.id().number())?],
                )?;
                written.fetch_add(changed, Ordering::Relaxed);
            }
            Ok(transaction.commit()?)
        })
        .await
    }

    pub(crate) async fn position(&self, vehicle: u32) -> Result<Option<Position>> {
        self.run(move |connection, _| {
            let row = connection.query_row(
                "SELECT latitude, longitude FROM positions WHERE vehicle = ?1",
                [vehicle.to_string()],
                |row| Ok(Position { latitude: row.get(0)?, longitude: row.get(1)? }),
            );
            Ok(row.optional()?)
        })
        .await
    }

    pub(crate) async fn longitude(&self, vehicle: u32) -> Result<Option<f64>> {
        Ok(self.position(vehicle).await?.map(|position| position.longitude))
    }

    /// Rows that were inserted or changed.
    pub(crate) fn written(&self) -> usize {
        self.0.written.load(Ordering::Relaxed)
    }

    async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Connection, &AtomicUsize) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let shared = self.0.clone();
        let done = task::spawn_blocking(move || {
            let mut connection = shared.connection.lock().unwrap_or_else(PoisonError::into_inner);
            work(&mut connection, &shared.written)
        });
        done.await?
    }
}
