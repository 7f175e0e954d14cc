//! A server that steps in without the last of what its master did: what was settled, or given, waits again.

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
    time::Duration,
};

use larder::write_behind::{Batch, SinkError};
use larder_servers::{Proxy, RedisServer};
use tokio::{runtime::Runtime, sync::Semaphore, task::JoinSet};

use crate::{
    database::{Database, LONG, Mood, eventually, ms},
    processes::{builder, cache},
};

const QUEUE: &str = "shop:w:{rows}";
/// The stream as a server has it that was not told of what comes next.
const BEFORE: &str = "before";

fn copy(server: &RedisServer, from: &str, to: &str) {
    assert!(server.command::<bool>(&["COPY", from, to, "REPLACE"]));
}

fn pending(server: &RedisServer) -> usize {
    let summary = match server.try_command::<Vec<redis::Value>>(&["XPENDING", QUEUE, "larder"]) {
        // The reader has not come to it so far.
        Err(error) if error.code() == Some("NOGROUP") => return 0,
        summary => summary.unwrap(),
    };
    redis::from_redis_value(summary[0].clone()).unwrap()
}

/// A database whose every answer the test gives.
#[derive(Clone)]
struct Gate {
    answers: Arc<Semaphore>,
    begun: Arc<AtomicUsize>,
    written: Arc<Mutex<Vec<u64>>>,
    works: bool,
}

impl Gate {
    fn new(works: bool) -> Self {
        let (answers, begun) = (Arc::new(Semaphore::new(0)), Arc::default());
        Self { answers, begun, written: Arc::default(), works }
    }

    async fn take(&self, batch: Batch<u64>) -> Result<(), SinkError> {
        self.begun.fetch_add(1, SeqCst);
        self.answers.acquire().await.unwrap().forget();
        if !self.works {
            return Err(SinkError::batch("not now"));
        }
        self.written.lock().unwrap().extend(batch.iter().map(|write| *write.value()));
        Ok(())
    }

    fn begun(&self) -> usize {
        self.begun.load(SeqCst)
    }
}

/// The row never ends with the older value, and nothing is left for the next consumer to write.
#[tokio::test(flavor = "multi_thread")]
async fn a_settlement_that_was_lost_is_noticed_before_newer_writes_are_read() {
    let server = RedisServer::start();
    let cache = cache(&server.url()).await;
    let database = Database::default();
    database.is(Mood::Away);
    let queue = builder(&cache).keep_all().start(database.clone()).unwrap();
    queue.write("a", &1).await.unwrap();
    eventually(|| database.tried() > 0).await;
    copy(&server, QUEUE, BEFORE);
    database.heal();
    assert!(queue.flush(LONG).await.unwrap());
    copy(&server, BEFORE, QUEUE);
    queue.write("a", &2).await.unwrap();
    assert!(queue.flush(ms(10_000)).await.unwrap(), "the first one waits again");
    assert_eq!((database.history("a"), pending(&server)), (vec![1, 1, 2], 0));
}

/// The later write is with the sink when the server steps in.
#[tokio::test(flavor = "multi_thread")]
async fn a_settlement_that_was_lost_is_noticed_before_newer_writes_are_settled() {
    let server = RedisServer::start();
    let cache = cache(&server.url()).await;
    let gate = Gate::new(true);
    let sink = {
        let gate = gate.clone();
        move |batch: Batch<u64>| {
            let gate = gate.clone();
            async move { gate.take(batch).await }
        }
    };
    let queue = builder(&cache).keep_all().max_batch(1).start(sink).unwrap();
    queue.write("a", &1).await.unwrap();
    queue.write("a", &2).await.unwrap();
    eventually(|| pending(&server) > 0).await;
    // The second is read, at the latest, before the first is settled.
    copy(&server, QUEUE, BEFORE);
    gate.answers.add_permits(1);
    eventually(|| gate.begun() == 2 && pending(&server) == 1).await;
    copy(&server, BEFORE, QUEUE);
    gate.answers.add_permits(100);
    assert!(queue.flush(ms(10_000)).await.unwrap(), "the first one waits again");
    assert_eq!(gate.written.lock().unwrap().last(), Some(&2), "{:?}", gate.written);
}

/// What hides it is a write that is older, and fails.
#[tokio::test(flavor = "multi_thread")]
async fn a_settlement_that_was_lost_is_noticed_behind_a_write_that_fails() {
    let server = RedisServer::start();
    let cache = cache(&server.url()).await;
    let database = Database::default();
    database.fails("b", false);
    database.is(Mood::Away);
    let queue = builder(&cache).keep_all().attempts(1_000).start(database.clone()).unwrap();
    queue.write("b", &0).await.unwrap();
    queue.write("a", &1).await.unwrap();
    eventually(|| pending(&server) == 2).await;
    copy(&server, QUEUE, BEFORE);
    database.is(Mood::Well);
    eventually(|| pending(&server) == 1).await;
    copy(&server, BEFORE, QUEUE);
    queue.write("a", &2).await.unwrap();
    // In this order: what was written and no longer waits is settled.
    eventually(|| database.row("a") == Some(2) && pending(&server) == 1).await;
    assert_eq!(server.command::<usize>(&["XLEN", QUEUE]), 1);
    database.heal();
    assert!(queue.flush(LONG).await.unwrap());
    assert_eq!(database.history("a"), [1, 1, 2]);
}

