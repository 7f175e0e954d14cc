//! Redis slow, gone, restarted, read-only, emptied: no acknowledgement is false, and none is lost.

use std::time::{Duration, Instant};

use larder::{
    MemoryCache, Policy, RedisCache,
    write_behind::{WhenFull, WriteBehind},
};
use larder_servers::{Data, Direction, Fault, Proxy, RedisServer};

use crate::{
    database::{Database, LONG, Mood, eventually, ms},
    processes::{builder, cache},
};

/// Writes until it is acknowledged.
async fn insist(queue: &WriteBehind<u64>, key: &str, value: u64) {
    let start = Instant::now();
    while let Err(error) = queue.write(key, &value).await {
        assert!(start.elapsed() < LONG, "{error}");
        tokio::time::sleep(ms(20)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restart_of_redis_loses_nothing_that_was_acknowledged() {
    let server = RedisServer::builder().append_only().start();
    let cache = cache(&server.url()).await;
    let database = Database::default();
    database.is(Mood::Away);
    let queue = builder(&cache).keep_all().start(database.clone()).unwrap();
    for value in 0..5 {
        queue.write("a", &value).await.unwrap();
    }
    server.kill();
    let error = queue.write("a", &99).await.unwrap_err();
    assert!(error.is_unavailable(), "{error}");
    assert!(error.to_string().contains("is not acknowledged"), "{error}");
    assert!(error.to_string().contains("write to the database itself"), "{error}");
    assert!(queue.stats().unacknowledged > 0);
    server.restart(Data::Kept);
    for value in 5..10 {
        insist(&queue, "a", value).await;
    }
    database.heal();
    let start = Instant::now();
    while !queue.flush(LONG).await.unwrap_or(false) {
        assert!(start.elapsed() < LONG);
    }
    let mut history = database.history("a");
    history.dedup();
    // The one that was not acknowledged may be there, in its place.
    history.retain(|value| *value != 99);
    assert_eq!(history, (0..10).collect::<Vec<_>>());
}

/// Its own deadline ends the call, and the answer is no acknowledgement.
#[tokio::test(flavor = "multi_thread")]
async fn a_redis_that_hangs_acknowledges_nothing() {
    let server = RedisServer::start();
    let cache =
        RedisCache::builder().url(server.url()).prefix("shop").deadline(ms(300)).connect().await.unwrap();
    let queue = builder(&cache).producer().unwrap();
    queue.write("a", &1).await.unwrap();
    server.pause();
    let begun = Instant::now();
    let error = queue.write("a", &2).await.unwrap_err();
    assert!(
        error.is_unavailable() && begun.elapsed() < Duration::from_secs(5),
        "{error} {:?}",
        begun.elapsed()
    );
    assert_eq!(queue.stats().acknowledged, 1);
    server.resume();
    insist(&queue, "a", 3).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_redis_that_is_read_only_acknowledges_nothing() {
    let server = RedisServer::start();
    let cache = cache(&server.url()).await;
    let database = Database::default();
    let queue = builder(&cache).start(database.clone()).unwrap();
    insist(&queue, "a", 1).await;
    assert!(queue.flush(LONG).await.unwrap());
    server.command::<()>(&["REPLICAOF", "127.0.0.1", "1"]);
    let error = queue.write("a", &2).await.unwrap_err();
    assert!(error.is_unavailable(), "{error}");
    server.command::<()>(&["REPLICAOF", "NO", "ONE"]);
    insist(&queue, "a", 3).await;
    eventually(|| database.row("a") == Some(3)).await;
    assert_eq!(database.history("a").iter().filter(|value| **value == 2).count(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_redis_without_room_says_so() {
    let server = RedisServer::start();
    let cache = cache(&server.url()).await;
    let queue = builder(&cache).producer().unwrap();
    server.set_config("maxmemory", "1");
    let error = queue.write("a", &1).await.unwrap_err();
    assert!(error.is_unavailable(), "{error}");
    let source = std::error::Error::source(&error).map(ToString::to_string).unwrap_or_default();
    assert!(source.contains("OOM") && error.to_string().contains("maxmemory"), "{error}: {source}");
}

/// Its consumer takes over, writes, commits, gives up and settles: what needs no memory, or gives some back.
#[tokio::test(flavor = "multi_thread")]
async fn a_redis_without_room_is_drained() {
    const QUEUE: &str = "shop:w:{rows}";
    let server = RedisServer::start();
    let cache = cache(&server.url()).await;
    let database = Database::default();
    database.fails("bad", true);
    let shown = MemoryCache::new(100);
    let build = || builder(&cache).cache(&shown);
    let producer = build().producer().unwrap();
    // Given to many consumers before: it is counted, and written by itself.
    let id = producer.write("alone", &1).await.unwrap().to_string();
    let group = ["XGROUP", "CREATE", QUEUE, "larder", "0"];
    server.command::<()>(&group);
    let read = ["XREADGROUP", "GROUP", "larder", "larder", "STREAMS", QUEUE, ">"];
    server.command::<()>(&read);
    let claim = ["XCLAIM", QUEUE, "larder", "larder", "0", &id, "RETRYCOUNT", "9", "JUSTID"];
    server.command::<()>(&claim);
    // By itself in its batch: it is given up, and nothing else is settled with it.
    producer.write("bad", &2).await.unwrap();
    let policy = Policy::ttl(LONG);
    producer.write_cached("shown", &3, "row:shown", &policy).await.unwrap();

    server.set_config("maxmemory", "1");
    assert!(producer.write("a", &4).await.is_err(), "there is no room");
    let queue = build().max_batch(1).start(database.clone()).unwrap();
    assert!(queue.flush(LONG).await.unwrap(), "{:?}", queue.stats());
    assert_eq!((database.row("alone"), database.row("shown")), (Some(1), Some(3)));
    let letters = queue.dead_letters(10).await.unwrap();
    assert_eq!(letters.iter().map(|letter| &*letter.key).collect::<Vec<_>>(), ["bad"]);
}

/// A dead letter is one or is in the queue, and never neither: also if there is no room to move it.
#[tokio::test(flavor = "multi_thread")]
async fn a_redis_without_room_loses_no_dead_letter() {
    let server = RedisServer::start();
    let cache = cache(&server.url()).await;
    let database = Database::default();
    let queue = builder(&cache).keep_all().start(database.clone()).unwrap();
    database.fails("bad", true);
    queue.write_many(&[("bad", 1), ("bad", 2), ("bad", 3)]).await.unwrap();
    eventually(|| queue.stats().dead == 3).await;
    let letters = queue.dead_letters(10).await.unwrap();
    let ids: Vec<_> = letters.iter().map(|letter| letter.id).collect();
    server.set_config("maxmemory", "1");
    let error = queue.replay(&ids).await.unwrap_err();
    assert!(error.is_unavailable(), "{error}");
    assert_eq!(queue.dead_letters(10).await.unwrap().len(), 3);
    assert_eq!(server.command::<usize>(&["XLEN", "shop:w:{rows}"]), 0);

    // Room for one call's beginning is room for all of it: it moves them all.
    database.heal();
    server.set_config("maxmemory", "0");
    assert_eq!(queue.replay(&ids).await.unwrap(), 3);
    assert!(queue.flush(LONG).await.unwrap());
    assert_eq!(database.history("bad"), [1, 2, 3]);
    assert_eq!(queue.replay(&ids).await.unwrap(), 0, "they are no dead letters any more");
}

/// The process that has stopped only moves them.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_replayed_after_the_end_is_written_by_the_next_process() {
    let server = RedisServer::start();
    let cache = cache(&server.url()).await;
    let database = Database::default();
    database.fails("bad", true);
    let first = builder(&cache).start(database.clone()).unwrap();
    first.write("bad", &7).await.unwrap();
    eventually(|| first.stats().dead == 1).await;
    assert_eq!(first.stop(LONG).await.unwrap(), 0);
    database.heal();
    let letters = first.dead_letters(1).await.unwrap();
    assert_eq!(first.replay(&[letters[0].id]).await.unwrap(), 1);
    assert_eq!(first.depth().await.unwrap().waiting, 1);
    assert_eq!(database.row("bad"), None);
    let next = builder(&cache).start(database.clone()).unwrap();
    assert!(next.flush(LONG).await.unwrap());
    assert_eq!(database.row("bad"), Some(7));
}

/// Redis gave the writes, and its reply was lost: they are claimed before anything later is read.
#[tokio::test(flavor = "multi_thread")]
async fn a_lost_reply_costs_no_order() {
    let server = RedisServer::start();
    let proxy = Proxy::start(server.address());
    let far =
        RedisCache::builder().url(proxy.url()).prefix("shop").deadline(ms(300)).connect().await.unwrap();
    let near = cache(&server.url()).await;
    let database = Database::default();
    let consumer = builder(&far).keep_all().takeover_after(LONG * 10).start(database.clone()).unwrap();
    let producer = builder(&near).producer().unwrap();
    producer.write("a", &0).await.unwrap();
    eventually(|| database.row("a") == Some(0)).await;
    eventually(|| server.command::<usize>(&["XLEN", "shop:w:{rows}"]) == 0).await;

    proxy.set(Direction::ToClient, Fault::Swallow);
    for value in 1..=3 {
        producer.write("a", &value).await.unwrap();
    }
    // The first of them are given to the consumer, which hears nothing of it.
    eventually(|| {
        let given: Vec<redis::Value> =
            server.command(&["XPENDING", "shop:w:{rows}", "larder", "-", "+", "10"]);
        !given.is_empty()
    })
    .await;
    assert_eq!(database.history("a"), [0]);
    proxy.heal();
    producer.write("a", &4).await.unwrap();
    eventually(|| database.row("a") == Some(4)).await;
    assert_eq!(database.history("a"), [0, 1, 2, 3, 4]);
    assert!(producer.flush(LONG).await.unwrap());
    assert_eq!(consumer.stats().takeovers, 1);
}

/// As when the server runs what was asked for later than its caller waits for.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_given_after_all_is_written_before_what_is_later() {
    let server = RedisServer::start();
    let cache = cache(&server.url()).await;
    let database = Database::default();
    let queue = builder(&cache).keep_all().takeover_after(LONG * 10).start(database.clone()).unwrap();
    insist(&queue, "a", 0).await;
    assert!(queue.flush(LONG).await.unwrap());
    // The number 1 in MessagePack.
    let late = r"
        redis.call('XADD', KEYS[1], '*', 'k', 'a', 'v', '\1')
        redis.call('XREADGROUP', 'GROUP', 'larder', 'larder', 'STREAMS', KEYS[1], '>')";
    server.command::<()>(&["EVAL", late, "1", "shop:w:{rows}"]);
    queue.write("a", &2).await.unwrap();
    assert!(queue.flush(LONG).await.unwrap());
    assert_eq!(database.history("a"), [0, 1, 2]);
}

/// Some servers count it as given for ever.
#[tokio::test(flavor = "multi_thread")]
async fn what_was_deleted_after_it_was_given_holds_up_nothing() {
    let server = RedisServer::start();
    let cache = cache(&server.url()).await;
    let database = Database::default();
    let queue = builder(&cache).keep_all().takeover_after(LONG * 10).start(database.clone()).unwrap();
    insist(&queue, "a", 0).await;
    assert!(queue.flush(LONG).await.unwrap());
    let deleted = r"
        local id = redis.call('XADD', KEYS[1], '*', 'k', 'a', 'v', '\1')
        redis.call('XREADGROUP', 'GROUP', 'larder', 'larder', 'STREAMS', KEYS[1], '>')
        redis.call('XDEL', KEYS[1], id)";
    server.command::<()>(&["EVAL", deleted, "1", "shop:w:{rows}"]);
    queue.write("a", &2).await.unwrap();
    assert!(queue.flush(LONG).await.unwrap());
    assert_eq!(database.history("a"), [0, 2]);
}

/// What was in it is gone; what comes after is written.
#[tokio::test(flavor = "multi_thread")]
async fn a_redis_that_was_emptied_goes_on() {
    let server = RedisServer::start();
    let cache = cache(&server.url()).await;
    let database = Database::default();
    let queue = builder(&cache).start(database.clone()).unwrap();
    for value in 1..=3 {
        insist(&queue, "a", value).await;
        assert!(queue.flush(LONG).await.unwrap());
        eventually(|| database.row("a") == Some(value)).await;
        server.flush_all();
    }
    insist(&queue, "a", 4).await;
    eventually(|| database.row("a") == Some(4)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_is_away_holds_writers_up() {
    let server = RedisServer::start();
    let cache = cache(&server.url()).await;
    let database = Database::default();
    database.is(Mood::Away);
    let build = || builder(&cache).max_waiting(5);
    let queue = build().when_full(WhenFull::Wait(ms(100))).start(database.clone()).unwrap();
    for value in 0..5 {
        queue.write("a", &value).await.unwrap();
    }
    let begun = Instant::now();
    let error = queue.write("a", &5).await.unwrap_err();
    assert!(error.is_queue_full() && begun.elapsed() >= ms(100), "{error}");
    assert_eq!(server.command::<usize>(&["XLEN", "shop:w:{rows}"]), 5);
    let patient = build().when_full(WhenFull::Wait(LONG)).producer().unwrap();
    let waiting = tokio::spawn(async move { patient.write("a", &6).await });
    tokio::time::sleep(ms(50)).await;
    database.heal();
    waiting.await.unwrap().unwrap();
    eventually(|| database.row("a") == Some(6)).await;
}
