//! No response that was made for one is given to another who may not have it, in whatever way: every combination of
//! credentials, `Vary` and `Cache-Control`, judged by an oracle that knows nothing of the code.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

mod exchanges;
mod oracle;
mod poisoning;
mod queries;
#[path = "../support/mod.rs"]
mod support;
#[path = "../support/url_equivalence.rs"]
mod url_equivalence;
mod withdrawn;
mod world;

use std::{collections::BTreeMap, env, time::Duration};

use larder::{MemoryCache, RedisCache, TieredCache};
use larder_servers::RedisServer;
use oracle::{Asker, Giving, Terms};
use support::{TestClock, servers::Framework};
use tokio::task::JoinSet;
use world::{Front, Made, Mood, Received, Teller, http_cache, http_cache_in};

const VARY: [&str; 7] =
    ["", "cookie", "authorization", "accept-language", "*", "authorization, cookie", "x-session"];

const CACHE_CONTROL: [&str; 14] = [
    "",
    "public, max-age=60",
    "s-maxage=60",
    "private",
    "private, max-age=60",
    "no-store",
    "no-store, max-age=60",
    "no-cache",
    "no-cache, max-age=60",
    "private=\"x-user\", max-age=60",
    "max-age=60",
    "max-age=60, must-revalidate",
    "must-revalidate",
    "public",
];

/// What looks like a directive and is none, and what forbids though it is not written as it should be.
const MALFORMED: [&str; 9] = [
    "s-maxage=60s",
    "public=bad",
    "public=bad, max-age=60",
    "public =, max-age=60",
    "x=\"a, public, max-age=60",
    "public; x=1, max-age=60",
    "private; x=1, max-age=60",
    "no-store; foo=1, max-age=60",
    "must-revalidate=x, max-age=60",
];

/// How a response may come to a client that it was not made for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Way {
    /// It is stored.
    Sequential,
    /// They ask at once.
    Collapsed,
    /// It is stale, and another one is fetched behind the back of one of them.
    WhileRevalidating,
    /// It is stale, and the handler fails.
    OnError,
    /// It is stale, and the handler says that it still stands.
    Validated,
    /// And that not all of it is for everyone any more.
    Withdrawn,
}

const WAYS: [Way; 5] =
    [Way::Sequential, Way::Collapsed, Way::WhileRevalidating, Way::OnError, Way::Validated];

