//! Invalidations, and how they reach the memory of other processes.

use std::{
    convert::Infallible,
    time::{Duration, Instant},
};

use larder::{CacheExt, Epoch, Invalidation, Policy, RedisCache, Scope, TieredCache};
use larder_servers::{Data, Proxy, RedisServer};
use larder_tests::caches::{Process, eventually, long, ms, patient, tiered};

use super::{found, served};

/// Stores a value in one process, and gets it into the memory of another one.
async fn known_to_both(a: &TieredCache, b: &TieredCache, key: &str, policy: &Policy) {
    a.insert(key, &1_u64, policy).await.unwrap();
    eventually(async || found::<u64>(b, key).await.is_some()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_invalidation_reaches_the_memory_of_the_other_process() {
    const ROUNDS: usize = 300;
    let server = RedisServer::start();
    let (a, b) = (Process::A.tiered(&server).await, Process::B.tiered(&server).await);
    let mut delays = Vec::new();
    for _ in 0..ROUNDS {
        known_to_both(&a, &b, "key", &long()).await;
        let begun = Instant::now();
        drop(a.invalidate("key"));
        while found::<u64>(&b, "key").await.is_some() {
            assert!(begun.elapsed() < Duration::from_secs(20), "it never arrived");
            tokio::task::yield_now().await;
        }
        delays.push(begun.elapsed());
    }
    delays.sort_unstable();
    let (p50, p99) = (delays[ROUNDS / 2], delays[ROUNDS * 99 / 100]);
    println!("an invalidation takes {p50:?} (p50), {p99:?} (p99) to reach the other process' memory");
    // Far from what it takes, so that only a wake-up that was missed exceeds it.
    assert!(p50 < Duration::from_millis(100), "{p50:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_caller_that_waits_for_an_epoch_reads_nothing_older() {
    let server = RedisServer::start();
    let (a, b) = (Process::A.tiered(&server).await, Process::B.tiered(&server).await);
    for _ in 0..100 {
        known_to_both(&a, &b, "key", &long()).await;
        let Invalidation::Delivered(epoch) = a.invalidate("key").await else { panic!("the server is there") };
        assert_ne!(epoch, Epoch::ZERO);
        assert!(larder::CacheExt::wait_for(&b, epoch).await);
        assert_eq!(found::<u64>(&b, "key").await, None);
        assert!(b.link().position >= epoch);
    }
}

/// A read of an idle log ends after a second or a little more, and proves what was so when it was sent: just before the
/// next one ends, almost two reads have passed.
#[tokio::test(flavor = "multi_thread")]
async fn an_idle_log_is_within_reach() {
    let server = RedisServer::start();
    let a = Process::A.tiered(&server).await;
    for _ in 0..3 {
        eventually(async || a.link().out_of_touch > ms(1_990)).await;
        let outcome = a.invalidate("key").await;
        assert!(matches!(outcome, Invalidation::Delivered(_)), "{outcome:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_queued_is_delivered_when_the_server_is_back() {
    let server = RedisServer::builder().append_only().start();
    let (a, b) = (Process::A.tiered(&server).await, Process::B.tiered(&server).await);
    known_to_both(&a, &b, "key", &long()).await;
    known_to_both(&a, &b, "group:1", &long()).await;
    known_to_both(&a, &b, "stays", &long()).await;
    server.kill();
    assert_eq!(a.invalidate(["key", "group:*"]).await, Invalidation::Queued);
    assert_eq!(found::<u64>(&a, "key").await, None, "here it is done");
    assert_eq!(found(&b, "key").await, Some(1_u64), "the other one could not be told");
    server.restart(Data::Kept);
    eventually(async || {
        found::<u64>(&b, "key").await.is_none() && found::<u64>(&b, "group:1").await.is_none()
    })
    .await;
    eventually(async || a.link().waiting == 0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn prefixes_tags_namespaces_and_everything_go_everywhere() {
    let server = RedisServer::start();
    let (a, b) = (Process::A.tiered(&server).await, Process::B.tiered(&server).await);
    let tagged = Policy::builder().ttl(Duration::from_secs(600)).tag("org:7").build().unwrap();
    type Deed = (&'static str, fn(&TieredCache));
    let deeds: [Deed; 5] = [
        ("dashboard:7:page", |cache| drop(cache.invalidate("dashboard:*"))),
        ("tagged", |cache| drop(cache.invalidate(Scope::tag("org:7")))),
        ("users:7", |cache| drop(cache.namespace("users").bump())),
        ("users:admins:7", |cache| drop(cache.namespace("users").namespace("admins").bump())),
        ("anything", |cache| drop(cache.invalidate(Scope::all()))),
    ];
    for (key, deed) in deeds {
        known_to_both(&a, &b, key, &tagged).await;
        known_to_both(&a, &b, "other", &long()).await;
        deed(&b);
        assert_eq!(found::<u64>(&b, key).await, None, "{key}: at once where it was called");
        eventually(async || found::<u64>(&a, key).await.is_none()).await;
        if key != "anything" {
            assert_eq!(found(&a, "other").await, Some(1_u64), "{key}: and nothing else goes");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_computed_from_it_goes_too() {
    let server = RedisServer::start();
    let a = Process::A.tiered(&server).await;
    let b = Process::B.tiered(&server).await;
    let c = Process::C.tiered(&server).await;
    for round in 0..20_u64 {
        let dashboard = a.get_or_compute("dashboard:1", long(), async || {
            a.get_or_compute("user:7", long(), async || Ok::<_, Infallible>(round)).await
        });
        assert_eq!(dashboard.await, Ok(round));
        eventually(async || found(&b, "dashboard:1").await == Some(round)).await;
        let Invalidation::Delivered(epoch) = c.invalidate("user:7").await else {
            panic!("the server is there")
        };
        assert!(larder::CacheExt::wait_for(&b, epoch).await && larder::CacheExt::wait_for(&a, epoch).await);
        assert_eq!(found::<u64>(&b, "dashboard:1").await, None);
        assert_eq!(found::<u64>(&a, "dashboard:1").await, None);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn two_caches_of_one_process_share_their_tables() {
    let server = RedisServer::start();
    let (one, two) = (Process::A.tiered(&server).await, Process::A.tiered(&server).await);
    let other = tiered(Process::A.builder(&server).prefix("other")).await;
    known_to_both(&one, &two, "key", &long()).await;
    other.insert("key", &2_u64, long()).await.unwrap();
    drop(one.invalidate("key"));
    assert_eq!(found::<u64>(&two, "key").await, None, "without any delay");
    assert_eq!(found(&other, "key").await, Some(2_u64), "another prefix is another matter");
    let clients: String = server.command(&["CLIENT", "LIST"]);
    let readers = clients.matches("name=larder-log ").count();
    assert_eq!(readers, 2, "one for each prefix");
}

/// An insertion replaces what other processes have in memory.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_inserted_replaces_it_everywhere() {
    let server = RedisServer::start();
    let (a, b) = (Process::A.tiered(&server).await, Process::B.tiered(&server).await);
    for round in 0..50_u64 {
        let (writer, reader) = if round % 2 == 0 { (&a, &b) } else { (&b, &a) };
        writer.insert("key", &round, long()).await.unwrap();
        assert_eq!(found(writer, "key").await, Some(round));
        eventually(async || found(reader, "key").await == Some(round)).await;
        assert_eq!(served(reader, "key", &long()).await, Some(round));
    }
}

/// The connections on which logs are read, as the server numbers them.
fn log_connections(server: &RedisServer) -> Vec<String> {
    let clients: String = server.command(&["CLIENT", "LIST"]);
    let readers = clients.lines().filter(|line| line.contains(" name=larder-log "));
    readers.filter_map(|line| line.strip_prefix("id=")?.split(' ').next()).map(str::to_owned).collect()
}

/// An insert's own record that comes after the value drops nothing: the value is newer.
#[tokio::test(flavor = "multi_thread")]
async fn a_record_that_is_older_than_the_entry_does_not_drop_it() {
    let server = RedisServer::start();
    let proxy = Proxy::start(server.address());
    let a = Process::A.tiered(&server).await;
    let others = log_connections(&server);
    let b = tiered(patient(RedisCache::builder().url(proxy.url()))).await;
    assert_eq!(found::<u64>(&b, "key").await, None);
    // Each process begins to append in a millisecond of its own. The IDs of a log that was just made are ahead of the
    // clock, and a process that is disconnected accepts none of them but those of the millisecond that it has come to.
    for begins in [&a, &b] {
        let Invalidation::Delivered(begun) = begins.invalidate("begun").await else {
            panic!("it is delivered")
        };
        for follows in [&a, &b] {
            eventually(async || follows.link().position >= begun).await;
        }
    }
    // From here on the process does not read the log, and reads entries.
    proxy.refuse();
    for id in log_connections(&server).iter().filter(|id| !others.contains(id)) {
        server.command::<()>(&["CLIENT", "KILL", "ID", id]);
    }
    let kept = a.invalidate("before").await;
    a.insert("key", &1_u64, long()).await.unwrap();
    a.insert("other", &1_u64, long()).await.unwrap();
    for key in ["key", "other"] {
        eventually(async || found(&b, key).await == Some(1_u64)).await;
    }
    a.insert("other", &2_u64, long()).await.unwrap();
    let Invalidation::Delivered(last) = a.invalidate("last").await else { panic!("it is delivered") };
    assert!(matches!(kept, Invalidation::Delivered(kept) if kept < last));
    for key in ["key", "other"] {
        server.command::<()>(&["DEL", &format!("larder:e:{key}")]);
    }
    assert!(b.link().position < last, "the records are still to come");
    proxy.heal();
    eventually(async || b.link().position >= last).await;
    assert_eq!(found(&b, "key").await, Some(1_u64), "its record is older than the value");
    assert_eq!(found::<u64>(&b, "other").await, None, "the second record is newer than the value");
}
