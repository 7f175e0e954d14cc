//! What stands between the clients and the origin, and what goes on there between requests.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use fastrand::Rng;
use larder::{Cache, CacheExt as _, MemoryCache, RedisCache, Scope, TieredCache};
use larder_http::{HttpCache, Purge, page};
use larder_servers::RedisServer;

use super::{
    asked::URIS,
    judge::Judge,
    model::{Client, Rules},
    origin::{Origin, origin_handler},
};
use crate::support::{Handler, TestClock, eventually};

const NONE: Rules = Rules {
    client: None,
    no_vary_search: false,
    ttl: None,
    heuristic: false,
    extends_s_maxage: false,
    ignores_requests: false,
    ignores_cookies: false,
    stores_cookies: false,
};

/// In front of handlers.
pub(crate) const RULES: [Rules; 8] = [
    NONE,
    Rules { ttl: Some(30), ..NONE },
    Rules { heuristic: true, ..NONE },
    Rules { extends_s_maxage: true, ..NONE },
    Rules { ignores_requests: true, ..NONE },
    Rules { ignores_cookies: true, stores_cookies: true, ttl: Some(60), ..NONE },
    Rules { no_vary_search: true, ..NONE },
    Rules { no_vary_search: true, ttl: Some(60), ignores_requests: true, ..NONE },
];

/// Those of clients.
pub(crate) const CLIENTS: [Rules; 4] = [
    Rules { client: Some(Client::Named), ..NONE },
    Rules { client: Some(Client::Unnamed), ..NONE },
    Rules { client: Some(Client::Unnamed), ttl: Some(60), ..NONE },
    Rules { client: Some(Client::Named), no_vary_search: true, heuristic: true, ..NONE },
];

fn configured(cache: Arc<dyn Cache>, clock: &TestClock, rules: &Rules) -> HttpCache {
    let clock = clock.clone();
    let http = match rules.client {
        None => HttpCache::new(cache),
        Some(Client::Unnamed) => HttpCache::client(cache),
        Some(Client::Named) => HttpCache::client(cache).identity("me"),
    };
    let mut http = http.clock(move || clock.now()).ignore_header("x-request");
    http = http.tag("/c/<id>", "c:<id>");
    if let Some(ttl) = rules.ttl {
        http = http.ttl(Duration::from_secs(ttl));
    }
    for (is_set, set) in [
        (rules.heuristic, HttpCache::heuristic_freshness as fn(HttpCache) -> HttpCache),
        (rules.no_vary_search, HttpCache::no_vary_search),
        (rules.extends_s_maxage, HttpCache::extend_s_maxage),
        (rules.ignores_requests, HttpCache::ignore_request_directives),
        (rules.ignores_cookies, HttpCache::ignore_cookies),
        (rules.stores_cookies, HttpCache::store_set_cookie),
    ] {
        if is_set {
            http = set(http);
        }
    }
    http
}

/// What goes on between requests.
pub(crate) fn change(rng: &mut Rng, world: &World, judge: &mut Judge) {
    let World { clock, caches, memories, host, .. } = world;
    let purge = |purge: Purge| caches.iter().for_each(|(_, http)| drop(http.purge([purge.clone()])));
    let invalidate =
        |scope: Scope| caches.iter().for_each(|(cache, _)| drop(cache.invalidate(scope.clone())));
    // The cache's own clock too: what is kept, and for how long it is marked.
    let advance = |seconds| {
        clock.advance(seconds);
        memories.iter().for_each(|memory| memory.core().advance(Duration::from_secs(seconds)));
    };
    match rng.u8(..30) {
        0..6 => advance(rng.u64(..40)),
        6 => advance(rng.u64(..700)),
        7 => {
            invalidate(Scope::tag("c:1"));
            judge.invalidated(|uri| uri == "/c/1");
        }
        8 => {
            let uri = URIS[rng.usize(..URIS.len())];
            purge(Purge::url(host, uri));
            judge.purged(uri);
        }
        9 if rng.u8(..4) == 0 => {
            invalidate(page(host, "/a"));
            judge.invalidated(|uri| uri.starts_with("/a"));
        }
        // With `No-Vary-Search`, it is not known which others it marks.
        10 if !world.rules.no_vary_search => {
            let uri = URIS[rng.usize(..URIS.len())];
            for (_, http) in caches {
                drop(http.soft_purge([Purge::url(host, uri)]));
            }
            judge.marked(|known| known == uri);
        }
        // A cache in front does not see the tags.
        11 if rng.u8(..10) == 0 && caches.len() == 1 => {
            purge(Purge::Tag("a-tag".into()));
            judge.invalidated(|_| true);
        }
        _ => {}
    }
}

