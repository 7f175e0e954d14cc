//! Events: in memory, and through Redis.

use std::{
    convert::Infallible,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

use larder::{
    CacheExt, MemoryCache, RedisCache,
    events::{Consumers, Event, Events, Group},
};
use larder_servers::{Data, RedisCluster, RedisServer};
use larder_tests::caches::{Process, eventually, long, ms, patient};
use serde::{Deserialize, Serialize};

use super::found;

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Paid {
    order: u64,
}

impl Event for Paid {
    const NAME: &str = "paid";
}

#[derive(Debug, Clone, Serialize, Deserialize)]
struct OtherPaid(String);

impl Event for OtherPaid {
    const NAME: &str = "paid";
}

/// What handlers were given, in the order in which they were.
#[derive(Clone, Default)]
struct Seen(Arc<Mutex<Vec<u64>>>);

impl Seen {
    fn note(&self, order: u64) {
        self.0.lock().unwrap().push(order);
    }

    fn all(&self) -> Vec<u64> {
        self.0.lock().unwrap().clone()
    }

    fn count(&self) -> usize {
        self.all().len()
    }

    async fn started(&self, group: Group) -> Consumers {
        let seen = self.clone();
        let handler = move |event: Arc<Paid>| {
            seen.note(event.order);
            async { Ok::<_, Infallible>(()) }
        };
        group.handle(handler).start().await.unwrap()
    }
}

const SOON: Duration = Duration::from_secs(10);

/// What holds in memory and on Redis: two handles on what may be two processes.
async fn events_reach_each_group_once(a: Events, b: Events, caches: [&dyn larder::Cache; 2]) {
    let (mails, stock) = (Seen::default(), Seen::default());
    caches[0].insert("order:3", &"open".to_owned(), long()).await.unwrap();
    let first = mails.started(a.group("mails")).await;
    let second = mails.started(b.group("mails")).await;
    let other = stock.started(b.group("stock").on::<Paid, _>(|event| format!("order:{}", event.order))).await;
    for order in 0..50 {
        a.publish(&Paid { order }).await.unwrap();
    }
    eventually(async || mails.count() == 50 && stock.count() == 50).await;
    assert_eq!(stock.all(), (0..50).collect::<Vec<_>>(), "in their order");
    let mut sorted = mails.all();
    sorted.sort_unstable();
    assert_eq!(sorted, (0..50).collect::<Vec<_>>(), "each once");
    for cache in caches {
        eventually(async || found::<String>(&cache, "order:3").await.is_none()).await;
    }
    assert_eq!(other.stats().handled, 50);
    eventually(async || first.stats().handled + second.stats().handled == 50).await;
    for consumers in [first, second, other] {
        assert!(consumers.stop(SOON).await);
    }

    // A group that begins with the oldest has them all; one that is there already goes on where it was.
    let late = Seen::default();
    let consumers = late.started(a.group("late").from_oldest()).await;
    let again = mails.started(a.group("mails")).await;
    a.publish(&Paid { order: 50 }).await.unwrap();
    eventually(async || late.count() == 51 && mails.count() == 51).await;
    drop((consumers, again));

    let (mut one, mut two) = (a.subscribe::<Paid>().await.unwrap(), b.subscribe::<Paid>().await.unwrap());
    for order in 0..3 {
        a.broadcast(&Paid { order }).await.unwrap();
    }
    for order in 0..3 {
        assert_eq!(one.next().await, Some(Paid { order }));
        assert_eq!(two.next().await, Some(Paid { order }));
    }
    assert_eq!(one.missed() + two.missed(), 0);
    assert!(a.group("").start().await.unwrap_err().is_invalid_configuration());
}

async fn what_fails_becomes_a_dead_letter(events: Events) {
    let (seen, tries) = (Seen::default(), Arc::new(AtomicUsize::new(0)));
    let group = || events.group("g").attempts(3);
    let set_up = |works: bool| {
        let (seen, tries) = (seen.clone(), tries.clone());
        group().handle(move |event: Arc<Paid>| {
            let (seen, tries) = (seen.clone(), tries.clone());
            async move {
                tries.fetch_add(1, Relaxed);
                match event.order {
                    1 if !works => return Err("no"),
                    2 if !works => panic!("a bug"),
                    // The first attempt only.
                    3 if tries.fetch_add(100, Relaxed) < 100 => return Err("once"),
                    _ => {}
                }
                seen.note(event.order);
                Ok(())
            }
        })
    };
    let consumers = set_up(false).start().await.unwrap();
    for order in 1..=4 {
        events.publish(&Paid { order }).await.unwrap();
    }
    eventually(async || seen.all() == [3, 4]).await;
    let figures = || {
        let stats = consumers.stats();
        (stats.handled, stats.failures, stats.dead)
    };
    // What a handler has seen is counted when it has returned.
    eventually(async || figures().0 >= 2).await;
    assert_eq!(figures(), (2, 7, 2));
    assert!(consumers.stop(SOON).await);
    let dead = group().dead::<Paid>(10).await.unwrap();
    let orders: Vec<_> =
        dead.iter().map(|dead| (dead.event.as_ref().unwrap().order, &*dead.reason)).collect();
    assert_eq!(orders, [(1, "no"), (2, "a handler panicked")]);

    let consumers = set_up(true).start().await.unwrap();
    assert!(group().replay(&dead[0]).await.unwrap());
    assert!(group().discard(&dead[1]).await.unwrap());
    assert!(!group().discard(&dead[1]).await.unwrap(), "it is gone");
    eventually(async || seen.all() == [3, 4, 1]).await;
    assert_eq!(group().dead::<Paid>(10).await.unwrap(), []);
    drop(consumers);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn in_memory() {
    let cache = MemoryCache::new(100);
    let events = Events::local(&cache);
    events_reach_each_group_once(events.clone(), events.clone(), [&cache, &cache]).await;
    what_fails_becomes_a_dead_letter(Events::local(&cache)).await;
    let mixed = events.group("mixed").on::<OtherPaid, _>(|event| event.0.clone());
    assert!(mixed.start().await.unwrap_err().is_invalid_configuration(), "two types of one name");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn on_redis() {
    let server = RedisServer::start();
    let (a, b) = (Process::A.tiered(&server).await, Process::B.tiered(&server).await);
    events_reach_each_group_once(Events::tiered(&a).unwrap(), Events::tiered(&b).unwrap(), [&a, &b]).await;
    server.flush_all();
    what_fails_becomes_a_dead_letter(Events::tiered(&a).unwrap()).await;

    // Of another release, or another service that calls something else so.
    let events = Events::tiered(&a).unwrap();
    let seen = Seen::default();
    let consumers = seen.started(events.group("reads")).await;
    Events::tiered(&b).unwrap().publish(&OtherPaid("text".to_owned())).await.unwrap();
    events.publish(&Paid { order: 1 }).await.unwrap();
    eventually(async || seen.all() == [1]).await;
    let dead = events.group("reads").dead::<Paid>(10).await.unwrap();
    assert!(dead.len() == 1 && dead[0].event.is_none() && dead[0].reason.contains("type"), "{dead:?}");
    // It is kept as it is: the release that knows it can have it replayed.
    let dead = events.group("reads").dead::<OtherPaid>(10).await.unwrap();
    assert_eq!(dead[0].event.as_ref().unwrap().0, "text");
    drop(consumers);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn on_a_cluster() {
    let cluster = RedisCluster::start();
    let connect = async || {
        let nodes = cluster.servers().iter().map(|server| server.address().to_string());
        patient(RedisCache::builder().cluster(nodes)).connect().await.unwrap()
    };
    let (a, b) = (connect().await, connect().await);
    let (of_a, of_b) = (Events::redis(&a).unwrap(), Events::redis(&b).unwrap());
    events_reach_each_group_once(of_a, of_b, [&a, &b]).await;
}

/// A process that ends with an event in its hands acknowledges nothing.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_process_goes_on_where_one_crashed_and_not_where_one_is_slow() {
    let server = RedisServer::start();
    let (a, b) = (Process::A.tiered(&server).await, Process::B.tiered(&server).await);
    let group = |cache, claim_after| Events::tiered(cache).unwrap().group("g").claim_after(claim_after);
    let begun = Arc::new(AtomicUsize::new(0));
    let slow = |takes: Duration| {
        let begun = begun.clone();
        move |event: Arc<Paid>| {
            let begun = begun.clone();
            async move {
                begun.fetch_add(1, Relaxed);
                tokio::time::sleep(takes * u32::from(event.order == 0)).await;
                Ok::<_, Infallible>(())
            }
        }
    };
    let seen = Seen::default();

    // It takes twice as long as others wait for a process that says nothing.
    let patient = group(&a, ms(2_000)).handle(slow(ms(4_000))).start().await.unwrap();
    Events::tiered(&a).unwrap().publish(&Paid { order: 0 }).await.unwrap();
    eventually(async || begun.load(Relaxed) == 1).await;
    let other = seen.started(group(&b, ms(2_000))).await;
    eventually(async || patient.stats().handled == 1).await;
    assert_eq!((seen.all(), other.stats().claimed), (vec![], 0), "it says that it is at it");
    assert!(patient.stop(SOON).await && other.stop(SOON).await);

    // A runtime that ends, with all that runs in it.
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let url = Process::C.url(&server);
    let handler = slow(SOON * 10);
    runtime.spawn(async move {
        let cache = RedisCache::connect(url).await.unwrap();
        let group = Events::redis(&cache).unwrap().group("g").claim_after(ms(400));
        let consumers = group.handle(handler).start().await.unwrap();
        std::future::pending::<()>().await;
        drop(consumers);
    });
    let events = Events::tiered(&a).unwrap();
    eventually(async || {
        let consumers: i64 = server.command::<String>(&["CLIENT", "LIST"]).matches("-queue").count() as i64;
        consumers > 0
    })
    .await;
    for order in 0..5 {
        events.publish(&Paid { order }).await.unwrap();
    }
    eventually(async || begun.load(Relaxed) == 2).await;
    runtime.shutdown_background();
    let heir = seen.started(group(&b, ms(400))).await;
    eventually(async || seen.count() == 5).await;
    let mut all = seen.all();
    all.sort_unstable();
    assert_eq!(all, [0, 1, 2, 3, 4], "none is lost");
    assert!(heir.stats().claimed > 0);
    drop(heir);
    let pending = || server.command::<Vec<redis::Value>>(&["XPENDING", "larder:v:{paid}", "g"]);
    eventually(async || pending()[0] == redis::Value::Int(0)).await;
}

/// An event that no process survives: it is given up after so many.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_ends_each_process_is_a_dead_letter() {
    let server = RedisServer::start();
    let cache = Process::A.tiered(&server).await;
    let events = Events::tiered(&cache).unwrap();
    let group = || events.group("g").attempts(2).claim_after(ms(100));
    let seen = Seen::default();
    assert!(seen.started(group()).await.stop(SOON).await);
    events.publish(&Paid { order: 7 }).await.unwrap();
    // Two that were given it, and said nothing any more.
    let stream = "larder:v:{paid}";
    let read = ["XREADGROUP", "GROUP", "g", "larder", "STREAMS", stream, ">"];
    eventually(async || {
        _ = server.try_command::<redis::Value>(&read);
        server.command::<Vec<redis::Value>>(&["XPENDING", stream, "g"])[0] == redis::Value::Int(1)
    })
    .await;
    _ = server.command::<redis::Value>(&["XAUTOCLAIM", stream, "g", "larder", "0", "0"]);
    let consumers = seen.started(group()).await;
    eventually(async || consumers.stats().dead == 1).await;
    assert_eq!(seen.count(), 0);
    let dead = group().dead::<Paid>(1).await.unwrap();
    assert_eq!(dead[0].event, Some(Paid { order: 7 }));
}

/// No longer in the stream: it holds up nothing.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_trimmed_while_a_process_had_it_is_passed_over() {
    let server = RedisServer::start();
    let cache = Process::A.tiered(&server).await;
    let events = Events::tiered(&cache).unwrap();
    let group = || events.group("g").claim_after(ms(100));
    let stream = "larder:v:{paid}";
    server.command::<()>(&["XGROUP", "CREATE", stream, "g", "$", "MKSTREAM"]);
    let mut ids = Vec::new();
    for order in 0..20 {
        ids.push(events.publish(&Paid { order }).await.unwrap().to_string());
    }
    _ = server.command::<redis::Value>(&["XREADGROUP", "GROUP", "g", "larder", "STREAMS", stream, ">"]);
    for id in &ids[..18] {
        server.command::<()>(&["XDEL", stream, id]);
    }
    let seen = Seen::default();
    let consumers = seen.started(group()).await;
    eventually(async || seen.all() == [18, 19]).await;
    drop(consumers);
    let pending = || server.command::<Vec<redis::Value>>(&["XPENDING", stream, "g"]);
    eventually(async || pending()[0] == redis::Value::Int(0)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn while_redis_is_away_publishing_is_an_error_and_the_others_wait() {
    let server = RedisServer::builder().append_only().start();
    let cache = RedisCache::builder().url(server.url()).deadline(ms(300)).connect().await.unwrap();
    let events = Events::redis(&cache).unwrap();
    let seen = Seen::default();
    let consumers = seen.started(events.group("g")).await;
    let mut heard = events.subscribe::<Paid>().await.unwrap();
    events.publish(&Paid { order: 0 }).await.unwrap();
    eventually(async || seen.all() == [0]).await;
    server.kill();
    let began = Instant::now();
    assert!(events.publish(&Paid { order: 1 }).await.unwrap_err().is_unavailable());
    assert!(events.broadcast(&Paid { order: 1 }).await.unwrap_err().is_unavailable());
    assert!(began.elapsed() < ms(2 * 300 + 300), "{:?}", began.elapsed());
    server.restart(Data::Kept);
    eventually(async || events.publish(&Paid { order: 2 }).await.is_ok()).await;
    eventually(async || seen.all().contains(&2)).await;
    // It connects again by itself; what is told meanwhile is lost.
    let telling = tokio::spawn(async move {
        loop {
            _ = events.broadcast(&Paid { order: 3 }).await;
            tokio::time::sleep(ms(10)).await;
        }
    });
    assert_eq!(tokio::time::timeout(SOON, heard.next()).await.unwrap(), Some(Paid { order: 3 }));
    assert!(heard.missed() > 0);
    telling.abort();
    assert!(consumers.stop(SOON).await);
}
