//! Events: what their handlers, their types and their limits do to those that come after.

use std::{
    convert::Infallible,
    future::Future,
    pin::{Pin, pin},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering::SeqCst},
        mpsc,
    },
    task::{Context, Waker},
    time::{Duration, Instant},
};

use larder::{
    MemoryCache, RedisCache,
    events::{Event, Events},
};
use larder_servers::{Proxy, RedisServer};
use larder_tests::caches::{Process, eventually, ms};
use serde::{Deserialize, Serialize};

const SOON: Duration = Duration::from_secs(10);

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Sold {
    order: u64,
}

impl Event for Sold {
    const NAME: &str = "sold";
}

/// That of a newer release.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct SoldBy {
    order: u64,
    by: String,
}

impl Event for SoldBy {
    const NAME: &str = "sold";
}

type BoxFuture = Pin<Box<dyn Future<Output = Result<(), Infallible>> + Send>>;
type Seen = Arc<Mutex<Vec<u64>>>;

fn all(seen: &Seen) -> Vec<u64> {
    seen.lock().unwrap().clone()
}

/// Notes each order, and never ends with the first one.
fn stuck(seen: &Seen) -> impl Fn(Arc<Sold>) -> BoxFuture + use<> {
    let seen = seen.clone();
    move |event| {
        seen.lock().unwrap().push(event.order);
        Box::pin(async move {
            if event.order == 0 {
                std::future::pending::<()>().await;
            }
            Ok(())
        })
    }
}

fn noting(seen: &Seen) -> impl Fn(Arc<Sold>) -> std::future::Ready<Result<(), Infallible>> + use<> {
    let seen = seen.clone();
    move |event| {
        seen.lock().unwrap().push(event.order);
        std::future::ready(Ok(()))
    }
}

/// In memory no other process takes its place: the next consumers do.
#[tokio::test]
async fn a_stop_that_takes_too_long_loses_no_event() {
    let events = Events::local(&MemoryCache::new(1));
    let (stopped, next) = (Seen::default(), Seen::default());
    let consumers = events.group("g").handle(stuck(&stopped)).start().await.unwrap();
    for order in 0..3 {
        events.publish(&Sold { order }).await.unwrap();
    }
    eventually(async || all(&stopped) == [0]).await;
    assert!(!consumers.stop(ms(10)).await);
    let consumers = events.group("g").handle(noting(&next)).start().await.unwrap();
    eventually(async || all(&next) == [0, 1, 2]).await;
    assert!(consumers.stop(SOON).await);
}

/// What was fetched and not begun does not count, however often.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_given_back_is_no_attempt() {
    const EVENTS: usize = 5;
    let server = RedisServer::start();
    let cache = Process::A.tiered(&server).await;
    let events = Events::tiered(&cache).unwrap();
    let group = || events.group("g").attempts(1).claim_after(ms(100));
    let seen = Seen::default();
    assert!(group().handle(noting(&seen)).start().await.unwrap().stop(SOON).await);
    for order in 0..EVENTS as u64 {
        events.publish(&Sold { order }).await.unwrap();
    }
    // Each process is stopped while it handles its first one.
    for handled in 1..=EVENTS {
        let slow = {
            let seen = seen.clone();
            move |event: Arc<Sold>| {
                seen.lock().unwrap().push(event.order);
                async {
                    tokio::time::sleep(ms(50)).await;
                    Ok::<_, Infallible>(())
                }
            }
        };
        let consumers = group().handle(slow).start().await.unwrap();
        eventually(async || all(&seen).len() >= handled).await;
        assert!(consumers.stop(SOON).await);
    }
    let mut seen = all(&seen);
    seen.sort_unstable();
    seen.dedup();
    assert_eq!((seen.len(), group().dead::<Sold>(9).await.unwrap()), (EVENTS, vec![]));
}

/// What this release does not read of an event is not lost where it fails.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_dead_letter_has_what_a_newer_release_put_into_it() {
    let server = RedisServer::start();
    let cache = Process::A.tiered(&server).await;
    let events = Events::tiered(&cache).unwrap();
    let newer = SoldBy { order: 1, by: "Ann".to_owned() };
    let failing = async |_: Arc<Sold>| Err("no");
    let old = events.group("old").attempts(1).handle(failing).start().await.unwrap();
    events.publish(&newer).await.unwrap();
    eventually(async || old.stats().dead == 1).await;
    let group = events.group("old");
    let dead = group.dead::<SoldBy>(usize::MAX).await.unwrap();
    assert_eq!(dead[0].event.as_ref(), Some(&newer));
    assert!(old.stop(SOON).await);

    // The old release has it published again.
    let heard = Arc::new(Mutex::new(Vec::new()));
    let notes = heard.clone();
    let handler = move |event: Arc<SoldBy>| {
        notes.lock().unwrap().push(SoldBy::clone(&event));
        std::future::ready(Ok::<_, Infallible>(()))
    };
    let consumers = events.group("new").handle(handler).start().await.unwrap();
    let dead = group.dead::<Sold>(9).await.unwrap();
    assert!(group.replay(&dead[0]).await.unwrap());
    eventually(async || *heard.lock().unwrap() == [newer.clone()]).await;
    assert!(!group.replay(&dead[0]).await.unwrap(), "it is gone");
    assert!(consumers.stop(SOON).await);
}

