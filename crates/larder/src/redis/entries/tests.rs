//! Entries that no writer of this release could have written.

use std::{convert::Infallible, time::Duration};

use ::redis::Connection;
use larder_servers::{Direction, Fault, Proxy, RedisServer, until};
use xxhash_rust::xxh3::xxh3_64;

use crate::{
    CacheExt, Invalidation, Policy, RedisCache, Scope,
    epoch::Epoch,
    redis::capabilities::Scripting,
    sync::plain::{Mutex, lock},
};

const NAME: &str = "larder:e:ns:k";

/// Two processes, as far as their logs go.
async fn two(server: &RedisServer) -> [RedisCache; 2] {
    let connect = async |url: String| {
        let builder = RedisCache::builder().url(url).deadline(Duration::from_secs(5));
        builder.connect().await.expect("the server is up")
    };
    [connect(server.url()).await, connect(server.url().replace("127.0.0.1", "localhost")).await]
}

fn policy() -> Policy {
    Policy::ttl(Duration::from_secs(600))
}

/// The stored message.
fn message(connection: &mut Connection) -> Vec<u8> {
    ::redis::cmd("GET").arg(NAME).query(connection).expect("it is there")
}

/// Stores a message under another epoch, with the right checksum.
fn forge(connection: &mut Connection, mut message: Vec<u8>, epoch: Epoch) {
    message[16..24].copy_from_slice(&epoch.number().to_be_bytes());
    let length = usize::from(u16::from_be_bytes([message[8], message[9]]));
    let sum = xxh3_64(&message[8..length]) as u32;
    message[4..8].copy_from_slice(&sum.to_be_bytes());
    ::redis::cmd("SET").arg(NAME).arg(message).arg("PX").arg(600_000).exec(connection).expect("it is set");
}

fn connection(server: &RedisServer) -> Connection {
    let client = ::redis::Client::open(server.url()).expect("a URL");
    client.get_connection().expect("the server is up")
}

/// Just above everything that can have been written so far, and the highest there is.
#[tokio::test(flavor = "multi_thread")]
async fn an_entry_from_the_future_is_refused_and_overwritten() {
    let server = RedisServer::start();
    let [a, b] = two(&server).await;
    let mut connection = connection(&server);
    let minutes = |minutes: u64| {
        let log = a.remote.log.order();
        let now = log.contact().server_now_ms().expect("it is known").max(log.highest().milliseconds());
        Epoch::from_id(now + minutes * 60_000, 0).expect("it fits")
    };
    for epoch in [minutes(3), minutes(60), minutes(60 * 24 * 365), Epoch::from_number(u64::MAX)] {
        a.insert("ns:k", &"old".to_owned(), policy()).await.expect("it is stored");
        let old = message(&mut connection);
        forge(&mut connection, old, epoch);
        let before = b.core.stats();
        assert_eq!(b.get::<String>("ns:k").await.expect("the key is good"), None, "{epoch}");
        assert_eq!(b.core.stats().since(&before).shared_rejected, 1, "{epoch}");
        // It stands in no other entry's way.
        let compute = async || Ok::<_, Infallible>("new".to_owned());
        assert_eq!(a.get_or_compute("ns:k", policy(), compute).await, Ok("new".to_owned()));
        assert_eq!(b.get("ns:k").await.expect("the key is good"), Some("new".to_owned()), "{epoch}");
        let Invalidation::Delivered(all) = a.invalidate(Scope::all()).await else { panic!("it waits") };
        until("the invalidation", || (b.link().position >= all).then_some(()));
        assert_eq!(b.get::<String>("ns:k").await.expect("the key is good"), None, "{epoch}");
    }
}

/// What a process is ahead by that has read more of the log is nothing to refuse; and a newer entry stays.
#[tokio::test(flavor = "multi_thread")]
async fn a_newer_entry_is_neither_refused_nor_overwritten() {
    let server = RedisServer::start();
    let [a, b] = two(&server).await;
    let connection = Mutex::new(connection(&server));
    a.insert("ns:k", &"newer".to_owned(), policy()).await.expect("it is stored");
    let stored = message(&mut lock(&connection));
    let Invalidation::Delivered(epoch) = a.invalidate("ns:k").await else { panic!("it waits") };
    until("the invalidation", || (b.link().position >= epoch).then_some(()));
    let ahead = Epoch::from_id(epoch.milliseconds(), epoch.sequence() + 1_000).expect("it fits");
    let before = a.core.stats();
    let compute = async || {
        forge(&mut lock(&connection), stored.clone(), ahead);
        Ok::<_, Infallible>("older".to_owned())
    };
    assert_eq!(a.get_or_compute("ns:k", policy(), compute).await, Ok("older".to_owned()));
    assert_eq!(a.core.stats().since(&before).shared_skipped, 1);
    assert_eq!(b.get("ns:k").await.expect("the key is good"), Some("newer".to_owned()));
}

