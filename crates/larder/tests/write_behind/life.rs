//! Beginning and end.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use larder::write_behind::{Batch, SinkError, WhenFull, WriteBehind};

use crate::database::{Database, LONG, Mood, builder, eventually, ms};

#[tokio::test]
async fn a_closure_is_a_sink() {
    let rows = Arc::new(Mutex::new(Vec::new()));
    let sink = {
        let rows = rows.clone();
        move |batch: Batch<String>| {
            let rows = rows.clone();
            async move {
                let number: u32 = "7".parse()?;
                rows.lock().unwrap().extend(batch.iter().map(|write| (number, write.value().clone())));
                Ok::<_, SinkError>(())
            }
        }
    };
    let queue = WriteBehind::builder("names").start(sink).unwrap();
    queue.write("1", &"Ada".to_owned()).await.unwrap();
    assert!(queue.flush(LONG).await.unwrap());
    assert_eq!(*rows.lock().unwrap(), [(7, "Ada".to_owned())]);
}

#[tokio::test]
async fn stop_writes_what_there_is() {
    let database = Database::default();
    let queue = builder().max_delay(LONG).max_batch(10).start(database.clone()).unwrap();
    for value in 0..25 {
        queue.write(&value.to_string(), &value).await.unwrap();
    }
    assert_eq!(queue.clone().stop(LONG).await.unwrap(), 0);
    assert_eq!(database.batches().iter().flatten().count(), 25);
    let error = queue.write("a", &1).await.unwrap_err();
    assert!(error.is_queue_stopped() && error.to_string().contains("rows"), "{error}");
    assert_eq!(queue.stop(LONG).await.unwrap(), 0, "twice is once");
}

#[tokio::test]
async fn stop_breaks_off_what_takes_too_long() {
    let database = Database::default();
    database.is(Mood::Hangs);
    let queue = builder().start(database.clone()).unwrap();
    queue.write("a", &1).await.unwrap();
    eventually(|| database.tried() == 1).await;
    assert_eq!(queue.stop(ms(50)).await.unwrap(), 1);
    eventually(|| database.dropped() == 1).await;
}

/// The first one is dropped, or another clone's.
#[tokio::test]
async fn each_stop_waits_for_the_end() {
    let database = Database::default();
    let queue = builder().max_delay(LONG).retry_pauses(ms(1), ms(1)).start(database.clone()).unwrap();
    database.is(Mood::Away);
    queue.write("a", &1).await.unwrap();
    assert!(tokio::time::timeout(ms(20), queue.stop(LONG)).await.is_err());
    let (first, second) = (queue.clone(), queue.clone());
    let healed = async {
        tokio::time::sleep(ms(20)).await;
        database.heal();
    };
    let (first, second, ()) = tokio::join!(first.stop(LONG), second.stop(LONG), healed);
    assert_eq!((first.unwrap(), second.unwrap(), database.row("a")), (0, 0, Some(1)));
}

#[tokio::test]
async fn a_second_stop_breaks_off_too() {
    let database = Database::default();
    database.is(Mood::Hangs);
    let queue = builder().start(database.clone()).unwrap();
    queue.write("a", &1).await.unwrap();
    eventually(|| database.tried() == 1).await;
    assert!(tokio::time::timeout(ms(20), queue.stop(LONG)).await.is_err());
    assert_eq!((queue.stop(ms(20)).await.unwrap(), queue.stats().consuming), (1, false));
    eventually(|| database.dropped() == 1).await;
}

/// As a static queue in a program that has a runtime for each test.
#[test]
fn a_queue_in_memory_takes_nothing_once_its_runtime_is_gone() {
    let runtime = || tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let database = Database::default();
    let queue = runtime().block_on(async {
        let queue = builder().start(database.clone()).unwrap();
        queue.write("a", &1).await.unwrap();
        assert!(queue.flush(LONG).await.unwrap());
        queue
    });
    runtime().block_on(async {
        let error = queue.write("a", &2).await.unwrap_err();
        assert!(error.is_queue_stopped(), "{error}");
        assert_eq!((queue.stop(LONG).await.unwrap(), database.row("a")), (0, Some(1)));
    });
}

