//! Writes to a queue and consumes it.
//!
//! `kill_worker writes URL DATABASE NAME KEYS ATTEMPTS` says `ready`, then `acked KEY NUMBER` after each write that was
//! acknowledged. Its keys are its own, and each has its numbers from zero up. What it consumes goes into a SQLite file,
//! each batch in one transaction: a row for each key, and a line in the history for each write.
//!
//! A write of the key `deadly` ends the process that is about to write it; such a write is given up after it was tried
//! so often by itself.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use larder::write_behind::{Batch, SinkError, WriteBehind};
use rusqlite::{Connection, params};

use crate::process::{Failure, connect, say};

pub(crate) async fn run(words: &[String]) -> Result<(), Failure> {
    let [url, database, name, keys, attempts] = words else { return Err("five words are needed".into()) };
    let redis = connect(url).await?;
    let connection = Connection::open(database)?;
    connection.busy_timeout(Duration::from_secs(20))?;
    let connection = Arc::new(Mutex::new(connection));
    let sink = move |batch: Batch<u64>| {
        let connection = connection.clone();
        async move { tokio::task::spawn_blocking(move || store(&connection, &batch)).await? }
    };
    let queue = WriteBehind::builder("rows")
        .redis(&redis)
        .keep_all()
        .max_batch(64)
        .max_delay(Duration::from_millis(5))
        .takeover_after(Duration::from_millis(500))
        .attempts(attempts.parse()?)
        .start(sink)?;
    say("ready");
    for key in 0..keys.parse()? {
        tokio::spawn(write(queue.clone(), format!("{name}-{key}")));
    }
    // Until it is killed.
    std::future::pending().await
}

async fn write(queue: WriteBehind<u64>, key: String) {
    for number in 0_u64.. {
        // What was not acknowledged may be in the queue: its number is not used again.
        if queue.write(&key, &number).await.is_ok() {
            say(&format!("acked {key} {number}"));
        }
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

fn store(connection: &Mutex<Connection>, batch: &Batch<u64>) -> Result<(), SinkError> {
    let mut connection = connection.lock().map_err(|_| SinkError::batch("a batch before it panicked"))?;
    let transaction = connection.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)?;
    for write in batch {
        if write.key() == "deadly" {
            std::process::abort();
        }
        let number = i64::try_from(*write.value())?;
        transaction
            .execute("INSERT INTO history (key, number) VALUES (?1, ?2)", params![write.key(), number])?;
        transaction.execute(
            "INSERT INTO rows (key, number) VALUES (?1, ?2) ON CONFLICT (key) DO UPDATE SET number = ?2",
            params![write.key(), number],
        )?;
    }
    transaction.commit()?;
    Ok(())
}
