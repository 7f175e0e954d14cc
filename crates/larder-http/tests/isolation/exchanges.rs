//! Random exchanges, one after the other and at once: each answer is judged by a model that was made from the RFCs. It says
//! who may have a response, and how old that may be.
//!
//! Some are always the same. `LARDER_EXCHANGES=N` is for so many others, and `LARDER_SEED=N` repeats them.

mod asked;
mod judge;
mod model;
mod origin;
mod said;
mod ways;

use std::{
    collections::BTreeMap,
    env,
    future::{Future, poll_fn},
    pin::Pin,
    sync::{Arc, Mutex},
    task::Poll,
    time::Duration,
};

use fastrand::Rng;
use larder::{Cache as _, CacheExt as _, MemoryCache, Scope};
use larder_http::{HttpCache, Purge, page};

#[cfg(feature = "actix")]
use self::ways::by_actix;
use self::{
    asked::{Answer, Ask, URIS},
    judge::Judge,
    model::Rules,
    origin::{Origin, origin_handler, seconds},
    ways::{by_http1, by_http2, by_tower, http2_client},
};
use crate::support::{
    Handler, TestClock,
    servers::{Framework, router},
};

/// How often there was an answer of each kind.
type Tally = BTreeMap<&'static str, usize>;

fn number(name: &str) -> Option<u64> {
    env::var(name).ok().map(|text| text.parse().expect("a number"))
}

const RULES: [Rules; 6] = {
    const NONE: Rules = Rules {
        ttl: None,
        heuristic: false,
        extends_s_maxage: false,
        ignores_requests: false,
        ignores_cookies: false,
        stores_cookies: false,
    };
    [
        NONE,
        Rules { ttl: Some(30), ..NONE },
        Rules { heuristic: true, ..NONE },
        Rules { extends_s_maxage: true, ..NONE },
        Rules { ignores_requests: true, ..NONE },
        Rules { ignores_cookies: true, stores_cookies: true, ttl: Some(60), ..NONE },
    ]
};

