//! Queues in Redis: several processes, those that end, and what they leave.

use std::time::Duration;

use larder::{
    CacheExt, MemoryCache, Policy, RedisCache, TieredCache,
    write_behind::{QueueDepth, WriteBehind, WriteBehindBuilder},
};
use larder_servers::{Proxy, RedisServer};
use tokio::runtime::Runtime;

use crate::database::{Database, LONG, Mood, eventually, ms};

/// As another process: what spells the server's address in another way shares nothing with it.
pub(crate) async fn cache(url: &str) -> RedisCache {
    RedisCache::builder().url(url).prefix("shop").deadline(Duration::from_secs(5)).connect().await.unwrap()
}

pub(crate) fn builder(cache: &RedisCache) -> WriteBehindBuilder<u64> {
    let builder = WriteBehind::builder("rows").redis(cache).max_delay(ms(1)).retry_pauses(ms(1), ms(50));
    builder.takeover_after(ms(1_000))
}

fn other(server: &RedisServer) -> String {
    server.url().replace("127.0.0.1", "localhost")
}

#[tokio::test(flavor = "multi_thread")]
async fn writes_reach_the_process_that_consumes() {
    let server = RedisServer::start();
    let (here, there) = (cache(&server.url()).await, cache(&other(&server)).await);
    let database = Database::default();
    let consumer = builder(&there).start(database.clone()).unwrap();
    let producer = builder(&here).producer().unwrap();
    let id = producer.write("a", &1).await.unwrap();
    assert!(producer.flush(LONG).await.unwrap());
    assert_eq!((database.row("a"), database.ids("a")), (Some(1), vec![id]));
    // One that comes while the consumer waits wakes it: it looks by itself after a second.
    let mut fastest = LONG;
    for value in 2..20 {
        tokio::time::sleep(ms(20)).await;
        producer.write("a", &value).await.unwrap();
        let begun = std::time::Instant::now();
        eventually(|| database.row("a") == Some(value)).await;
        fastest = fastest.min(begun.elapsed());
    }
    assert!(fastest < ms(500), "{fastest:?}");
    assert!(consumer.stats().consuming && !producer.stats().consuming);
    assert_eq!(producer.stop(LONG).await.unwrap(), 0);
    // Nothing is left there but the group.
    assert_eq!(server.command::<usize>(&["XLEN", "shop:w:{rows}"]), 0);
    assert_eq!(server.command::<usize>(&["HLEN", "shop:w:{rows}:keys"]), 0);
}

/// A thousand are one call, and what is too much for one call is several.
#[tokio::test(flavor = "multi_thread")]
async fn many_writes_are_few_round_trips() {
    let server = RedisServer::start();
    let cache = cache(&server.url()).await;
    let producer = builder(&cache).producer().unwrap();
    producer.write("first", &0).await.unwrap();
    let calls = || {
        let text = server.info("commandstats", "cmdstat_evalsha").unwrap_or_default();
        let calls = text.split(',').find_map(|field| field.strip_prefix("calls="));
        calls.map_or(0, |calls| calls.parse::<u64>().unwrap())
    };
    let before = calls();
    let writes: Vec<_> = (0..2_500).map(|value| (value.to_string(), value)).collect();
    let ids = producer.write_many(&writes).await.unwrap();
    assert_eq!((ids.len(), calls() - before), (2_500, 3));
    assert!(ids.is_sorted_by(|one, other| one < other));
    let database = Database::default();
    let consumer = builder(&cache).start(database.clone()).unwrap();
    assert!(consumer.flush(LONG).await.unwrap());
    assert!((0..2_500).all(|value| database.row(&value.to_string()) == Some(value)));
    consumer.stop(LONG).await.unwrap();

    // Four of 300 kB are two calls.
    let texts = WriteBehind::<String>::builder("texts").redis(&cache).producer().unwrap();
    let before = calls();
    let text = "x".repeat(300_000);
    texts.write_many(&["a", "b", "c", "d"].map(|key| (key, text.clone()))).await.unwrap();
    assert_eq!(calls() - before, 2);
}

/// What it was given and has not settled is written by the next one, before anything later.
#[test]
fn what_a_dead_consumer_left_is_claimed() {
    let server = RedisServer::start();
    let runtime = Runtime::new().unwrap();
    let stuck = Database::default();
    stuck.is(Mood::Hangs);
    let doomed = Runtime::new().unwrap();
    let first = doomed.block_on(async {
        let cache = cache(&other(&server)).await;
        builder(&cache).keep_all().max_batch(2).start(stuck.clone()).unwrap()
    });
    let database = Database::default();
    runtime.block_on(async {
        let cache = cache(&server.url()).await;
        eventually(|| first.stats().consuming).await;
        let second = builder(&cache).keep_all().start(database.clone()).unwrap();
        for value in 0..10 {
            second.write("a", &value).await.unwrap();
        }
        eventually(|| stuck.tried() == 1).await;
        assert!(!second.stats().consuming);
        // As if it was killed: nothing of it runs any more.
        doomed.shutdown_background();
        assert!(second.flush(LONG).await.unwrap());
        assert_eq!(database.history("a"), (0..10).collect::<Vec<_>>());
        assert_eq!(second.stats().takeovers, 1);
    });
}

