//! Sealed entries, and one who can read and write all of Redis: whatever he puts there is a miss, counted and told of.

use std::{convert::Infallible, ops::Range};

use larder::{CacheExt, CacheStats, Invalidation, Keyring, Policy, RedisCache, Rejection, SealKey};
use larder_servers::RedisServer;
use larder_tests::{
    caches::{Process, eventually, long},
    warnings,
};

/// Where the parts of a sealed entry stand: see `docs/wire-format.md`.
const HEAD: usize = 48;
const PARTS: [(&str, Range<usize>); 5] =
    [("magic", 0..3), ("version", 3..4), ("key", 4..16), ("epoch", 16..24), ("nonce", 24..HEAD)];

pub(super) fn key(byte: u8) -> SealKey {
    SealKey::from([byte; 32])
}

/// Without a memory of its own: each read is one of Redis.
async fn sealed(process: Process, server: &RedisServer, keyring: impl Into<Keyring>) -> RedisCache {
    process.builder(server).seal(keyring).connect().await.unwrap()
}

fn name(key: &str) -> String {
    format!("larder:e:{key}")
}

/// What lies there, as the attacker sees it.
fn stolen(server: &RedisServer, key: &str) -> Vec<u8> {
    server.command(&["GET", &name(key)])
}

/// What the attacker puts there.
fn forge(server: &RedisServer, key: &str, bytes: &[u8]) {
    let mut connection = server.client(&server.url()).unwrap().get_connection().unwrap();
    redis::cmd("SET").arg(name(key)).arg(bytes).arg("EX").arg(600).exec(&mut connection).unwrap();
}

/// What a cache serves under a key, and whether it was computed for that.
async fn ask(cache: &impl CacheExt, key: &str, fresh: &str) -> (String, bool) {
    let mut computed = false;
    let compute = async || {
        computed = true;
        Ok::<_, Infallible>(fresh.to_owned())
    };
    let value = cache.get_or_compute(key, long(), compute).await.unwrap();
    (value, computed)
}

fn rejection(cache: &RedisCache, reason: &str) -> Option<Rejection> {
    cache.link().rejections.into_iter().find(|rejection| rejection.reason == reason)
}

/// A reader asks for what was tampered with: it computes, and it is counted for this reason.
async fn refused(reader: &RedisCache, key: &str, reason: &str) -> CacheStats {
    let (before, found) = (reader.stats(), rejection(reader, reason).map_or(0, |found| found.count));
    assert_eq!(ask(reader, key, "computed anew").await, ("computed anew".to_owned(), true), "{reason}");
    let counted = reader.stats().since(&before);
    assert!(counted.shared_rejected > 0, "{reason}: {counted:?}");
    let all = rejection(reader, reason).map_or(0, |found| found.count);
    assert_eq!(all - found, counted.shared_rejected, "{reason}: {:?}", reader.link().rejections);
    counted
}

async fn not_authentic(reader: &RedisCache, key: &str, reason: &str) {
    let counted = refused(reader, key, reason).await;
    assert_eq!(counted.shared_not_authentic, counted.shared_rejected);
}

