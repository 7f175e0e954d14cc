//! Batches by size and delay, coalescing, order.

use std::time::Instant;

use larder::write_behind::{WhenFull, WriteBehind};

use crate::database::{Database, LONG, Mood, builder, eventually, ms};

fn row(key: &str, value: u64) -> (String, u64) {
    (key.to_owned(), value)
}

#[tokio::test]
async fn a_batch_goes_when_it_is_full() {
    let database = Database::default();
    let queue = builder().max_batch(3).max_delay(LONG).start(database.clone()).unwrap();
    for (key, value) in [("a", 1), ("b", 2), ("a", 3)] {
        queue.write(key, &value).await.unwrap();
    }
    tokio::time::sleep(ms(50)).await;
    assert_eq!(database.tried(), 0, "two keys are no batch of three");
    queue.write("c", &4).await.unwrap();
    eventually(|| database.tried() > 0).await;
    assert_eq!(database.batches(), [[row("a", 3), row("b", 2), row("c", 4)]]);
}

#[tokio::test]
async fn a_batch_goes_when_its_first_write_has_waited_long_enough() {
    let database = Database::default();
    let queue = builder().max_delay(ms(100)).start(database.clone()).unwrap();
    let begun = Instant::now();
    queue.write("a", &1).await.unwrap();
    queue.write("b", &2).await.unwrap();
    eventually(|| database.tried() > 0).await;
    assert!(begun.elapsed() >= ms(100), "{:?}", begun.elapsed());
    assert_eq!(database.batches(), [[row("a", 1), row("b", 2)]]);
    eventually(|| queue.stats().written == 2).await;
    let stats = queue.stats();
    assert_eq!((stats.acknowledged, stats.coalesced, stats.batches), (2, 0, 1), "{stats:?}");
}

#[tokio::test]
async fn the_last_write_of_a_key_stands_for_all_in_a_batch() {
    let database = Database::default();
    let queue = builder().max_delay(LONG).start(database.clone()).unwrap();
    for value in 1..=5 {
        queue.write("a", &value).await.unwrap();
    }
    let last = queue.write("b", &1).await.unwrap();
    assert!(queue.flush(LONG).await.unwrap());
    assert_eq!(database.batches(), [[row("a", 5), row("b", 1)]]);
    assert_eq!(database.ids("b"), [last]);
    assert_eq!((queue.stats().written, queue.stats().coalesced), (6, 4));
}

#[tokio::test]
async fn writes_are_merged_in_their_order() {
    let database = Database::default();
    let queue =
        builder().max_delay(LONG).merge(|older, newer| older * 10 + newer).start(database.clone()).unwrap();
    for value in 1..=4 {
        queue.write("a", &value).await.unwrap();
    }
    assert!(queue.flush(LONG).await.unwrap());
    assert_eq!(database.batches(), [[row("a", 1234)]]);
}

#[tokio::test]
async fn all_writes_are_kept_where_that_is_asked_for() {
    let database = Database::default();
    let queue = builder().max_delay(LONG).max_batch(3).keep_all().start(database.clone()).unwrap();
    for value in 1..=4 {
        queue.write("a", &value).await.unwrap();
    }
    assert!(queue.flush(LONG).await.unwrap());
    assert_eq!(database.batches(), [vec![row("a", 1), row("a", 2), row("a", 3)], vec![row("a", 4)]]);
}

/// Whatever fails in between.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_writes_of_a_key_arrive_in_their_order() {
    const KEYS: [&str; 4] = ["a", "b", "c", "d"];
    let database = Database::default();
    let queue = builder().max_batch(7).keep_all().attempts(1_000_000).start(database.clone()).unwrap();
    let writing = async |queue: WriteBehind<u64>, key: &'static str| {
        for value in 0..100 {
            queue.write(key, &value).await.unwrap();
            tokio::task::yield_now().await;
        }
    };
    let writers: Vec<_> = KEYS
        .into_iter()
        .map(|key| {
            let (queue, writing) = (queue.clone(), writing);
            tokio::spawn(async move { writing(queue, key).await })
        })
        .collect();
    for round in 0..30 {
        let key = KEYS[round % KEYS.len()];
        match round % 3 {
            0 => database.poison(key),
            1 => database.fails(key, false),
            _ => database.heal(),
        }
        tokio::time::sleep(ms(5)).await;
    }
    database.heal();
    for writer in writers {
        writer.await.unwrap();
    }
    assert!(queue.flush(LONG).await.unwrap());
    for key in KEYS {
        let history = database.history(key);
        // What was written and then named behind one that failed comes once more, after it.
        let mut seen = 0;
        for value in &history {
            assert!(*value <= seen, "{key}: {value} came before {seen} in {history:?}");
            seen = seen.max(value + 1);
        }
        assert_eq!((seen, database.row(key)), (100, Some(99)));
    }
}

#[tokio::test]
async fn many_writes_are_taken_in_their_order() {
    let database = Database::default();
    let queue = builder().keep_all().start(database.clone()).unwrap();
    let writes: Vec<_> = (0..2_500).map(|value| ((value % 7).to_string(), value)).collect();
    let ids = queue.write_many(&writes).await.unwrap();
    assert_eq!(ids.len(), 2_500);
    assert!(ids.is_sorted_by(|one, other| one < other));
    assert!(queue.flush(LONG).await.unwrap());
    for key in 0..7 {
        let values: Vec<u64> = (0..2_500).filter(|value| value % 7 == key).collect();
        assert_eq!(database.history(&key.to_string()), values);
    }
    assert_eq!(database.ids("0").last(), Some(&ids[2_499]));
    assert_eq!(queue.stats().acknowledged, 2_500);
    assert_eq!(queue.write_many::<&str>(&[]).await.unwrap(), []);
    let error = queue.write_many(&[("a", 1), ("", 2)]).await.unwrap_err();
    assert!(error.is_invalid_key() && queue.depth().await.unwrap().waiting == 0, "{error}");
    assert_eq!(queue.stop(LONG).await.unwrap(), 0);
    assert!(queue.write_many(&[("a", 1)]).await.unwrap_err().is_queue_stopped());
}

#[tokio::test]
async fn many_writes_to_a_full_queue_are_taken_as_told() {
    let database = Database::default();
    database.is(Mood::Away);
    let writes: Vec<_> = (0..8).map(|value| ("a", value)).collect();
    let queue = builder().max_waiting(10).keep_all().when_full(WhenFull::Fail);
    let queue = queue.start(database.clone()).unwrap();
    queue.write_many(&writes).await.unwrap();
    let error = queue.write_many(&writes).await.unwrap_err();
    assert!(error.is_queue_full() && queue.depth().await.unwrap().waiting == 8, "{error}: none of them");
    let error = queue.write_many(&[("a", 0); 11]).await.unwrap_err();
    assert!(error.is_queue_full() && error.to_string().contains("11 writes at once never fit"), "{error}");
    queue.write_many(&writes[..2]).await.unwrap();

    // More than ever fit at once, as room for them is made.
    let patient = builder().max_waiting(10).keep_all().when_full(WhenFull::Wait(LONG));
    let patient = patient.start(database.clone()).unwrap();
    let writing = tokio::spawn(async move { patient.write_many(&[("b", 1); 35]).await.unwrap().len() });
    tokio::time::sleep(ms(20)).await;
    database.heal();
    assert_eq!(writing.await.unwrap(), 35);
}
