//! sea-orm: functions that take any connection, in a transaction that is committed by value.

use larder::{MemoryCache, cached, invalidate};
use sea_orm::{
    ActiveModelTrait, ActiveValue::Set, ConnectOptions, ConnectionTrait, Database, DatabaseConnection,
    DatabaseTransaction, DbErr, EntityTrait, TransactionTrait,
};

mod users {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
    #[sea_orm(table_name = "users")]
    pub struct Model {
        #[sea_orm(primary_key)]
        pub id: i64,
        pub name: String,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

/// As in the guide.
async fn in_transaction<T>(
    db: &DatabaseConnection,
    work: impl AsyncFnOnce(&DatabaseTransaction) -> Result<T, DbErr>,
) -> Result<T, DbErr> {
    let scope = larder::deferred();
    let done = scope
        .run(async {
            let tx = db.begin().await?;
            let value = work(&tx).await?;
            tx.commit().await?;
            Ok(value)
        })
        .await;
    if done.is_ok() {
        scope.commit().await;
    }
    done
}

#[cached(ttl = 300, key = "user:<id>", local, cache = cache, skip(cache, db))]
async fn user(
    cache: &MemoryCache,
    db: &impl ConnectionTrait,
    id: i64,
) -> Result<Option<users::Model>, DbErr> {
    users::Entity::find_by_id(id).one(db).await
}

#[invalidate("user:<id>", cache = cache)]
async fn rename(cache: &MemoryCache, db: &impl ConnectionTrait, id: i64, name: &str) -> Result<(), DbErr> {
    let renamed = users::ActiveModel { id: Set(id), name: Set(name.to_owned()) };
    renamed.update(db).await.map(drop)
}

async fn read(cache: &MemoryCache, db: &DatabaseConnection) -> Result<String, DbErr> {
    Ok(user(cache, db, 7).await?.map(|user| user.name).unwrap_or_default())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_committed_is_read_and_nothing_else() -> Result<(), DbErr> {
    let folder = tempfile::tempdir().map_err(|error| DbErr::Custom(error.to_string()))?;
    let url = format!("sqlite://{}?mode=rwc", folder.path().join("users.sqlite").display());
    let mut options = ConnectOptions::new(url);
    // For SQLite it is one otherwise, and another request would wait for the transaction.
    options.max_connections(4);
    let (db, cache) = (Database::connect(options).await?, MemoryCache::new(100));
    db.execute_unprepared(
        "PRAGMA journal_mode = WAL;
         CREATE TABLE users (id INTEGER PRIMARY KEY, name TEXT NOT NULL);
         INSERT INTO users VALUES (7, 'Ann');",
    )
    .await?;

    assert_eq!(read(&cache, &db).await?, "Ann");
    let renamed = in_transaction(&db, async |tx| {
        rename(&cache, tx, 7, "Anna").await?;
        // Another request, before the commit.
        assert_eq!(read(&cache, &db).await?, "Ann");
        user(&cache, tx, 7).await
    });
    assert_eq!(renamed.await?.map(|user| user.name).as_deref(), Some("Anna"));
    assert_eq!(read(&cache, &db).await?, "Anna");

    let failed: Result<(), DbErr> = in_transaction(&db, async |tx| {
        rename(&cache, tx, 7, "Bob").await?;
        Err(DbErr::Custom("no".to_owned()))
    })
    .await;
    assert!(failed.is_err());
    assert_eq!(read(&cache, &db).await?, "Anna", "what was rolled back is not kept");
    Ok(())
}
