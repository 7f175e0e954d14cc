//! Streams that one computation begins, or none, and that another one consumes.

use super::*;

#[cached(ttl = 300, key = "orders:<id>", cache = db.cache, skip(db))]
async fn orders(db: &Db, id: u64) -> BoxStream<'static, u64> {
    db.asked.call();
    Box::pin(of([id, id + 1]))
}

/// Its second item is made of what it read for its first.
#[cached(ttl = 300, key = "parts", cache = db.cache, skip(db))]
async fn parts(db: &Db) -> BoxStream<'_, u64> {
    let first = db.cache.get_or_compute("part:1", long(), async || Ok::<_, ()>(1)).await.unwrap();
    Box::pin(of([first, first + 1]))
}

impl Db {
    /// What is cached as `key`, computed from the rest of a stream.
    async fn sum(&self, key: &str, stream: impl Stream<Item = u64> + Send) -> u64 {
        let computing = async move || Ok::<_, ()>(all(stream).await.into_iter().sum());
        in_time(self.cache.get_or_compute(key, long(), computing)).await.unwrap()
    }

    async fn kept_sum(&self, key: &str) -> Option<u64> {
        self.cache.get(key).await.unwrap()
    }
}

#[tokio::test]
async fn what_is_computed_from_a_stored_stream_depends_on_it() {
    let db = Db::new();
    all(orders(&db, 7).await).await;
    let rows = orders(&db, 7).await;
    assert_eq!(db.sum("total", rows).await, 15);
    assert_eq!((db.kept_sum("total").await, db.asked.made()), (Some(15), 1));
    orders::invalidate(&db, 7).await;
    assert_eq!(db.kept_sum("total").await, None);
}

#[tokio::test]
async fn what_is_computed_from_a_stream_that_was_begun_depends_on_its_key() {
    let db = Db::new();
    let mut rows = orders(&db, 7).await;
    let first = async || Ok::<_, ()>(next(&mut rows).await.unwrap());
    assert_eq!(db.cache.get_or_compute("first", long(), first).await, Ok(7));
    assert_eq!(db.sum("rest", rows).await, 8);
    assert_eq!((db.kept_sum("first").await, db.kept_sum("rest").await), (Some(7), Some(8)));
    orders::invalidate(&db, 7).await;
    assert_eq!((db.kept_sum("first").await, db.kept_sum("rest").await), (None, None));
}

/// It was found, or read, before that, and the computation begins after that.
#[tokio::test]
async fn what_is_computed_from_a_stream_that_was_invalidated_meanwhile_is_not_stored() {
    let db = Db::new();
    all(orders(&db, 7).await).await;
    let found = orders(&db, 7).await;
    orders::invalidate(&db, 7).await;
    assert_eq!((db.sum("found", found).await, db.kept_sum("found").await), (15, None));

    let begun = parts(&db).await;
    db.cache.invalidate("part:1").await;
    assert_eq!((db.sum("begun", begun).await, db.kept_sum("begun").await), (3, None));

    // Nor is what that is computed in, which began later too.
    let begun = parts(&db).await;
    db.cache.invalidate("part:1").await;
    let outer = async || Ok::<_, ()>(db.sum("inner", begun).await);
    assert_eq!(db.cache.get_or_compute("outer", long(), outer).await, Ok(3));
    assert_eq!((db.kept_sum("inner").await, db.kept_sum("outer").await), (None, None));

    let begun = parts(&db).await;
    db.cache.invalidate("other").await;
    assert_eq!((db.sum("begun", begun).await, db.kept_sum("begun").await), (3, Some(3)));
    db.cache.invalidate("part:1").await;
    assert_eq!(db.kept_sum("begun").await, None, "what was read before it began covers it");
}

/// They have asked after the invalidation.
#[tokio::test]
async fn those_who_wait_are_not_given_what_is_older_than_they_are() {
    let db = Db::new();
    let begun = parts(&db).await;
    db.cache.invalidate("part:1").await;
    let computing = Calls::default();
    let (first, second) = tokio::join!(
        db.cache.get_or_compute("sum", long(), async || {
            computing.call();
            tokio::task::yield_now().await;
            Ok::<_, ()>(all(begun).await.into_iter().sum::<u64>())
        }),
        db.cache.get_or_compute("sum", long(), async || {
            computing.call();
            Ok::<_, ()>(0_u64)
        }),
    );
    assert_eq!((first, second, computing.made()), (Ok(3), Ok(0), 2));
}
