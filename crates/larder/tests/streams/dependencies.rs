//! What covers the list of a stream, and what is made from it.

use super::*;

async fn part(db: &Db, number: u64) -> u64 {
    let key = format!("part:{number}");
    db.cache.get_or_compute(&key, long(), async || Ok::<_, String>(number * 10)).await.unwrap()
}

/// Reads from the cache while it is polled, an item at a time.
#[cached(ttl = 300, key = "parts", cache = db.cache, skip(db))]
fn parts(db: &Db) -> impl Stream<Item = u64> {
    db.asked.call();
    Source((1..=3).map(|number| Box::pin(part(db, number)) as _).collect())
}

/// Reads from it before there is a stream.
#[cached(ttl = 300, key = "later", cache = db.cache, skip(db))]
async fn later(db: &Db) -> BoxStream<'static, u64> {
    db.asked.call();
    let first = part(db, 9).await;
    Box::pin(of([first, 1]))
}

#[tokio::test]
async fn what_the_source_reads_covers_the_list() {
    for number in 1..=3 {
        let db = Db::new();
        assert_eq!(all(parts(&db)).await, [10, 20, 30]);
        assert_eq!(all(parts(&db)).await, [10, 20, 30]);
        assert_eq!(db.asked.made(), 1);
        drop(db.cache.invalidate(Scope::key(format!("part:{number}"))));
        assert_eq!(db.kept("parts").await, None, "{number}");
    }
    let db = Db::new();
    assert_eq!(all(later(&db).await).await, [90, 1]);
    assert_eq!(all(later(&db).await).await, [90, 1]);
    assert_eq!(db.asked.made(), 1);
    drop(db.cache.invalidate("part:9"));
    assert_eq!(db.kept("later").await, None);

    // What was read first changes while the rest is read.
    let db = Db::new();
    let mut stream = pin!(parts(&db));
    assert_eq!(next(&mut stream).await, Some(10));
    drop(db.cache.invalidate("part:1"));
    assert_eq!(all(stream).await, [20, 30]);
    assert_eq!(db.kept("parts").await, None);
}

/// A computation that takes the items of a stream, all of them or the first one, made here or elsewhere.
#[tokio::test]
async fn what_a_stream_is_made_from_covers_what_is_made_from_it() {
    for (is_stored, takes) in [(false, 3), (false, 1), (true, 3), (true, 1)] {
        let db = Db::new();
        if is_stored {
            all(parts(&db)).await;
        }
        let sum = db.cache.get_or_compute("sum", long(), || async {
            let mut stream = pin!(parts(&db));
            let mut sum = 0;
            for _ in 0..takes {
                sum += next(&mut stream).await.unwrap();
            }
            Ok::<_, String>(sum)
        });
        sum.await.unwrap();
        for scope in ["part:1", "parts"] {
            assert!(db.cache.get::<u64>("sum").await.unwrap().is_some());
            drop(db.cache.invalidate(scope));
            assert_eq!(db.cache.get::<u64>("sum").await.unwrap(), None, "{is_stored} {takes} {scope}");
            db.cache
                .get_or_compute("sum", long(), || async {
                    let mut stream = pin!(parts(&db));
                    Ok::<_, String>(next(&mut stream).await.unwrap())
                })
                .await
                .unwrap();
        }
    }
}

#[tokio::test]
async fn a_computation_depends_on_what_it_had_a_stream_read_that_began_elsewhere() {
    let db = Db::new();
    let mut stream = Box::pin(parts(&db));
    assert_eq!(next(&mut stream).await, Some(10));
    let item = async { Ok::<_, String>(next(&mut stream).await.unwrap()) };
    assert_eq!(db.cache.get_or_compute("item", long(), || item).await, Ok(20));
    drop(db.cache.invalidate("part:2"));
    assert_eq!(db.cache.get::<u64>("item").await.unwrap(), None);
}
