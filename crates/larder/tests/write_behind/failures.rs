//! Sinks that fail, panic and hang; dead letters; back-pressure.

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering::SeqCst},
        mpsc,
    },
    thread,
};

use larder::write_behind::{Batch, QueueDepth, SinkError, WhenFull, WriteBehind};

use crate::database::{Database, LONG, Mood, builder, eventually, ms};

/// The others are written, and what comes after it of its own key too.
#[tokio::test]
async fn a_write_that_fails_its_batch_is_found_and_set_aside() {
    let database = Database::default();
    let queue = builder().max_delay(ms(20)).attempts(3).start(database.clone()).unwrap();
    database.poison("k13");
    for value in 0..40 {
        queue.write(&format!("k{value}"), &value).await.unwrap();
    }
    eventually(|| queue.stats().written == 39).await;
    // It has failed alone before any other succeeded, or after: others have to be written in between.
    for value in 100.. {
        queue.write("other", &value).await.unwrap();
        tokio::time::sleep(ms(5)).await;
        if queue.stats().dead == 1 {
            break;
        }
        assert!(value < 2_000, "{:?}", queue.stats());
    }
    let letters = queue.dead_letters(10).await.unwrap();
    let [letter] = &letters[..] else { panic!("{letters:?}") };
    assert_eq!((&*letter.key, letter.value), ("k13", Some(13)));
    assert!(letter.reason.contains("k13 breaks a constraint"), "{letter:?}");

    database.heal();
    assert_eq!(
        queue.replay(&[letter.id, letter.write]).await.unwrap(),
        1,
        "only one of these is a dead letter"
    );
    assert!(queue.flush(LONG).await.unwrap());
    assert_eq!((database.row("k13"), queue.depth().await.unwrap()), (Some(13), QueueDepth::default()));
}

#[tokio::test]
async fn an_outage_gives_nothing_up() {
    let database = Database::default();
    let queue = builder().attempts(1).start(database.clone()).unwrap();
    for mood in [Mood::Away, Mood::Panics] {
        database.is(mood);
        for value in 0..5 {
            queue.write(&format!("k{value}"), &value).await.unwrap();
        }
        let before = database.tried();
        eventually(|| database.tried() > before + 20).await;
        assert_eq!(queue.stats().dead, 0);
        assert!(!queue.stats().last_failure.is_empty());
        database.heal();
        assert!(queue.flush(LONG).await.unwrap());
    }
    assert_eq!((queue.stats().dead, &*queue.stats().last_failure), (0, ""));
    assert_eq!(database.history("k3"), [3, 3]);
}

#[tokio::test]
async fn a_sink_that_hangs_is_broken_off() {
    let database = Database::default();
    let queue = builder().deadline(ms(50)).start(database.clone()).unwrap();
    database.is(Mood::Hangs);
    queue.write("a", &1).await.unwrap();
    eventually(|| database.dropped() >= 2).await;
    assert!(queue.stats().last_failure.contains("deadline of 50ms"), "{:?}", queue.stats());
    database.heal();
    assert!(queue.flush(LONG).await.unwrap());
    assert_eq!(database.row("a"), Some(1));
}

/// Runs a test on a runtime of which one thread may be blocked: another one is awake, and drives the timers.
fn awake(test: impl Future<Output = ()>) {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let (running, ended) = mpsc::channel::<()>();
    thread::scope(|scope| {
        let handle = runtime.handle();
        scope.spawn(move || {
            while ended.recv_timeout(ms(1)) == Err(mpsc::RecvTimeoutError::Timeout) {
                drop(handle.spawn(async {}));
            }
        });
        let _running = running;
        runtime.block_on(test);
    });
}

/// It blocks its thread past its deadline: what it writes late stands below what is later.
#[test]
fn a_sink_that_goes_on_after_it_was_broken_off_is_waited_for() {
    let (rows, tried) = (Arc::new(Mutex::new(Vec::new())), Arc::new(AtomicU64::new(0)));
    let sink = {
        let rows = rows.clone();
        move |batch: Batch<u64>| {
            let (rows, first) = (rows.clone(), tried.fetch_add(1, SeqCst) == 0);
            async move {
                if first {
                    thread::sleep(ms(300));
                }
                rows.lock().unwrap().extend(batch.iter().map(|write| *write.value()));
                if first {
                    // It is broken off here, and has written.
                    std::future::pending::<()>().await;
                }
                Ok::<_, SinkError>(())
            }
        }
    };
    awake(async {
        let queue = builder().deadline(ms(20)).max_batch(1).keep_all().start(sink).unwrap();
        queue.write("a", &1).await.unwrap();
        queue.write("a", &2).await.unwrap();
        eventually(|| rows.lock().unwrap().contains(&2)).await;
        assert!(queue.flush(LONG).await.unwrap());
        tokio::time::sleep(ms(350)).await;
        assert_eq!(*rows.lock().unwrap(), [1, 1, 2]);
    });
}