#[tokio::test(flavor = "multi_thread")]
async fn processes_share_what_none_else_can_read() {
    let server = RedisServer::start();
    let (a, b) = (sealed(Process::A, &server, key(1)).await, sealed(Process::B, &server, key(1)).await);
    assert!(ask(&a, "user:1", "a secret text").await.1);
    assert_eq!(ask(&b, "user:1", "another").await, ("a secret text".to_owned(), false));
    let large = "large ".repeat(50_000);
    b.insert("user:2", &large, Policy::builder().ttl(std::time::Duration::from_secs(60)).build().unwrap())
        .await
        .unwrap();
    eventually(async || a.get::<String>("user:2").await.unwrap().as_ref() == Some(&large)).await;
    for key in ["user:1", "user:2"] {
        let stolen = stolen(&server, key);
        assert_eq!(stolen[..4], *b"LRD\x81");
        for text in [&b"secret"[..], b"large "] {
            assert!(!stolen.windows(text.len()).any(|window| window == text));
        }
    }
    let stats = [a.stats(), b.stats()];
    assert!(stats.iter().all(|stats| stats.shared_rejected == 0), "{stats:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_moved_or_changed_is_a_miss() {
    let server = RedisServer::start();
    let (a, b) = (sealed(Process::A, &server, key(1)).await, sealed(Process::B, &server, key(1)).await);
    ask(&a, "user:1", "Ada's").await;
    ask(&a, "user:2", "Bob's").await;
    let (own, other) = (stolen(&server, "user:1"), stolen(&server, "user:2"));

    forge(&server, "user:1", &other);
    not_authentic(&b, "user:1", "not_authentic").await;

    for (part, range) in PARTS {
        for at in range {
            let mut changed = own.clone();
            changed[at] ^= 1;
            forge(&server, "user:1", &changed);
            match part {
                "magic" => drop(refused(&b, "user:1", "magic").await),
                "version" => drop(refused(&b, "user:1", "version").await),
                "key" => not_authentic(&b, "user:1", "unknown_key").await,
                _ => not_authentic(&b, "user:1", "not_authentic").await,
            }
        }
    }
    // What is inside; the next test has all bits.
    let mut changed = own.clone();
    changed[HEAD] ^= 0x80;
    forge(&server, "user:1", &changed);
    not_authentic(&b, "user:1", "not_authentic").await;
    forge(&server, "user:1", &own[..own.len() - 1]);
    not_authentic(&b, "user:1", "not_authentic").await;
    forge(&server, "user:1", &own[..20]);
    refused(&b, "user:1", "truncated").await;

    // What is put back where it was is what it was.
    forge(&server, "user:1", &own);
    assert_eq!(ask(&b, "user:1", "computed").await, ("Ada's".to_owned(), false));
}

/// Not one bit of what an attacker can reach is without a seal.
#[tokio::test(flavor = "multi_thread")]
async fn each_bit_that_changes_and_each_other_length_is_a_miss_and_counted() {
    let server = RedisServer::start();
    let (a, b) = (sealed(Process::A, &server, key(1)).await, sealed(Process::B, &server, key(1)).await);
    ask(&a, "user:1", "Ada's").await;
    let own = stolen(&server, "user:1");
    let mut connection = server.client(&server.url()).unwrap().get_connection().unwrap();
    let mut missed = async |what: &str, bytes: &[u8]| {
        redis::cmd("SET").arg(name("user:1")).arg(bytes).arg("EX").arg(600).exec(&mut connection).unwrap();
        let before = b.stats();
        assert_eq!(b.get::<String>("user:1").await.unwrap(), None, "{what}");
        assert_eq!(b.stats().since(&before).shared_rejected, 1, "{what}");
    };
    for bit in 0..8 * own.len() {
        let mut changed = own.clone();
        changed[bit / 8] ^= 1 << (bit % 8);
        missed(&format!("bit {bit}"), &changed).await;
    }
    for length in 0..own.len() {
        missed(&format!("cut off at {length}"), &own[..length]).await;
    }
    missed("longer", &[&own[..], &[0]].concat()).await;
    missed("twice", &own.repeat(2)).await;
    forge(&server, "user:1", &own);
    assert_eq!(b.get::<String>("user:1").await.unwrap().as_deref(), Some("Ada's"));
}

/// The type is the same everywhere: it is the name alone that tells.
#[tokio::test(flavor = "multi_thread")]
async fn an_entry_is_of_its_namespace_its_schema_and_its_prefix_alone() {
    let server = RedisServer::start();
    let (a, b) = (sealed(Process::A, &server, key(1)).await, sealed(Process::B, &server, key(1)).await);
    let other = Process::B.builder(&server).prefix("other").seal(key(1)).connect().await.unwrap();
    other.insert("user:1", &"of another prefix".to_owned(), long()).await.unwrap();
    let spaces = |cache: &RedisCache| {
        [
            cache.namespace("a"),
            cache.namespace("b"),
            cache.namespace("a").schema(2),
            cache.namespace("a:v2:x"),
        ]
    };
    for space in spaces(&a) {
        ask(&space, "user:1", "theirs").await;
    }
    let mut names: Vec<String> = server.command(&["KEYS", "*:e:*"]);
    names.sort();
    assert_eq!(names.len(), 5, "{names:?}");
    let entries: Vec<Vec<u8>> = names.iter().map(|name| server.command(&["GET", name])).collect();
    let mut connection = server.client(&server.url()).unwrap().get_connection().unwrap();
    for (from, entry) in entries.iter().enumerate() {
        for (to, name) in names.iter().enumerate().filter(|(to, _)| *to != from) {
            redis::cmd("SET").arg(name).arg(entry).exec(&mut connection).unwrap();
            let before = [b.stats(), other.stats()];
            let mut found = vec![other.get::<String>("user:1").await.unwrap()];
            for space in spaces(&b) {
                found.push(space.get("user:1").await.unwrap());
            }
            let rejected = [b.stats().since(&before[0]), other.stats().since(&before[1])];
            let rejected: u64 = rejected.iter().map(|stats| stats.shared_not_authentic).sum();
            assert_eq!((found.iter().flatten().count(), rejected), (4, 1), "{} under {name}", names[from]);
            redis::cmd("SET").arg(name).arg(&entries[to]).exec(&mut connection).unwrap();
        }
    }
}

/// Records of his own, of which some were records once: he can have entries computed anew, and none come back.
#[tokio::test(flavor = "multi_thread")]
async fn a_forged_log_brings_nothing_back() {
    let server = RedisServer::start();
    let (a, b) = (sealed(Process::A, &server, key(1)).await, sealed(Process::B, &server, key(1)).await);
    ask(&a, "user:1", "old").await;
    let old = stolen(&server, "user:1");
    let Invalidation::Delivered(epoch) = a.invalidate("user:1").await else { panic!("the server is up") };
    assert!(b.wait_for(epoch).await);
    let mut connection = server.client(&server.url()).unwrap().get_connection().unwrap();
    let newest = redis::cmd("XREVRANGE").arg("larder:log").arg("+").arg("-").arg("COUNT").arg(1).clone();
    let records: Vec<(String, Vec<Vec<u8>>)> = newest.query(&mut connection).unwrap();
    let record = records[0].1[1].clone();
    let changed = (0..8 * record.len()).map(|bit| {
        let mut changed = record.clone();
        changed[bit / 8] ^= 1 << (bit % 8);
        changed
    });
    for (number, forged) in std::iter::once(record.clone()).chain(changed).enumerate() {
        redis::cmd("XADD").arg("larder:log").arg("*").arg("r").arg(forged).exec(&mut connection).unwrap();
        redis::cmd("SET").arg(name("user:1")).arg(&old).arg("EX").arg(600).exec(&mut connection).unwrap();
        assert_eq!(b.get::<String>("user:1").await.unwrap(), None, "record {number}");
    }
    let late = sealed(Process::C, &server, key(1)).await;
    assert_eq!(late.get::<String>("user:1").await.unwrap(), None, "to one that begins now");
    // Without a log: those who knew it know that it is gone.
    redis::cmd("DEL").arg("larder:log").exec(&mut connection).unwrap();
    eventually(async || b.link().restarts > 0).await;
    forge(&server, "user:1", &old);
    assert_eq!(b.get::<String>("user:1").await.unwrap(), None);
}

/// A type of one test alone: warnings name it.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
struct OfAttacked {
    id: u32,
}

#[tokio::test(flavor = "multi_thread")]
async fn each_reason_is_told_of_once_with_what_mends_it() {
    warnings::listen();
    let server = RedisServer::start();
    let writer = sealed(Process::A, &server, key(2)).await;
    let (plain, reader) = (Process::A.bare(&server).await, sealed(Process::B, &server, key(1)).await);
    for n in 0..6 {
        let name = |reason| format!("{reason}:{n}");
        for cache in [&writer, &plain] {
            let key = name(if std::ptr::eq(cache, &writer) { "unknown_key" } else { "unsealed" });
            cache.insert(&key, &OfAttacked { id: n }, long()).await.unwrap();
        }
        reader.insert(&name("from"), &OfAttacked { id: n }, long()).await.unwrap();
        forge(&server, &name("moved"), &stolen(&server, &name("from")));
        for reason in ["unknown_key", "unsealed", "moved"] {
            let computed = async || Ok::<_, Infallible>(OfAttacked { id: 7 });
            assert_eq!(
                reader.get_or_compute(&name(reason), long(), computed).await,
                Ok(OfAttacked { id: 7 })
            );
        }
    }
    for (reason, mend) in [
        ("unknown_key", "LARDER_SEAL_KEYS"),
        ("unsealed", "let all processes seal"),
        ("not_authentic", "what writes there besides larder"),
    ] {
        let told = warnings::heard(&[&format!("reason={reason}"), "OfAttacked", mend]);
        assert_eq!(told.len(), 1, "{reason}: {told:?}");
        assert!(rejection(&reader, reason).unwrap().count >= 6);
    }
}

/// The very same bytes, put back after they were invalidated.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_replayed_after_an_invalidation_is_a_miss() {
    let server = RedisServer::start();
    let (a, b) = (sealed(Process::A, &server, key(1)).await, sealed(Process::B, &server, key(1)).await);
    ask(&a, "user:1", "old").await;
    let old = stolen(&server, "user:1");
    let Invalidation::Delivered(epoch) = a.invalidate("user:1").await else { panic!("the server is up") };
    assert!(b.wait_for(epoch).await);
    forge(&server, "user:1", &old);
    let before = b.stats();
    assert_eq!(ask(&b, "user:1", "new").await, ("new".to_owned(), true));
    assert!(b.stats().since(&before).invalidated_reads > 0);

    // Nor with the epoch of what is valid: that is authenticated with the rest.
    let new = stolen(&server, "user:1");
    let mut forged = old.clone();
    forged[16..24].copy_from_slice(&new[16..24]);
    forge(&server, "user:1", &forged);
    not_authentic(&b, "user:1", "not_authentic").await;
}

