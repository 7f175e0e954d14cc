//! A handler that answers each client with its identity, what it has told which client, and the ways to ask it.

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex},
    time::Duration,
};

use axum::{Router, body::Body};
use http::{HeaderMap, Request};
use http_body_util::BodyExt as _;
use larder::{Cache, MemoryCache};
use larder_http::{HttpCache, Purge};
use tower::ServiceExt as _;

use crate::{
    oracle::{Asker, OWN, Terms},
    support::{
        Handler, Said, Seen, TestClock,
        client::get,
        handler,
        servers::{Framework, Server, router},
    },
};

/// All header values that identify a client.
const NAMES: [&str; 8] = ["Bearer A", "Bearer B", "session=A", "session=B", "own A", "own B", "en", "de"];

/// What the handler does with requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mood {
    /// Answers at once.
    Prompt,
    /// Takes its time: others come meanwhile.
    Slow(Duration),
    /// Fails, with as much to say about its failures as about its answers.
    Failing,
    /// Finds everything unchanged, whichever client asks.
    Unchanged,
    /// The same, and tells no one who they are.
    UnchangedAndSilent,
}

/// A response that the handler made.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Made {
    /// The number of the request that it was made for.
    pub(crate) request: usize,
    pub(crate) maker: Asker,
    pub(crate) status: u16,
}

/// The handler.
#[derive(Clone)]
pub(crate) struct Teller {
    state: Arc<Mutex<State>>,
    /// Its `No-Vary-Search`.
    rule: Option<&'static str>,
    /// The cache in front, if everything that it has is marked stale now and then.
    marked: Option<HttpCache>,
}

struct State {
    terms: Terms,
    mood: Mood,
    made: Vec<Made>,
}

impl Teller {
    pub(crate) fn new() -> Self {
        let terms = Terms { cache_control: "", vary: "", sets_cookie: false };
        let state = State { terms, mood: Mood::Prompt, made: Vec::new() };
        Self { state: Arc::new(Mutex::new(state)), rule: None, marked: None }
    }

    pub(crate) fn marking(cache: &HttpCache) -> Self {
        Self { marked: Some(cache.clone()), ..Self::new() }
    }

    pub(crate) fn mark_stale(&self) {
        let all = Purge::Under { host: "example.com".into(), path: "/".into() };
        self.marked.iter().for_each(|cache| drop(cache.soft_purge([all.clone()])));
    }

    pub(crate) fn with_rule(rule: &'static str) -> Self {
        Self { rule: Some(rule), ..Self::new() }
    }

    pub(crate) fn rule(&self) -> Option<&'static str> {
        self.rule
    }

    /// Begins anew.
    pub(crate) fn say(&self, terms: Terms) {
        *self.state.lock().unwrap() = State { terms, mood: Mood::Prompt, made: Vec::new() };
    }

    /// Goes on with other terms.
    pub(crate) fn says_from_now_on(&self, terms: Terms) {
        self.state.lock().unwrap().terms = terms;
    }

    pub(crate) fn is_now(&self, mood: Mood) {
        self.state.lock().unwrap().mood = mood;
    }

    /// What it has made since it began anew, by number.
    pub(crate) fn made(&self) -> Vec<Made> {
        self.state.lock().unwrap().made.clone()
    }

    pub(crate) fn handler(&self) -> Handler {
        let teller = self.clone();
        handler(move |seen| {
            let (said, mood) = teller.answer(&seen);
            async move {
                if let Mood::Slow(time) = mood {
                    tokio::time::sleep(time).await;
                }
                said
            }
        })
    }

    fn answer(&self, seen: &Seen) -> (Said, Mood) {
        let mut state = self.state.lock().unwrap();
        let State { terms, mood, .. } = *state;
        let status = match mood {
            Mood::Failing => 503,
            Mood::Unchanged | Mood::UnchangedAndSilent if seen.header("if-none-match").is_some() => 304,
            _ => 200,
        };
        let request = seen.header("x-request").unwrap().parse().unwrap();
        state.made.push(Made { request, maker: asker(seen), status });
        let number = (state.made.len() - 1).to_string();
        let mut headers = vec![("etag", "\"same\"")];
        if mood != Mood::UnchangedAndSilent || status != 304 {
            headers.push(("x-user", &*number));
        }
        let rule = self.rule.unwrap_or_default();
        for (name, value) in
            [("cache-control", terms.cache_control), ("vary", terms.vary), ("no-vary-search", rule)]
        {
            if !value.is_empty() {
                headers.push((name, value));
            }
        }
        let cookie = format!("session={number}");
        if terms.sets_cookie {
            headers.push(("set-cookie", &cookie));
        }
        let body = if status == 304 { String::new() } else { number.clone() };
        (Said { status, ..Said::new(&headers, body) }, mood)
    }
}