#[tokio::test]
async fn flush_says_what_is_not_written() {
    let database = Database::default();
    database.is(Mood::Away);
    let queue = builder().start(database.clone()).unwrap();
    assert!(queue.flush(Duration::ZERO).await.unwrap(), "there is nothing");
    queue.write("a", &1).await.unwrap();
    assert!(!queue.flush(ms(30)).await.unwrap());
    database.heal();
    assert!(queue.flush(LONG).await.unwrap());
}

#[tokio::test]
async fn a_limit_may_be_as_long_as_can_be() {
    let database = Database::default();
    let build = || builder().max_waiting(1).when_full(WhenFull::Wait(Duration::MAX));
    let queue = build().start(database.clone()).unwrap();
    for value in 0..3 {
        queue.write("a", &value).await.unwrap();
    }
    assert!(queue.flush(Duration::MAX).await.unwrap());
    assert_eq!((queue.stop(Duration::MAX).await.unwrap(), database.row("a")), (0, Some(2)));
}

/// In memory there is none that would write it.
#[tokio::test]
async fn what_is_replayed_after_the_end_stays_a_dead_letter() {
    let database = Database::default();
    database.fails("bad", true);
    let queue = builder().start(database.clone()).unwrap();
    queue.write("bad", &1).await.unwrap();
    eventually(|| queue.stats().dead == 1).await;
    assert_eq!(queue.stop(LONG).await.unwrap(), 0);
    let letters = queue.dead_letters(1).await.unwrap();
    let error = queue.replay(&[letters[0].id]).await.unwrap_err();
    assert!(error.is_queue_stopped(), "{error}");
    let depth = queue.depth().await.unwrap();
    assert_eq!((depth.waiting, depth.dead), (0, 1));
}

/// Whatever is acknowledged while others stop the queue is written.
#[test]
fn what_is_acknowledged_while_the_queue_stops_is_written() {
    const WRITERS: usize = 4;
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(WRITERS).enable_all().build();
    let runtime = runtime.unwrap();
    for _ in 0..100 {
        let database = Database::default();
        let queue = runtime.block_on(async { builder().keep_all().start(database.clone()).unwrap() });
        let writers: Vec<_> = (0..WRITERS)
            .map(|writer| {
                let queue = queue.clone();
                runtime.spawn(async move {
                    let mut acknowledged = 0;
                    while queue.write(&writer.to_string(), &1).await.is_ok() {
                        acknowledged += 1;
                        tokio::task::yield_now().await;
                    }
                    acknowledged
                })
            })
            .collect();
        runtime.block_on(async {
            tokio::time::sleep(ms(1)).await;
            assert_eq!(queue.stop(LONG).await.unwrap(), 0);
            let mut acknowledged = 0;
            for writer in writers {
                acknowledged += writer.await.unwrap();
            }
            assert_eq!(database.batches().iter().flatten().count(), acknowledged);
        });
    }
}

/// In memory there is no other one to write it.
#[tokio::test]
async fn what_waits_when_the_last_handle_goes_is_written() {
    let database = Database::default();
    let queue = builder().max_delay(LONG).start(database.clone()).unwrap();
    queue.write("a", &1).await.unwrap();
    drop(queue);
    eventually(|| database.row("a") == Some(1)).await;
}

#[tokio::test]
async fn wrong_settings_are_named() {
    let text = |builder: larder::write_behind::WriteBehindBuilder<u64>| {
        let error = builder.start(Database::default()).unwrap_err();
        assert!(error.is_invalid_configuration(), "{error}");
        error.to_string()
    };
    assert!(text(builder().max_batch(0)).contains("max_batch is 0"));
    assert!(text(builder().deadline(Duration::ZERO)).contains("deadline is 0ns"));
    assert!(text(builder().retry_pauses(ms(20), ms(10))).contains("the longest pause is 10ms"));
    assert!(text(WriteBehind::builder("a{b}")).contains("a{b}"));
    assert!(text(WriteBehind::builder("")).contains("name"));
    assert!(text(builder().attempts(0)).contains("attempts"));
    let queue = builder().start(Database::default()).unwrap();
    assert!(queue.write("", &1).await.unwrap_err().is_invalid_key());
    let error = queue.write_cached("a", &1, "a", larder::Policy::ttl(LONG)).await.unwrap_err();
    assert!(error.to_string().contains("has no cache"), "{error}");
}