/// Its place is no one else's before.
#[test]
fn a_sink_that_goes_on_is_waited_for_where_the_queue_stops() {
    let (begun, ended) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicU64::new(0)));
    let sink = {
        let (begun, ended) = (begun.clone(), ended.clone());
        move |_: Batch<u64>| {
            let (begun, ended) = (begun.clone(), ended.clone());
            async move {
                begun.fetch_add(1, SeqCst);
                thread::sleep(ms(300));
                ended.fetch_add(1, SeqCst);
                std::future::pending().await
            }
        }
    };
    awake(async {
        let queue = builder().start(sink).unwrap();
        queue.write("a", &1).await.unwrap();
        eventually(|| begun.load(SeqCst) == 1).await;
        assert_eq!(queue.stop(ms(1)).await.unwrap(), 1, "it was broken off, and is not settled");
        assert_eq!(ended.load(SeqCst), 1);
    });
}

#[tokio::test]
async fn what_is_rejected_is_a_dead_letter_at_once() {
    let database = Database::default();
    let queue = builder().max_delay(LONG).start(database.clone()).unwrap();
    database.fails("b", true);
    for key in ["a", "b", "c"] {
        queue.write(key, &1).await.unwrap();
    }
    assert!(queue.flush(LONG).await.unwrap());
    assert_eq!((database.tried(), database.row("b"), database.row("c")), (1, None, Some(1)));
    let letters = queue.dead_letters(10).await.unwrap();
    assert_eq!(letters.len(), 1);
    assert_eq!(queue.discard(&[letters[0].id]).await.unwrap(), 1);
    assert_eq!(queue.depth().await.unwrap(), QueueDepth::default());
}

/// While it is tried again, others go on, and its own later writes wait.
#[tokio::test]
async fn a_write_that_fails_holds_up_its_own_key_alone() {
    let database = Database::default();
    let queue = builder().keep_all().attempts(u32::MAX).start(database.clone()).unwrap();
    database.fails("a", false);
    for value in 0..3 {
        queue.write("a", &value).await.unwrap();
        queue.write("b", &value).await.unwrap();
    }
    eventually(|| database.history("b").len() == 3).await;
    for value in 3..6 {
        queue.write("a", &value).await.unwrap();
        queue.write("b", &value).await.unwrap();
    }
    eventually(|| database.history("b").len() == 6).await;
    assert_eq!((database.history("b"), database.history("a")), ((0..6).collect(), vec![]));
    database.heal();
    assert!(queue.flush(LONG).await.unwrap());
    assert_eq!(database.history("a"), (0..6).collect::<Vec<_>>());
    assert_eq!(queue.stats().dead, 0);
}

/// However many of them wait, others are read, and written.
#[tokio::test]
async fn many_writes_of_a_key_that_fails_hold_up_no_other() {
    /// As many as a consumer with such batches holds in memory.
    const MANY: u64 = 1_000;
    let database = Database::default();
    let queue = builder().max_batch(1).attempts(3).start(database.clone()).unwrap();
    database.poison("a");
    for value in 0..MANY {
        queue.write("a", &value).await.unwrap();
    }
    queue.write("b", &1).await.unwrap();
    eventually(|| database.row("b") == Some(1)).await;
    // Others are written in between, so that it is found to be the one that fails.
    let start = std::time::Instant::now();
    while queue.stats().dead == 0 {
        assert!(start.elapsed() < LONG, "{:?}", queue.stats());
        queue.write("b", &2).await.unwrap();
        tokio::time::sleep(ms(2)).await;
    }
    assert_eq!((queue.stats().dead, queue.dead_letters(10).await.unwrap().len()), (MANY, 10));
}