/// A cache in front of an origin, of which nothing is known yet.
pub(crate) struct World {
    pub(crate) rules: Rules,
    pub(crate) seed: u64,
    pub(crate) clock: TestClock,
    /// The host of all requests.
    pub(crate) host: String,
    /// Whether the judge can know what is stored when: not with two caches, nor by a server's tasks.
    pub(crate) is_exact: bool,
    /// The one next to the origin first; or those of two nodes.
    pub(crate) caches: Vec<(Arc<dyn Cache>, HttpCache)>,
    /// Those whose clocks are set.
    memories: Vec<MemoryCache>,
    /// What the nodes share, if that is what the caches belong to.
    redis: Option<RedisServer>,
    pub(crate) origin: Arc<Mutex<Origin>>,
}

impl World {
    pub(crate) fn new(seed: u64) -> Self {
        Self::with(seed, RULES[(seed % RULES.len() as u64) as usize])
    }

    pub(crate) fn with(seed: u64, rules: Rules) -> Self {
        let mut world = Self::without_cache(seed, rules);
        world.add();
        world
    }

    fn without_cache(seed: u64, rules: Rules) -> Self {
        let clock = TestClock::new();
        let origin = Origin::new(seed, &clock);
        let (host, is_exact) = ("example.com".to_owned(), true);
        let (caches, memories, redis) = (Vec::new(), Vec::new(), None);
        Self { rules, seed, clock, host, is_exact, caches, memories, redis, origin }
    }

    /// Two nodes with a server in common.
    pub(crate) async fn nodes(seed: u64) -> Self {
        let mut world = Self::without_cache(seed, RULES[(seed % RULES.len() as u64) as usize]);
        let redis = RedisServer::start();
        // With two spellings they know as little of each other as two processes do.
        for url in [redis.url(), redis.url().replace("127.0.0.1", "localhost")] {
            let node = RedisCache::builder().url(url).deadline(Duration::from_secs(5));
            let node = TieredCache::new(MemoryCache::new(100_000), node.connect().await.unwrap());
            let http = configured(Arc::new(node.clone()), &world.clock, &world.rules);
            world.caches.push((Arc::new(node), http));
        }
        (world.redis, world.is_exact) = (Some(redis), false);
        world
    }

    /// Waits until each node has heard of all that was invalidated on the other one.
    pub(crate) async fn settle(&self) {
        let ([(one, _), (other, _)], Some(_)) = (&self.caches[..], &self.redis) else { return };
        for (from, to) in [(one, other), (other, one)] {
            to.insert("probe", &1_u8, Duration::from_secs(600)).await.unwrap();
            from.invalidate("probe").await;
            eventually("a node hears of it", async || to.get::<u8>("probe").await.unwrap().is_none()).await;
        }
    }

    /// Whether the clocks of the caches are turned with that of HTTP. Those of nodes are not: their server has its own.
    pub(crate) fn turns_clocks(&self) -> bool {
        !self.memories.is_empty()
    }

    /// Adds a cache in front.
    pub(crate) fn add(&mut self) {
        let cache = MemoryCache::new(100_000);
        let http = configured(Arc::new(cache.clone()), &self.clock, &self.rules);
        self.memories.push(cache.clone());
        self.caches.push((Arc::new(cache), http));
    }

    pub(crate) fn http(&self) -> HttpCache {
        self.caches[0].1.clone()
    }

    pub(crate) fn handler(&self) -> Handler {
        origin_handler(&self.origin)
    }
}