/// Who it was, in words that live as long as the test.
fn asker(seen: &Seen) -> Asker {
    let known = |name: &str| {
        let value = seen.header(name)?;
        Some(NAMES.into_iter().find(|known| *known == value).expect("one of the names"))
    };
    Asker {
        authorization: known("authorization"),
        cookie: known("cookie"),
        own: known(OWN),
        language: known("accept-language").expect("all requests have it"),
    }
}

/// What a client received, by the numbers of the responses that it was made of.
#[derive(Debug)]
pub(crate) struct Received {
    pub(crate) body: usize,
    pub(crate) x_user: Option<usize>,
    pub(crate) cookie: Option<usize>,
    pub(crate) cache_status: String,
}

impl Received {
    fn new(headers: &HeaderMap, body: &[u8]) -> Self {
        let text = |name: &str| headers.get(name).map(|value| value.to_str().unwrap());
        Self {
            body: std::str::from_utf8(body).unwrap().parse().unwrap(),
            x_user: text("x-user").map(|number| number.parse().unwrap()),
            cookie: text("set-cookie").map(|value| value.trim_start_matches("session=").parse().unwrap()),
            cache_status: text("cache-status").unwrap().to_owned(),
        }
    }
}

/// What stands in front of the handler.
#[derive(Clone)]
pub(crate) enum Front {
    /// The layer, called.
    Tower(Router),
    /// Layers of two nodes, called in turn.
    Nodes([Router; 2]),
    /// A server.
    Tcp(SocketAddr, #[expect(dead_code, reason = "it lives as long as this")] Arc<Server>),
}

impl Front {
    pub(crate) fn tower(teller: &Teller, http: HttpCache) -> Self {
        Self::Tower(router(teller.handler()).layer(http))
    }

    pub(crate) fn nodes(teller: &Teller, nodes: [HttpCache; 2]) -> Self {
        Self::Nodes(nodes.map(|http| router(teller.handler()).layer(http)))
    }

    pub(crate) async fn server(framework: Framework, teller: &Teller, http: HttpCache) -> Self {
        let server = framework.serve(http, teller.handler()).await;
        Self::Tcp(server.address, Arc::new(server))
    }

    /// How long a handler has to take, so that others come meanwhile.
    pub(crate) fn patience(&self) -> Duration {
        match self {
            Self::Tower(_) => Duration::from_millis(1),
            Self::Nodes(_) | Self::Tcp(..) => Duration::from_millis(20),
        }
    }

    /// Lets what goes on behind a client's back come to its end. (If it does not, less is tried.)
    pub(crate) async fn settle(&self) {
        match self {
            Self::Tower(_) => {
                for _ in 0..20 {
                    tokio::task::yield_now().await;
                }
            }
            Self::Nodes(_) | Self::Tcp(..) => tokio::time::sleep(Duration::from_millis(2)).await,
        }
    }

    pub(crate) async fn ask(&self, path: &str, asker: &Asker, request: usize) -> Received {
        let number = request.to_string();
        let mut headers = asker.headers();
        headers.push(("x-request", &number));
        match self {
            Self::Tower(router) => call(router.clone(), path, &headers).await,
            Self::Nodes(routers) => call(routers[request % 2].clone(), path, &headers).await,
            Self::Tcp(address, _) => {
                let received = get(*address, path, &headers).await;
                Received::new(&received.headers, &received.body.unwrap())
            }
        }
    }
}

async fn call(router: Router, path: &str, headers: &[(&str, &str)]) -> Received {
    let mut request = Request::get(path).header("host", "example.com");
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let request = request.body(Body::empty()).unwrap();
    let (head, body) = router.oneshot(request).await.unwrap().into_parts();
    Received::new(&head.headers, &body.collect().await.unwrap().to_bytes())
}

pub(crate) fn http_cache(clock: &TestClock) -> HttpCache {
    http_cache_in(MemoryCache::new(100_000), clock)
}

pub(crate) fn http_cache_in(cache: impl Cache + 'static, clock: &TestClock) -> HttpCache {
    let clock = clock.clone();
    // By which the requests are told apart here, and nothing else.
    HttpCache::new(cache).clock(move || clock.now()).ignore_header("x-request")
}
