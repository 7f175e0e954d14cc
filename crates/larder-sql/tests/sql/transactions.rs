//! Invalidating within a transaction.

use larder::CacheExt;
use sqlx::{Connection, PgConnection, SqliteConnection};

use crate::places::{Place, eventually, gone, policy};

macro_rules! transaction {
    ($place:expr, $connection:ty) => {{
        let place = &$place;
        let (a, b) = (place.tiered().await, place.tiered().await);
        for key in ["kept", "dropped"] {
            a.insert(key, &1_u64, policy()).await.unwrap();
            eventually("a value is shared", async || b.get::<u64>(key).await.unwrap() == Some(1)).await;
        }
        let mut connection = <$connection>::connect(&place.url).await.unwrap();
        let mut transaction = connection.begin().await.unwrap();
        a.invalidate_in(&mut *transaction, "kept").await.unwrap();
        transaction.rollback().await.unwrap();
        let mut transaction = connection.begin().await.unwrap();
        a.invalidate_in(&mut *transaction, "dropped").await.unwrap();
        // Others go on meanwhile, where more than one can write.
        let position = a.link().position;
        assert_eq!(b.get::<u64>("dropped").await.unwrap(), Some(1), "nothing is committed");
        transaction.commit().await.unwrap();
        gone(&a, "dropped").await;
        gone(&b, "dropped").await;
        assert!(a.link().position > position);
        assert_eq!(b.get::<u64>("kept").await.unwrap(), Some(1), "it was rolled back");
        assert_eq!(place.count("SELECT count(*) FROM {}_pending").await, 0);
    }};
}

#[tokio::test(flavor = "multi_thread")]
async fn a_commit_invalidates_and_a_rollback_does_not() {
    for place in Place::all() {
        if place.is_sqlite() {
            transaction!(place, SqliteConnection);
        } else {
            transaction!(place, PgConnection);
        }
    }
}

/// A transaction that goes on for long holds up no invalidation.
#[tokio::test(flavor = "multi_thread")]
async fn an_open_transaction_holds_up_nobody() {
    let Some(place) = Place::all().into_iter().find(|place| !place.is_sqlite()) else { return };
    let (a, b) = (place.tiered().await, place.tiered().await);
    let mut connection = PgConnection::connect(&place.url).await.unwrap();
    let mut transaction = connection.begin().await.unwrap();
    a.invalidate_in(&mut *transaction, "k").await.unwrap();
    for _ in 0..3 {
        let invalidated = b.invalidate("other").await;
        assert!(matches!(invalidated, larder::Invalidation::Delivered(_)), "{invalidated:?}");
    }
    transaction.commit().await.unwrap();
}
