//! `No-Vary-Search`: no URL is given a response to another one, unless that response's own header makes both equivalent.
//! Random queries, forged ones among them, and rules that change; judged by the document's text.

use std::sync::{Arc, Mutex};

use axum::{Router, body::Body};
use http::Request;
use http_body_util::BodyExt as _;
use larder::{Cache, MemoryCache, RedisCache, TieredCache};
use larder_servers::RedisServer;
use tower::ServiceExt as _;

use crate::{
    support::{Handler, Said, Seen, TestClock, handler, servers::router},
    url_equivalence::are_equivalent,
    world::http_cache_in,
};

/// What a handler says, and what that means: `params`, `except`, and whether the order has no meaning. None if nothing.
pub(crate) type Rule = (&'static str, Option<Meaning>);
pub(crate) type Meaning = (Option<&'static [&'static str]>, Option<&'static [&'static str]>, bool);

pub(crate) const RULES: [Rule; 9] = [
    ("", None),
    ("params=(\"a\")", Some((Some(&["a"]), None, false))),
    ("params=(\"a\" \"b+c\"), key-order", Some((Some(&["a", "b+c"]), None, true))),
    ("except=(\"user\")", Some((None, Some(&["user"]), false))),
    ("except=(\"user\" \"a\"), key-order", Some((None, Some(&["user", "a"]), true))),
    ("key-order", Some((Some(&[]), None, true))),
    ("except=()", Some((None, Some(&[]), false))),
    ("params=?1", None),
    ("params=(\"user\", \"a\")", None),
];

const PARTS: [&str; 16] = [
    "user=A",
    "user=B",
    "user=A%26user=B",
    "us%65r=B",
    "user",
    "user=",
    "a=1",
    "a=2",
    "b+c=1",
    "b%20c=2",
    "b=c",
    "",
    "User=A",
    "user%3DA",
    "a=1%23",
    "x=%~user=A",
];

/// A response that was made.
#[derive(Debug, Clone)]
struct Made {
    host: String,
    path: String,
    query: Option<String>,
    /// Its rule, or that of the last 304.
    rule: usize,
}

#[derive(Default)]
struct World {
    made: Vec<Made>,
    /// What the next request is told.
    rule: usize,
    /// Whether conditional requests are told that nothing has changed.
    is_unchanged: bool,
    /// The number of the response that the last request was told to be current.
    validated: Option<usize>,
}

impl World {
    fn say(&mut self, seen: &Seen) -> Said {
        let (path, query) = match seen.uri.split_once('?') {
            Some((path, query)) => (path, Some(query.to_owned())),
            None => (&*seen.uri, None),
        };
        let condition = seen.header("if-none-match").map(|etag| etag.trim_matches('"').parse().unwrap());
        let number = condition.filter(|_| self.is_unchanged).unwrap_or(self.made.len());
        let rule = self.rule;
        if number == self.made.len() {
            let host = seen.header("host").unwrap().to_owned();
            self.made.push(Made { host, path: path.to_owned(), query, rule });
        } else {
            self.validated = Some(number);
            // A 304 without the header leaves the one that is stored.
            if !RULES[rule].0.is_empty() {
                self.made[number].rule = rule;
            }
        }
        let etag = format!("\"{number}\"");
        let mut headers = vec![("cache-control", "max-age=60"), ("etag", &*etag)];
        headers.extend(Some(("no-vary-search", RULES[rule].0)).filter(|(_, said)| !said.is_empty()));
        let status = if self.validated == Some(number) { 304 } else { 200 };
        let body = if status == 304 { String::new() } else { number.to_string() };
        Said { status, ..Said::new(&headers, body) }
    }
}

impl Made {
    fn answers(&self, host: &str, path: &str, query: Option<&str>) -> bool {
        let (one, other) = (self.query.as_deref(), query);
        let is_equivalent = RULES[self.rule].1.is_some_and(|(params, except, key_order)| {
            let [params, except] = [params, except]
                .map(|names| Some(names?.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>()));
            are_equivalent((params.as_deref(), except.as_deref(), key_order), [one, other])
        });
        (&*self.host, &*self.path) == (host, path) && (one == other || is_equivalent)
    }
}

