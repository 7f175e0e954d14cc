//! What is sealed says nothing to those who read the tables, and nothing of theirs is served.

use std::time::Duration;

use larder::{CacheExt, SealKey};
use larder_sql::{SqlCache, SqlCacheBuilder};
use sqlx::{Connection, Executor, PgConnection, Row, SqliteConnection};

use crate::places::{Place, eventually, gone, policy};

const SECRET: &str = "a value that is to be read by no other";
const KEY: &str = "person:ada@example.org";
const LONG: Duration = Duration::from_secs(60);

fn key(digits: &str) -> SealKey {
    SealKey::from_hex(&digits.repeat(32)).unwrap()
}

async fn sealed(place: &Place) -> SqlCache {
    place.builder().seal(key("01")).hash_keys(key("02")).connect().await.unwrap()
}

async fn connect(builder: SqlCacheBuilder) -> SqlCache {
    builder.connect().await.unwrap()
}

/// What is in a column, as one text.
async fn column(place: &Place, table: &str, column: &str) -> String {
    let query = format!("SELECT {column} FROM {}_{table}", place.prefix);
    let rows: Vec<Vec<u8>> = if place.is_sqlite() {
        let mut link = SqliteConnection::connect(&place.url).await.unwrap();
        link.fetch_all(&*query).await.unwrap().iter().map(|row| row.get(0)).collect()
    } else {
        let mut link = PgConnection::connect(&place.url).await.unwrap();
        link.fetch_all(&*query).await.unwrap().iter().map(|row| row.get(0)).collect()
    };
    String::from_utf8_lossy(&rows.concat()).into_owned()
}

/// All that is in the tables.
async fn dump(place: &Place) -> String {
    let mut text = String::new();
    for (table, name) in [
        ("entries", "key"),
        ("entries", "message"),
        ("log", "record"),
        ("counters", "key"),
        ("leases", "key"),
        ("locks", "name"),
    ] {
        text += &column(place, table, name).await;
    }
    text
}

async fn share(from: &SqlCache, to: &SqlCache, key: &str) {
    eventually("a value is shared", async || {
        from.insert(key, &SECRET.to_owned(), policy()).await.unwrap();
        to.get::<String>(key).await.unwrap().as_deref() == Some(SECRET)
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn those_who_read_the_tables_learn_neither_values_nor_keys() {
    for place in Place::all() {
        let (a, b) = (sealed(&place).await, sealed(&place).await);
        share(&a, &b, KEY).await;
        assert_eq!(a.increment("counter:ada", 2, None).await.unwrap(), 2);
        assert_eq!(b.increment("counter:ada", 1, None).await.unwrap(), 3, "both count by one name");
        let held = a.try_lock("lock:ada", LONG).await.unwrap().expect("it is free");
        assert!(b.try_lock("lock:ada", LONG).await.unwrap().is_none());
        let computed = a.get_or_compute("lease:ada", policy(), async || {
            let text = dump(&place).await;
            assert!(!text.contains("ada") && !text.contains(SECRET), "{text}");
            assert!(text.matches('#').count() >= 4, "an entry, a lease, a counter and a lock: {text}");
            Ok::<_, String>(1_u64)
        });
        assert_eq!(computed.await, Ok(1));
        assert!(held.release().await.unwrap());
        // What is invalidated is deleted, and a counter with it, whatever they are called there.
        a.invalidate("counter:ada").await;
        eventually("a counter is deleted", async || b.counter("counter:ada").await.unwrap() == 0).await;
        b.invalidate(KEY).await;
        eventually("an invalidation arrives", async || a.get::<String>(KEY).await.unwrap().is_none()).await;
        let entries = "SELECT count(*) FROM {}_entries";
        eventually("an entry is deleted", async || place.count(entries).await <= 1).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_moved_or_is_not_sealed_with_a_known_key_is_a_miss() {
    for place in Place::all() {
        let seals = || place.builder().seal(key("01"));
        let (a, b) = (connect(seals()).await, connect(seals()).await);
        share(&a, &b, "one").await;
        share(&a, &b, "two").await;
        let text = dump(&place).await;
        assert!(text.contains("two") && !text.contains(SECRET), "keys are not hashed: {text}");
        let quoted = |key: &str| match place.is_sqlite() {
            true => format!("CAST('k{key}' AS BLOB)"),
            false => format!("'k{key}'::bytea"),
        };
        let one = format!("SELECT message FROM {{}}_entries WHERE key = {}", quoted("one"));
        place
            .execute(&format!("UPDATE {{}}_entries SET message = ({one}) WHERE key = {}", quoted("two")))
            .await;
        assert_eq!(b.get::<String>("two").await.unwrap(), None, "it was moved");
        assert_eq!(b.stats().shared_not_authentic, 1);
        assert_eq!(b.get::<String>("one").await.unwrap().as_deref(), Some(SECRET));

        let plain = place.plain().await;
        assert_eq!(plain.get::<String>("one").await.unwrap(), None, "it has no key");
        share(&plain, &plain, "one").await;
        assert_eq!(b.get::<String>("one").await.unwrap(), None, "it is not sealed");
        let other = connect(place.builder().seal(key("03"))).await;
        share(&other, &other, "one").await;
        assert_eq!(b.get::<String>("one").await.unwrap(), None, "sealed with another key");
        let reasons: Vec<_> = b.link().rejections.iter().map(|rejection| rejection.reason).collect();
        for reason in ["not_authentic", "unsealed", "unknown_key"] {
            assert!(reasons.contains(&reason), "{reasons:?}");
        }
        // Invalidations are heard by all.
        a.insert("three", &3_u64, policy()).await.unwrap();
        plain.invalidate("three").await;
        gone(&a, "three").await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn names_are_not_hashed_of_what_is_not_sealed() {
    let refused = Place::sqlite().builder().hash_keys(key("02")).connect_lazily().unwrap_err();
    assert!(refused.to_string().contains("hash_keys needs `seal`"), "{refused}");
}
