//! What PostgreSQL does with the statements.

use std::time::Duration;

use larder::internal::shared::NameHashing;
use larder_servers::PostgresServer;
use sqlx::{Connection, Executor, PgConnection, Row as _};

use super::open;
use crate::{
    database::{Ask, Row},
    row_keys::Places,
    tables::Tables,
};

const PLACE: &[u8] = b"kkey";

fn row(message: &[u8]) -> Row {
    Row { place: PLACE.to_vec(), epoch: 1, lifetime_ms: 60_000, message: message.to_vec() }
}

fn ask(own: &[u8]) -> Ask<'_> {
    Ask { place: PLACE, own, outdated: &[], waits: false, lifetime_ms: 60_000 }
}

/// The statement has seen the old one already when the lease is given back.
#[tokio::test(flavor = "multi_thread")]
async fn who_takes_a_lease_sees_what_its_last_holder_stored_in_the_place_of_an_older_one() {
    let Some(server) = PostgresServer::start() else { return };
    let tables = Tables::new("larder").unwrap();
    let places = Places::new(&tables, NameHashing::default());
    let opened = open(&server.url(), (&tables, &places), 4).unwrap();
    let database = opened.database;
    database.create_tables().await.unwrap();
    database.write(&[row(b"older")], i64::MAX).await.unwrap();
    assert_eq!(database.lease(ask(b"a")).await.unwrap(), (b"a".to_vec(), Some(b"older".to_vec())));

    let mut other = PgConnection::connect(&server.url()).await.unwrap();
    let mut holder = other.begin().await.unwrap();
    holder.execute("DELETE FROM larder_leases").await.unwrap();
    let asks = database.clone();
    let asked = tokio::spawn(async move { asks.lease(ask(b"b")).await.unwrap() });
    let mut watcher = PgConnection::connect(&server.url()).await.unwrap();
    let waits = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'";
    while watcher.fetch_one(waits).await.unwrap().get::<i64, _>(0) == 0 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    holder.execute("UPDATE larder_entries SET message = 'newer'").await.unwrap();
    holder.commit().await.unwrap();
    assert_eq!(asked.await.unwrap(), (b"b".to_vec(), Some(b"newer".to_vec())));
}
