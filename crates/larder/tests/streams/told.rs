//! What is told of a stream: its outcome, which is known later than the stream is there.

use larder::{CacheExt, NotStored, StreamOutcome};
use larder::{Source::Computed, Source::Hit};

use super::{BoxStream, Db, Stream, all, cached, next, of};

#[cached(ttl = 60, max_items = 3, key = "told:<most>", when = most != 9, cache = db.cache, skip(db))]
fn told(db: &Db, most: u64) -> impl Stream<Item = Result<u64, String>> {
    let _ = db.asked.call();
    of((0..most).map(|item| if item == 7 { Err("seven".to_owned()) } else { Ok(item) }))
}

#[cached(ttl = 60, key = "later:<most>", cache = db.cache, skip(db))]
async fn told_later(db: &Db, most: u64) -> BoxStream<'static, u64> {
    let _ = db.asked.call();
    Box::pin(of(0..most))
}

fn why(outcome: &StreamOutcome) -> Option<NotStored> {
    outcome.get().expect("all is known").why_not_stored
}

#[tokio::test]
async fn the_outcome_is_known_when_the_stream_has_ended() {
    let db = Db::new();
    let (stream, outcome) = told::with_outcome(&db, 2);
    let mut stream = std::pin::pin!(stream);
    assert_eq!(outcome.get(), None);
    assert_eq!(next(&mut stream).await, Some(Ok(0)));
    assert_eq!(outcome.get(), None);
    assert_eq!((next(&mut stream).await, next(&mut stream).await), (Some(Ok(1)), None));
    let told_so = outcome.get().unwrap();
    assert_eq!((told_so.source, told_so.why_not_stored), (Computed, None));
    assert!(told_so.ttl > super::secs(59));

    assert_eq!(all(told(&db, 2)).await.len(), 2);
    let (stream, outcome) = told::with_outcome(&db, 2);
    assert_eq!(all(stream).await.len(), 2);
    let told_so = outcome.get().unwrap();
    assert_eq!((told_so.source, told_so.tier), (Hit, Some(larder::Tier::Memory)));

    let (stream, outcome) = told_later::with_outcome(&db, 1).await;
    assert_eq!((all(stream).await.len(), why(&outcome)), (1, None));
    assert_eq!(all(told_later(&db, 1).await).await, [0]);
    let (_stream, outcome) = told_later::with_outcome(&db, 1).await;
    assert_eq!(outcome.get().unwrap().source, Hit, "known at once");
    assert_eq!(db.asked.made(), 2);
}

#[tokio::test]
async fn it_says_why_nothing_is_stored() {
    let db = Db::new();
    let (stream, outcome) = told::with_outcome(&db, 4);
    assert_eq!((all(stream).await.len(), why(&outcome)), (4, Some(NotStored::TooLong)));

    let (stream, outcome) = told::with_outcome(&db, 2);
    drop(stream);
    assert_eq!(outcome.get(), None, "it was never polled, and nothing was asked");
    let (stream, outcome) = told::with_outcome(&db, 2);
    {
        let mut stream = std::pin::pin!(stream);
        next(&mut stream).await;
    }
    assert_eq!(why(&outcome), Some(NotStored::Unfinished));

    let (stream, outcome) = told::with_outcome(&db, 9);
    assert_eq!(why(&outcome), Some(NotStored::PassedBy));
    assert_eq!(all(stream).await.len(), 9);

    let (stream, outcome) = told::with_outcome(&db, 1);
    let mut stream = std::pin::pin!(stream);
    next(&mut stream).await;
    db.cache.invalidate("told:1").await;
    assert_eq!((next(&mut stream).await, why(&outcome)), (None, Some(NotStored::Invalidated)));
}
