//! Sources, items and consumers that panic.

use super::*;

/// A value whose clone panics, and a source that does.
#[derive(Debug, serde::Serialize, serde::Deserialize)]
struct NoClone(u64);

impl Clone for NoClone {
    fn clone(&self) -> Self {
        panic!("it cannot be cloned")
    }
}

#[cached(ttl = 300, key = "panics:<source>", cache = db.cache, skip(db))]
fn panics(db: &Db, source: bool) -> impl Stream<Item = NoClone> {
    db.asked.call();
    assert!(!source, "it cannot be made");
    of([NoClone(1)])
}

#[test]
fn a_panic_loses_no_item_and_stores_none() {
    let db = Db::new();
    let mut context = Context::from_waker(Waker::noop());
    for _ in 0..2 {
        let mut stream = pin!(panics(&db, false));
        let item = stream.as_mut().poll_next(&mut context);
        assert!(matches!(item, Poll::Ready(Some(NoClone(1)))));
        assert!(matches!(stream.as_mut().poll_next(&mut context), Poll::Ready(None)));
    }
    static BEGUN: AtomicUsize = AtomicUsize::new(0);
    let panic = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        let mut stream = pin!(panics(&db, true));
        BEGUN.fetch_add(1, Ordering::Relaxed);
        let _ = stream.as_mut().poll_next(&mut context);
    }));
    assert!(panic.is_err() && BEGUN.load(Ordering::Relaxed) == 1);
    assert_eq!((db.asked.made(), db.cache.stats().stores), (3, 0));
}

/// A stream that cannot make its second item.
struct Mapped(std::ops::RangeInclusive<u64>);

impl Stream for Mapped {
    type Item = u64;

    fn poll_next(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<u64>> {
        let item = self.0.next();
        assert_ne!(item, Some(2), "this one cannot be made");
        Poll::Ready(item)
    }
}

#[cached(ttl = 300, key = "mapped", cache = db.cache, skip(db))]
fn mapped(db: &Db) -> impl Stream<Item = u64> {
    db.asked.call();
    Mapped(1..=3)
}

/// Its consumer catches the panic and goes on.
#[test]
fn a_list_that_lost_an_item_to_a_panic_is_not_stored() {
    let db = Db::new();
    let mut context = Context::from_waker(Waker::noop());
    let mut stream = pin!(mapped(&db));
    let mut taken = Vec::new();
    loop {
        let next = || stream.as_mut().poll_next(&mut context);
        match std::panic::catch_unwind(std::panic::AssertUnwindSafe(next)) {
            Ok(Poll::Ready(Some(item))) => taken.push(item),
            Ok(_) => break,
            Err(_) => {}
        }
    }
    assert_eq!((taken, db.cache.stats().stores), (vec![1, 3], 0));
}
