//! An origin that answers at random, and remembers what it has answered to whom.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
};

use bytes::Bytes;
use fastrand::Rng;

use super::said::{Field, cache_control, targeted};
use crate::{
    queries::RULES as SEARCH_RULES,
    support::{Handler, Said, Seen, TestClock, handler},
};

/// Seconds since 1970.
pub(crate) type Time = u64;

/// The headers of a response that have a meaning for caches.
#[derive(Debug, Clone, Default)]
pub(crate) struct Head {
    pub(crate) own: Option<Field>,
    pub(crate) cdn: Option<Field>,
    pub(crate) cache_control: Option<Field>,
    /// Its lines.
    pub(crate) vary: Option<Vec<String>>,
    /// Of `Expires` and `Date`: none within if it is no date.
    pub(crate) expires: Option<Option<Time>>,
    pub(crate) date: Option<Option<Time>>,
    pub(crate) age: Option<(&'static str, u64)>,
    pub(crate) etag: Option<String>,
    pub(crate) last_modified: Option<Time>,
    pub(crate) sets_cookie: bool,
    /// The number of the response that told it.
    pub(crate) x_user: Option<usize>,
    /// Its `No-Vary-Search`, by its place among the rules.
    pub(crate) search: Option<usize>,
}

/// A response of the origin.
#[derive(Debug, Clone)]
pub(crate) struct Made {
    /// The number of the request that it was made for.
    pub(crate) request: usize,
    pub(crate) method: String,
    pub(crate) uri: String,
    /// The headers of the request, by name.
    pub(crate) seen: BTreeMap<String, String>,
    pub(crate) status: u16,
    pub(crate) head: Head,
    pub(crate) body: Bytes,
    pub(crate) is_stream: bool,
    /// Whether the body came to its end.
    pub(crate) is_whole: bool,
    pub(crate) has_trailers: bool,
    pub(crate) at: Time,
    /// The response that it tells to be current.
    pub(crate) validates: Option<usize>,
}

pub(crate) struct Origin {
    rng: Rng,
    clock: TestClock,
    pub(crate) made: Vec<Made>,
    /// What the responses of a path have in common, most often.
    habits: BTreeMap<String, (Head, usize)>,
    /// How many requests will most often fail.
    failing: usize,
    /// Whether there is one cache only. More than one do not read the field of one of them alone, and dates are no validators
    /// for them: the clock stands still while content changes.
    pub(crate) is_for_one_cache: bool,
    /// Whether handlers take their time.
    pub(crate) is_slow: bool,
    /// Whether bodies may end with trailers. Those of Actix do not.
    pub(crate) may_trail: bool,
    /// Whether each response has a `Date`: a server adds it, by another clock than that of these tests.
    pub(crate) is_dated: bool,
}

pub(crate) fn seconds(clock: &TestClock) -> Time {
    clock.now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs()
}

fn date(time: Time) -> String {
    httpdate::fmt_http_date(std::time::UNIX_EPOCH + std::time::Duration::from_secs(time))
}

const VARY: [&[&str]; 12] = [
    &["accept-language"],
    &["Accept-Language"],
    &["cookie"],
    &["authorization"],
    &["x-session"],
    &["accept-language", "X-SESSION"],
    &["accept-language,cookie"],
    &["", " , x-session ,"],
    &["*"],
    &["accept-language, *"],
    &["accept-language", "*"],
    &["accept-encoding"],
];

/// A URI without its query.
pub(crate) fn path_of(uri: &str) -> &str {
    uri.split('?').next().unwrap_or(uri)
}

impl Origin {
    pub(crate) fn new(seed: u64, clock: &TestClock) -> Arc<Mutex<Self>> {
        let (rng, clock) = (Rng::with_seed(seed), clock.clone());
        let origin = Self {
            rng,
            clock,
            made: Vec::new(),
            habits: BTreeMap::new(),
            failing: 0,
            is_for_one_cache: true,
            is_slow: false,
            may_trail: true,
            is_dated: false,
        };
        Arc::new(Mutex::new(origin))
    }