/// Several entries are stored by one script, each unless something later is there.
#[tokio::test(flavor = "multi_thread")]
async fn many_inserts_replace_what_is_older() {
    let server = RedisServer::start();
    let [a, b] = two(&server).await;
    let mut connection = connection(&server);
    let scripts = || {
        let stats = server.info("commandstats", "cmdstat_evalsha").unwrap_or_default();
        let calls = stats.strip_prefix("calls=").and_then(|rest| rest.split(',').next());
        calls.and_then(|calls| calls.parse::<u64>().ok()).unwrap_or_default()
    };
    let insert = async |text: &str| {
        let before = (a.core.stats(), scripts());
        let values: Vec<_> =
            ["k", "l"].into_iter().map(str::to_owned).chain((0..299).map(|n| n.to_string())).collect();
        let values: Vec<_> = values.into_iter().map(|key| (format!("ns:{key}"), text.to_owned())).collect();
        a.insert_many(&values, policy()).await.expect("they can be encoded");
        let stats = a.core.stats().since(&before.0);
        (stats.shared_stores, stats.shared_skipped, scripts() - before.1)
    };
    insert("first").await;
    assert_eq!(insert("second").await, (301, 0, 2));
    until("the change", || (b.link().position >= a.link().position).then_some(()));
    for key in ["ns:k", "ns:l", "ns:0", "ns:298"] {
        assert_eq!(b.get(key).await.expect("the key is good"), Some("second".to_owned()));
    }

    let position = a.link().position;
    let ahead = Epoch::from_id(position.milliseconds(), position.sequence() + 1_000).expect("it fits");
    let stored = message(&mut connection);
    forge(&mut connection, stored, ahead);
    assert_eq!(insert("older").await, (300, 1, 2), "what is newer stays");
    until("the change", || (b.link().position >= a.link().position).then_some(()));
    assert_eq!(b.get("ns:l").await.expect("the key is good"), Some("older".to_owned()));
}

/// Comes back from its message as another one, if it is one.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
struct Number {
    #[serde(default, skip_serializing_if = "is_one")]
    n: u64,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks like that")]
fn is_one(n: &u64) -> bool {
    *n == 1
}

/// An insert is told of its own value, and not of those before it.
#[tokio::test(flavor = "multi_thread")]
async fn a_good_value_is_stored_however_many_bad_ones_were_there_before() {
    let server = RedisServer::start();
    let [a, _] = two(&server).await;
    for _ in 0..12 {
        let refused =
            a.insert("k", &Number { n: 1 }, policy()).await.expect_err("it would come back changed");
        assert!(!refused.to_string().contains("not tried"), "{refused}");
    }
    for n in [5, 6] {
        a.insert("k", &Number { n }, policy()).await.expect("it comes back as it is");
        assert_eq!(a.get("k").await.expect("the key is good"), Some(Number { n }));
    }
}

/// Whether scripts run again is asked beside what can be done without them.
#[tokio::test(flavor = "multi_thread")]
async fn no_caller_waits_for_whether_scripts_run_again() {
    let server = RedisServer::start();
    let proxy = Proxy::start(server.address());
    let builder = RedisCache::builder().url(proxy.url()).deadline(Duration::from_secs(300));
    let cache = builder.connect().await.expect("the server is up");
    let capabilities = &cache.remote.findings.capabilities;
    let calls = |command: &str| server.info("commandstats", &format!("cmdstat_{command}")).is_some();
    capabilities.lose_scripts();
    assert!(!capabilities.is_due());
    capabilities.forget_asking();
    proxy.set(Direction::ToClient, Fault::Hold);
    let increment = tokio::spawn({
        let cache = cache.clone();
        async move { cache.increment("n", 2, None).await }
    });
    // Its answer is not there yet, and none of what was asked besides.
    until("the counter is incremented", || calls("incrby").then_some(()));
    proxy.heal();
    assert_eq!(increment.await.expect("it does not panic").expect("it is answered"), 2);
    until("it was found out", || (capabilities.scripting() == Scripting::ByHash).then_some(()));
}