/// By another cache on the same prefix that does not seal, which an attacker can run as well.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_sealed_is_a_miss_and_what_is_sealed_is_one_without_keys() {
    let server = RedisServer::start();
    let (plain, b) = (Process::A.bare(&server).await, sealed(Process::B, &server, key(1)).await);
    ask(&plain, "user:1", "poison").await;
    not_authentic(&b, "user:1", "unsealed").await;
    assert_eq!(stolen(&server, "user:1")[3], 0x81, "it is replaced, whatever its epoch is");

    let counted = refused(&plain, "user:1", "sealed").await;
    assert_eq!(counted.shared_not_authentic, 0, "it may be right: there are no keys to tell");
    assert!(rejection(&plain, "sealed").unwrap().mend.contains("LARDER_SEAL_KEYS"));
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_are_changed_while_processes_run() {
    let server = RedisServer::start();
    let (a, b) = (Keyring::from(key(1)), Keyring::from(key(1)));
    let (writer, reader) =
        (sealed(Process::A, &server, a.clone()).await, sealed(Process::B, &server, b.clone()).await);
    ask(&writer, "user:1", "by the old key").await;
    b.replace(key(1), [key(2)]);
    a.replace(key(2), [key(1)]);
    ask(&writer, "user:2", "by the new key").await;
    assert_eq!(ask(&reader, "user:2", "x").await, ("by the new key".to_owned(), false));
    assert_eq!(ask(&reader, "user:1", "x").await, ("by the old key".to_owned(), false));
    assert_eq!(ask(&writer, "user:1", "x").await, ("by the old key".to_owned(), false));

    b.replace(key(2), []);
    not_authentic(&reader, "user:1", "unknown_key").await;
    assert_eq!(ask(&writer, "user:1", "x").await, ("computed anew".to_owned(), false), "by the new key");
    let stranger = sealed(Process::C, &server, key(3)).await;
    not_authentic(&stranger, "user:2", "unknown_key").await;
}

