//! Real caches between the clients and the service, shared ones and a browser's: they keep nothing for longer, or for others, than was
//! decided here. One that is not installed is left out, with a line that says so.

#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "a test may panic, and tells what it left out")]

#[path = "behind_caches/browser.rs"]
mod browser;
#[path = "behind_caches/programs.rs"]
mod programs;
mod support;

use std::{
    future::ready,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering},
    },
    time::{Duration, Instant, SystemTime},
};

use axum::{extract::Request, middleware::map_request};
use larder::{CacheExt as _, MemoryCache, Scope};
use larder_http::{HttpCache, Purge};
use programs::{Program, Running};
use support::{
    Said, Seen,
    client::{Received, get, request, send},
    handler,
    servers::{Server, router, serve_router},
};
use tokio::sync::mpsc;
use tower_http::compression::CompressionLayer;

/// What the handlers say, and what came to the service.
#[derive(Default)]
struct World {
    version: AtomicUsize,
    fails: AtomicBool,
    /// How far the service's clock is ahead, in seconds.
    ahead: AtomicU64,
    /// Requests that the cache in front did not answer by itself.
    arrived: AtomicUsize,
}

impl World {
    fn say(&self, seen: &Seen) -> Said {
        let text = |name: &str| seen.header(name).unwrap_or("none").to_owned();
        let version = self.version.load(Ordering::SeqCst);
        if self.fails.load(Ordering::SeqCst) {
            return Said { status: 503, ..Said::new(&[], "down") };
        }
        match seen.uri.as_str() {
            "/languages" => {
                let headers = [
                    ("cache-control", "max-age=60"),
                    ("vary", "accept-language"),
                    ("content-type", "text/plain"),
                ];
                Said::new(&headers, text("accept-language").repeat(500))
            }
            "/silent" => Said::new(&[], format!("{version} for {}", text("x-user"))),
            "/old" => Said::new(&[("cache-control", "max-age=52")], version.to_string()),
            "/stale" => {
                Said::new(&[("cache-control", "max-age=10, stale-if-error=600")], version.to_string())
            }
            other => panic!("no test asks for {other}"),
        }
    }
}

struct Service {
    world: Arc<World>,
    pages: MemoryCache,
    server: Server,
    front: Running,
}

impl Service {
    /// None if the program is not installed.
    async fn start(program: Program, configure: impl FnOnce(HttpCache) -> HttpCache) -> Option<Self> {
        let world = Arc::<World>::default();
        let (says, now, counts) = (world.clone(), world.clone(), world.clone());
        let pages = MemoryCache::new(100);
        let cache = HttpCache::new(pages.clone())
            .vary("accept-encoding")
            .clock(move || SystemTime::now() + Duration::from_secs(now.ahead.load(Ordering::SeqCst)));
        let routes = router(handler(move |seen| ready(says.say(&seen))))
            .layer(CompressionLayer::new())
            .layer(configure(cache))
            .layer(map_request(move |request: Request| {
                counts.arrived.fetch_add(1, Ordering::SeqCst);
                ready(request)
            }));
        let server = serve_router(routes).await;
        let Some(front) = Running::start(program, server.address.port()).await else {
            println!("{program:?} is not installed: nothing is tried with it");
            return None;
        };
        Some(Self { world, pages, server, front })
    }

    async fn ask(&self, path: &str, headers: &[(&str, &str)]) -> Received {
        get(self.front.address, path, headers).await
    }

    /// Has a page stored here that the cache in front does not know.
    async fn warm(&self, path: &str) {
        // Varnish asks for `gzip` whatever its client accepts.
        for headers in [&[][..], &[("accept-encoding", "gzip")]] {
            get(self.server.address, path, headers).await;
        }
    }

    /// Whether the cache in front answers by itself.
    async fn is_kept(&self, path: &str) -> bool {
        let before = self.world.arrived.load(Ordering::SeqCst);
        self.ask(path, &[]).await;
        self.world.arrived.load(Ordering::SeqCst) == before
    }

    /// Each reader gets their own language, in an encoding that they accept.
    async fn languages(&self) {
        for round in 0..3 {
            for (language, encoding) in
                [("en", "identity"), ("de", "identity"), ("de", "gzip"), ("en", "gzip"), ("en", "identity")]
            {
                let sent = [("accept-language", language), ("accept-encoding", encoding)];
                let received = self.ask("/languages", &sent).await;
                let zipped = received.header("content-encoding").is_some();
                assert!(!zipped || encoding == "gzip", "round {round}, {language}, {encoding}: {received:?}");
                assert_eq!(
                    received.decoded(),
                    language.repeat(500),
                    "round {round}, {encoding}: {received:?}"
                );
            }
        }
        assert!(self.is_kept("/languages").await || self.is_kept("/languages").await, "it keeps what it may");
    }

