//! A disk that is full when a change is committed.

use larder::CacheExt;

use crate::places::Place;

/// SQLite gives the new number before it commits, and what is committed may not be.
#[tokio::test(flavor = "multi_thread")]
async fn a_counter_that_was_not_stored_is_an_error() {
    let place = Place::sqlite();
    let cache = place.plain().await;
    assert_eq!(cache.increment("n", 2, None).await.unwrap(), 2);
    // A commit that fails, as on a full disk: the row refers to none, which is looked at last.
    place
        .execute(
            "DROP TABLE {}_counters;
             CREATE TABLE {}_counters (key BLOB PRIMARY KEY, number INTEGER NOT NULL, expires INTEGER,
               none INTEGER DEFAULT 1 REFERENCES {}_log (id) DEFERRABLE INITIALLY DEFERRED);",
        )
        .await;
    let counted = cache.increment("n", 2, None).await;
    assert!(counted.is_err(), "{counted:?} was stored nowhere");
    assert_eq!(place.count("SELECT count(*) FROM {}_counters").await, 0);
}
