//! Transactions of a real SQLite file: with the naive order a reader is served what is stale, or what was never committed;
//! in a scope of `larder::deferred` neither.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::path::PathBuf;

use larder::{CacheExt, MemoryCache, cached, deferred, invalidate};
use rusqlite::{Connection, Result, params};
use tempfile::TempDir;

/// A database of its own, and a cache.
struct Shop {
    cache: MemoryCache,
    path: PathBuf,
    _folder: TempDir,
}

impl Shop {
    fn new() -> Self {
        let folder = TempDir::new().unwrap();
        let shop =
            Self { cache: MemoryCache::new(100), path: folder.path().join("shop.sqlite"), _folder: folder };
        shop.connect()
            .execute_batch(
                "PRAGMA journal_mode = WAL;
                 CREATE TABLE users (id INTEGER PRIMARY KEY, name TEXT NOT NULL);
                 INSERT INTO users VALUES (7, 'Ann'), (8, 'Bob');",
            )
            .unwrap();
        shop
    }

    fn connect(&self) -> Connection {
        Connection::open(&self.path).unwrap()
    }

    /// What another request sees.
    fn read(&self) -> String {
        name(&self.cache, &self.connect(), 7).unwrap()
    }
}

#[cached(ttl = 300, key = "user:<id>", cache = cache, skip(cache, connection))]
fn name(cache: &MemoryCache, connection: &Connection, id: i64) -> Result<String> {
    connection.query_row("SELECT name FROM users WHERE id = ?1", [id], |row| row.get(0))
}

#[cached(ttl = 300, key = "users", cache = cache, skip(cache, connection))]
fn names(cache: &MemoryCache, connection: &Connection) -> Result<String> {
    Ok(format!("{}, {}", name(cache, connection, 7)?, name(cache, connection, 8)?))
}

#[invalidate("user:<id>", cache = cache)]
fn rename(cache: &MemoryCache, connection: &Connection, id: i64, name: &str) -> Result<usize> {
    connection.execute("UPDATE users SET name = ?2 WHERE id = ?1", params![id, name])
}

#[test]
fn the_naive_order_is_stale() {
    let shop = Shop::new();
    let mut connection = shop.connect();
    let transaction = connection.transaction().unwrap();
    rename(&shop.cache, &transaction, 7, "Anna").unwrap();
    assert_eq!(shop.read(), "Ann", "not committed yet");
    transaction.commit().unwrap();
    assert_eq!(shop.read(), "Ann", "stale, for five minutes");
}

#[test]
fn the_naive_order_keeps_what_was_never_committed() {
    let shop = Shop::new();
    let mut connection = shop.connect();
    let transaction = connection.transaction().unwrap();
    rename(&shop.cache, &transaction, 7, "Anna").unwrap();
    assert_eq!(names(&shop.cache, &transaction).unwrap(), "Anna, Bob");
    transaction.rollback().unwrap();
    assert_eq!(shop.read(), "Anna", "there is none");
}

#[test]
fn in_a_scope_what_is_committed_is_read_and_nothing_else() {
    let shop = Shop::new();
    assert_eq!(names(&shop.cache, &shop.connect()).unwrap(), "Ann, Bob");
    let mut connection = shop.connect();
    let scope = deferred();
    scope.run_blocking(|| {
        let transaction = connection.transaction().unwrap();
        rename(&shop.cache, &transaction, 7, "Anna").unwrap();
        assert_eq!(names(&shop.cache, &transaction).unwrap(), "Anna, Bob", "its own change");
        // Another request, on another thread.
        std::thread::scope(|threads| {
            threads.spawn(|| assert_eq!((shop.read(), shop.read()), ("Ann".into(), "Ann".into())));
        });
        transaction.commit().unwrap();
    });
    drop(scope.commit());
    assert_eq!(shop.read(), "Anna");
    assert_eq!(names(&shop.cache, &shop.connect()).unwrap(), "Anna, Bob");
}

#[test]
fn in_a_scope_what_is_rolled_back_is_not_kept() {
    let shop = Shop::new();
    let mut connection = shop.connect();
    let scope = deferred();
    scope.run_blocking(|| {
        let transaction = connection.transaction().unwrap();
        rename(&shop.cache, &transaction, 7, "Anna").unwrap();
        assert_eq!(names(&shop.cache, &transaction).unwrap(), "Anna, Bob");
        transaction.rollback().unwrap();
    });
    scope.rollback();
    assert_eq!(shop.read(), "Ann");
    assert_eq!(names(&shop.cache, &shop.connect()).unwrap(), "Ann, Bob");
}

/// A transaction reads what was committed when it began. What it computes later is older than an invalidation in between.
#[test]
fn in_a_scope_an_old_snapshot_is_not_kept() {
    for scoped in [false, true] {
        let shop = Shop::new();
        let mut connection = shop.connect();
        let transaction = connection.transaction().unwrap();
        let read = || transaction.query_row("SELECT count(*) FROM users", [], |row| row.get::<_, i64>(0));
        assert_eq!(read(), Ok(2), "its snapshot is taken");
        rename(&shop.cache, &shop.connect(), 7, "Anna").unwrap();
        let old = match scoped {
            false => name(&shop.cache, &transaction, 7),
            true => deferred().run_blocking(|| name(&shop.cache, &transaction, 7)),
        };
        assert_eq!(old.unwrap(), "Ann");
        assert_eq!(shop.read(), if scoped { "Anna" } else { "Ann" });
    }
}

#[tokio::test]
async fn a_scope_works_in_async_code() {
    let shop = Shop::new();
    assert_eq!(shop.read(), "Ann");
    let scope = deferred();
    let done: Result<()> = scope
        .run(async {
            let mut connection = shop.connect();
            let transaction = connection.transaction()?;
            rename(&shop.cache, &transaction, 7, "Anna")?;
            tokio::task::yield_now().await;
            assert_eq!(names(&shop.cache, &transaction)?, "Anna, Bob");
            transaction.commit()
        })
        .await;
    done.unwrap();
    assert_eq!(shop.cache.blocking().get("user:7").unwrap(), Some("Ann".to_owned()), "not invalidated yet");
    scope.commit().await;
    assert_eq!(shop.read(), "Anna");
}
