//! Random requests of a few clients, and the answers to them.

use std::collections::BTreeMap;

use bytes::Bytes;
use fastrand::Rng;
use http::HeaderMap;

use super::{
    model::{Demands, Rules},
    origin::{Origin, Time, path_of},
};

/// A request.
#[derive(Debug, Clone)]
pub(crate) struct Ask {
    pub(crate) number: usize,
    pub(crate) method: &'static str,
    pub(crate) uri: &'static str,
    pub(crate) headers: Vec<(&'static str, String)>,
    pub(crate) demands: Demands,
}

/// What the client got.
#[derive(Debug, Clone)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    /// None if it broke off.
    pub(crate) body: Option<Bytes>,
    /// Whether it ended with trailers, if that is known.
    pub(crate) has_trailers: Option<bool>,
}

pub(crate) const URIS: [&str; 11] = [
    "/a",
    "/a?q=1",
    "/b",
    "/c/1",
    "/c/2",
    "/a?a=1&q=1",
    "/a?q=1&a=2",
    "/a?b=c&q=1",
    "/a?q=1&b=c",
    "/a?user=A",
    "/a?user=B",
];

impl Ask {
    pub(crate) fn random(rng: &mut Rng, number: usize, host: &str, (origin, now): (&Origin, Time)) -> Self {
        let method = match rng.u8(..40) {
            0 | 1 => "HEAD",
            2 => "POST",
            3 => "DELETE",
            4 => "OPTIONS",
            _ => "GET",
        };
        let uri = URIS[rng.usize(..URIS.len())];
        let mut headers: Vec<(&'static str, String)> = vec![
            ("host", host.to_owned()),
            ("x-request", number.to_string()),
            ("accept-language", rng.choice(["en", "de"]).unwrap().to_owned()),
        ];
        // An anonymous client, Alice and Bob, who tell in several ways who they are.
        let person = rng.choice(["A", "B"]).unwrap();
        for (name, value) in [("authorization", "Bearer "), ("cookie", "session="), ("x-session", "of ")] {
            if rng.u8(..6) == 0 {
                headers.push((name, format!("{value}{person}")));
            }
        }
        if rng.u8(..24) == 0 {
            headers.push(("x-forwarded-host", format!("{person}.example")));
        }
        let mut demands = Demands::default();
        if rng.u8(..4) == 0 {
            let line = demands.random(rng);
            headers.push(("cache-control", line));
        }
        if rng.u8(..6) == 0 {
            conditions(rng, uri, origin, now).into_iter().for_each(|condition| headers.push(condition));
        }
        if rng.u8(..24) == 0 {
            let (_, value) = conditions(rng, uri, origin, now).remove(0);
            headers.push((if value.ends_with("GMT") { "if-unmodified-since" } else { "if-match" }, value));
        }
        if rng.u8(..12) == 0 {
            let range = [
                "bytes=0-2",
                "bytes=1-",
                "bytes=-2",
                "bytes=0-0,2-3",
                "bytes=900-",
                "bytes=2-1",
                "bytes=a",
                "x=1",
            ];
            headers.push(("range", rng.choice(range).unwrap().to_owned()));
            if rng.bool() {
                headers.extend(
                    conditions(rng, uri, origin, now)
                        .into_iter()
                        .map(|(_, value)| ("if-range", value))
                        .take(1),
                );
            }
        }
        Self { number, method, uri, headers, demands }
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| *known == name).map(|(_, value)| &**value)
    }

    pub(crate) fn seen(&self) -> BTreeMap<String, String> {
        self.headers.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect()
    }

    /// Whether only the origin can tell whether its conditions hold.
    pub(crate) fn has_condition_of_origin(&self) -> bool {
        self.header("if-match").or(self.header("if-unmodified-since")).is_some()
    }

    /// The request as a handler may be asked.
    pub(crate) fn under(mut self, rules: &Rules) -> Self {
        if rules.ignores_requests {
            self.headers.retain(|(name, _)| {
                !matches!(
                    *name,
                    "x-forwarded-host" | "range" | "if-range" | "if-match" | "if-unmodified-since"
                )
            });
        }
        self
    }
}

/// Conditions for what the client may have.
fn conditions(rng: &mut Rng, uri: &str, origin: &Origin, now: Time) -> Vec<(&'static str, String)> {
    let tags: Vec<_> =
        origin.made.iter().rev().filter(|made| path_of(&made.uri) == path_of(uri)).take(6).collect();
    let tag =
        tags.get(rng.usize(..6)).and_then(|made| made.head.etag.clone()).unwrap_or("\"none\"".to_owned());
    let tag = match rng.u8(..8) {
        0 => "*".to_owned(),
        1 => format!("\"a,b\", {tag}"),
        2 => format!("W/{}", tag.trim_start_matches("W/")),
        _ => tag,
    };
    let date = std::time::UNIX_EPOCH + std::time::Duration::from_secs(now - rng.u64(..100));
    let date = httpdate::fmt_http_date(date);
    match rng.u8(..4) {
        0 => vec![("if-modified-since", date)],
        1 => vec![("if-none-match", tag), ("if-modified-since", date)],
        _ => vec![("if-none-match", tag)],
    }
}

impl Demands {
    /// Becomes what the line means that it returns.
    fn random(&mut self, rng: &mut Rng) -> String {
        let seconds = *rng.choice(&[0_u64, 5, 20, 60, 100]).unwrap();
        match rng.u8(..12) {
            0 => {
                self.no_store = true;
                rng.choice(["no-store", "No-Store", "no-store; x"]).unwrap().to_owned()
            }
            1 | 2 => {
                self.no_cache = true;
                rng.choice(["no-cache", "NO-CACHE", "no-cache=x", "x, no-cache"]).unwrap().to_owned()
            }
            3 => {
                self.only_if_cached = true;
                "only-if-cached".to_owned()
            }
            4 | 5 => {
                self.max_age = Some(seconds);
                rng.choice([format!("max-age={seconds}"), format!("Max-Age=\"{seconds}\"")]).unwrap()
            }
            6 => {
                self.min_fresh = Some(seconds);
                format!("min-fresh={seconds}")
            }
            7 => {
                self.max_stale = Some(u64::from(u32::MAX));
                "max-stale".to_owned()
            }
            8 => {
                self.max_stale = Some(seconds);
                format!("max-stale={seconds}")
            }
            9 => {
                self.sie = Some(seconds);
                format!("stale-if-error={seconds}")
            }
            10 => {
                (self.max_age, self.max_stale) = (Some(0), Some(seconds));
                format!("max-age=0, max-stale={seconds}")
            }
            _ => {
                self.max_age = Some(0);
                rng.choice(["max-age=5s", "max-age", "max-age=1, max-age=2"]).unwrap().to_owned()
            }
        }
    }
}

impl Answer {
    /// One that broke off before it began.
    pub(crate) fn broken() -> Self {
        Self { status: 0, headers: HeaderMap::new(), body: None, has_trailers: None }
    }

    pub(crate) fn text(&self, name: &str) -> Option<String> {
        let lines: Vec<_> = self.headers.get_all(name).iter().map(|line| line.to_str().unwrap()).collect();
        (!lines.is_empty()).then(|| lines.join(", "))
    }

    pub(crate) fn number(&self, name: &str) -> Option<usize> {
        self.text(name).map(|text| text.trim_start_matches("session=").parse().unwrap())
    }

    pub(crate) fn cache_status(&self) -> String {
        self.text("cache-status").unwrap_or_default()
    }
}
