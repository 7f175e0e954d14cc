//! Whatever lies under our names in Redis: a miss or a clear error, and then all is well again.

#![expect(clippy::unwrap_used, reason = "what fails in a helper fails the test")]

use std::{
    convert::Infallible,
    time::{Duration, Instant},
};

use larder::{CacheExt, TieredCache};
use larder_servers::RedisServer;
use larder_tests::caches::{Process, eventually, long, ms};
use redis::{Client, Cmd, Connection};

fn connection(server: &RedisServer) -> Connection {
    Client::open(server.url()).unwrap().get_connection().unwrap()
}

fn write(connection: &mut Connection, command: &str, key: &str, arguments: &[&[u8]]) {
    redis::cmd("DEL").arg(key).exec(connection).unwrap();
    let mut words = Cmd::new();
    words.arg(command).arg(key);
    for argument in arguments {
        words.arg(*argument);
    }
    words.exec(connection).unwrap();
}

/// Puts something somewhere.
type Put = Box<dyn Fn(&mut Connection)>;

/// A thing of every type, and bytes of every kind, to be put under a key.
fn junk(key: &str) -> Vec<Put> {
    let key = key.to_owned();
    let mut all: Vec<Put> = Vec::new();
    let mut add = |command: &'static str, arguments: Vec<Vec<u8>>| {
        let key = key.clone();
        all.push(Box::new(move |connection: &mut Connection| {
            let arguments: Vec<_> = arguments.iter().map(|argument| &argument[..]).collect();
            write(connection, command, &key, &arguments);
        }));
    };
    for bytes in [
        b"".to_vec(),
        b"x".to_vec(),
        b"LRD".to_vec(),
        b"LRD\x01".to_vec(),
        [b"LRD\x01".as_slice(), &[0xff; 200]].concat(),
        [b"LRD\x02".as_slice(), &[0; 200]].concat(),
        vec![0; 24],
        vec![0xff; 24],
        vec![0xff; 25],
        vec![b'w'; 25],
        vec![0; 100_000],
        b"9223372036854775808".to_vec(),
        b"nonsense".to_vec(),
    ] {
        add("SET", vec![bytes]);
    }
    add("RPUSH", vec![b"a".to_vec(), b"b".to_vec()]);
    add("SADD", vec![b"a".to_vec()]);
    add("HSET", vec![b"until".to_vec(), b"nonsense".to_vec()]);
    add(
        "HSET",
        [b"until".as_slice(), b"inf", b"number", b"1e300", b"token", b""].map(<[u8]>::to_vec).to_vec(),
    );
    add("HSET", [b"until".as_slice(), b"nan", b"number", b"-inf"].map(<[u8]>::to_vec).to_vec());
    add("HSET", [b"number".as_slice(), b"99999999999999999999"].map(<[u8]>::to_vec).to_vec());
    add("ZADD", vec![b"1".to_vec(), b"a".to_vec()]);
    add("XADD", [b"*".as_slice(), b"field", b"value"].map(<[u8]>::to_vec).to_vec());
    all
}

async fn compute(cache: &TieredCache, key: &str) -> u64 {
    let Ok(value) = cache.get_or_compute(key, long(), async || Ok::<_, Infallible>(7_u64)).await;
    value
}

#[tokio::test(flavor = "multi_thread")]
async fn under_an_entrys_name() {
    let server = RedisServer::start();
    let (a, b) = (Process::A.tiered(&server).await, Process::B.tiered(&server).await);
    let mut connection = connection(&server);
    for (round, put) in junk("larder:e:key").into_iter().enumerate() {
        a.invalidate("key").await;
        eventually(async || a.link().waiting == 0).await;
        put(&mut connection);
        let before = a.stats();
        assert_eq!(a.get::<u64>("key").await.unwrap(), None, "round {round}");
        assert!(!a.contains("key").await.unwrap(), "round {round}");
        let counted = a.stats().since(&before);
        assert!(counted.shared_rejected + counted.shared_failures >= 2, "round {round}: {counted:?}");
        assert_eq!(compute(&a, "key").await, 7, "round {round}");
        eventually(async || b.get("key").await.unwrap() == Some(7_u64)).await;
    }
}

/// One byte after the other, in an entry that was good.
#[tokio::test(flavor = "multi_thread")]
async fn a_good_entry_with_one_bad_byte() {
    let server = RedisServer::start();
    let a = Process::A.tiered(&server).await;
    let b = Process::B.bare(&server).await;
    a.insert("key", &7_u64, long()).await.unwrap();
    let mut connection = connection(&server);
    let good: Vec<u8> = redis::cmd("GET").arg("larder:e:key").query(&mut connection).unwrap();
    assert_eq!(b.get("key").await.unwrap(), Some(7_u64));
    for index in 0..good.len() {
        for flip in [0x01, 0x80, 0xff] {
            let mut bad = good.clone();
            bad[index] ^= flip;
            write(&mut connection, "SET", "larder:e:key", &[&bad]);
            assert_eq!(b.get::<u64>("key").await.unwrap(), None, "byte {index} ^ {flip}");
        }
    }
    for length in 0..good.len() {
        write(&mut connection, "SET", "larder:e:key", &[&good[..length]]);
        assert_eq!(b.get::<u64>("key").await.unwrap(), None, "{length} bytes");
    }
    // Under another key it is another key's.
    write(&mut connection, "SET", "larder:e:other", &[&good]);
    assert_eq!(b.get::<u64>("other").await.unwrap(), None);
    write(&mut connection, "SET", "larder:e:key", &[&good]);
    assert_eq!(b.get("key").await.unwrap(), Some(7_u64), "the good one is still good");
}

