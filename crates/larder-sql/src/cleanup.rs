//! Tidying up, in the background.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use larder::internal::shared::contained;
use tokio::time::{sleep, timeout};

use crate::remote::Remote;

/// How often what has expired, and what is too much of the log, is deleted; up to half of that more, by chance.
const TIDY: Duration = Duration::from_secs(20);

/// Between passes while there is more than one pass deletes: as long as the last one took, so that this has half of the time
/// of one connection at most, and not less than this.
const PAUSE: Duration = Duration::from_millis(100);

/// Begins to tidy up, for as long as the cache lives.
pub(crate) fn start(remote: &Arc<Remote>) {
    let untidy = remote.untidy();
    let remote = Arc::downgrade(remote);
    tokio::spawn(async move {
        let mut took = Duration::ZERO;
        loop {
            if timeout(TIDY.mul_f64(1.0 + fastrand::f64() / 2.0), untidy.notified()).await.is_ok() {
                sleep(took.max(PAUSE)).await;
            }
            let Some(remote) = remote.upgrade() else { return };
            if !remote.is_within_reach() {
                continue;
            }
            let begun = Instant::now();
            match timeout(TIDY, remote.tidy()).await {
                Ok(Ok(())) => {}
                Ok(Err(error)) => {
                    contained(|| tracing::debug!(%error, "the tables of the cache are not tidied"))
                }
                Err(_) => contained(|| tracing::debug!("the tables of the cache are not tidied in time")),
            }
            took = begun.elapsed();
        }
    });
}

#[cfg(all(test, feature = "sqlite"))]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test may panic")]

    use sqlx::{Connection, Executor, Row, SqliteConnection};

    use super::*;
    use crate::{
        SqlCache,
        database::{MOST_PIECES, MOST_RECORDS, PIECE},
    };

    const NUMBERS: &str = "WITH RECURSIVE n (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < 110000)";

    async fn count(connection: &mut SqliteConnection, what: &str) -> i64 {
        connection.fetch_one(what).await.unwrap().get(0)
    }

    /// A cache, and rows that are to be deleted: of the log, and so many entries.
    async fn untidy(directory: &tempfile::TempDir, entries: i64) -> (SqlCache, SqliteConnection) {
        let url = format!("sqlite://{}", directory.path().join("cache.db").display());
        let cache = SqlCache::builder().url(&*url).deadline(Duration::from_secs(30)).connect().await.unwrap();
        let mut connection = SqliteConnection::connect(&url).await.unwrap();
        let old = "SELECT -9000000000000000000 + n, x'00' FROM n";
        let log = format!("{NUMBERS} INSERT INTO larder_log (id, record) {old}");
        connection.execute(&*log).await.unwrap();
        let over = format!("SELECT CAST(n AS TEXT), 0, n, x'00' FROM n WHERE n <= {entries}");
        let over = format!("{NUMBERS} INSERT INTO larder_entries (key, epoch, expires, message) {over}");
        connection.execute(&*over).await.unwrap();
        let stays = "INSERT INTO larder_entries VALUES ('stays', 0, 9000000000000, x'00')";
        connection.execute(stays).await.unwrap();
        (cache, connection)
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn what_is_over_is_deleted_in_pieces_and_the_newest_records_stay() {
        let directory = tempfile::TempDir::new().unwrap();
        let (cache, mut connection) = untidy(&directory, 3_000).await;
        cache.remote().tidy().await.unwrap();
        let records = count(&mut connection, "SELECT count(*) FROM larder_log").await;
        assert!((MOST_RECORDS..MOST_RECORDS + 10).contains(&records), "{records}");
        let newest = "SELECT (SELECT max(id) FROM larder_log) = (SELECT last FROM larder_head)";
        assert_eq!(count(&mut connection, newest).await, 1);
        assert_eq!(count(&mut connection, "SELECT count(*) FROM larder_entries").await, 1);
    }

    /// As much as comes has to go: there is no waiting for the next turn.
    #[tokio::test(flavor = "multi_thread")]
    async fn what_one_pass_does_not_delete_the_next_one_does_soon() {
        let directory = tempfile::TempDir::new().unwrap();
        let pass = PIECE * i64::try_from(MOST_PIECES).unwrap();
        let (cache, mut connection) = untidy(&directory, 2 * pass + 1_000).await;
        let begun = Instant::now();
        cache.remote().tidy().await.unwrap();
        let left = "SELECT count(*) FROM larder_entries WHERE expires < 1000000";
        let first = count(&mut connection, left).await;
        assert!(first > 0, "more than one pass deletes");
        while count(&mut connection, left).await > 0 {
            sleep(Duration::from_millis(10)).await;
            // Two turns would take twice as long at least; what is measured is the pauses, and not the machine.
            assert!(begun.elapsed() < 2 * TIDY, "it takes turns of {TIDY:?}");
        }
    }
}