/// One that is cut off breaks off what it does by the time that another one begins.
#[tokio::test(flavor = "multi_thread")]
async fn a_consumer_that_is_cut_off_ends_before_the_next_begins() {
    let server = RedisServer::start();
    let proxy = Proxy::start(server.address());
    let (stuck, database) = (Database::default(), Database::default());
    stuck.is(Mood::Hangs);
    let behind_proxy = cache(&proxy.url()).await;
    let first = builder(&behind_proxy).start(stuck.clone()).unwrap();
    eventually(|| first.stats().consuming).await;
    let near = cache(&server.url()).await;
    let second = builder(&near).start(database.clone()).unwrap();
    second.write("a", &1).await.unwrap();
    eventually(|| stuck.tried() == 1).await;
    proxy.blackhole();
    let stuck_while = stuck.clone();
    eventually(move || {
        let begun = database.row("a").is_some();
        assert!(!begun || stuck_while.dropped() == 1, "two consume at once");
        begun
    })
    .await;
    proxy.heal();
    eventually(|| !first.stats().consuming).await;
    assert!(second.stats().consuming);
}

#[tokio::test(flavor = "multi_thread")]
async fn one_that_stops_is_followed_at_once() {
    let server = RedisServer::start();
    let (here, there) = (cache(&server.url()).await, cache(&other(&server)).await);
    let (one, two) = (Database::default(), Database::default());
    let long = Duration::from_secs(60);
    let first = builder(&here).takeover_after(long).start(one.clone()).unwrap();
    eventually(|| first.stats().consuming).await;
    let second = builder(&there).takeover_after(long).start(two.clone()).unwrap();
    first.write("a", &1).await.unwrap();
    assert_eq!(first.stop(LONG).await.unwrap(), 0);
    assert_eq!(one.row("a"), Some(1));
    second.write("a", &2).await.unwrap();
    assert!(second.flush(LONG).await.unwrap());
    assert_eq!(two.row("a"), Some(2));
}

/// Each reading asks for the lease: what it believes of it does not matter.
#[tokio::test(flavor = "multi_thread")]
async fn one_whose_lease_was_taken_takes_nothing_more() {
    let server = RedisServer::start();
    let cache = cache(&server.url()).await;
    let database = Database::default();
    let queue = builder(&cache).takeover_after(Duration::from_secs(600)).start(database.clone()).unwrap();
    queue.write("a", &1).await.unwrap();
    assert!(queue.flush(LONG).await.unwrap());
    server.command::<()>(&["SET", "shop:w:{rows}:consumer", "another"]);
    queue.write("a", &2).await.unwrap();
    eventually(|| !queue.stats().consuming).await;
    assert_eq!(database.tried(), 1);
    server.command::<()>(&["DEL", "shop:w:{rows}:consumer"]);
    eventually(|| database.row("a") == Some(2)).await;
}

/// Written by another program, another release, or harmed: kept as it is.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_write_of_this_type_becomes_a_dead_letter() {
    let server = RedisServer::start();
    let cache = TieredCache::new(MemoryCache::new(100), cache(&server.url()).await);
    let database = Database::default();
    let queue =
        WriteBehind::<u64>::builder("rows").tiered(&cache).max_delay(ms(1)).start(database.clone()).unwrap();
    cache.insert("row:a", &7_u64, Policy::ttl(LONG)).await.unwrap();
    let stream = "shop:w:{rows}";
    let strange: [&[&str]; 4] = [
        &["k", "a", "v", "\u{7f}trailing", "c", "row:a"],
        &["k", "a"],
        &["v", "\u{1}"],
        &["something", "else"],
    ];
    for fields in strange {
        server.command::<String>(&[&["XADD", stream, "*"], fields].concat());
    }
    queue.write("b", &2).await.unwrap();
    assert!(queue.flush(LONG).await.unwrap());
    assert_eq!((database.row("b"), queue.stats().undecodable, queue.stats().dead), (Some(2), 4, 4));
    assert_eq!(cache.get::<u64>("row:a").await.unwrap(), None, "its key is invalidated");
    let letters = queue.dead_letters(10).await.unwrap();
    assert_eq!((letters.len(), &*letters[0].key, letters[0].value), (4, "a", None));
    assert!(letters[0].reason.contains("not one of this queue's type"), "{letters:?}");
    let there: Vec<(String, Vec<String>)> = server.command(&["XRANGE", "shop:w:{rows}:dead", "-", "+"]);
    assert_eq!(there[3].1[..2], ["something", "else"]);
    // Replayed as they were.
    server.command::<()>(&["DEL", "shop:w:{rows}:consumer"]);
    let ids: Vec<_> = letters.iter().map(|letter| letter.id).collect();
    assert_eq!(queue.replay(&ids).await.unwrap(), 4);
    eventually(|| queue.stats().dead == 8).await;
    let again: Vec<(String, Vec<String>)> = server.command(&["XRANGE", "shop:w:{rows}:dead", "-", "+"]);
    assert_eq!(again[3].1[..2], ["something", "else"]);
    assert_eq!(again[3].1.len(), 6, "{again:?}");
}

