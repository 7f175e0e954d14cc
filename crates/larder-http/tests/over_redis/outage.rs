//! A server that is gone, stands still, or has forgotten everything: requests are answered, in time and rightly.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use larder::RedisCache;
use larder_http::HttpCache;
use larder_servers::{Data, Fault, Proxy, RedisServer};
use tokio::task::JoinHandle;

use crate::{
    nodes::Kind,
    support::{
        Handler, Said,
        client::{get, request, send},
        eventually, handler,
        servers::Server,
    },
};

/// What an answer may take, apart from what a busy machine adds to it.
const IN_TIME: Duration = Duration::from_secs(1);

/// What goes wrong, and how it ends.
struct Accident {
    name: &'static str,
    begin: fn(&RedisServer, &Proxy),
    end: fn(&RedisServer, &Proxy),
}

const ACCIDENTS: &[Accident] = &[
    Accident {
        name: "killed, and back with nothing",
        begin: |redis, _| redis.kill(),
        end: |redis, _| redis.restart(Data::Lost),
    },
    Accident {
        name: "killed, and back with everything",
        begin: |redis, _| redis.kill(),
        end: |redis, _| redis.restart(Data::Kept),
    },
    Accident { name: "stopped", begin: |redis, _| redis.pause(), end: |redis, _| redis.resume() },
    Accident { name: "swallowed", begin: |_, proxy| proxy.blackhole(), end: |_, proxy| proxy.heal() },
    Accident { name: "held up", begin: |_, proxy| proxy.set_both(Fault::Hold), end: |_, proxy| proxy.heal() },
    Accident { name: "cut", begin: |_, proxy| (proxy.refuse(), proxy.cut()).1, end: |_, proxy| proxy.heal() },
];

/// Answers with the path and its version; whatever is not `GET` makes the next one.
fn versioned(versions: Arc<AtomicU64>) -> Handler {
    handler(move |seen| {
        let versions = versions.clone();
        async move {
            if seen.method != "GET" {
                versions.fetch_add(1, Ordering::SeqCst);
                return Said::new(&[], "");
            }
            let text = format!("{} {}", seen.uri, versions.load(Ordering::SeqCst));
            Said::new(&[("cache-control", "max-age=60")], text)
        }
    })
}

/// Clients of both nodes who ask for the same, and for ever new things.
struct Load {
    over: Arc<AtomicBool>,
    answers: Arc<AtomicUsize>,
    clients: Vec<JoinHandle<Duration>>,
    /// By how much a sleep was too long.
    late: JoinHandle<Duration>,
}

impl Load {
    fn start(at: [SocketAddr; 2]) -> Self {
        let (over, answers) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
        let clients = (0..8).map(|n| tokio::spawn(ask(n, at[n % 2], over.clone(), answers.clone())));
        let clients = clients.collect();
        let end = over.clone();
        let late = tokio::spawn(async move {
            const PAUSE: Duration = Duration::from_millis(20);
            let mut late = Duration::ZERO;
            while !end.load(Ordering::SeqCst) {
                let begun = Instant::now();
                tokio::time::sleep(PAUSE).await;
                late = late.max(begun.elapsed().saturating_sub(PAUSE));
            }
            late
        });
        Self { over, answers, clients, late }
    }

    /// Goes on until all clients were answered several times.
    async fn go_on(&self) {
        let goal = self.answers.load(Ordering::SeqCst) + 10 * self.clients.len();
        let is_there = || std::future::ready(self.answers.load(Ordering::SeqCst) > goal);
        eventually("all clients are answered", is_there).await;
    }

    /// What the longest answer took, and the longest sleep too long.
    async fn finish(self) -> (Duration, Duration) {
        self.over.store(true, Ordering::SeqCst);
        let mut longest = Duration::ZERO;
        for client in self.clients {
            longest = longest.max(client.await.expect("all answers are right"));
        }
        (longest, self.late.await.unwrap())
    }
}

async fn ask(client: usize, at: SocketAddr, over: Arc<AtomicBool>, answers: Arc<AtomicUsize>) -> Duration {
    let mut longest = Duration::ZERO;
    for n in 0.. {
        if over.load(Ordering::SeqCst) {
            break;
        }
        let path = if n % 2 == 0 { "/common".to_owned() } else { format!("/new/{client}/{n}") };
        let begun = Instant::now();
        let received = get(at, &path, &[]).await;
        longest = longest.max(begun.elapsed());
        assert_eq!(received.status, 200, "{received:?}");
        assert!(received.text().contains(&format!("{path} ")), "{path}: {received:?}");
        answers.fetch_add(1, Ordering::SeqCst);
        tokio::time::sleep(Duration::from_millis(30)).await;
    }
    longest
}

/// The version of what a node answers.
async fn version(node: &Server) -> u64 {
    get(node.address, "/common", &[]).await.text().rsplit(' ').next().unwrap().parse().unwrap()
}

async fn live_through(kind: Kind, accident: &Accident) {
    let redis = RedisServer::builder().append_only().start();
    let proxy = Proxy::start(redis.address());
    let versions = Arc::new(AtomicU64::new(0));
    let mut nodes = Vec::new();
    for url in [proxy.url(), proxy.url().replace("127.0.0.1", "localhost")] {
        let store = kind.store(RedisCache::builder().url(url)).await;
        nodes.push(kind.framework.serve(HttpCache::new(store), versioned(versions.clone())).await);
    }
    let load = Load::start([nodes[0].address, nodes[1].address]);
    load.go_on().await;

    (accident.begin)(&redis, &proxy);
    for n in 1..=3 {
        load.go_on().await;
        send(nodes[0].address, request("POST", "/common", &[])).await;
        assert_eq!(version(&nodes[0]).await, n, "{kind:?}, {}: it made the change itself", accident.name);
    }
    (accident.end)(&redis, &proxy);

    eventually("the other node hears of it", async || version(&nodes[1]).await == 3).await;
    assert_eq!(version(&nodes[0]).await, 3, "{kind:?}, {}: the old one is back", accident.name);
    let tries = AtomicUsize::new(0);
    eventually("they share again", async || {
        let path = format!("/after/{}", tries.fetch_add(1, Ordering::SeqCst));
        get(nodes[0].address, &path, &[]).await;
        get(nodes[1].address, &path, &[]).await.is_hit()
    })
    .await;
    let (longest, late) = load.finish().await;
    println!("{kind:?}, {}: the longest answer took {longest:?}; late by {late:?}", accident.name);
    assert!(longest < IN_TIME + 3 * late, "{kind:?}, {}: {longest:?}, late by {late:?}", accident.name);
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_are_answered_while_redis_is_not_there() {
    // One of each framework, with and without a memory.
    for kind in [Kind::ALL.first(), Kind::ALL.last()].into_iter().flatten() {
        for accident in ACCIDENTS {
            live_through(*kind, accident).await;
        }
    }
}