/// All that goes through entries: kept errors, batches, what is served stale.
#[tokio::test(flavor = "multi_thread")]
async fn errors_that_are_kept_and_batches_are_sealed() {
    let server = RedisServer::start();
    let (a, b) = (sealed(Process::A, &server, key(1)).await, sealed(Process::B, &server, key(1)).await);
    let policy = Policy::builder()
        .ttl(std::time::Duration::from_secs(60))
        .cache_err(std::time::Duration::from_secs(60))
        .build()
        .unwrap();
    for (cache, expected) in [(&a, "no such user"), (&b, "no such user")] {
        let compute = async || Err::<String, _>(expected.to_owned());
        let answer = cache.get_or_compute_keeping("error", policy.clone(), |_| true, compute).await;
        assert_eq!(answer, Err("no such user".to_owned()));
    }
    assert!(b.stats().shared_hits > 0);
    a.insert_many(&[("x:1", "a text".to_owned()), ("x:2", "a text".to_owned())], long()).await.unwrap();
    eventually(async || b.get_many::<String>(&["x:1", "x:2"]).await.unwrap().iter().all(Option::is_some))
        .await;
    for key in ["error", "x:1", "x:2"] {
        let stolen = stolen(&server, key);
        assert_eq!(stolen[3], 0x81);
        assert!(!stolen.windows(4).any(|window| [b"text", b"such"].contains(&window.try_into().unwrap())));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_queue_of_writes_is_not_sealed_and_says_so() {
    let server = RedisServer::start();
    let cache = sealed(Process::A, &server, key(1)).await;
    let queue = || larder::write_behind::WriteBehind::<String>::builder("rows").redis(&cache);
    let refused = queue().producer().err().unwrap();
    assert!(refused.is_invalid_configuration() && refused.to_string().contains("in_clear"), "{refused}");
    assert!(queue().in_clear().producer().is_ok());
}
