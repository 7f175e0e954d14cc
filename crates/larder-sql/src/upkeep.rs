//! Tidying up, in the background.

use std::{sync::Arc, time::Duration};

use crate::remote::Remote;

/// How often what has expired, and what is too much of the log, is deleted; up to half of that more, by chance.
const TIDY: Duration = Duration::from_secs(20);

/// Begins to tidy up, for as long as the cache lives.
pub(crate) fn start(remote: &Arc<Remote>) {
    let remote = Arc::downgrade(remote);
    tokio::spawn(async move {
        loop {
            tokio::time::sleep(TIDY.mul_f64(1.0 + fastrand::f64() / 2.0)).await;
            let Some(remote) = remote.upgrade() else { return };
            if !remote.is_within_reach() {
                continue;
            }
            match tokio::time::timeout(TIDY, remote.tidy()).await {
                Ok(Ok(())) => {}
                Ok(Err(error)) => tracing::debug!(%error, "the tables of the cache are not tidied"),
                Err(_) => tracing::debug!("the tables of the cache are not tidied in time"),
            }
        }
    });
}

#[cfg(all(test, feature = "sqlite"))]
mod tests {
    use sqlx::{Connection, Executor, Row, SqliteConnection};

    use crate::{SqlCache, database::MOST_RECORDS};

    #[tokio::test(flavor = "multi_thread")]
    async fn what_is_over_is_deleted_in_pieces_and_the_newest_records_stay() {
        let directory = tempfile::TempDir::new().unwrap();
        let url = format!("sqlite://{}", directory.path().join("cache.db").display());
        let cache = SqlCache::connect(&*url).await.unwrap();
        let mut connection = SqliteConnection::connect(&url).await.unwrap();
        let numbers = "WITH RECURSIVE n (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < 110000)";
        let mut execute =
            async |statement: &str| connection.execute(statement).await.unwrap().rows_affected();
        let old = "SELECT -9000000000000000000 + n, x'00' FROM n";
        execute(&format!("{numbers} INSERT INTO larder_log (id, record) {old}")).await;
        let over = "SELECT CAST(n AS TEXT), 0, n, x'00' FROM n WHERE n <= 3000";
        execute(&format!("{numbers} INSERT INTO larder_entries (key, epoch, expires, message) {over}")).await;
        execute("INSERT INTO larder_entries VALUES ('stays', 0, 9000000000000, x'00')").await;
        cache.remote().tidy().await.unwrap();
        let mut count = async |what: &str| -> i64 { connection.fetch_one(what).await.unwrap().get(0) };
        let records = count("SELECT count(*) FROM larder_log").await;
        assert!((MOST_RECORDS..MOST_RECORDS + 10).contains(&records), "{records}");
        let newest = "SELECT (SELECT max(id) FROM larder_log) = (SELECT last FROM larder_head)";
        assert_eq!(count(newest).await, 1);
        assert_eq!(count("SELECT count(*) FROM larder_entries").await, 1);
    }
}