fn configured(cache: &MemoryCache, clock: &TestClock, rules: &Rules) -> HttpCache {
    let clock = clock.clone();
    let mut http = HttpCache::new(cache.clone()).clock(move || clock.now()).ignore_header("x-request");
    http = http.tag("/c/<id>", "c:<id>");
    if let Some(ttl) = rules.ttl {
        http = http.ttl(Duration::from_secs(ttl));
    }
    for (is_set, set) in [
        (rules.heuristic, HttpCache::heuristic_freshness as fn(HttpCache) -> HttpCache),
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
fn change(rng: &mut Rng, world: &World, judge: &mut Judge) {
    let World { clock, caches, .. } = world;
    let purge = |purge: Purge| caches.iter().for_each(|(_, http)| drop(http.purge([purge.clone()])));
    let invalidate =
        |scope: Scope| caches.iter().for_each(|(cache, _)| drop(cache.invalidate(scope.clone())));
    // The cache's own clock too: what is kept, and for how long it is marked.
    let advance = |seconds| {
        clock.advance(seconds);
        caches.iter().for_each(|(cache, _)| cache.core().advance(Duration::from_secs(seconds)));
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
            purge(Purge::url("example.com", uri));
            judge.invalidated(|known| known == uri);
        }
        9 if rng.u8(..4) == 0 => {
            invalidate(page("example.com", "/a"));
            judge.invalidated(|uri| uri.starts_with("/a"));
        }
        10 => {
            let uri = URIS[rng.usize(..URIS.len())];
            for (_, http) in caches {
                drop(http.soft_purge([Purge::url("example.com", uri)]));
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

/// As many exchanges as that.
async fn exchange(world: &World, count: usize, send: impl AsyncFn(Ask) -> Answer) -> Judge {
    let World { rules, seed, clock, origin, is_exact, .. } = world;
    let mut rng = Rng::with_seed(*seed);
    let mut judge = Judge::new((*rules, *seed, *is_exact), origin, clock);
    let mut asked = 0;
    while asked < count {
        change(&mut rng, world, &mut judge);
        let ask = |rng: &mut Rng, number| Ask::random(rng, number, &origin.lock().unwrap(), seconds(clock));
        let at_once = rng.u8(..12) == 0;
        origin.lock().unwrap().is_slow = at_once;
        let mut asks = vec![ask(&mut rng, asked)];
        if at_once {
            let uri = asks[0].uri;
            for number in 1..rng.usize(2..6) {
                asks.push(Ask { uri, ..ask(&mut rng, asked + number) });
            }
            asks.retain(|ask| matches!(ask.method, "GET" | "HEAD"));
            if asks.is_empty() {
                continue;
            }
        }
        asked += asks.len();
        judge.begin(&asks);
        // Some clients go away.
        let patience = |rng: &mut Rng| if at_once && rng.u8(..5) == 0 { rng.usize(1..6) } else { usize::MAX };
        let sent = asks.iter().map(|ask| for_polls(patience(&mut rng), send(ask.clone())));
        let answers = join_all(sent).await;
        judge.learn();
        for (ask, answer) in asks.iter().zip(&answers) {
            if let Some(answer) = answer {
                judge.judge(&ask.clone().under(rules), answer);
            }
        }
        yield_often().await;
        judge.end(&asks, &answers);
    }
    judge
}

/// All of them at once.
async fn join_all<F: Future>(futures: impl Iterator<Item = F>) -> Vec<F::Output> {
    let mut futures: Vec<_> = futures.map(|future| (Box::pin(future), None)).collect();
    poll_fn(|context| {
        let mut is_ready = true;
        for (future, output) in futures.iter_mut().filter(|(_, output)| output.is_none()) {
            match Pin::new(future).poll(context) {
                Poll::Ready(value) => *output = Some(value),
                Poll::Pending => is_ready = false,
            }
        }
        if is_ready { Poll::Ready(()) } else { Poll::Pending }
    })
    .await;
    futures.into_iter().map(|(_, output)| output.unwrap()).collect()
}

/// What comes of a future that is dropped when it has been polled so often.
async fn for_polls<F: Future>(mut polls: usize, future: F) -> Option<F::Output> {
    let mut future = Box::pin(future);
    poll_fn(|context| match future.as_mut().poll(context) {
        Poll::Ready(output) => Poll::Ready(Some(output)),
        Poll::Pending if polls == 0 => Poll::Ready(None),
        Poll::Pending => {
            polls -= 1;
            Poll::Pending
        }
    })
    .await
}

async fn yield_often() {
    for _ in 0..40 {
        tokio::task::yield_now().await;
    }
}

/// A cache in front of an origin, of which nothing is known yet.
struct World {
    rules: Rules,
    seed: u64,
    clock: TestClock,
    /// Whether the judge can know what is stored when: not with two caches, nor by a server's tasks.
    is_exact: bool,
    /// The one next to the origin first.
    caches: Vec<(MemoryCache, HttpCache)>,
    origin: Arc<Mutex<Origin>>,
}

impl World {
    fn new(seed: u64) -> Self {
        Self::with(seed, RULES[(seed % RULES.len() as u64) as usize])
    }

    fn with(seed: u64, rules: Rules) -> Self {
        let clock = TestClock::new();
        let origin = Origin::new(seed, &clock);
        let mut world = Self { rules, seed, clock, is_exact: true, caches: Vec::new(), origin };
        world.add();
        world
    }

    /// Adds a cache in front.
    fn add(&mut self) {
        let cache = MemoryCache::new(100_000);
        let http = configured(&cache, &self.clock, &self.rules);
        self.caches.push((cache, http));
    }

    fn http(&self) -> HttpCache {
        self.caches[0].1.clone()
    }

    fn handler(&self) -> Handler {
        origin_handler(&self.origin)
    }

    /// Fails if an answer is not as it should be.
    async fn try_out(&self, count: usize, tally: &mut Tally, send: impl AsyncFn(Ask) -> Answer) {
        let judge = exchange(self, count, send).await;
        judge.check();
        for (what, times) in judge.tally() {
            *tally.entry(*what).or_default() += times;
        }
    }
}

/// The seeds of so many exchanges, and how many there are of each.
fn seeds(count: usize) -> impl Iterator<Item = (u64, usize)> {
    const ONE: usize = 500;
    let asked = number("LARDER_EXCHANGES");
    let count = asked.map_or(count, |all| count * (all as usize) / 10_000);
    let others = || asked.map_or(0, |_| fastrand::u64(..1 << 32));
    let first = number("LARDER_SEED").unwrap_or_else(others);
    (0..count.div_ceil(ONE)).map(move |n| (first + n as u64, ONE.min(count)))
}

#[tokio::test]
async fn random_exchanges_with_the_layer_are_as_the_rfcs_have_them() {
    let mut tally = Tally::new();
    for (seed, count) in seeds(5_000) {
        let world = World::new(seed);
        let router = router(world.handler()).layer(world.http());
        world.try_out(count, &mut tally, async |ask| by_tower(&router, &ask).await).await;
    }
    check(&tally);
}

/// A shared proxy in front of a service that has a cache, too.
#[tokio::test]
async fn random_exchanges_through_two_caches_are_as_the_rfcs_have_them() {
    for (seed, count) in seeds(1_500) {
        // A lifetime that one of them has is none of the other's.
        let rules = RULES.into_iter().filter(|rules| rules.ttl.is_none() && !rules.heuristic);
        let mut world = World::with(seed, rules.cycle().nth((seed % 3) as usize).unwrap());
        world.add();
        world.is_exact = false;
        world.origin.lock().unwrap().is_for_one_cache = false;
        let router =
            router(world.handler()).layer(world.http()).layer(world.caches[1].1.clone().name("proxy"));
        world.try_out(count, &mut Tally::new(), async |ask| by_tower(&router, &ask).await).await;
    }
}

#[cfg(feature = "actix")]
#[test]
fn random_exchanges_with_the_middleware_are_as_the_rfcs_have_them() {
    use crate::support::servers::{said_by_actix, seen_by_actix};
    use actix_web::{App, HttpRequest, test, web};

    actix_web::rt::System::new().block_on(async {
        let mut tally = Tally::new();
        for (seed, count) in seeds(3_000) {
            let world = World::new(seed);
            let handler = world.handler();
            let route = web::to(move |request: HttpRequest| {
                let said = handler(seen_by_actix(&request));
                async move { said_by_actix(said.await) }
            });
            let app = App::new().wrap(world.http()).default_service(route);
            let app = test::init_service(app).await;
            world.try_out(count, &mut tally, async |ask| by_actix(&app, &ask).await).await;
        }
        check(&tally);
    });
}

#[tokio::test(flavor = "multi_thread")]
async fn random_exchanges_with_servers_are_as_the_rfcs_have_them() {
    for framework in Framework::ALL {
        for (seed, count) in seeds(250) {
            let mut world = World::new(seed);
            world.is_exact = false;
            let server = framework.serve(world.http(), world.handler()).await;
            let client = match framework {
                Framework::Axum => Some(http2_client(server.address).await),
                #[cfg(feature = "actix")]
                Framework::Actix => None,
            };
            let send = async |ask: Ask| match &client {
                Some(client) if ask.number.is_multiple_of(2) => by_http2(client, &ask).await,
                _ => by_http1(server.address, &ask).await,
            };
            world.try_out(count, &mut Tally::new(), send).await;
        }
    }
}

/// Each kind of answer was there, or this would have tried nothing.
fn check(tally: &Tally) {
    for what in
        ["expected", "fresh", "not modified", "not stored", "on error", "stale", "stored", "validated"]
    {
        assert!(tally.get(what).is_some_and(|times| *times > 0), "{what}: {tally:?}");
    }
}