    fn head(&mut self, number: usize) -> Head {
        let (now, rng) = (seconds(&self.clock), &mut self.rng);
        let date = match rng.u8(..10) {
            0 => Some(Some(now - rng.u64(..40))),
            1 => Some(Some(now + rng.u64(..40))),
            2 => Some(None),
            3..6 if !self.is_dated => None,
            _ => Some(Some(now)),
        };
        let expires = match rng.u8(..20) {
            0 => Some(None),
            1 => Some(Some(now - 10)),
            2..6 => Some(Some(now + rng.u64(..90))),
            _ => None,
        };
        let age = match rng.u8(..20) {
            0 => Some(("5", 5)),
            1 => Some(("29", 29)),
            2 => Some(("9, 3", 9)),
            3 => Some(("x", 0)),
            4 => Some(("-4", 0)),
            _ => None,
        };
        Head {
            own: (self.is_for_one_cache && rng.u8(..14) == 0).then(|| targeted(rng)),
            cdn: (rng.u8(..14) == 0).then(|| targeted(rng)),
            cache_control: (rng.u8(..12) != 0).then(|| cache_control(rng)),
            vary: (rng.u8(..3) == 0)
                .then(|| VARY[rng.usize(..VARY.len())].iter().map(|line| (*line).to_owned()).collect()),
            expires,
            date,
            age,
            etag: match rng.u8(..4) {
                0 => None,
                1 => Some(format!("W/\"e{number}\"")),
                _ => Some(format!("\"e{number}\"")),
            },
            last_modified: (self.is_for_one_cache && rng.u8(..3) == 0).then(|| now - rng.u64(..900)),
            sets_cookie: rng.u8(..12) == 0,
            x_user: Some(number),
            // Most often the one that responses at about the same time have: caches remember the last one.
            search: match rng.u8(..3) {
                0 => Some(rng.usize(1..SEARCH_RULES.len())),
                _ => (number / 64).is_multiple_of(2).then_some(1 + number / 128 % (SEARCH_RULES.len() - 1)),
            },
        }
    }

    /// Which of its responses a condition names, if that is one for the same URL.
    fn condition(&self, seen: &BTreeMap<String, String>, uri: &str) -> Option<usize> {
        let tag = seen.get("if-none-match")?.split(',').next()?;
        let number: usize =
            tag.trim().trim_start_matches("W/").strip_prefix("\"e")?.trim_end_matches('"').parse().ok()?;
        let is_of_path = |made: &&Made| path_of(&made.uri) == path_of(uri) && made.method == "GET";
        self.made.get(number).filter(is_of_path).map(|_| number)
    }

    fn answer(&mut self, asked: &Seen) -> (Said, bool) {
        let number = self.made.len();
        let seen: BTreeMap<_, _> = asked.headers.iter().cloned().collect();
        let uri = asked.uri.strip_prefix("http://").and_then(|uri| uri.find('/').map(|at| &uri[at..]));
        let uri = uri.unwrap_or(&asked.uri).to_owned();
        let validates = self.condition(&seen, &uri).filter(|_| self.rng.bool());
        let mut head = self.head(number);
        let rng = &mut self.rng;
        // Most responses of a path are alike.
        let (habit, left) = self.habits.entry(uri.clone()).or_default();
        if *left == 0 {
            (*habit, *left) = (head.clone(), rng.usize(4..30));
        }
        *left -= 1;
        if rng.u8(..5) != 0 {
            (head.own, head.cdn) = (habit.own.clone(), habit.cdn.clone());
            (head.cache_control, head.vary) = (habit.cache_control.clone(), habit.vary.clone());
        }
        let mut status = match rng.u8(..40) {
            0 => 404,
            1 => 410,
            2 => 301,
            3 => 204,
            4 => 299,
            5 | 6 => 500,
            7 | 8 => 503,
            9 => 400,
            10 => 206,
            11 => 302,
            _ => 200,
        };
        self.failing =
            if self.failing == 0 && rng.u8(..30) == 0 { 12 } else { self.failing.saturating_sub(1) };
        let is_precondition = seen.contains_key("if-match") || seen.contains_key("if-unmodified-since");
        if is_precondition && rng.bool() {
            status = 412;
        }
        let fails = self.failing > 0 && rng.u8(..4) != 0;
        let validates = validates.filter(|_| !fails);
        status = if fails { 503 } else { status };
        if let Some(known) = validates {
            status = 304;
            let known = self.made[known].head.etag.clone();
            head.etag = known.filter(|_| rng.u8(..4) != 0);
            // It need not say all of it again.
            head.cache_control = head.cache_control.filter(|_| rng.bool());
            (head.own, head.cdn) = (head.own.filter(|_| rng.bool()), head.cdn.filter(|_| rng.bool()));
            head.vary = head.vary.filter(|_| rng.bool());
            head.last_modified = None;
            head.search = head.search.filter(|_| rng.bool());
            head.x_user = head.x_user.filter(|_| rng.bool());
        }
        if asked.method == "HEAD" && status != 304 && rng.bool() {
            let got = self
                .made
                .iter()
                .rev()
                .find(|made| made.uri == uri && made.status == 200 && made.method == "GET");
            head.etag = got.and_then(|made| made.head.etag.clone());
        }
        let has_body = !matches!(status, 204 | 304) && rng.u8(..12) != 0 && asked.method != "HEAD";
        let body = if has_body { format!("{number}:{}", "x".repeat(rng.usize(..24))) } else { String::new() };
        let is_stream = has_body && rng.u8(..4) == 0;
        let is_whole = !is_stream || rng.u8(..6) != 0;
        let has_trailers = self.may_trail && is_stream && is_whole && rng.u8(..4) == 0;
        let made = Made {
            request: seen.get("x-request").map_or(usize::MAX, |number| number.parse().unwrap()),
            method: asked.method.clone(),
            uri,
            seen,
            status,
            head,
            body: body.into(),
            is_stream,
            is_whole,
            has_trailers,
            at: seconds(&self.clock),
            validates,
        };
        let said = made.said(number);
        self.made.push(made);
        (said, self.is_slow)
    }
}

impl Made {
    /// Whether it names the group of `/b` as invalid.
    fn names_group(&self) -> bool {
        self.request.is_multiple_of(3)
    }