/// What was given is given again: the second time takes the place of the first.
#[tokio::test(flavor = "multi_thread")]
async fn a_reading_that_was_lost_begins_anew() {
    let server = RedisServer::start();
    let cache = cache(&server.url()).await;
    let database = Database::default();
    database.is(Mood::Away);
    let queue = builder(&cache).keep_all().start(database.clone()).unwrap();
    let mut ids = Vec::new();
    for value in [1, 2] {
        ids.push(queue.write("a", &value).await.unwrap().to_string());
    }
    eventually(|| pending(&server) == 2).await;
    assert_eq!(server.command::<usize>(&["XACK", QUEUE, "larder", &ids[0], &ids[1]]), 2);
    server.command::<()>(&["XGROUP", "SETID", QUEUE, "larder", "0"]);
    eventually(|| queue.stats().takeovers > 1).await;
    database.heal();
    assert!(queue.flush(LONG).await.unwrap());
    assert_eq!(database.history("a"), [1, 2]);
}

/// It reads nothing more, and so is not told by that.
#[tokio::test(flavor = "multi_thread")]
async fn one_that_has_no_room_notices_that_its_lease_was_taken() {
    const ROOM: u64 = 1_000;
    let server = RedisServer::start();
    let cache = cache(&server.url()).await;
    let build = || builder(&cache).max_batch(250).takeover_after(Duration::from_secs(600));
    let producer = build().producer().unwrap();
    let mut writes = JoinSet::new();
    for value in 0..ROOM {
        let producer = producer.clone();
        writes.spawn(async move { producer.write(&value.to_string(), &value).await.unwrap() });
    }
    writes.join_all().await;
    let gate = Gate::new(false);
    let sink = {
        let gate = gate.clone();
        move |batch: Batch<u64>| {
            let gate = gate.clone();
            async move { gate.take(batch).await }
        }
    };
    let queue = build().start(sink).unwrap();
    eventually(|| gate.begun() == 1).await;
    server.command::<()>(&["SET", "shop:w:{rows}:consumer", "another"]);
    gate.answers.add_permits(1);
    eventually(|| !queue.stats().consuming || gate.begun() > 1).await;
    assert_eq!(gate.begun(), 1, "another one consumes");
}

/// The beginning of a commit was on its way when its process ended, and comes when another one has settled the write.
#[test]
fn a_commit_that_begins_after_its_end_leaves_no_mark() {
    let server = RedisServer::start();
    let proxy = Proxy::start(server.address());
    let (doomed, runtime) = (Runtime::new().unwrap(), Runtime::new().unwrap());
    let gate = Gate::new(true);
    let first = doomed.block_on(async {
        let gate = gate.clone();
        let sink = move |batch: Batch<u64>| {
            let gate = gate.clone();
            async move { gate.take(batch).await }
        };
        builder(&cache(&proxy.url()).await).takeover_after(ms(2_000)).start(sink).unwrap()
    });
    runtime.block_on(async {
        let cache = cache(&server.url()).await;
        eventually(|| first.stats().consuming).await;
        let database = Database::default();
        let shown = larder::MemoryCache::new(100);
        let build = || builder(&cache).takeover_after(ms(2_000)).cache(&shown);
        let producer = build().producer().unwrap();
        producer.write_cached("a", &1, "row:a", larder::Policy::ttl(LONG)).await.unwrap();
        eventually(|| gate.begun() == 1).await;
        let way = larder_servers::Direction::ToServer;
        proxy.set(way, larder_servers::Fault::Hold);
        let sent = proxy.received(way);
        gate.answers.add_permits(1);
        // More than anything else that it sends.
        eventually(|| proxy.received(way) > sent + 250).await;
        doomed.shutdown_background();
        let second = build().start(database.clone()).unwrap();
        assert!(second.flush(LONG).await.unwrap());
        assert_eq!(database.row("a"), Some(1));
        let delivered = proxy.delivered(way);
        proxy.heal();
        eventually(|| proxy.delivered(way) > delivered + 250).await;
        let keys = || server.command::<Vec<String>>(&["HKEYS", "shop:w:{rows}:keys"]);
        // It has run once a later one of its connections is answered.
        producer.write_cached("b", &1, "row:b", larder::Policy::ttl(LONG)).await.unwrap();
        assert!(second.flush(LONG).await.unwrap());
        assert_eq!(keys(), Vec::<String>::new());
    });
}
