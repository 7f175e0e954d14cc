//! Random exchanges, one after the other and at once: each answer is judged by a model that was made from the RFCs. It says
//! who may have a response, and how old that may be; in front of handlers, on two nodes, and on the side of a client.
//!
//! Some are always the same. `LARDER_EXCHANGES=N` is for so many others, and `LARDER_SEED=N` repeats them.

mod asked;
mod judge;
mod model;
mod origin;
mod said;
mod setup;
mod ways;

use std::{
    collections::BTreeMap,
    env,
    future::{Future, poll_fn},
    pin::Pin,
    task::Poll,
};

use fastrand::Rng;
use tower::Layer as _;

#[cfg(feature = "actix")]
use self::ways::by_actix;
#[cfg(feature = "reqwest")]
use self::ways::by_reqwest;
use self::{
    asked::{Answer, Ask},
    judge::Judge,
    origin::seconds,
    setup::{CLIENTS, RULES, World, change},
    ways::{by_http1, by_http2, by_service, by_tower, http2_client},
};
#[cfg(feature = "reqwest")]
use crate::support::servers::serve_router;
use crate::support::servers::{Framework, router};

/// How often there was an answer of each kind.
type Tally = BTreeMap<&'static str, usize>;

fn number(name: &str) -> Option<u64> {
    env::var(name).ok().map(|text| text.parse().expect("a number"))
}

impl World {
    /// Fails if an answer is not as it should be.
    async fn try_out(&self, count: usize, tally: &mut Tally, send: impl AsyncFn(Ask) -> Answer) {
        let judge = exchange(self, count, send).await;
        judge.check();
        for (what, times) in judge.tally() {
            *tally.entry(*what).or_default() += times;
        }
    }
}

/// As many exchanges as that.
async fn exchange(world: &World, count: usize, send: impl AsyncFn(Ask) -> Answer) -> Judge {
    let World { rules, seed, clock, origin, is_exact, host, .. } = world;
    let mut rng = Rng::with_seed(*seed);
    let mut judge = Judge::new((*rules, *seed, *is_exact), origin, clock);
    judge.turns_clocks = world.turns_clocks();
    let mut asked = 0;
    while asked < count {
        change(&mut rng, world, &mut judge);
        world.settle().await;
        let ask =
            |rng: &mut Rng, number| Ask::random(rng, number, host, (&origin.lock().unwrap(), seconds(clock)));
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
        let mut world = World::with(seed, rules.cycle().nth((seed % 4) as usize).unwrap());
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
            world.origin.lock().unwrap().may_trail = false;
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
            world.origin.lock().unwrap().may_trail = matches!(framework, Framework::Axum);
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

/// Two nodes that share their responses.
#[tokio::test(flavor = "multi_thread")]
async fn random_exchanges_with_two_nodes_are_as_the_rfcs_have_them() {
    let mut tally = Tally::new();
    for (seed, count) in seeds(500) {
        let world = World::nodes(seed).await;
        let nodes = [0, 1].map(|node| router(world.handler()).layer(world.caches[node].1.clone()));
        let send = async |ask: Ask| by_tower(&nodes[ask.number % 2], &ask).await;
        world.try_out(count, &mut tally, send).await;
    }
    check_for(&tally, &["fresh", "not stored", "stale", "stored", "validated"]);
}

/// The cache on the other side: that of a client, which is a private one.
#[tokio::test]
async fn random_exchanges_with_a_client_are_as_the_rfcs_have_them() {
    let mut tally = Tally::new();
    for (seed, count) in seeds(3_000) {
        let world = World::with(seed, CLIENTS[(seed % CLIENTS.len() as u64) as usize]);
        let client = world.http().layer(router(world.handler()));
        world.try_out(count, &mut tally, async |ask| by_service(client.clone(), &ask).await).await;
    }
    check(&tally);
}

#[cfg(feature = "reqwest")]
#[tokio::test(flavor = "multi_thread")]
async fn random_exchanges_with_a_cached_client_are_as_the_rfcs_have_them() {
    for (seed, count) in seeds(1_000) {
        let mut world = World::with(seed, CLIENTS[(seed % CLIENTS.len() as u64) as usize]);
        let server = serve_router(router(world.handler())).await;
        (world.is_exact, world.host) = (false, server.address.to_string());
        // The server sends no trailers to a client that does not ask for them.
        {
            let mut origin = world.origin.lock().unwrap();
            (origin.may_trail, origin.is_dated) = (false, true);
        }
        let client = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).no_proxy();
        let client = world.http().reqwest(client.build().unwrap());
        world.try_out(count, &mut Tally::new(), async |ask| by_reqwest(&client, &ask).await).await;
    }
}

/// Each kind of answer was there, or this would have tried nothing.
fn check(tally: &Tally) {
    check_for(
        tally,
        &["expected", "fresh", "not modified", "not stored", "on error", "stale", "stored", "validated"],
    );
}

fn check_for(tally: &Tally, kinds: &[&str]) {
    // Fewer than there are by default need not have each kind.
    if number("LARDER_EXCHANGES").is_some_and(|all| all < 10_000) {
        return;
    }
    for what in kinds {
        assert!(tally.get(what).is_some_and(|times| *times > 0), "{what}: {tally:?}");
    }
}