/// An epoch that is ahead of all there will ever be, and no end: what is newer is stored all the same.
#[tokio::test(flavor = "multi_thread")]
async fn an_entry_that_would_stand_in_the_way_forever() {
    let server = RedisServer::start();
    let (a, b) = (Process::A.tiered(&server).await, Process::B.tiered(&server).await);
    a.insert("key", &1_u64, long()).await.unwrap();
    let mut connection = connection(&server);
    let mut entry: Vec<u8> = redis::cmd("GET").arg("larder:e:key").query(&mut connection).unwrap();
    entry[16..24].fill(0xff);
    a.invalidate("key").await;
    eventually(async || a.link().waiting == 0).await;
    write(&mut connection, "SET", "larder:e:key", &[&entry]);
    assert_eq!(compute(&a, "key").await, 7);
    eventually(async || b.get("key").await.unwrap() == Some(7_u64)).await;
}

/// No caller waits for a holder that does not exist.
#[tokio::test(flavor = "multi_thread")]
async fn under_a_leases_name() {
    let server = RedisServer::start();
    let a = Process::A.tiered(&server).await;
    let mut connection = connection(&server);
    for (round, put) in junk("larder:l:key").into_iter().enumerate() {
        a.invalidate("key").await;
        put(&mut connection);
        let begun = Instant::now();
        assert_eq!(compute(&a, "key").await, 7, "round {round}");
        assert!(begun.elapsed() < Duration::from_secs(3), "round {round}: {:?}", begun.elapsed());
        // Taken over, and given back.
        eventually(async || {
            !redis::cmd("EXISTS").arg("larder:l:key").query::<bool>(&mut self::connection(&server)).unwrap()
        })
        .await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn under_a_counters_name() {
    let server = RedisServer::start();
    let a = Process::A.tiered(&server).await;
    let mut connection = connection(&server);
    for (round, put) in junk("larder:c:key").into_iter().enumerate() {
        put(&mut connection);
        for failed in [a.counter("key").await, a.increment("key", 1, ms(60_000)).await] {
            let error = failed.expect_err("it is no counter");
            assert!(error.is_unavailable(), "round {round}: {error}");
            assert!(error.to_string().contains("key"), "round {round}: {error}");
        }
        a.invalidate("key").await;
        eventually(async || a.increment("key", 1, None).await.is_ok()).await;
        a.invalidate("key").await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn under_a_locks_name() {
    let server = RedisServer::start();
    let a = Process::A.tiered(&server).await;
    let mut connection = connection(&server);
    for (round, put) in junk("larder:m:lock").into_iter().enumerate() {
        put(&mut connection);
        match a.try_lock("lock", ms(60_000)).await {
            Ok(Some(held)) => {
                assert!(held.fencing_token() > 1_700_000_000_000_000, "round {round}: {held:?}");
                assert!(held.release().await.unwrap(), "round {round}");
            }
            Ok(None) => panic!("round {round}: it is free"),
            Err(error) => assert!(error.is_unavailable(), "round {round}: {error}"),
        }
        redis::cmd("DEL").arg("larder:m:lock").exec(&mut connection).unwrap();
        assert!(a.try_lock("lock", ms(60_000)).await.unwrap().is_some());
        redis::cmd("DEL").arg("larder:m:lock").exec(&mut connection).unwrap();
    }
}

/// What is lost with the log is dropped, and the log begins anew.
#[tokio::test(flavor = "multi_thread")]
async fn under_the_logs_name() {
    let server = RedisServer::start();
    let (a, b) = (Process::A.tiered(&server).await, Process::B.tiered(&server).await);
    let mut connection = connection(&server);
    for (round, put) in junk("larder:log").into_iter().enumerate() {
        put(&mut connection);
        assert_eq!(compute(&a, "key").await, 7, "round {round}");
        drop(a.invalidate("key"));
        assert_eq!(a.get::<u64>("key").await.unwrap(), None, "round {round}");
        redis::cmd("DEL").arg("larder:log").exec(&mut connection).unwrap();
        eventually(async || {
            a.insert("after", &round, long()).await.unwrap();
            b.get("after").await.unwrap() == Some(round)
        })
        .await;
    }
}

/// Records that are none of ours, among those that are.
#[tokio::test(flavor = "multi_thread")]
async fn between_the_logs_records() {
    let server = RedisServer::start();
    let (a, b) = (Process::A.tiered(&server).await, Process::B.tiered(&server).await);
    let mut connection = connection(&server);
    let records: [(&str, &[u8]); 5] =
        [("field", b""), ("r", b""), ("r", &[0xff; 3]), ("r", &[1; 5_000]), ("", b"7")];
    for (field, value) in records {
        // Again and again: a record that covers everything may still be on its way to A, and costs it the value.
        eventually(async || {
            a.insert("key", &1_u64, long()).await.unwrap();
            b.get::<u64>("key").await.unwrap().is_some()
        })
        .await;
        redis::cmd("XADD").arg("larder:log").arg("*").arg(field).arg(value).exec(&mut connection).unwrap();
        drop(a.invalidate("key"));
        eventually(async || b.get::<u64>("key").await.unwrap().is_none()).await;
    }
}