    /// And whether that counts: not in the response to a safe request.
    pub(crate) fn drops_group(&self) -> bool {
        self.names_group() && matches!(&*self.method, "POST" | "DELETE")
    }

    /// Whether its request goes past the cache, unless that ignores what requests demand: only the origin can tell whether its
    /// conditions hold.
    pub(crate) fn has_condition_of_origin(&self) -> bool {
        ["if-match", "if-unmodified-since"].iter().any(|name| self.seen.contains_key(*name))
    }

    fn said(&self, number: usize) -> Said {
        let mut headers: Vec<(String, String)> = Vec::new();
        let mut add = |name: &str, value: &str| headers.push((name.to_owned(), value.to_owned()));
        let head = &self.head;
        let fields = [
            ("cache-control", &head.cache_control),
            ("cdn-cache-control", &head.cdn),
            ("larder-cache-control", &head.own),
        ];
        for (name, field) in fields {
            field.iter().flat_map(|field| &field.lines).for_each(|line| add(name, line));
        }
        head.vary.iter().flatten().for_each(|line| add("vary", line));
        for (name, time) in [("expires", head.expires), ("date", head.date)] {
            match time {
                Some(Some(time)) => add(name, &date(time)),
                Some(None) => add(name, "0"),
                None => {}
            }
        }
        head.age.iter().for_each(|(text, _)| add("age", text));
        head.etag.iter().for_each(|tag| add("etag", tag));
        head.last_modified.iter().for_each(|time| add("last-modified", &date(*time)));
        head.x_user.iter().for_each(|number| add("x-user", &number.to_string()));
        if head.sets_cookie {
            add("set-cookie", &format!("session={number}"));
        }
        if self.validates.is_none() && self.method != "HEAD" {
            add("x-made", &number.to_string());
        }
        if self.status == 206 {
            add("content-range", "bytes 0-0/1");
        }
        if self.status == 301 {
            add("location", "/elsewhere");
        }
        add("surrogate-key", "a-tag");
        add("cache-groups", if self.uri == "/b" { "\"b\"" } else { "\"other\"" });
        if self.names_group() {
            add("cache-group-invalidation", "\"none\", \"b\";x");
        }
        head.search.iter().for_each(|rule| add("no-vary-search", SEARCH_RULES[*rule].0));
        let headers: Vec<_> = headers.iter().map(|(name, value)| (&**name, &**value)).collect();
        if !self.is_stream {
            return Said { status: self.status, ..Said::new(&headers, self.body.clone()) };
        }
        let (mut said, sender) = Said::stream(&headers);
        if self.has_trailers {
            said = said.with_trailer("x-trailer", number);
        }
        let (first, last) = (self.body.slice(..1), self.body.slice(1..));
        let end = if self.is_whole { Ok(last) } else { Err(std::io::Error::other("broken off")) };
        if number.is_multiple_of(2) {
            let _ = (sender.send(Ok(first)), sender.send(end));
        } else {
            // The head goes before.
            tokio::spawn(async move {
                tokio::task::yield_now().await;
                let _ = sender.send(Ok(first));
                tokio::task::yield_now().await;
                let _ = sender.send(end);
            });
        }
        Said { status: self.status, ..said }
    }
}

pub(crate) fn origin_handler(origin: &Arc<Mutex<Origin>>) -> Handler {
    let origin = origin.clone();
    handler(move |seen| {
        let origin = origin.clone();
        async move {
            let (said, is_slow) = origin.lock().unwrap().answer(&seen);
            if is_slow {
                for _ in 0..5 {
                    tokio::task::yield_now().await;
                }
            }
            said
        }
    })
}