/// The next read in any process is of the row that was written.
#[tokio::test(flavor = "multi_thread")]
async fn other_processes_are_told_of_the_commit() {
    let server = RedisServer::start();
    let here = TieredCache::new(MemoryCache::new(100), cache(&server.url()).await);
    let there = TieredCache::new(MemoryCache::new(100), cache(&other(&server)).await);
    let database = Database::default();
    let policy = || Policy::ttl(Duration::from_secs(600));
    let read = async |cache: &TieredCache| {
        let row = async || Ok::<_, ()>(database.row("a").unwrap_or(0));
        cache.get_or_compute("row:a", policy(), row).await.unwrap()
    };
    let producer = WriteBehind::<u64>::builder("rows").tiered(&here).producer().unwrap();
    assert_eq!((read(&here).await, read(&there).await), (0, 0));
    producer.write_cached("a", &1, "row:a", policy()).await.unwrap();
    assert_eq!(read(&here).await, 1);
    // The other one has it by the log.
    let start = std::time::Instant::now();
    while read(&there).await != 1 {
        assert!(start.elapsed() < LONG);
    }
    // Its reader finds nothing, say, and computes from the old row.
    there.invalidate("row:a").await;
    assert_eq!(read(&there).await, 0);
    let _consumer =
        WriteBehind::<u64>::builder("rows").tiered(&there).max_delay(ms(1)).start(database.clone()).unwrap();
    assert!(producer.flush(LONG).await.unwrap());
    let start = std::time::Instant::now();
    while (read(&here).await, read(&there).await) != (1, 1) {
        assert!(start.elapsed() < LONG, "{}", read(&here).await);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn dead_letters_are_replayed_from_any_process() {
    let server = RedisServer::start();
    let (here, there) = (cache(&server.url()).await, cache(&other(&server)).await);
    let database = Database::default();
    database.fails("a", true);
    let consumer = builder(&there).start(database.clone()).unwrap();
    let producer = builder(&here).max_waiting(3).producer().unwrap();
    producer.write("a", &1).await.unwrap();
    producer.write("b", &1).await.unwrap();
    assert!(producer.flush(LONG).await.unwrap());
    let depth = producer.depth().await.unwrap();
    assert_eq!((depth.waiting, depth.dead), (0, 1));
    database.heal();
    let letters = producer.dead_letters(10).await.unwrap();
    assert_eq!((&*letters[0].key, letters[0].value, &*letters[0].reason), ("a", Some(1), "never"));
    assert_eq!(producer.replay(&[letters[0].id]).await.unwrap(), 1);
    assert!(producer.flush(LONG).await.unwrap());
    assert_eq!((database.row("a"), producer.depth().await.unwrap()), (Some(1), QueueDepth::default()));
    assert_eq!(consumer.stats().dead, 1);
}

/// More than a script can pass on one by one.
#[tokio::test(flavor = "multi_thread")]
async fn a_record_of_very_many_fields_is_kept() {
    let server = RedisServer::start();
    let cache = cache(&server.url()).await;
    let queue = builder(&cache).start(Database::default()).unwrap();
    let many: Vec<String> = (0..10_000).map(|word| word.to_string()).collect();
    let words = ["XADD", "shop:w:{rows}", "*"].into_iter().chain(many.iter().map(String::as_str));
    server.command::<String>(&words.collect::<Vec<_>>());
    eventually(|| queue.stats().dead == 1).await;
    let there: Vec<(String, Vec<Vec<u8>>)> = server.command(&["XRANGE", "shop:w:{rows}:dead", "-", "+"]);
    assert_eq!(there[0].1[0], b"packed");
}