#[tokio::test]
async fn a_merge_function_that_panics_costs_its_key_alone() {
    let database = Database::default();
    let merge = |older: u64, newer: u64| if older == 666 { panic!("on purpose, in a merge") } else { newer };
    let queue = builder().max_delay(ms(30)).attempts(2).merge(merge).start(database.clone()).unwrap();
    for (key, value) in [("a", 666), ("a", 1), ("b", 1), ("b", 2)] {
        queue.write(key, &value).await.unwrap();
    }
    eventually(|| queue.stats().dead == 2).await;
    assert_eq!((database.row("a"), database.row("b")), (None, Some(2)));
    let letters = queue.dead_letters(10).await.unwrap();
    assert!(letters[0].reason.contains("merge"), "{letters:?}");
    queue.write("a", &7).await.unwrap();
    assert!(queue.flush(LONG).await.unwrap());
    assert_eq!(database.row("a"), Some(7));
}

#[tokio::test]
async fn a_full_queue_says_what_mends_it() {
    let database = Database::default();
    let queue = builder().max_waiting(3).when_full(WhenFull::Fail).start(database.clone()).unwrap();
    database.is(Mood::Away);
    for value in 0..3 {
        queue.write("a", &value).await.unwrap();
    }
    eventually(|| !queue.stats().last_failure.is_empty()).await;
    let error = queue.write("a", &3).await.unwrap_err();
    assert!(error.is_queue_full(), "{error}");
    let text = error.to_string();
    assert!(text.contains("3 writes wait") && text.contains("the database is away"), "{text}");
    assert_eq!(queue.stats().full, 1);
    database.heal();
    assert!(queue.flush(LONG).await.unwrap());
    queue.write("a", &4).await.unwrap();
}

/// They are bounded too, and never dropped.
#[tokio::test]
async fn dead_letters_fill_the_queue() {
    let database = Database::default();
    let queue = builder().max_waiting(2).when_full(WhenFull::Fail).start(database.clone()).unwrap();
    database.fails("a", true);
    for _ in 0..2 {
        queue.write("a", &1).await.unwrap();
        assert!(queue.flush(LONG).await.unwrap());
    }
    let error = queue.write("b", &1).await.unwrap_err();
    assert!(error.is_queue_full() && error.to_string().contains("replay or discard"), "{error}");
}

#[tokio::test]
async fn a_write_waits_for_room() {
    let database = Database::default();
    let queue = builder().max_waiting(1).when_full(WhenFull::Wait(LONG)).start(database.clone()).unwrap();
    database.is(Mood::Away);
    queue.write("a", &1).await.unwrap();
    let waiting = tokio::spawn({
        let queue = queue.clone();
        async move { queue.write("b", &2).await }
    });
    eventually(|| database.tried() > 3).await;
    assert!(!waiting.is_finished());
    database.heal();
    waiting.await.unwrap().unwrap();
    assert!(queue.flush(LONG).await.unwrap());
    assert_eq!(database.row("b"), Some(2));
}

/// A value whose `Drop` panics, at a time of its own.
#[derive(Clone, serde::Serialize, serde::Deserialize)]
struct Fragile(u64);

impl Drop for Fragile {
    fn drop(&mut self) {
        assert!(self.0 < 100 || std::thread::panicking(), "on purpose, in a drop");
    }
}

/// Several in one batch too.
#[tokio::test]
async fn a_drop_that_panics_ends_no_consumer() {
    let written = std::sync::Arc::new(std::sync::Mutex::new(Vec::new()));
    let sink = {
        let written = written.clone();
        move |batch: Batch<Fragile>| {
            written.lock().unwrap().extend(batch.iter().map(|write| write.value().0));
            async { Ok::<_, SinkError>(()) }
        }
    };
    let queue = WriteBehind::builder("fragile").max_delay(ms(20)).start(sink).unwrap();
    for round in 0..3 {
        for value in [1, 100, 101, 2] {
            let value = std::mem::ManuallyDrop::new(Fragile(value));
            queue.write(&value.0.to_string(), &value).await.unwrap();
        }
        assert!(queue.flush(LONG).await.unwrap(), "round {round}");
        eventually(|| queue.stats().consuming).await;
    }
    let mut written = written.lock().unwrap().clone();
    written.sort_unstable();
    written.dedup();
    assert_eq!(written, [1, 2, 100, 101]);
    assert_eq!(queue.stop(LONG).await.unwrap(), 0);
}
