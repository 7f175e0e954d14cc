//! Keys in Redis that say nothing of the users': one who reads everything there finds none of their words.

use std::{
    convert::Infallible,
    io::{Read, Write},
    net::TcpStream,
    thread::JoinHandle,
    time::Duration,
};

use larder::{
    CacheExt, Policy, RedisCacheBuilder, TieredCache,
    limit::{Limiter, Rate},
};
use larder_servers::{RedisCluster, RedisServer};
use larder_tests::caches::{Process, eventually, long, patient, tiered};

use super::{found, sealed::key};

/// All words of the user's: of keys, values, tags, namespaces, locks, counters and limits.
const WORDS: [&str; 10] = [
    "ada@example",
    "secret-value",
    "blue-team",
    "customers",
    "night-job",
    "visits",
    "192.0.2.7",
    "refused-error",
    "orders",
    "in-computation",
];

fn hashing(process: Process, server: &RedisServer) -> RedisCacheBuilder {
    process.builder(server).seal(key(1)).hash_keys(key(2))
}

/// Does everything that leaves something in Redis, with two processes.
async fn do_everything(a: &TieredCache, b: &TieredCache) {
    let tagged = Policy::builder().ttl(Duration::from_secs(600)).tag("blue-team").build().unwrap();
    let value = "secret-value".to_owned();
    let computed = async || Ok::<_, Infallible>(value.clone());
    // The same by both: a lease, a hit of the other one's, and what is computed from another value.
    let key = "orders:ada@example";
    for cache in [a, b] {
        assert_eq!(cache.get_or_compute(key, &tagged, computed).await.as_ref(), Ok(&value));
        let of_others = async || {
            let _ = cache.get::<String>(key).await;
            Ok::<_, Infallible>(value.clone())
        };
        cache.get_or_compute("in-computation", &tagged, of_others).await.unwrap();
    }
    a.insert("customers:1", &value, &tagged).await.unwrap();
    a.insert_many(&[("orders:2", value.clone())], long()).await.unwrap();
    eventually(async || found::<String>(b, "orders:2").await.as_ref() == Some(&value)).await;
    let kept = Policy::builder().ttl(Duration::from_secs(600)).cache_err(Duration::from_secs(600)).build();
    let failed = async || Err::<String, _>("refused-error".to_owned());
    let outcome = a.get_or_compute_keeping("orders:3", kept.unwrap(), |_| true, failed).await;
    assert!(outcome.is_err());
    let customers = a.namespace("customers");
    customers.get_or_compute("ada@example", long(), computed).await.unwrap();
    assert_eq!(a.increment("visits", 2, Duration::from_secs(600)).await.unwrap(), 2);
    assert_eq!(b.counter("visits").await.unwrap(), 2, "one counter for both");
    let lock = CacheExt::lock(a, "night-job", Duration::from_secs(600)).await.unwrap();
    assert!(CacheExt::try_lock(b, "night-job", Duration::from_secs(1)).await.unwrap().is_none());
    assert!(lock.release().await.unwrap());
    let limiter = Limiter::new(a.clone(), Rate::per_minute(100));
    assert!(limiter.check("192.0.2.7").await.is_allowed());
    a.mark_stale("orders:2").await;
    a.invalidate("visits").await;
    eventually(async || b.counter("visits").await.unwrap() == 0).await;
    a.invalidate(larder::Scope::tag("blue-team")).await;
    a.invalidate("customers:*").await;
    // What is left there for the dump.
    a.get_or_compute("orders:ada@example", long(), computed).await.unwrap();
    a.increment("visits", 1, None).await.unwrap();
}

/// Everything that is sent to a server, from now on to the word `END` in a command.
fn monitor(server: &RedisServer) -> JoinHandle<String> {
    let mut stream = TcpStream::connect(server.address()).unwrap();
    stream.set_read_timeout(Some(larder_servers::DEADLINE)).unwrap();
    stream.write_all(b"MONITOR\r\n").unwrap();
    let mut ok = [0; 5];
    stream.read_exact(&mut ok).unwrap();
    std::thread::spawn(move || {
        let (mut seen, mut buffer) = (Vec::new(), vec![0; 1 << 16]);
        while !seen.windows(8).any(|window| window == b"the END!") {
            let length = stream.read(&mut buffer).unwrap();
            assert!(length > 0, "the server closed the connection");
            seen.extend_from_slice(&buffer[..length]);
        }
        String::from_utf8_lossy(&seen).into_owned()
    })
}

/// All keys and all that is in them, as bytes that are no UTF-8 are left out of.
fn dump(server: &RedisServer) -> String {
    let mut connection = server.client(&server.url()).unwrap().get_connection().unwrap();
    let names: Vec<Vec<u8>> = redis::cmd("KEYS").arg("*").query(&mut connection).unwrap();
    let mut all = String::new();
    for name in names {
        let kind: String = redis::cmd("TYPE").arg(&name).query(&mut connection).unwrap();
        let mut read = match kind.as_str() {
            "string" => redis::cmd("GET"),
            "hash" => redis::cmd("HGETALL"),
            "stream" => redis::cmd("XRANGE"),
            // Its time was over.
            "none" => continue,
            other => panic!("{other} is not read"),
        };
        read.arg(&name);
        if kind == "stream" {
            read.arg("-").arg("+");
        }
        let mut parts = vec![redis::Value::BulkString(name), read.query(&mut connection).unwrap()];
        while let Some(part) = parts.pop() {
            match part {
                redis::Value::BulkString(bytes) => all += &(String::from_utf8_lossy(&bytes) + "\n"),
                redis::Value::Array(more) => parts.extend(more),
                redis::Value::Map(pairs) => {
                    parts.extend(pairs.into_iter().flat_map(|(name, value)| [name, value]))
                }
                _ => {}
            }
        }
    }
    all
}

