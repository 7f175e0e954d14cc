//! Invalidating within a transaction of the user's.
//!
//! The record does not go into the log itself: its epoch would have to be above all that others append until the
//! transaction is committed, and they would have to wait for that. It waits in a table of its own, which the commit makes
//! visible, and the next reader of any process takes it into the log.

use async_trait::async_trait;

/// A connection in which [`SqlCache::invalidate_in`](crate::SqlCache::invalidate_in) can append: sqlx' `PgConnection` or
/// `SqliteConnection`, which a transaction derefs to.
#[async_trait]
pub trait InTransaction: sealed::Sealed + Send {
    #[doc(hidden)]
    async fn append(&mut self, pending: &str, records: Vec<Vec<u8>>) -> Result<(), sqlx::Error>;
}

mod sealed {
    pub trait Sealed {}

    #[cfg(feature = "postgres")]
    impl Sealed for sqlx::PgConnection {}
    #[cfg(feature = "sqlite")]
    impl Sealed for sqlx::SqliteConnection {}
}

#[cfg(feature = "postgres")]
#[async_trait]
impl InTransaction for sqlx::PgConnection {
    /// Without a `NOTIFY`: the commit would take a lock that all databases of the server share, and could not be prepared.
    async fn append(&mut self, pending: &str, records: Vec<Vec<u8>>) -> Result<(), sqlx::Error> {
        let statement = format!("INSERT INTO {pending} (record) SELECT unnest($1::bytea[])");
        sqlx::query(&statement).bind(records).execute(self).await.map(drop)
    }
}

#[cfg(feature = "sqlite")]
#[async_trait]
impl InTransaction for sqlx::SqliteConnection {
    async fn append(&mut self, pending: &str, records: Vec<Vec<u8>>) -> Result<(), sqlx::Error> {
        let statement = format!("INSERT INTO {pending} (record) VALUES (?1)");
        for record in records {
            sqlx::query(&statement).bind(record).execute(&mut *self).await?;
        }
        Ok(())
    }
}
