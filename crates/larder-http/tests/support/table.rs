//! Cases, each a sequence of requests through a cache of its own, in every framework.

use larder_http::HttpCache;

use super::{
    Saying, Script, TestClock,
    client::{Received, request, send},
    http_cache,
    servers::Framework,
};

type Fields = Vec<(&'static str, &'static str)>;

/// A sequence of requests.
pub(crate) struct Case {
    name: &'static str,
    configure: fn(HttpCache) -> HttpCache,
    steps: Vec<Step>,
}

/// A request, what the handler would say to it, and what has to come of it.
pub(crate) struct Step {
    method: &'static str,
    path: &'static str,
    wait: u64,
    sends: Fields,
    status: u16,
    says: Fields,
    body: &'static str,
    expected: Vec<Expected>,
}

enum Expected {
    /// From the cache, the handler not asked.
    Hit,
    /// The handler was asked.
    Asked,
    NotAsked,
    Status(u16),
    Has(&'static str, &'static str),
    Lacks(&'static str),
    Body(&'static str),
    HandlerGot(&'static str, &'static str),
    HandlerGotNo(&'static str),
    CacheStatus(&'static str),
}

pub(crate) fn case(name: &'static str, steps: impl IntoIterator<Item = Step>) -> Case {
    Case { name, configure: |cache| cache, steps: steps.into_iter().collect() }
}

impl Case {
    pub(crate) fn configured(mut self, configure: fn(HttpCache) -> HttpCache) -> Self {
        self.configure = configure;
        self
    }
}

pub(crate) fn get() -> Step {
    method("GET")
}

pub(crate) fn method(method: &'static str) -> Step {
    Step {
        method,
        path: "/page",
        wait: 0,
        sends: Vec::new(),
        status: 200,
        says: Vec::new(),
        body: "body",
        expected: Vec::new(),
    }
}

impl Step {
    pub(crate) fn path(mut self, path: &'static str) -> Self {
        self.path = path;
        self
    }

    /// Lets so many seconds pass before.
    pub(crate) fn after(mut self, seconds: u64) -> Self {
        self.wait = seconds;
        self
    }

    pub(crate) fn sends(mut self, name: &'static str, value: &'static str) -> Self {
        self.sends.push((name, value));
        self
    }

    pub(crate) fn says(mut self, name: &'static str, value: &'static str) -> Self {
        self.says.push((name, value));
        self
    }

    pub(crate) fn says_status(mut self, status: u16) -> Self {
        self.status = status;
        self
    }

    pub(crate) fn says_body(mut self, body: &'static str) -> Self {
        self.body = body;
        self
    }

    pub(crate) fn hit(self) -> Self {
        self.expect(Expected::Hit)
    }

    pub(crate) fn asked(self) -> Self {
        self.expect(Expected::Asked)
    }

    pub(crate) fn not_asked(self) -> Self {
        self.expect(Expected::NotAsked)
    }

    pub(crate) fn status(self, status: u16) -> Self {
        self.expect(Expected::Status(status))
    }

    pub(crate) fn has(self, name: &'static str, value: &'static str) -> Self {
        self.expect(Expected::Has(name, value))
    }

    pub(crate) fn lacks(self, name: &'static str) -> Self {
        self.expect(Expected::Lacks(name))
    }

    pub(crate) fn body(self, body: &'static str) -> Self {
        self.expect(Expected::Body(body))
    }

    pub(crate) fn handler_got(self, name: &'static str, value: &'static str) -> Self {
        self.expect(Expected::HandlerGot(name, value))
    }

    pub(crate) fn handler_got_no(self, name: &'static str) -> Self {
        self.expect(Expected::HandlerGotNo(name))
    }

    pub(crate) fn cache_status(self, part: &'static str) -> Self {
        self.expect(Expected::CacheStatus(part))
    }

    fn expect(mut self, expected: Expected) -> Self {
        self.expected.push(expected);
        self
    }
}

/// Runs all cases in all frameworks, and tells of all that fail.
pub(crate) async fn run(cases: impl IntoIterator<Item = Case>) {
    let mut failures = Vec::new();
    for case in cases {
        for &framework in Framework::ALL {
            if let Err(failure) = run_in(framework, &case).await {
                failures.push(format!("{framework:?}: {}: {failure}", case.name));
            }
        }
    }
    assert!(failures.is_empty(), "{} failed:\n{}", failures.len(), failures.join("\n"));
}

async fn run_in(framework: Framework, case: &Case) -> Result<(), String> {
    let (clock, script) = (TestClock::new(), Script::new());
    let cache = (case.configure)(http_cache(&clock));
    let server = framework.serve(cache, script.handler()).await;
    for (index, step) in case.steps.iter().enumerate() {
        clock.advance(step.wait);
        let headers = step.says.iter().map(|(name, value)| (name.to_string(), clock.dated(value)));
        script.say(Saying { status: step.status, headers: headers.collect(), body: step.body.into() });
        let before = script.seen().len();
        let sends: Vec<_> = step.sends.iter().map(|&(name, value)| (name, clock.dated(value))).collect();
        let sends: Vec<_> = sends.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let received = send(server.address, request(step.method, step.path, &sends)).await;
        let seen = script.seen();
        let asked = &seen[before..];
        for expected in &step.expected {
            check(expected, &received, asked.first(), &clock)
                .map_err(|text| format!("request {}: {text}; got {received:?}", index + 1))?;
        }
        if asked.len() > 1 {
            return Err(format!("request {}: the handler was asked {} times", index + 1, asked.len()));
        }
    }
    Ok(())
}

fn check(
    expected: &Expected,
    received: &Received,
    asked: Option<&super::Seen>,
    clock: &TestClock,
) -> Result<(), String> {
    let (holds, text) = match expected {
        Expected::Hit => (asked.is_none() && received.is_hit(), "should come from the cache".to_owned()),
        Expected::Asked => (asked.is_some(), "the handler should be asked".to_owned()),
        Expected::NotAsked => (asked.is_none(), "the handler should not be asked".to_owned()),
        Expected::Status(status) => (received.status == *status, format!("status should be {status}")),
        Expected::Has(name, value) => {
            let value = clock.dated(value);
            (received.header(name) == Some(value.clone()), format!("`{name}` should be `{value}`"))
        }
        Expected::Lacks(name) => (received.header(name).is_none(), format!("`{name}` should be absent")),
        Expected::Body(body) => {
            (received.body.as_deref() == Some(body.as_bytes()), format!("the body should be `{body}`"))
        }
        Expected::HandlerGot(name, value) => {
            let value = clock.dated(value);
            let got = asked.and_then(|seen| seen.header(name));
            (got == Some(&value), format!("the handler should get `{name}: {value}`, not {got:?}"))
        }
        Expected::HandlerGotNo(name) => (
            asked.is_some_and(|seen| seen.header(name).is_none()),
            format!("the handler should get no `{name}`"),
        ),
        Expected::CacheStatus(part) => {
            (received.cache_status().contains(part), format!("`Cache-Status` should have `{part}`"))
        }
    };
    if holds { Ok(()) } else { Err(text) }
}
