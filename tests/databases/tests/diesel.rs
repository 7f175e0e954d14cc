//! diesel: functions that are not async, in a transaction that is a closure.

use diesel::{
    Connection, ExpressionMethods, QueryDsl, QueryResult, RunQueryDsl, SqliteConnection,
    connection::SimpleConnection,
};
use larder::{MemoryCache, cached, invalidate};

diesel::table! {
    users (id) {
        id -> BigInt,
        name -> Text,
    }
}

/// As in the guide: diesel commits after the closure.
fn in_transaction<T>(
    connection: &mut SqliteConnection,
    work: impl FnOnce(&mut SqliteConnection) -> QueryResult<T>,
) -> QueryResult<T> {
    let scope = larder::deferred();
    let done = scope.run_blocking(|| connection.transaction(work));
    if done.is_ok() {
        drop(scope.commit());
    }
    done
}

#[cached(ttl = 300, key = "user:<id>", cache = cache, skip(cache, db))]
fn user(cache: &MemoryCache, db: &mut SqliteConnection, id: i64) -> QueryResult<String> {
    users::table.find(id).select(users::name).first(db)
}

#[invalidate("user:<id>", cache = cache)]
fn rename(cache: &MemoryCache, db: &mut SqliteConnection, id: i64, name: &str) -> QueryResult<()> {
    diesel::update(users::table.find(id)).set(users::name.eq(name)).execute(db).map(drop)
}

#[test]
fn what_is_committed_is_read_and_nothing_else() -> QueryResult<()> {
    let folder = tempfile::tempdir().expect("there is room");
    let path = folder.path().join("users.sqlite");
    let connect = || SqliteConnection::establish(path.to_str().expect("a plain path")).expect("it opens");
    let cache = MemoryCache::new(100);
    let mut connection = connect();
    connection.batch_execute(
        "PRAGMA journal_mode = WAL;
         CREATE TABLE users (id INTEGER PRIMARY KEY, name TEXT NOT NULL);
         INSERT INTO users VALUES (7, 'Ann');",
    )?;
    let read = || user(&cache, &mut connect(), 7);

    assert_eq!(read()?, "Ann");
    let renamed = in_transaction(&mut connection, |tx| {
        rename(&cache, tx, 7, "Anna")?;
        // Another request, on another thread, before the commit.
        std::thread::scope(|threads| {
            threads.spawn(|| assert_eq!(read(), Ok("Ann".to_owned()))).join().expect("it ends")
        });
        user(&cache, tx, 7)
    });
    assert_eq!(renamed?, "Anna");
    assert_eq!(read()?, "Anna");

    let failed: QueryResult<()> = in_transaction(&mut connection, |tx| {
        rename(&cache, tx, 7, "Bob")?;
        Err(diesel::result::Error::RollbackTransaction)
    });
    assert!(failed.is_err());
    assert_eq!(read()?, "Anna", "what was rolled back is not kept");
    Ok(())
}
