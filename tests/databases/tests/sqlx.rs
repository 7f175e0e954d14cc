//! sqlx: functions that take a connection, in a transaction.

use larder::{MemoryCache, cached, invalidate};
use sqlx::{SqliteConnection, SqlitePool, sqlite::SqliteConnectOptions};

/// As in the guide, for SQLite.
async fn in_transaction<T, E: From<sqlx::Error>>(
    pool: &SqlitePool,
    work: impl AsyncFnOnce(&mut SqliteConnection) -> Result<T, E>,
) -> Result<T, E> {
    let scope = larder::deferred();
    let done = scope
        .run(async {
            let mut tx = pool.begin().await?;
            let value = work(&mut tx).await?;
            tx.commit().await?;
            Ok(value)
        })
        .await;
    if done.is_ok() {
        scope.commit().await;
    }
    done
}

#[cached(ttl = 300, key = "user:<id>", cache = cache, skip(cache, db))]
async fn user(cache: &MemoryCache, db: &mut SqliteConnection, id: i64) -> sqlx::Result<String> {
    sqlx::query_scalar("SELECT name FROM users WHERE id = ?").bind(id).fetch_one(db).await
}

#[invalidate("user:<id>", cache = cache)]
async fn rename(cache: &MemoryCache, db: &mut SqliteConnection, id: i64, name: &str) -> sqlx::Result<()> {
    sqlx::query("UPDATE users SET name = ? WHERE id = ?").bind(name).bind(id).execute(db).await.map(drop)
}

/// What another request sees.
async fn read(cache: &MemoryCache, pool: &SqlitePool) -> sqlx::Result<String> {
    user(cache, &mut *pool.acquire().await?, 7).await
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_committed_is_read_and_nothing_else() -> sqlx::Result<()> {
    let folder = tempfile::tempdir()?;
    let options = SqliteConnectOptions::new()
        .filename(folder.path().join("users.sqlite"))
        .create_if_missing(true)
        .pragma("journal_mode", "WAL");
    let (pool, cache) = (SqlitePool::connect_with(options).await?, MemoryCache::new(100));
    sqlx::query("CREATE TABLE users (id INTEGER PRIMARY KEY, name TEXT NOT NULL)").execute(&pool).await?;
    sqlx::query("INSERT INTO users VALUES (7, 'Ann')").execute(&pool).await?;

    assert_eq!(read(&cache, &pool).await?, "Ann");
    let renamed = in_transaction(&pool, async |tx| {
        rename(&cache, tx, 7, "Anna").await?;
        // Another request, before the commit.
        assert_eq!(read(&cache, &pool).await?, "Ann");
        user(&cache, tx, 7).await
    });
    assert_eq!(renamed.await?, "Anna");
    assert_eq!(read(&cache, &pool).await?, "Anna");

    let failed: sqlx::Result<()> = in_transaction(&pool, async |tx| {
        rename(&cache, tx, 7, "Bob").await?;
        assert_eq!(user(&cache, tx, 7).await?, "Bob");
        Err(sqlx::Error::RowNotFound)
    })
    .await;
    assert!(failed.is_err());
    assert_eq!(read(&cache, &pool).await?, "Anna", "what was rolled back is not kept");
    Ok(())
}
