//! A server that is slow, full, read-only, or gone: no call fails or waits for long, and all is well afterwards.

#![expect(clippy::unwrap_used, reason = "what fails in a helper fails the test")]
#![expect(clippy::print_stdout, reason = "figures for those who look at them")]

use std::{
    convert::Infallible,
    future::Future,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

use larder::{CacheExt, RedisCache, TieredCache};
use larder_servers::{Data, Proxy, RedisServer};
use larder_tests::caches::{Process, eventually, long, ms, tiered};

const CALLERS: usize = 200;
const COMPUTATION: Duration = ms(5);
const PAUSE: Duration = ms(100);
const DEADLINE: Duration = ms(250);

/// What a scheduler may add on a machine with two cores and other work. Where there is load, what it has added to
/// the sleeps of the same callers comes on top.
const SLACK: Duration = ms(150);

/// One test at a time: they measure time.
static TURN: tokio::sync::Mutex<()> = tokio::sync::Mutex::const_new(());

/// Callers who ask for ever new keys, one after the other, and how long they waited at most.
struct Load {
    end: Arc<AtomicBool>,
    /// In microseconds; of calls that began while the breaker was closed, and while it was open; and by how much a
    /// sleep was too long.
    longest: Arc<[AtomicU64; 3]>,
    calls: Arc<AtomicU64>,
    tasks: Vec<tokio::task::JoinHandle<()>>,
}

impl Load {
    fn start(cache: &TieredCache) -> Self {
        let (end, longest) = (Arc::new(AtomicBool::new(false)), Arc::new(<[AtomicU64; 3]>::default()));
        let calls = Arc::new(AtomicU64::new(0));
        let task = |caller: usize| {
            let (cache, end, longest, calls) = (cache.clone(), end.clone(), longest.clone(), calls.clone());
            tokio::spawn(async move {
                for n in 0_u64.. {
                    if end.load(Relaxed) {
                        break;
                    }
                    let was_open = !cache.link().is_available();
                    let begun = Instant::now();
                    let key = format!("load:{caller}:{n}");
                    let computed = cache.get_or_compute(&key, long(), async || {
                        tokio::time::sleep(COMPUTATION).await;
                        Ok::<_, Infallible>(n)
                    });
                    assert_eq!(computed.await, Ok(n));
                    let took = u64::try_from(begun.elapsed().as_micros()).unwrap();
                    longest[usize::from(was_open)].fetch_max(took, Relaxed);
                    calls.fetch_add(1, Relaxed);
                    let begun = Instant::now();
                    tokio::time::sleep(PAUSE).await;
                    let late = begun.elapsed().saturating_sub(PAUSE);
                    longest[2].fetch_max(u64::try_from(late.as_micros()).unwrap(), Relaxed);
                }
            })
        };
        let tasks = (0..CALLERS).map(task).collect();
        Self { end, longest, calls, tasks }
    }

    fn calls(&self) -> u64 {
        self.calls.load(Relaxed)
    }

    /// Waits for as many calls as there are callers, several times over.
    async fn go_on(&self) {
        let goal = self.calls() + 5 * CALLERS as u64;
        eventually(async || self.calls() > goal).await;
    }

    /// Ends it; fails if a caller has failed. The longest calls with the breaker closed, and open, and what the
    /// scheduler has added to a sleep.
    async fn finish(self) -> (Duration, Duration, Duration) {
        self.end.store(true, Relaxed);
        for task in self.tasks {
            task.await.expect("no caller fails");
        }
        let longest = |index: usize| Duration::from_micros(self.longest[index].load(Relaxed));
        (longest(0), longest(1), longest(2))
    }
}

async fn common(server: &RedisServer, url: String) -> TieredCache {
    let cache = tiered(RedisCache::builder().url(url)).await;
    // The scripts are known, and everything has been done once.
    let warm = cache.get_or_compute("warm", long(), async || Ok::<_, Infallible>(0)).await;
    assert_eq!((warm, server.is_up()), (Ok(0), true));
    cache
}

/// 200 callers live through an outage. An invalidation made in it reaches the other process after it.
async fn live_through(server: &RedisServer, url: String, begin: impl FnOnce(), end: impl FnOnce()) {
    let _turn = TURN.lock().await;
    let cache = common(server, url).await;
    let other = Process::C.tiered(server).await;
    other.insert("watched", &1_u64, long()).await.unwrap();
    let load = Load::start(&cache);
    load.go_on().await;
    begin();
    load.go_on().await;
    load.go_on().await;
    drop(cache.invalidate("watched"));
    load.go_on().await;
    end();
    eventually(async || other.get::<u64>("watched").await.unwrap().is_none()).await;
    eventually(async || cache.link().is_available() && cache.link().waiting == 0).await;
    let (closed, open, late) = load.finish().await;
    println!("the longest call: {closed:?}, with an open breaker {open:?}; a sleep was {late:?} too long");
    assert!(closed < COMPUTATION + DEADLINE + SLACK + 3 * late, "{closed:?}, {late:?}");
    assert!(open < COMPUTATION + ms(5) + SLACK + 3 * late, "{open:?}, {late:?}");
    // Shared again.
    let stores = cache.stats().shared_stores;
    eventually(async || {
        cache.insert("after", &2_u64, long()).await.unwrap();
        cache.stats().shared_stores > stores
    })
    .await;
    eventually(async || other.get("after").await.unwrap() == Some(2_u64)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_is_killed_under_load() {
    let server = RedisServer::builder().append_only().start();
    live_through(&server, server.url(), || server.kill(), || server.restart(Data::Kept)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_is_killed_and_loses_everything() {
    let server = RedisServer::start();
    live_through(&server, server.url(), || server.kill(), || server.restart(Data::Lost)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_is_stopped() {
    let server = RedisServer::start();
    live_through(&server, server.url(), || server.pause(), || server.resume()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_network_that_swallows_everything() {
    let server = RedisServer::start();
    let proxy = Proxy::start(server.address());
    live_through(&server, proxy.url(), || proxy.blackhole(), || proxy.heal()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_without_memory() {
    let server = RedisServer::builder().config("maxmemory-policy", "noeviction").start();
    let full = || server.set_config("maxmemory", "1");
    live_through(&server, server.url(), full, || server.set_config("maxmemory", "0")).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_became_a_replica() {
    let (server, master) = (RedisServer::start(), RedisServer::start());
    let port = master.port().to_string();
    let demote = || server.command::<()>(&["REPLICAOF", "127.0.0.1", &port]);
    let promote = || server.command::<()>(&["REPLICAOF", "NO", "ONE"]);
    live_through(&server, server.url(), demote, promote).await;
}

/// Before a breaker has seen enough to open, one caller alone waits for one deadline, and not for one at each step.
#[tokio::test(flavor = "multi_thread")]
async fn one_caller_alone_waits_once() {
    let _turn = TURN.lock().await;
    let server = RedisServer::start();
    for what in ["compute", "insert", "many", "compute_many", "get", "invalidate"] {
        let cache = common(&server, server.url()).await;
        let twenty: Vec<_> = (0..20_u64).map(|n| (format!("{what}:{n}"), n)).collect();
        server.pause();
        let begun = Instant::now();
        match what {
            "compute" => {
                let computed = cache.get_or_compute(what, long(), async || Ok::<_, Infallible>(1)).await;
                assert_eq!(computed, Ok(1));
            }
            "insert" => cache.insert(what, &1_u64, long()).await.unwrap(),
            "many" => cache.insert_many(&twenty, long()).await.unwrap(),
            "compute_many" => {
                let compute = async |missing: Vec<u64>| {
                    Ok::<_, Infallible>(missing.into_iter().map(|n| (n, n)).collect())
                };
                let key = |n: &u64| format!("{what}:{n}");
                let computed = cache.get_or_compute_many(0..20_u64, key, long(), compute).await.unwrap();
                assert_eq!(computed.len(), 20);
            }
            "get" => assert_eq!(cache.get::<u64>(what).await.unwrap(), None),
            _ => assert_eq!(cache.invalidate(what).await, larder::Invalidation::Queued),
        }
        let took = begun.elapsed();
        server.resume();
        assert!(took < DEADLINE + SLACK, "{what}: {took:?}");
        assert!(took >= DEADLINE - ms(20), "{what}: {took:?}: the server was not waited for");
    }
}

/// What is in memory is served meanwhile, and without delay.
#[tokio::test(flavor = "multi_thread")]
async fn memory_serves_meanwhile() {
    let _turn = TURN.lock().await;
    let server = RedisServer::start();
    let cache = common(&server, server.url()).await;
    cache.insert("key", &7_u64, long()).await.unwrap();
    server.kill();
    let begun = Instant::now();
    for _ in 0..10_000 {
        assert_eq!(cache.get("key").await.unwrap(), Some(7_u64));
    }
    assert!(begun.elapsed() < DEADLINE, "{:?}", begun.elapsed());
    let failures = cache.stats().shared_failures;
    cache.insert("other", &8_u64, long()).await.unwrap();
    assert!(cache.stats().shared_failures > failures, "what is not stored is counted");
    assert_eq!(cache.get("other").await.unwrap(), Some(8_u64));
}

/// The connection on which the log is read, as the server numbers it.
fn log_connection(server: &RedisServer) -> Option<String> {
    let clients: String = server.command(&["CLIENT", "LIST"]);
    let reader = clients.lines().find(|line| line.contains(" name=larder-log "))?;
    reader.split(' ').next().map(str::to_owned)
}

/// A read that finds nothing takes a second; what a server may take for it besides is up to the deadline.
#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_is_slow_within_the_deadline_is_not_left() {
    let server = RedisServer::start();
    let cache = Process::A.bare(&server).await;
    let before = log_connection(&server).expect("the log is followed");
    server.pause();
    tokio::time::sleep(ms(2_500)).await;
    server.resume();
    eventually(async || cache.link().out_of_touch < ms(2_000)).await;
    assert_eq!(log_connection(&server), Some(before));
}

/// No call is needed first.
#[tokio::test(flavor = "multi_thread")]
async fn a_cache_that_connects_lazily_begins_at_once() {
    let server = RedisServer::start();
    let connect = || RedisCache::builder().url(server.url()).connect_lazily().unwrap();
    let cache = connect();
    eventually(async || cache.link().servers[0].connected).await;
    assert!(cache.link().is_available());
    server.kill();
    let other = connect();
    for cache in [cache, other] {
        eventually(async || !cache.link().is_available()).await;
    }
}

/// A process may start before its server.
#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_comes_later() {
    let server = RedisServer::start();
    server.kill();
    let cache = TieredCache::connect_lazily(server.url()).unwrap();
    let computed = in_time(cache.get_or_compute("key", long(), async || Ok::<_, Infallible>(1_u64))).await;
    assert_eq!(computed, Ok(1));
    server.restart(Data::Lost);
    eventually(async || {
        cache.insert("key", &2_u64, long()).await.unwrap();
        cache.stats().shared_stores > 0
    })
    .await;
    assert_eq!(Process::C.tiered(&server).await.get("key").await.unwrap(), Some(2_u64));
}

async fn in_time<F: Future>(future: F) -> F::Output {
    tokio::time::timeout(Duration::from_secs(5), future)
        .await
        .expect("it waits for a server that is not there")
}
