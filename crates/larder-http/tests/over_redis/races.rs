//! The one rule, through HTTP: what was made before a change is not served after it, however long it took.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use larder::{Cache, CacheExt as _, Invalidation};
use larder_http::page;
use larder_servers::{Direction, Fault, Proxy};
use tokio::sync::Semaphore;

use crate::{
    nodes::{Kind, LEASE, Nodes, counted, patient, soon},
    support::{Handler, Said, TestClock, client::get, eventually, handler},
};

const FRESH: &[(&str, &str)] = &[("cache-control", "max-age=60")];

/// Invalidates the page on one node, and waits until the other one knows.
async fn invalidate(changer: &dyn Cache, other: &dyn Cache) {
    match changer.invalidate(page("example.com", "/")).await {
        Invalidation::Delivered(epoch) => assert!(other.wait_for(epoch).await, "it is told in time"),
        // Told to others, but not yet back here: a slow machine.
        Invalidation::Queued => {
            eventually("the change is told", async || {
                matches!(changer.invalidate(page("example.com", "/")).await,
                Invalidation::Delivered(epoch) if other.wait_for(epoch).await)
            })
            .await
        }
    }
}

/// A handler whose first answer waits for the test, with what it had read before.
fn slow_once(
    version: &Arc<AtomicU64>,
    gate: &Arc<Semaphore>,
) -> (Handler, Arc<std::sync::atomic::AtomicUsize>) {
    let (version, gate) = (version.clone(), gate.clone());
    counted(move |_, n| {
        let read = version.load(Ordering::SeqCst);
        let gate = gate.clone();
        async move {
            if n == 0 {
                drop(gate.acquire().await);
            }
            Said::new(FRESH, read.to_string())
        }
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn what_began_before_a_change_elsewhere_is_not_served_after_it() {
    for kind in Kind::ALL {
        let (version, gate) = (Arc::new(AtomicU64::new(0)), Arc::new(Semaphore::new(0)));
        let (handler, asked) = slow_once(&version, &gate);
        let nodes = Nodes::start(*kind, |_, _| handler.clone()).await;
        let second = nodes.address(1);
        let slow = tokio::spawn(async move { get(second, "/", &[]).await });
        eventually("the handler is asked", || std::future::ready(asked.load(Ordering::SeqCst) == 1)).await;

        version.store(1, Ordering::SeqCst);
        invalidate(&*nodes.caches[0], &*nodes.caches[1]).await;
        // Who comes now does not get, or wait for, what was begun before.
        for n in [0, 1] {
            assert_eq!(nodes.get(n, "/").await.text(), "1", "{kind:?}: node {n}");
        }
        gate.add_permits(1);
        assert_eq!(slow.await.unwrap().text(), "0", "{kind:?}: it was asked before");
        for n in [1, 0, 1, 0] {
            assert_eq!(nodes.get(n, "/").await.text(), "1", "{kind:?}: node {n}");
        }
    }
}

/// The slow node has not even heard of the change when it stores what it made: no other node takes it from Redis.
#[tokio::test(flavor = "multi_thread")]
async fn what_a_node_stores_that_has_not_heard_of_a_change_is_its_own_alone() {
    for kind in Kind::ALL {
        let (version, gate) = (Arc::new(AtomicU64::new(0)), Arc::new(Semaphore::new(0)));
        let (handler, asked) = slow_once(&version, &gate);
        let nodes = Nodes::start(*kind, |_, _| handler.clone()).await;
        // Another node, by a link that can be held.
        let proxy = Proxy::start(nodes.redis.address());
        let store = kind.store(patient(proxy.url())).await;
        let clock = TestClock::new();
        let http = larder_http::HttpCache::new(store.clone()).clock(move || clock.now());
        let server = kind.framework.serve(http, handler).await;
        let deaf = server.address;
        let slow = tokio::spawn(async move { get(deaf, "/", &[]).await });
        eventually("the handler is asked", || std::future::ready(asked.load(Ordering::SeqCst) == 1)).await;

        // What it sends arrives at once; what it is told does not.
        proxy.set(Direction::ToClient, Fault::Delay(Duration::from_secs(1)));
        version.store(1, Ordering::SeqCst);
        invalidate(&*nodes.caches[0], &*nodes.caches[1]).await;
        gate.add_permits(1);
        let stored = || !nodes.redis.command::<Vec<String>>(&["KEYS", "larder:e:*"]).is_empty();
        eventually("what it made is in Redis", || std::future::ready(stored())).await;
        for n in [0, 1, 0, 1] {
            assert_eq!(nodes.get(n, "/").await.text(), "1", "{kind:?}: node {n}");
        }
        assert_eq!(slow.await.unwrap().text(), "0", "{kind:?}");
        proxy.heal();
        eventually("the node hears of it", async || get(deaf, "/", &[]).await.text() == "1").await;
        assert_eq!(nodes.get(0, "/").await.text(), "1", "{kind:?}");
    }
}

/// Two nodes, some who read, and one that changes: no reader gets what was changed before it asked.
#[tokio::test(flavor = "multi_thread")]
async fn no_reader_gets_what_was_changed_before_it_asked() {
    const READERS: usize = 8;
    for (seed, kind) in Kind::ALL.iter().enumerate() {
        let version = Arc::new(AtomicU64::new(0));
        let source = version.clone();
        let random = Arc::new(std::sync::Mutex::new(fastrand::Rng::with_seed(seed as u64)));
        let handler = handler(move |_| {
            let read = source.load(Ordering::SeqCst);
            let slow = Duration::from_micros(random.lock().unwrap().u64(..4_000));
            async move {
                tokio::time::sleep(slow).await;
                Said::new(FRESH, read.to_string())
            }
        });
        let nodes = Nodes::start(*kind, |_, _| handler.clone()).await;
        // What all processes have been told of.
        let (told, over) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicBool::new(false)));
        let readers: Vec<_> = (0..READERS)
            .map(|n| {
                let (address, told, over) = (nodes.address(n % 2), told.clone(), over.clone());
                tokio::spawn(async move {
                    let (mut reads, mut hits) = (0, 0);
                    while !over.load(Ordering::SeqCst) {
                        let least = told.load(Ordering::SeqCst);
                        let received = get(address, "/", &[]).await;
                        let read: u64 = received.text().parse().unwrap();
                        assert!(read >= least, "{read} was read after {least} was told: {received:?}");
                        reads += 1;
                        hits += usize::from(received.is_hit());
                    }
                    (reads, hits)
                })
            })
            .collect();
        let begun = Instant::now();
        let mut changes = 0;
        while begun.elapsed() < Duration::from_millis(1_500) || changes < 20 {
            changes = version.fetch_add(1, Ordering::SeqCst) + 1;
            let (changer, other) = (changes as usize % 2, (changes as usize + 1) % 2);
            invalidate(&*nodes.caches[changer], &*nodes.caches[other]).await;
            told.store(changes, Ordering::SeqCst);
            tokio::time::sleep(Duration::from_millis(changes % 16)).await;
            assert!(begun.elapsed() < LEASE, "{kind:?}: {changes} changes only");
        }
        over.store(true, Ordering::SeqCst);
        let (mut reads, mut hits) = (0, 0);
        for reader in readers {
            let (own_reads, own_hits) = reader.await.expect("no reader is told what is over");
            reads += own_reads;
            hits += own_hits;
        }
        println!("{kind:?}: {changes} changes, {reads} reads, {hits} hits");
        assert!(hits > 20, "{kind:?}: {hits} hits of {reads}: nothing was at stake");
    }
}

/// Two nodes refresh one page at the same time: neither drops what the other one made, and no request waits.
#[tokio::test(flavor = "multi_thread")]
async fn refreshes_on_both_nodes_keep_no_client_waiting() {
    for kind in Kind::ALL {
        let gate = Arc::new(Semaphore::new(0));
        let closed = gate.clone();
        let (handler, asked) = counted(move |_, n| {
            let gate = closed.clone();
            async move {
                if n > 0 {
                    gate.acquire().await.unwrap().forget();
                }
                Said::new(&[("cache-control", "max-age=10, stale-while-revalidate=600")], n.to_string())
            }
        });
        let nodes = Nodes::start(*kind, |_, _| handler.clone()).await;
        let both_hit = async || {
            for n in [0, 1] {
                let received = soon("a hit", nodes.get(n, "/")).await;
                assert!(received.is_hit(), "{kind:?}: node {n}: {received:?}");
            }
        };
        nodes.get(0, "/").await;
        eventually("the page is shared", async || nodes.get(1, "/").await.is_hit()).await;
        nodes.clock.advance(20);
        both_hit().await;
        eventually("both refresh", || std::future::ready(asked.load(Ordering::SeqCst) == 3)).await;
        for _ in [0, 1] {
            gate.add_permits(1);
            eventually("one refresh ends", || std::future::ready(gate.available_permits() == 0)).await;
            let since = Instant::now();
            while since.elapsed() < Duration::from_millis(150) {
                both_hit().await;
            }
        }
        assert_eq!(asked.load(Ordering::SeqCst), 3, "{kind:?}");
    }
}

/// What one node has found unchanged, the other one need not ask for.
#[tokio::test(flavor = "multi_thread")]
async fn a_validation_on_one_node_serves_the_other() {
    for kind in Kind::ALL {
        let (handler, asked) = counted(|seen, _| {
            let headers = [("cache-control", "max-age=60"), ("etag", "\"a\"")];
            let said = Said::new(&headers, "page");
            std::future::ready(match seen.header("if-none-match") {
                Some(_) => Said { status: 304, ..Said::new(&headers, "") },
                None => said,
            })
        });
        let nodes = Nodes::start(*kind, |_, _| handler.clone()).await;
        nodes.get(0, "/").await;
        eventually("the page is shared", async || nodes.get(1, "/").await.is_hit()).await;
        nodes.clock.advance(61);
        assert_eq!(nodes.get(0, "/").await.text(), "page");
        for n in [1, 0] {
            assert_eq!(nodes.get(n, "/").await.text(), "page", "{kind:?}: node {n}");
            assert!(nodes.get(n, "/").await.is_hit(), "{kind:?}: node {n}");
        }
        assert_eq!(asked.load(Ordering::SeqCst), 2, "{kind:?}");
    }
}

/// A reload that finds another page while the stored one is fresh replaces that on all nodes.
#[tokio::test(flavor = "multi_thread")]
async fn what_a_reload_finds_outdated_no_node_serves_on() {
    for kind in Kind::ALL {
        let (handler, _) = counted(|_, n| std::future::ready(Said::new(FRESH, n.to_string())));
        let nodes = Nodes::start(*kind, |_, _| handler.clone()).await;
        nodes.get(0, "/").await;
        eventually("the page is shared", async || nodes.get(1, "/").await.is_hit()).await;
        let reloaded = get(nodes.address(0), "/", &[("cache-control", "no-cache")]).await.text();
        assert_eq!(nodes.get(0, "/").await.text(), reloaded, "{kind:?}");
        eventually("the other node has it too", async || nodes.get(1, "/").await.text() != "0").await;
    }
}