async fn ask(router: Router, host: &str, uri: &str) -> usize {
    let request = Request::get(uri).header("host", host).body(Body::empty()).unwrap();
    let body = router.oneshot(request).await.unwrap().into_body();
    std::str::from_utf8(&body.collect().await.unwrap().to_bytes()).unwrap().parse().unwrap()
}

/// Many requests, each judged when its response is there. Returns how many were given a response to another URL, and how
/// many were not, although there was one for the path.
async fn try_queries(
    caches: [Arc<dyn Cache>; 2],
    clock: &TestClock,
    (requests, seed): (usize, u64),
) -> (usize, usize) {
    let world = Arc::<Mutex<World>>::default();
    let says = world.clone();
    let respond: Handler = handler(move |seen| std::future::ready(says.lock().unwrap().say(&seen)));
    let routers = caches.map(|cache| {
        let http = http_cache_in(cache, clock).no_vary_search();
        router(respond.clone()).layer(http)
    });
    let mut random = fastrand::Rng::with_seed(seed);
    let (mut given, mut withheld) = (0, 0);
    for n in 0..requests {
        let host = ["a.example", "b.example"][random.usize(..2)];
        let path = ["/p", "/p/", "/q"][random.usize(..3)];
        let parts: Vec<_> = (0..random.usize(..4)).map(|_| PARTS[random.usize(..PARTS.len())]).collect();
        let query = random.u8(..8) != 0 || !parts.is_empty();
        let query = query.then(|| parts.join("&"));
        if random.u8(..20) == 0 {
            clock.advance(61);
        }
        let before = {
            let mut world = world.lock().unwrap();
            (world.is_unchanged, world.validated) = (random.bool(), None);
            // Mostly the same for a path, so that there is something to share.
            world.rule =
                if random.u8(..4) == 0 { random.usize(..RULES.len()) } else { (n / 200 + path.len()) % 7 };
            world.made.len()
        };
        let uri = query.as_ref().map_or(path.to_owned(), |query| format!("{path}?{query}"));
        let router = routers[random.usize(..2)].clone();
        let number = ask(router, host, &uri).await;
        let world = world.lock().unwrap();
        let made = &world.made[number];
        if number == before {
            withheld +=
                usize::from(world.made[..before].iter().any(|made| made.host == host && made.path == path));
            continue;
        }
        given += usize::from(made.query != query);
        let is_allowed = world.validated == Some(number) || made.answers(host, path, query.as_deref());
        assert!(is_allowed, "seed {seed}, {n}: {host}{uri} was given {made:?}, of {}", RULES[made.rule].0);
        assert_eq!((&*made.host, &*made.path), (host, path), "validated or not");
    }
    (given, withheld)
}

#[tokio::test]
async fn no_url_is_given_what_its_own_header_does_not_make_equivalent() {
    let clock = TestClock::new();
    let seed = fastrand::u64(..);
    let cache: Arc<dyn Cache> = Arc::new(MemoryCache::new(100_000));
    let (given, withheld) = try_queries([cache.clone(), cache], &clock, (6_000, seed)).await;
    assert!(given > 300 && withheld > 300, "seed {seed}: too little was tried: {given}, {withheld}");
}

#[tokio::test(flavor = "multi_thread")]
async fn nor_on_another_node() {
    let (clock, redis) = (TestClock::new(), RedisServer::start());
    let node = async |url: String| {
        let redis = RedisCache::builder()
            .url(url)
            .deadline(std::time::Duration::from_secs(5))
            .connect()
            .await
            .unwrap();
        Arc::new(TieredCache::new(MemoryCache::new(100_000), redis)) as Arc<dyn Cache>
    };
    let nodes = [node(redis.url()).await, node(redis.url().replace("127.0.0.1", "localhost")).await];
    let seed = fastrand::u64(..);
    let (given, withheld) = try_queries(nodes, &clock, (600, seed)).await;
    assert!(given > 20 && withheld > 20, "seed {seed}: too little was tried: {given}, {withheld}");
}
