//! Nodes that are slow, hang, go and come back.

use std::{
    error::Error as _,
    io,
    process::Command,
    time::{Duration, Instant},
};

use larder::{CacheExt, Invalidation};
use larder_memcached::MemcachedCache;
use larder_servers::{Direction, Fault, MemcachedServer, Proxy};

use crate::nodes::{Place, eventually, policy, share};

/// Far more than some deadlines of a quarter of a second, and far less than a hang.
const LIMIT: Duration = Duration::from_secs(20);

/// No call fails, and none hangs.
async fn goes_on(cache: &MemcachedCache) {
    for round in 0..6_u64 {
        let (key, begun) = (format!("down:{round}"), Instant::now());
        let computed = cache.get_or_compute(&key, policy(), async || Ok::<_, String>(round)).await;
        assert_eq!(computed, Ok(round));
        cache.insert(&key, &round, policy()).await.unwrap();
        cache.get::<u64>(&key).await.unwrap();
        assert!(begun.elapsed() < LIMIT, "{:?}", begun.elapsed());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_is_killed_and_comes_back() {
    let server = MemcachedServer::start();
    let place = Place::on([&server]);
    let (a, b) = (place.impatient(), place.cache().await);
    share(&b, &b, "k", 1).await;
    server.kill();
    goes_on(&a).await;
    assert_eq!(a.invalidate("k").await, Invalidation::Queued);
    assert!(a.increment("n", 1, None).await.is_err_and(|error| error.is_unavailable()));
    assert_eq!(a.link().waiting, 7, "it waits to be delivered, and so does what was inserted");
    server.restart();
    assert!(a.flush(Duration::from_secs(60)).await, "it is delivered");
    share(&a, &b, "k", 2).await;
    share(&b, &a, "k", 3).await;
}

/// A reply that comes after its caller has gone is read by no other one.
#[tokio::test(flavor = "multi_thread")]
async fn a_reply_meets_no_other_request() {
    let server = MemcachedServer::start();
    let place = Place::on([&server]);
    let cache = place.builder().deadline(Duration::from_secs(30)).connections(2).connect().await.unwrap();
    for key in 0..20_u64 {
        share(&cache, &cache, &format!("k:{key}"), key).await;
    }
    for round in 0..40_u64 {
        server.pause();
        // Asked, and dropped before the server answers.
        let gone: Vec<_> = (0..4)
            .map(|n| {
                let cache = cache.clone();
                tokio::spawn(async move { cache.get::<u64>(&format!("k:{}", (round + n) % 20)).await })
            })
            .collect();
        tokio::time::sleep(Duration::from_millis(5)).await;
        gone.iter().for_each(tokio::task::JoinHandle::abort);
        for gone in gone {
            _ = gone.await;
        }
        server.resume();
        for key in 0..20_u64 {
            let found = cache.get::<u64>(&format!("k:{key}")).await.unwrap();
            assert_eq!(found, Some(key), "in round {round}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_hangs_holds_up_none_for_long() {
    let server = MemcachedServer::start();
    let place = Place::on([&server]);
    let cache = place.impatient();
    share(&cache, &cache, "k", 1).await;
    server.pause();
    goes_on(&cache).await;
    assert!(!cache.link().servers[0].available);
    let begun = Instant::now();
    for _ in 0..100 {
        cache.get::<u64>("k").await.unwrap();
    }
    assert!(begun.elapsed() < LIMIT, "what is known to be down is not asked: {:?}", begun.elapsed());
    server.resume();
    eventually("it is asked again", async || cache.link().servers[0].available).await;
    share(&cache, &cache, "k", 2).await;
}

/// Callers wait for connections: those whose time is over before they have one say nothing of the node.
#[tokio::test(flavor = "multi_thread")]
async fn more_requests_than_a_node_answers_in_time_are_no_failure_of_it() {
    let server = MemcachedServer::start();
    let proxy = Proxy::start(server.address());
    let place = Place { addresses: vec![proxy.address().to_string()], ..Place::on([&server]) };
    let cache = place.builder().deadline(Duration::from_secs(2)).connections(1).connect().await.unwrap();
    share(&cache, &cache, "k", 1).await;
    proxy.set(Direction::ToClient, Fault::Delay(Duration::from_millis(100)));
    let reads: Vec<_> = (0..60)
        .map(|key| {
            let cache = cache.clone();
            tokio::spawn(async move { cache.get::<u64>(&format!("none:{key}")).await.unwrap() })
        })
        .collect();
    let watched = cache.clone();
    let watching = tokio::spawn(async move {
        while watched.link().servers[0].available {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    });
    for read in reads {
        assert_eq!(read.await.unwrap(), None);
    }
    let late = cache.stats().shared_timeouts;
    assert!((1..60).contains(&late), "{late}: some had their answer in time, and some had not");
    assert!(!watching.is_finished(), "it was available all the time");
    watching.abort();
    assert_eq!(cache.get::<u64>("k").await.unwrap(), Some(1));
}

/// The one with the counter among them: what cannot be stored costs no time either.
#[tokio::test(flavor = "multi_thread")]
async fn one_node_of_three_hangs() {
    let servers: [MemcachedServer; 3] = std::array::from_fn(|_| MemcachedServer::start());
    let cache = Place::on(&servers).impatient();
    share(&cache, &cache, "k", 1).await;
    for (round, hanging) in servers.iter().enumerate() {
        hanging.pause();
        let is_known = async || cache.link().servers.iter().any(|server| !server.available);
        eventually("it is found out", async || {
            goes_on(&cache).await;
            is_known().await
        })
        .await;
        let begun = Instant::now();
        for key in 0..200_u64 {
            let key = format!("new:{round}:{key}");
            let computed = cache.get_or_compute(&key, policy(), async || Ok::<_, String>(1_u64)).await;
            assert_eq!(computed, Ok(1));
        }
        assert!(begun.elapsed() < LIMIT, "{:?}", begun.elapsed());
        hanging.resume();
        eventually("all are asked again", async || !is_known().await).await;
    }
}

/// One of several nodes: what it has is a miss, and what was invalidated of it waits. All else goes on.
#[tokio::test(flavor = "multi_thread")]
async fn one_node_of_three_is_gone() {
    let servers: [MemcachedServer; 3] = std::array::from_fn(|_| MemcachedServer::start());
    let place = Place::on(&servers);
    let (a, b) = (place.impatient(), place.impatient());
    for key in 0..30_u64 {
        share(&a, &b, &format!("k{key}"), key).await;
    }
    for gone in &servers {
        gone.kill();
        let mut delivered = 0;
        for key in 0..30_u64 {
            let key = format!("k{key}");
            let is_delivered = matches!(a.invalidate(&*key).await, Invalidation::Delivered(_));
            assert_eq!(a.get::<u64>(&key).await.unwrap(), None, "here at once");
            // Its generation is on a node that is there, and was removed; or is on the one that is gone, with all that it had.
            let read = async || b.get::<u64>(&key).await.unwrap();
            if is_delivered {
                delivered += 1;
                assert_eq!(read().await, None, "in the other one too");
            } else {
                // A node that is there but slow, on a busy machine, is told later.
                eventually("the other one hears of it", async || read().await.is_none()).await;
            }
        }
        assert!((1..30).contains(&delivered), "{delivered}");
        gone.restart();
        assert!(a.flush(Duration::from_secs(60)).await);
        for key in 0..30_u64 {
            share(&a, &b, &format!("k{key}"), key).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_program_starts_while_its_nodes_are_down() {
    let server = MemcachedServer::start();
    let place = Place::on([&server]);
    server.kill();
    let refused = place.builder().connect_timeout(Duration::from_millis(100)).connect().await;
    let error = refused.unwrap_err();
    assert!(error.to_string().contains(&place.addresses[0]), "{error}");
    let cause = error.source().and_then(|cause| cause.downcast_ref::<io::Error>()).map(io::Error::kind);
    assert_eq!(cause, Some(io::ErrorKind::ConnectionRefused), "{error:?}");
    let cache = place.impatient();
    goes_on(&cache).await;
    server.restart();
    share(&cache, &place.cache().await, "k", 1).await;
}

/// What was invalidated last is told all the same.
#[tokio::test(flavor = "multi_thread")]
async fn a_cache_that_is_dropped_tells_what_it_invalidated() {
    let place = Place::shared();
    let b = place.cache().await;
    for round in 0..10_u64 {
        let a = place.cache().await;
        share(&a, &b, "k", round).await;
        drop(a.invalidate("k"));
        drop(a);
        eventually("it arrives", async || b.get::<u64>("k").await.unwrap().is_none()).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_setting_names_what_is_right() {
    let builder = || MemcachedCache::builder().nodes(["127.0.0.1:1"]);
    for (wrong, says) in [
        (MemcachedCache::builder(), "there is no node"),
        (builder().nodes(["memcached://x"]), "host:port"),
        (builder().nodes(["a:1", "a:1"]), "named twice"),
        (builder().prefix("a b"), "printable"),
        (builder().deadline(Duration::ZERO), "deadline"),
        (builder().connections(0), "connections"),
    ] {
        let error = wrong.connect_lazily().unwrap_err().to_string();
        assert!(error.contains(says), "{error}");
    }
}

/// The runtime of the calls that find a node gone may end before it is back: that of an actor, or of a `block_on`.
#[tokio::test(flavor = "multi_thread")]
async fn a_node_comes_back_after_the_runtime_of_those_who_asked_it_has_ended() {
    let server = MemcachedServer::start();
    let cache = Place::on([&server]).impatient();
    share(&cache, &cache, "k", 1).await;
    let in_another_runtime = async |cache: MemcachedCache, key: &'static str| {
        let asking = move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                for _ in 0..6 {
                    cache.get::<u64>(key).await.unwrap();
                }
            });
        };
        tokio::task::spawn_blocking(asking).await.unwrap();
    };
    // Connections that were opened there serve others too, once it has ended.
    in_another_runtime(cache.clone(), "k").await;
    for _ in 0..20 {
        cache.get::<u64>("k").await.unwrap();
    }
    assert_eq!(cache.stats().shared_failures, 0);
    server.kill();
    in_another_runtime(cache.clone(), "k").await;
    assert!(!cache.link().servers[0].available);
    server.restart();
    eventually("it is asked again", async || cache.link().servers[0].available).await;
    assert!(matches!(cache.invalidate("k").await, Invalidation::Delivered(_)));
}

/// Of several nodes that hang, with a deadline that is longer.
#[tokio::test(flavor = "multi_thread")]
async fn connecting_takes_no_longer_than_it_may() {
    let servers: [MemcachedServer; 3] = std::array::from_fn(|_| MemcachedServer::start());
    let builder = Place::on(&servers).builder().connect_timeout(Duration::from_millis(100));
    servers.iter().for_each(MemcachedServer::pause);
    let begun = Instant::now();
    assert!(builder.clone().connect().await.is_err());
    assert!(begun.elapsed() < LIMIT, "{:?}", begun.elapsed());
    servers[1].resume();
    // One that answers is enough.
    assert!(builder.connect_timeout(Duration::from_secs(1)).connect().await.is_ok());
    assert!(begun.elapsed() < LIMIT, "{:?}", begun.elapsed());
}

/// What cannot come is not waited for: an invalidation on a node that is gone, and an insert while the counter is.
#[tokio::test(flavor = "multi_thread")]
async fn no_call_waits_for_a_node_that_is_known_to_be_gone() {
    let servers: [MemcachedServer; 3] = std::array::from_fn(|_| MemcachedServer::start());
    let cache = Place::on(&servers).cache().await;
    for (round, gone) in servers.iter().enumerate() {
        gone.kill();
        eventually("it is found out", async || {
            let keys: Vec<_> = (0..30).map(|key| format!("find:{key}")).collect();
            cache.get_many::<u64>(&keys).await.unwrap();
            cache.link().servers.iter().any(|server| !server.available)
        })
        .await;
        let (mut delivered, mut stored) = (0, 0);
        let begun = Instant::now();
        for key in 0..30_u64 {
            let key = format!("k{key}");
            cache.insert(&key, &key, policy()).await.unwrap();
            stored += u32::from(cache.get::<String>(&key).await.unwrap().is_some());
            delivered += u32::from(matches!(cache.invalidate(&*key).await, Invalidation::Delivered(_)));
        }
        let batch: Vec<_> = (0..30_u64).map(|key| (format!("batch:{round}:{key}"), key)).collect();
        cache.insert_many(&batch, policy()).await.unwrap();
        // The deadline is of 30 s.
        assert!(begun.elapsed() < LIMIT, "{:?}", begun.elapsed());
        assert!((1..30).contains(&delivered), "{delivered}");
        assert!(stored < 30, "{stored}");
        gone.restart();
        assert!(cache.flush(Duration::from_secs(60)).await);
    }
}

/// A counter and the generation of its key may be on two nodes, of which one is out of reach for a while, with what it has.
#[tokio::test(flavor = "multi_thread")]
async fn counters_are_gone_when_their_keys_are_delivered() {
    let servers: [MemcachedServer; 2] = std::array::from_fn(|_| MemcachedServer::start());
    let proxies = [Proxy::start(servers[0].address()), Proxy::start(servers[1].address())];
    let addresses = proxies.iter().map(|proxy| proxy.address().to_string()).collect();
    let place = Place { addresses, ..Place::on([]) };
    let cache = place.impatient();
    let keys: Vec<_> = (0..40).map(|key| format!("k{key}")).collect();
    let left = |keys: &[String]| {
        let has = |server: &MemcachedServer, key: &str| {
            server.tell(&format!("get {}:c:{key}", place.prefix)).starts_with("VALUE")
        };
        keys.iter().filter(|key| servers.iter().any(|server| has(server, key))).count()
    };
    for gone in &proxies {
        for key in &keys {
            eventually("it counts", async || cache.increment(key, 1, None).await.is_ok()).await;
        }
        assert_eq!(left(&keys), keys.len());
        gone.refuse();
        gone.cut();
        let mut delivered = Vec::new();
        for key in &keys {
            if matches!(cache.invalidate(key).await, Invalidation::Delivered(_)) {
                delivered.push(key.clone());
            }
        }
        assert!((1..keys.len()).contains(&delivered.len()), "{}", delivered.len());
        assert_eq!(left(&delivered), 0, "of {} that are delivered", delivered.len());
        gone.heal();
        assert!(cache.flush(Duration::from_secs(60)).await);
        assert_eq!(left(&keys), 0, "all are delivered");
    }
}

/// In a process of its own.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "a process of its own, which the test below starts"]
async fn with_a_subscriber_that_panics() {
    larder_warnings::panic_at_events();
    let server = MemcachedServer::start();
    let cache = Place::on([&server]).impatient();
    share(&cache, &cache, "k", 1).await;
    server.kill();
    goes_on(&cache).await;
    assert!(!cache.link().servers[0].available);
    server.restart();
    eventually("it is asked again", async || cache.link().servers[0].available).await;
    share(&cache, &cache, "k", 2).await;
    assert!(
        larder_warnings::panics() >= 2,
        "that it went, and that it came back: {}",
        larder_warnings::panics()
    );
    println!("survived");
}

/// Nor is a call, or what looks whether it is back, ended by what is said of that.
#[tokio::test]
async fn a_subscriber_that_panics_keeps_no_node_away() {
    let test = ["--exact", "outages::with_a_subscriber_that_panics", "--ignored", "--nocapture"];
    let output = Command::new(std::env::current_exe().unwrap()).args(test).output().unwrap();
    let told = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && told.contains("survived"), "{told}");
}
