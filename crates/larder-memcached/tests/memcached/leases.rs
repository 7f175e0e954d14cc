//! One of several processes computes, and the others wait for its value.

use std::{
    io::{BufRead, BufReader, Write},
    net::TcpStream,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::SeqCst},
    },
    time::{Duration, Instant},
};

use larder::{CacheExt, Lock, Policy};
use larder_memcached::MemcachedCache;
use larder_servers::MemcachedServer;
use tokio::sync::Notify;

use crate::nodes::{Place, eventually, policy, share};

const LIFETIME: Duration = Duration::from_secs(60);

/// Each has connections of its own, as processes have.
async fn caches(place: &Place, count: usize) -> Vec<MemcachedCache> {
    let mut caches = Vec::new();
    for _ in 0..count {
        caches.push(place.builder().leases(LIFETIME).connect().await.unwrap());
    }
    // All generations are there, and so what one computes is found by the others at once.
    for cache in &caches[1..] {
        share(&caches[0], cache, "first", 1).await;
    }
    caches
}

/// The flags and the text of an item, on whichever node.
fn item(place: &Place, name: &str) -> Option<(String, String)> {
    place.addresses.iter().find_map(|address| {
        let mut stream = TcpStream::connect(address).unwrap();
        write!(stream, "get {}:{name}\r\n", place.prefix).unwrap();
        let mut lines = BufReader::new(stream).lines().map(Result::unwrap);
        let head = lines.next().unwrap();
        let flags = head.strip_prefix("VALUE ")?.split(' ').nth(1).unwrap().to_owned();
        Some((flags, lines.next().unwrap()))
    })
}

/// How many leases of the key `k` there are.
fn leases(place: &Place) -> usize {
    usize::from(item(place, "l:k").is_some())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stampede_over_several_processes_computes_once() {
    let place = Place::shared();
    let (computed, mut tasks) = (Arc::new(AtomicU64::new(0)), Vec::new());
    for cache in caches(&place, 4).await {
        for _ in 0..8 {
            let (cache, computed) = (cache.clone(), computed.clone());
            tasks.push(tokio::spawn(async move {
                let compute = async || {
                    computed.fetch_add(1, SeqCst);
                    tokio::time::sleep(Duration::from_millis(100)).await;
                    Ok::<u64, String>(7)
                };
                cache.get_or_compute("k", policy(), compute).await
            }));
        }
    }
    for task in tasks {
        assert_eq!(task.await.unwrap(), Ok(7));
    }
    assert_eq!(computed.load(SeqCst), 1);
    eventually("the lease is given back", async || leases(&place) == 0).await;
}

/// A holder whose computation began before a change, delivered by another process, is not waited for.
#[tokio::test(flavor = "multi_thread")]
async fn a_computation_that_is_out_of_date_is_not_waited_for() {
    for scope in ["k", "*"] {
        let (place, begun) = (Place::shared(), Arc::new(Notify::new()));
        let all = caches(&place, 3).await;
        let holder = tokio::spawn({
            let (cache, begun) = (all[0].clone(), begun.clone());
            async move {
                let compute = async || {
                    begun.notify_one();
                    std::future::pending::<Result<u64, String>>().await
                };
                cache.get_or_compute("k", policy(), compute).await
            }
        });
        begun.notified().await;
        assert_eq!(leases(&place), 1);
        all[1].invalidate(scope).await;
        let begun = Instant::now();
        let value = all[2].get_or_compute("k", policy(), async || Ok::<u64, String>(8)).await;
        assert_eq!(value, Ok(8));
        // Nor for as long as a holder that died would hold others up.
        assert!(begun.elapsed() < LIFETIME / 3, "no part of a lifetime: {:?}", begun.elapsed());
        // What the first one gives back is not the lease of another one.
        holder.abort();
        assert_eq!(all[0].get::<u64>("k").await.unwrap(), Some(8));
    }
}

/// It ends by itself where its holder is gone, and is put off where it is not.
#[tokio::test(flavor = "multi_thread")]
async fn a_lease_ends_with_its_holder() {
    let server = MemcachedServer::start();
    let place = Place::on([&server]);
    let all = caches(&place, 2).await;
    // Of a process that is gone, and of this incarnation of the counter.
    let (flags, number) = item(&place, "n").unwrap();
    let text = format!("{} {number}", "ab".repeat(16));
    server.tell(&format!("set {}:l:k {flags} 2 {}\r\n{text}", place.prefix, text.len()));
    all[0].get::<u64>("k").await.unwrap();
    assert_eq!(leases(&place), 1);
    let value = all[0].get_or_compute("k", policy(), async || Ok::<u64, String>(8)).await;
    assert_eq!(value, Ok(8));
    eventually("it is given back", async || leases(&place) == 0).await;

    // A third of three seconds, and two, would be over before this computation is.
    let short = place.builder().leases(Duration::from_secs(3)).connect().await.unwrap();
    let value = short.get_or_compute("k", policy(), async || Ok::<u64, String>(9)).await;
    assert_eq!(value, Ok(8));
    all[0].invalidate("k").await;
    let computed = short.get_or_compute("k", policy(), async || {
        tokio::time::sleep(Duration::from_secs(4)).await;
        Ok::<_, String>(leases(&place))
    });
    assert_eq!(computed.await, Ok(1));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_process_may_compute_for_itself() {
    let place = Place::shared();
    let own = Policy::builder().ttl(LIFETIME).lock(Lock::Process).build().unwrap();
    let compute = async || Ok::<_, String>(leases(&place));
    let cache = caches(&place, 1).await.remove(0);
    assert_eq!(cache.get_or_compute("k", own, compute).await, Ok(0));
    cache.invalidate("k").await;
    assert_eq!(cache.get_or_compute("k", policy(), compute).await, Ok(1));
    cache.invalidate("k").await;
    let without = place.cache().await;
    assert_eq!(without.get_or_compute("k", policy(), compute).await, Ok(0), "they are off unless asked for");
    assert!(place.builder().leases(Duration::from_millis(10)).connect_lazily().is_err());
}