/// All that one sees who sees all of Redis while this goes on, and after it.
async fn seen(server: &RedisServer, builder: fn(Process, &RedisServer) -> RedisCacheBuilder) -> [String; 2] {
    let watching = monitor(server);
    let (a, b) = (tiered(builder(Process::A, server)).await, tiered(builder(Process::B, server)).await);
    do_everything(&a, &b).await;
    let dumped = dump(server);
    server.command::<String>(&["ECHO", "the END!"]);
    [watching.join().unwrap(), dumped]
}

#[tokio::test(flavor = "multi_thread")]
async fn who_sees_all_of_redis_finds_no_word_of_a_key_or_a_value() {
    let server = RedisServer::start();
    let [commands, dumped] = seen(&server, hashing).await;
    for word in WORDS {
        assert!(!commands.contains(word), "{word} was sent");
        assert!(!dumped.contains(word), "{word} is stored");
    }
    for kind in ["e", "l", "c", "m", "r:100/60000/100"] {
        assert!(commands.contains(&format!("larder:{kind}:#")), "there was a {kind}");
    }
    assert!(dumped.contains("larder:e:#") && dumped.contains("larder:c:#"));
}

/// What the test above looks for, it would find.
#[tokio::test(flavor = "multi_thread")]
async fn without_hashing_keys_are_found_and_without_a_seal_values() {
    let server = RedisServer::start();
    let [commands, dumped] = seen(&server, |process, server| process.builder(server).seal(key(1))).await;
    for word in ["ada@example", "night-job", "visits", "192.0.2.7", "orders", "customers", "in-computation"] {
        assert!(commands.contains(word), "{word}");
    }
    assert!(!commands.contains("secret-value") && !commands.contains("refused-error"));
    assert!(dumped.contains("ada@example"));

    let server = RedisServer::start();
    let [commands, dumped] = seen(&server, Process::builder).await;
    for word in ["secret-value", "refused-error"] {
        assert!(commands.contains(word), "{word}");
    }
    assert!(dumped.contains("secret-value"));
}

/// Deleted as behind any invalidation, which only costs memory otherwise.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_invalidated_is_deleted_under_its_hashed_name() {
    let server = RedisServer::start();
    let a = tiered(hashing(Process::A, &server)).await;
    a.insert("orders:1", &1_u32, long()).await.unwrap();
    let entries = || server.command::<Vec<String>>(&["KEYS", "larder:e:*"]);
    eventually(async || entries().len() == 1).await;
    a.invalidate("orders:1").await;
    eventually(async || entries().is_empty()).await;
}

/// Of one process and prefix, one that hashes and one that does not: each has its own entries, and both hear of
/// invalidations.
#[tokio::test(flavor = "multi_thread")]
async fn caches_that_name_differently_share_invalidations_and_nothing_else() {
    let server = RedisServer::start();
    let (plain, hashed) =
        (Process::A.bare(&server).await, hashing(Process::A, &server).connect().await.unwrap());
    let other = Process::B.builder(&server).seal(key(1)).hash_keys(key(3)).connect().await.unwrap();
    for (n, cache) in [&plain, &hashed, &other].into_iter().enumerate() {
        let computed = async || Ok::<_, Infallible>(n);
        assert_eq!(cache.get_or_compute("orders:1", long(), computed).await, Ok(n));
        assert_eq!(cache.stats().shared_rejected, 0);
    }
    plain.invalidate("orders:1").await;
    eventually(async || found::<usize>(&hashed, "orders:1").await.is_none()).await;
    eventually(async || found::<usize>(&other, "orders:1").await.is_none()).await;
}

/// Names have no hash tag: entries of one tag lie anywhere, and are found there.
#[tokio::test(flavor = "multi_thread")]
async fn hash_tags_of_a_cluster_have_no_effect() {
    let cluster = RedisCluster::start();
    let builder = larder::RedisCache::builder()
        .cluster(cluster.urls().iter().map(|url| url.trim_start_matches("redis://").to_owned()))
        .seal(key(1))
        .hash_keys(key(2));
    let cache = patient(builder).connect().await.unwrap();
    let keys: Vec<String> = (0..20).map(|n| format!("{{orders}}:{n}")).collect();
    let pairs: Vec<_> = keys.iter().map(|key| (key.as_str(), key.clone())).collect();
    cache.insert_many(&pairs, long()).await.unwrap();
    eventually(async || {
        let read = cache.get_many::<String>(&keys).await.unwrap();
        read.iter().zip(&keys).all(|(value, key)| value.as_ref() == Some(key))
    })
    .await;
}