impl Way {
    /// What the handler says besides, so that there is such a way. (Leaked: there are few.)
    fn extended(self, cache_control: &'static str) -> &'static str {
        let more = match self {
            Self::Sequential | Self::Collapsed | Self::Validated | Self::Withdrawn => return cache_control,
            Self::WhileRevalidating => "stale-while-revalidate=600",
            Self::OnError => "stale-if-error=600",
        };
        let comma = if cache_control.is_empty() { "" } else { ", " };
        format!("{cache_control}{comma}{more}").leak()
    }
}

/// With one who differs in nothing but the language; in two languages, if that makes a difference.
fn askers(languages: bool) -> Vec<Asker> {
    let mut askers = Vec::new();
    for authorization in [None, Some("Bearer A"), Some("Bearer B")] {
        for cookie in [None, Some("session=A"), Some("session=B")] {
            askers.push(Asker { authorization, cookie, own: None, language: "en" });
        }
    }
    for (own, with) in [("own A", 0), ("own B", 0), ("own B", 1), ("own A", 4)] {
        askers.push(Asker { own: Some(own), ..askers[with] });
    }
    let others: &[usize] = if languages { &[0, 1, 3, 4] } else { &[0] };
    askers.extend(others.iter().map(|&n| Asker { language: "de", ..askers[n] }).collect::<Vec<_>>());
    askers
}

/// Those whom responses are made for first: an anonymous client, and A with one or both of the signs of being A.
fn makers() -> Vec<Asker> {
    let is_one = |asker: &Asker| {
        asker.language == "en" && !asker.headers().iter().any(|(_, value)| value.ends_with('B'))
    };
    askers(false).into_iter().filter(is_one).collect()
}

/// What came of all of it.
#[derive(Debug, Default)]
struct Tally {
    /// Responses that were given to another client, which says something else about itself, and might be.
    given: BTreeMap<Way, usize>,
    /// Requests that came after a response that they may not have.
    withheld: BTreeMap<Way, usize>,
    failures: Vec<String>,
}

/// A cell of the table, with its maker.
#[derive(Debug)]
struct Cell {
    way: Way,
    terms: Terms,
    maker: Asker,
    seed: usize,
}

/// A path for each cell, so that one cache does for all.
async fn try_out(front: &Front, teller: &Teller, clock: &TestClock, cell: &Cell, tally: &mut Tally) {
    let path = |request: usize| match teller.rule() {
        None => format!("/{}", cell.seed),
        // Another query each time, which makes no difference.
        Some(_) => format!("/{}?k&n={request}", cell.seed),
    };
    let mut others = askers(cell.terms.vary == "accept-language");
    fastrand::Rng::with_seed(cell.seed as u64).shuffle(&mut others);
    let is_withdrawn = cell.way == Way::Withdrawn;
    let first =
        if is_withdrawn { Terms { cache_control: "public, max-age=60", ..cell.terms } } else { cell.terms };
    teller.say(first);
    let mut all = vec![cell.maker];
    let mut received = Vec::new();
    if cell.way == Way::Collapsed {
        if teller.rule().is_some() {
            // Until the rule of the path is known, each URL is asked for by itself.
            front.ask(&format!("/{}?k=before", cell.seed), &cell.maker, 0).await;
            teller.say(cell.terms);
        }
        teller.is_now(Mood::Slow(front.patience()));
        all.extend(others);
        let mut asking = JoinSet::new();
        for (request, asker) in all.iter().copied().enumerate() {
            let (front, path) = (front.clone(), path(request));
            asking.spawn(async move { (request, front.ask(&path, &asker, request).await) });
        }
        received = asking.join_all().await;
    } else {
        received.push((0, front.ask(&path(0), &cell.maker, 0).await));
        let (rest, mood) = match cell.way {
            Way::Sequential | Way::Collapsed => (0, Mood::Prompt),
            Way::WhileRevalidating => (120, Mood::Prompt),
            Way::OnError => (120, Mood::Failing),
            Way::Validated => (120, Mood::Unchanged),
            Way::Withdrawn => (120, Mood::UnchangedAndSilent),
        };
        teller.says_from_now_on(cell.terms);
        clock.advance(rest);
        teller.mark_stale();
        teller.is_now(mood);
        // A second time: what the first round has stored.
        for asker in others.iter().chain(&others) {
            let request = all.len();
            all.push(*asker);
            received.push((request, front.ask(&path(request), asker, request).await));
            if received.last().unwrap().1.cache_status.contains("ttl=-") {
                // Another client may be asking behind its back.
                front.settle().await;
            }
        }
    }
    let made = teller.made();
    for (request, received) in received {
        judge(cell, (request, &all[request]), &received, &made, tally);
    }
}

/// Looks at all that the response was made of.
fn judge(
    cell: &Cell,
    (request, receiver): (usize, &Asker),
    received: &Received,
    made: &[Made],
    tally: &mut Tally,
) {
    let validated = made.iter().any(|made| made.request == request && made.status == 304);
    let giving =
        |made: &Made| Giving { terms: cell.terms, maker: made.maker, receiver: *receiver, validated };
    let may_have = |made: &Made| {
        let giving = giving(made);
        giving.is_allowed() && !giving.is_promised_to_be_withheld()
    };
    let first = &made[0];
    if request != 0 && !may_have(first) {
        *tally.withheld.entry(cell.way).or_default() += 1;
    }
    let mut fail = |what: &str, made: &Made| {
        tally
            .failures
            .push(format!("{what} of {made:?} for {receiver:?} ({request}): {cell:?}: {received:?}"));
    };
    for (what, number) in
        [("body", Some(received.body)), ("x-user", received.x_user), ("set-cookie", received.cookie)]
    {
        let Some(part) = number.map(|number| &made[number]) else { continue };
        if part.request == request {
            continue;
        }
        // The body is each receiver's by a 304 of its own, or by that of one who is told apart in nothing.
        let is_validated = cell.way == Way::Withdrawn && what == "body";
        if !is_validated && (!may_have(part) || giving(part).is_private_field(what)) {
            fail(what, part);
        } else if part.maker != *receiver && what == "body" {
            *tally.given.entry(cell.way).or_default() += 1;
        }
    }
}

impl Tally {
    /// Fails if anything went wrong, or if each way was gone and withheld less often than this: otherwise the table
    /// would try nothing.
    fn check(&self, least: usize) {
        let some: Vec<_> = self.failures.iter().take(10).map(String::as_str).collect();
        assert!(self.failures.is_empty(), "{} failures, as\n{}", self.failures.len(), some.join("\n"));
        for way in WAYS {
            let times = |tally: &BTreeMap<Way, usize>| tally.get(&way).copied().unwrap_or_default();
            assert!(times(&self.given) >= least, "{way:?}: too little was shared: {:?}", self.given);
            assert!(times(&self.withheld) >= least, "{way:?}: too little was at stake: {:?}", self.withheld);
        }
    }
}

/// Tries the cells that are chosen.
async fn try_all(front: &Front, teller: &Teller, clock: &TestClock, chosen: impl Fn(&Cell) -> bool) -> Tally {
    let mut tally = Tally::default();
    for cell in cells().iter().filter(|cell| chosen(cell)) {
        try_out(front, teller, clock, cell, &mut tally).await;
    }
    tally
}

/// The table.
fn cells() -> Vec<Cell> {
    let mut cells = Vec::new();
    let mut seed = 0;
    for way in WAYS {
        let malformed = MALFORMED.into_iter().map(|said| (said, true));
        for (said, is_malformed) in CACHE_CONTROL.into_iter().map(|said| (said, false)).chain(malformed) {
            let cache_control = way.extended(said);
            for vary in VARY {
                for (sets_cookie, maker) in [false, true]
                    .into_iter()
                    .flat_map(|sets| makers().into_iter().map(move |maker| (sets, maker)))
                {
                    seed += 1;
                    let terms = Terms { cache_control, vary, sets_cookie };
                    let cell = Cell { way, terms, maker, seed };
                    // Whatever else makes a response one client's own is tried with what is written as it should be.
                    let is_new = !is_malformed || (!sets_cookie && matches!(vary, "" | "x-session"));
                    if is_new {
                        cells.push(cell);
                    }
                }
            }
        }
    }
    cells
}

/// Whether a cell is in the part of the table that is tried unless `LARDER_ISOLATION=all` asks for all of it: what is
/// malformed, and a third of the rest, chosen by a hash, so that each value of it meets each value of every other column
/// there.
fn is_tried(cell: &Cell) -> bool {
    let hash = (cell.seed as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 32;
    hash.is_multiple_of(3)
        || MALFORMED.iter().any(|said| cell.terms.cache_control.starts_with(said))
        || env::var("LARDER_ISOLATION").is_ok_and(|asked| asked == "all")
}

/// One half of the table, so that the other one can be tried at the same time.
async fn try_half(half: usize) {
    let (teller, clock) = (Teller::new(), TestClock::new());
    let front = Front::tower(&teller, http_cache(&clock));
    try_all(&front, &teller, &clock, |cell| cell.seed % 2 == half && is_tried(cell)).await.check(50);
}

/// Each pair of values is in the part of the table that is tried.
#[test]
fn each_value_is_tried_with_each_other() {
    let mut pairs = BTreeMap::<_, bool>::new();
    for cell in cells() {
        let Terms { cache_control, vary, sets_cookie } = cell.terms;
        // Without what the way adds.
        let said = cache_control.split("stale-").next().unwrap_or_default();
        let row = [
            format!("{:?}", cell.way),
            said.to_owned(),
            vary.to_owned(),
            sets_cookie.to_string(),
            format!("{:?}", cell.maker),
        ];
        for (n, one) in row.iter().enumerate() {
            for (m, other) in row.iter().enumerate().skip(n + 1) {
                *pairs.entry((n, m, one.clone(), other.clone())).or_default() |= is_tried(&cell);
            }
        }
    }
    let left_out: Vec<_> = pairs.iter().filter(|(_, tried)| !**tried).collect();
    assert!(left_out.is_empty(), "{left_out:#?}");
}

#[tokio::test]
async fn no_client_is_given_what_is_anothers_in_one_half() {
    try_half(0).await;
}

#[tokio::test]
async fn no_client_is_given_what_is_anothers_in_the_other_half() {
    try_half(1).await;
}

/// Where the user says how long a response lives whose handler does not.
#[tokio::test]
async fn no_client_gets_anothers_response_by_a_ttl_of_ours() {
    let (teller, clock) = (Teller::new(), TestClock::new());
    let http = http_cache(&clock).ttl(Duration::from_secs(60)).heuristic_freshness();
    let front = Front::tower(&teller, http);
    try_all(&front, &teller, &clock, |cell| cell.terms.is_silent()).await.check(5);
}

/// A sample, with queries that make no difference.
#[tokio::test]
async fn no_client_gets_anothers_response_by_a_query_that_makes_no_difference() {
    let (teller, clock) = (Teller::with_rule("except=(\"k\")"), TestClock::new());
    let front = Front::tower(&teller, http_cache(&clock).no_vary_search());
    try_all(&front, &teller, &clock, |cell| cell.seed % 13 == 0).await.check(5);
}

/// A sample, after soft purges.
#[tokio::test]
async fn no_client_gets_anothers_response_by_a_soft_purge() {
    let clock = TestClock::new();
    let cache = http_cache(&clock);
    let teller = Teller::marking(&cache);
    let front = Front::tower(&teller, cache);
    try_all(&front, &teller, &clock, |cell| cell.seed % 13 == 1).await.check(5);
}

/// A sample, through real servers.
#[tokio::test(flavor = "multi_thread")]
async fn no_client_gets_anothers_response_by_any_framework() {
    for framework in Framework::ALL {
        let (teller, clock) = (Teller::new(), TestClock::new());
        let front = Front::server(*framework, &teller, http_cache(&clock)).await;
        try_all(&front, &teller, &clock, |cell| cell.seed % 17 == 0).await.check(5);
    }
}

/// A sample, through two nodes that share their pages.
#[tokio::test(flavor = "multi_thread")]
async fn no_client_gets_anothers_response_on_another_node() {
    let (teller, clock) = (Teller::new(), TestClock::new());
    let redis = RedisServer::start();
    // With two spellings they know as little of each other as two processes do.
    let node = async |url: String| {
        let redis = RedisCache::builder().url(url).deadline(Duration::from_secs(5)).connect().await.unwrap();
        http_cache_in(TieredCache::new(MemoryCache::new(100_000), redis), &clock)
    };
    let nodes = [node(redis.url()).await, node(redis.url().replace("127.0.0.1", "localhost")).await];
    let front = Front::nodes(&teller, nodes);
    try_all(&front, &teller, &clock, |cell| cell.seed % 17 == 0).await.check(5);
}