    /// What is kept here by our own word alone is asked for each time, and goes when it is invalidated.
    async fn silent(&self) {
        for user in [None, Some("1"), None, Some("2")] {
            let sent: Vec<_> = user.map(|user| ("x-user", user)).into_iter().collect();
            let received = self.ask("/silent", &sent).await;
            assert_eq!(received.text(), format!("0 for {}", user.unwrap_or("none")), "{received:?}");
        }
        assert!(!self.is_kept("/silent").await);
        let received = self.ask("/silent", &[]).await;
        let status = received.cache_status();
        assert!(status.contains("larder; hit"), "its headers are harmless: {status}");
        self.world.version.store(1, Ordering::SeqCst);
        self.pages.invalidate(Scope::all()).await;
        assert_eq!(self.ask("/silent", &[]).await.text(), "1 for none");
    }

    /// A page that has two seconds left goes with them.
    async fn old(&self) {
        self.warm("/old").await;
        self.world.ahead.store(50, Ordering::SeqCst);
        self.world.version.store(7, Ordering::SeqCst);
        let old = self.ask("/old", &[]).await;
        assert_ne!(old.text(), "7", "{old:?}");
        let asked = Instant::now();
        assert!(self.is_kept("/old").await, "it keeps what it may");
        while self.ask("/old", &[]).await.text() != "7" {
            assert!(asked.elapsed() < Duration::from_secs(6), "an old page stays too long");
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    /// What was given in place of an error is not kept as fresh.
    async fn stale(&self) {
        let version = self.world.version.load(Ordering::SeqCst);
        self.warm("/stale").await;
        self.world.ahead.fetch_add(20, Ordering::SeqCst);
        self.world.fails.store(true, Ordering::SeqCst);
        let stale = self.ask("/stale", &[]).await;
        assert_eq!((stale.status, stale.text()), (200, version.to_string()), "{stale:?}");
        self.world.version.store(version + 1, Ordering::SeqCst);
        self.world.fails.store(false, Ordering::SeqCst);
        let next = self.ask("/stale", &[]).await;
        assert_eq!(next.text(), (version + 1).to_string(), "{next:?}");
    }
}

async fn try_all(program: Program, configure: fn(HttpCache) -> HttpCache) {
    let Some(service) = Service::start(program, configure).await else { return };
    service.languages().await;
    service.silent().await;
    service.old().await;
    service.stale().await;
}

#[tokio::test]
async fn nginx() {
    try_all(Program::Nginx, |cache| cache.ttl(Duration::from_secs(30)).accel_expires()).await;
}

#[tokio::test]
async fn apache() {
    try_all(Program::Apache, |cache| cache.ttl(Duration::from_secs(30))).await;
}

#[tokio::test]
async fn varnish() {
    try_all(Program::Varnish, |cache| cache.ttl(Duration::from_secs(30))).await;
}

#[tokio::test]
async fn squid() {
    try_all(Program::Squid, |cache| cache.ttl(Duration::from_secs(30))).await;
}

#[tokio::test]
async fn traffic_server() {
    try_all(Program::TrafficServer, |cache| cache.ttl(Duration::from_secs(30))).await;
}

/// What is purged here goes there too, by the words of the hook.
async fn is_purged_with_this_cache(program: Program) {
    let (purged, mut purges) = mpsc::unbounded_channel();
    let configure = move |cache: HttpCache| {
        cache.on_purge(move |purges| purges.iter().for_each(|purge| purged.send(purge.clone()).unwrap()))
    };
    let Some(service) = Service::start(program, configure).await else { return };
    assert_eq!(service.ask("/old", &[]).await.text(), "0");
    // Traffic Server writes it behind its answer.
    support::eventually("it keeps what it may", || service.is_kept("/old")).await;
    service.world.version.store(1, Ordering::SeqCst);
    let front = service.front.address;
    // Varnish passes unsafe requests on, and keeps what it has. To the others they are no secret, so it is sent past them.
    let through = if matches!(program, Program::Varnish) { front } else { service.server.address };
    assert_eq!(send(through, request("POST", "/old", &[])).await.status, 200);
    assert_eq!(service.ask("/old", &[]).await.text(), "0");
    while let Ok(purge) = purges.try_recv() {
        let Purge::Url { host, path_and_query } = purge else { panic!("not a URL: {purge:?}") };
        let purge = request("PURGE", &path_and_query, &[("host", &host)]);
        let status = send(front, purge).await.status;
        // Some say whether there was anything to purge.
        assert!(matches!(status, 200 | 404), "{status}");
    }
    assert_eq!(service.ask("/old", &[]).await.text(), "1");
}

#[tokio::test]
async fn varnish_is_purged_with_this_cache() {
    is_purged_with_this_cache(Program::Varnish).await;
}

#[tokio::test]
async fn squid_is_purged_with_this_cache() {
    is_purged_with_this_cache(Program::Squid).await;
}

#[tokio::test]
async fn traffic_server_is_purged_with_this_cache() {
    is_purged_with_this_cache(Program::TrafficServer).await;
}
