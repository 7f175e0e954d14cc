//! Invalidating within a transaction.

use std::time::{Duration, Instant};

use larder::{CacheExt, DisconnectPolicy, MemoryCache, Scope};
use larder_servers::PostgresServer;
use larder_sql::TieredSqlCache;
use sqlx::{Connection, Executor, PgConnection, Row, SqliteConnection, postgres::PgListener};

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
async fn an_open_transaction_holds_up_no_other_process() {
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

/// Locks a row, as a process does that is about to append.
async fn hold_head(place: &Place) -> PgConnection {
    let mut holder = PgConnection::connect(&place.url).await.unwrap();
    let hold = format!("BEGIN; UPDATE {}_head SET last = last", place.prefix);
    holder.execute(&*hold).await.unwrap();
    holder
}

/// What another process is just about to put into the log is committed: nothing that it covers is proved fresh.
#[tokio::test(flavor = "multi_thread")]
async fn what_another_process_is_taking_is_waited_for() {
    let Some(place) = Place::all().into_iter().find(|place| !place.is_sqlite()) else { return };
    let connect = async || {
        let patience = DisconnectPolicy::Bypass(Duration::from_millis(500));
        let sql = place.builder().on_disconnect(patience).connect().await.unwrap();
        TieredSqlCache::new(&MemoryCache::new(100), sql)
    };
    let caches = [connect().await, connect().await];
    // Once is not enough: what is inserted while its process is disconnected, on a busy machine, is not written.
    eventually("a value is shared", async || {
        caches[0].insert("k", &1_u64, policy()).await.unwrap();
        caches[1].get::<u64>("k").await.unwrap() == Some(1)
    })
    .await;
    let mut connection = PgConnection::connect(&place.url).await.unwrap();
    let mut transaction = connection.begin().await.unwrap();
    caches[0].invalidate_in(&mut *transaction, "k").await.unwrap();
    let mut holder = hold_head(&place).await;
    transaction.commit().await.unwrap();
    // Nothing can be appended as long as that is held, and it cannot be known what was: by no process.
    for cache in &caches {
        gone(cache, "k").await;
    }
    let begun = Instant::now();
    while begun.elapsed() < Duration::from_secs(2) {
        for cache in &caches {
            assert_eq!(cache.get::<u64>("k").await.unwrap(), None, "it is not known to be valid");
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    holder.execute("ROLLBACK").await.unwrap();
    for cache in &caches {
        // What the other one has queued until now may still drop one.
        let serves = async || {
            cache.insert("other", &1_u64, policy()).await.unwrap();
            cache.get::<u64>("other").await.unwrap() == Some(1)
        };
        eventually("it is in touch again", serves).await;
        assert_eq!(cache.get::<u64>("k").await.unwrap(), None);
    }
}

macro_rules! dies_after_commit {
    ($place:expr, $connection:ty) => {{
        let place = &$place;
        for _ in 0..5 {
            let cache = place.plain().await;
            cache.insert("k", &1_u64, policy()).await.unwrap();
            let mut connection = <$connection>::connect(&place.url).await.unwrap();
            let mut transaction = connection.begin().await.unwrap();
            cache.invalidate_in(&mut *transaction, "k").await.unwrap();
            assert!(cache.flush(Duration::from_secs(30)).await || place.is_sqlite());
            drop(cache);
            if !place.is_sqlite() {
                let left = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'larder {}'";
                eventually("it is gone", async || place.count(left).await == 0).await;
            }
            transaction.commit().await.unwrap();
            let cache = place.plain().await;
            assert_eq!(cache.get::<u64>("k").await.unwrap(), None, "by the first call");
        }
    }};
}

#[tokio::test(flavor = "multi_thread")]
async fn a_process_that_starts_knows_of_what_one_left_that_died() {
    for place in Place::all() {
        if place.is_sqlite() {
            dies_after_commit!(place, SqliteConnection);
        } else {
            dies_after_commit!(place, PgConnection);
        }
    }
}

/// A commit that notifies takes a lock that all databases of the server share, and cannot be prepared.
#[tokio::test(flavor = "multi_thread")]
async fn a_transaction_notifies_nothing() {
    let Some(place) = Place::all().into_iter().find(|place| !place.is_sqlite()) else { return };
    let cache = place.plain().await;
    let mut connection = PgConnection::connect(&place.url).await.unwrap();
    let mut transaction = connection.begin().await.unwrap();
    cache.invalidate_in(&mut *transaction, "k").await.unwrap();
    drop(cache);
    let left = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'larder {}'";
    eventually("the cache is gone", async || place.count(left).await == 0).await;
    let mut listener = PgListener::connect(&place.url).await.unwrap();
    listener.listen(&format!("{}_log", place.prefix)).await.unwrap();
    transaction.commit().await.unwrap();
    place.execute("NOTIFY {}_log, 'afterwards'").await;
    assert_eq!(listener.recv().await.unwrap().payload(), "afterwards");
}

/// Who may write to the tables may invalidate: no more rights are needed.
#[tokio::test(flavor = "multi_thread")]
async fn rights_to_the_tables_are_enough() {
    let Some(server) = PostgresServer::start() else { return };
    let place = Place::on(&server);
    let cache = place.plain().await;
    cache.insert("k", &1_u64, policy()).await.unwrap();
    place.execute("CREATE ROLE worker LOGIN").await;
    for table in ["entries", "log", "head", "pending", "counters", "leases", "locks"] {
        let grant = format!("GRANT SELECT, INSERT, UPDATE, DELETE ON {{}}_{table} TO worker");
        place.execute(&grant).await;
    }
    let url = place.url.replace("larder@", "worker@");
    let mut connection = PgConnection::connect(&url).await.unwrap();
    cache.invalidate_in(&mut connection, "k").await.unwrap();
    gone(&cache, "k").await;
    let worker = place.builder().url(&url).connect().await.unwrap();
    worker.insert("k", &2_u64, policy()).await.unwrap();
    assert_eq!(worker.increment("n", 1, None).await.unwrap(), 1);
    eventually("a value is shared", async || cache.get::<u64>("k").await.unwrap() == Some(2)).await;
}

/// A record has as much as others have, and a transaction no more than an outbox.
#[tokio::test(flavor = "multi_thread")]
async fn many_scopes_are_several_records_and_too_many_are_all() {
    let Some(place) = Place::all().into_iter().find(|place| !place.is_sqlite()) else { return };
    let cache = place.tiered().await;
    let mut connection = PgConnection::connect(&place.url).await.unwrap();
    for (scopes, records) in [(2_500, 3), (70_000, 1)] {
        for key in ["k:0", "k:2400"] {
            cache.insert(key, &1_u64, policy()).await.unwrap();
        }
        let mut transaction = connection.begin().await.unwrap();
        let keys: Vec<Scope> = (0..scopes).map(|key| Scope::key(format!("k:{key}"))).collect();
        cache.invalidate_in(&mut *transaction, keys).await.unwrap();
        let pending = format!("SELECT count(*) FROM {}_pending", place.prefix);
        assert_eq!(transaction.fetch_one(&*pending).await.unwrap().get::<i64, _>(0), records);
        transaction.commit().await.unwrap();
        for key in ["k:0", "k:2400"] {
            gone(&cache, key).await;
        }
    }
}