/// Publishes another one when it is dropped, while it is told to.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Chained(bool);

impl Event for Chained {
    const NAME: &str = "chained";
}

static CHAIN: Mutex<Option<Events>> = Mutex::new(None);

impl Drop for Chained {
    fn drop(&mut self) {
        if std::mem::take(&mut self.0) {
            let events = CHAIN.lock().unwrap().take();
            if let Some(events) = events {
                let next = Chained(false);
                let publishing = pin!(events.publish(&next));
                assert!(publishing.poll(&mut Context::from_waker(Waker::noop())).is_ready());
            }
        }
    }
}

#[test]
fn an_event_that_publishes_when_it_is_dropped_waits_for_no_lock() {
    let (sender, done) = mpsc::channel();
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let events = Events::local(&MemoryCache::new(1)).retain(1);
            // Pushed out by the next one.
            events.publish(&Chained(true)).await.unwrap();
            *CHAIN.lock().unwrap() = Some(events.clone());
            events.publish(&Chained(false)).await.unwrap();
            assert!(CHAIN.lock().unwrap().is_none(), "it was dropped");
        });
        sender.send(()).unwrap();
    });
    done.recv_timeout(SOON).expect("it hangs");
}

/// Panics when it is cloned, while it is told to.
#[derive(Debug, Serialize, Deserialize)]
struct Fragile(u64);

static BREAKS: AtomicBool = AtomicBool::new(false);

impl Clone for Fragile {
    fn clone(&self) -> Self {
        assert!(!BREAKS.load(SeqCst), "on purpose, when cloned");
        Self(self.0)
    }
}

impl Event for Fragile {
    const NAME: &str = "fragile";
}

#[tokio::test]
async fn an_event_that_panics_when_it_is_cloned_holds_up_no_other() {
    let events = Events::local(&MemoryCache::new(1));
    let seen = Seen::default();
    let group = || events.group("g").attempts(1);
    let consumers = {
        let seen = seen.clone();
        let handler = move |event: Arc<Fragile>| {
            seen.lock().unwrap().push(event.0);
            std::future::ready(if event.0 == 0 { Err("no") } else { Ok(()) })
        };
        events.publish(&Fragile(0)).await.unwrap();
        events.publish(&Fragile(1)).await.unwrap();
        BREAKS.store(true, SeqCst);
        group().from_oldest().handle(handler).start().await.unwrap()
    };
    eventually(async || all(&seen) == [0, 1]).await;
    eventually(async || consumers.stats().handled == 1 && consumers.stats().dead == 1).await;
    BREAKS.store(false, SeqCst);
    assert_eq!(group().dead::<Fragile>(9).await.unwrap()[0].event.as_ref().unwrap().0, 0);
    assert!(consumers.stop(SOON).await);
}

/// The longest time, and the highest number.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn limits_without_a_limit_are_taken() {
    let server = RedisServer::start();
    let cache = Process::A.tiered(&server).await;
    for events in [Events::local(&cache), Events::tiered(&cache).unwrap()] {
        let events = events.retain(u64::MAX);
        let group = || events.group("g").claim_after(Duration::MAX).deadline(Duration::MAX);
        let seen = Seen::default();
        let consumers = group().handle(noting(&seen)).start().await.unwrap();
        events.publish(&Sold { order: 1 }).await.unwrap();
        eventually(async || all(&seen) == [1]).await;
        assert_eq!(group().dead::<Sold>(usize::MAX).await.unwrap(), []);
        assert!(consumers.stop(SOON).await);
    }
}

/// A connection that leads nowhere says nothing, and neither does one on which nothing is published.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_subscription_notices_that_its_server_is_gone() {
    let server = RedisServer::start();
    let proxy = Proxy::start(server.address());
    let connect = RedisCache::builder().url(proxy.url()).deadline(ms(500));
    let events = Events::redis(&connect.connect().await.unwrap()).unwrap();
    let mut heard = events.subscribe::<Sold>().await.unwrap();
    proxy.blackhole();
    let begun = Instant::now();
    while heard.missed() == 0 {
        assert!(begun.elapsed() < SOON);
        _ = tokio::time::timeout(ms(50), heard.next()).await;
    }
    proxy.heal();
    let near = Events::redis(&Process::B.bare(&server).await).unwrap();
    let telling = tokio::spawn(async move {
        loop {
            _ = near.broadcast(&Sold { order: 3 }).await;
            tokio::time::sleep(ms(10)).await;
        }
    });
    assert_eq!(tokio::time::timeout(SOON, heard.next()).await.unwrap(), Some(Sold { order: 3 }));
    telling.abort();
}
