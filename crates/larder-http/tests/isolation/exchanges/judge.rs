//! Judges answers by the model.

mod content;
mod learning;
mod validated;

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex},
};

use self::content::judge_content;
use super::{
    asked::{Answer, Ask},
    model::{Rules, Version, is_failure},
    origin::{Made, Origin, Time, path_of, seconds},
    said::Counting,
};
use crate::{queries::RULES as SEARCH_RULES, support::TestClock};

pub(crate) struct Judge {
    rules: Rules,
    seed: u64,
    origin: Arc<Mutex<Origin>>,
    clock: TestClock,
    /// The responses of the origin so far.
    made: Vec<Made>,
    /// What may be stored of each of them.
    versions: BTreeMap<usize, Vec<Version>>,
    /// Those that were invalidated.
    dead: BTreeSet<usize>,
    /// How many there were before the requests that are judged.
    before: usize,
    /// What the next request for a URL should be answered with, if it selects that.
    expected: BTreeMap<(String, Option<String>), usize>,
    /// Whether it is known what is stored when, and what updates that.
    is_exact: bool,
    /// Whether the caches' own clocks are turned too: where they are not, what was marked was marked a moment ago.
    pub(crate) turns_clocks: bool,
    /// Whether several requests are under way.
    at_once: bool,
    /// Requests with conditions of their own.
    conditional: BTreeSet<usize>,
    /// Entity tags that the cache made.
    generated: BTreeMap<String, usize>,
    tally: BTreeMap<&'static str, usize>,
    failures: Vec<String>,
}

impl Judge {
    pub(crate) fn new(
        (rules, seed, is_exact): (Rules, u64, bool),
        origin: &Arc<Mutex<Origin>>,
        clock: &TestClock,
    ) -> Self {
        Self {
            rules,
            seed,
            origin: origin.clone(),
            clock: clock.clone(),
            made: Vec::new(),
            versions: BTreeMap::new(),
            dead: BTreeSet::new(),
            before: 0,
            expected: BTreeMap::new(),
            is_exact,
            turns_clocks: true,
            at_once: false,
            conditional: BTreeSet::new(),
            generated: BTreeMap::new(),
            tally: BTreeMap::new(),
            failures: Vec::new(),
        }
    }

    fn now(&self) -> Time {
        seconds(&self.clock)
    }

    pub(crate) fn invalidated(&mut self, covers: impl Fn(&str) -> bool) {
        let covered = self.made.iter().enumerate().filter(|(_, made)| covers(&made.uri)).map(|(n, _)| n);
        self.dead.extend(covered);
        self.expected.retain(|(uri, _), _| !covers(uri));
    }

    /// A URL, with all responses of its path that may answer others too.
    pub(crate) fn purged(&mut self, uri: &str) {
        let has_rule =
            |version: &Version| version.head.search.is_some_and(|rule| SEARCH_RULES[rule].1.is_some());
        let is_covered = |n: &usize| {
            let made = &self.made[*n];
            let rules = || self.versions.get(n).is_some_and(|versions| versions.iter().all(has_rule));
            made.uri == uri || (self.rules.no_vary_search && path_of(&made.uri) == path_of(uri) && rules())
        };
        let covered: Vec<_> = (0..self.made.len()).filter(is_covered).collect();
        self.dead.extend(covered);
        self.expected.retain(|(known, _), _| known != uri);
    }

    pub(crate) fn marked(&mut self, covers: impl Fn(&str) -> bool) {
        let now = self.now();
        for (body, versions) in &mut self.versions {
            if covers(&self.made[*body].uri) {
                versions.iter_mut().for_each(|version| version.marked = Some(now));
            }
        }
    }

    /// To be called before these requests are sent.
    pub(crate) fn begin(&mut self, asks: &[Ask]) {
        self.before = self.made.len();
        self.at_once = asks.len() > 1;
        let has =
            |ask: &&Ask| ask.header("if-none-match").is_some() || ask.header("if-modified-since").is_some();
        self.conditional.extend(asks.iter().filter(has).map(|ask| ask.number));
    }

    fn fail(&mut self, why: &str, ask: &Ask, answer: &Answer) {
        let tail: Vec<_> = self
            .made
            .iter()
            .enumerate()
            .filter(|(_, made)| made.uri == ask.uri)
            .rev()
            .take(5)
            .map(|(n, made)| format!("  {n}: {made:?}"))
            .collect();
        let (seed, rules, now) = (self.seed, self.rules, self.now());
        let own: Vec<_> = self.own(ask).collect();
        let versions = answer.number("x-made").and_then(|made| self.versions.get(&made));
        let versions = versions.map_or(String::new(), |versions| format!(" of {versions:#?}\n"));
        self.failures.push(format!(
            "{why}\n seed {seed}, {rules:?}, now {now}, own {own:?}\n {ask:?}\n {answer:?}\n{versions}{}",
            tail.join("\n")
        ));
    }

    fn count(&mut self, what: &'static str) {
        *self.tally.entry(what).or_default() += 1;
    }

    /// The responses that were made for this request.
    fn own(&self, ask: &Ask) -> impl Iterator<Item = usize> + use<'_> {
        let (before, number) = (self.before, ask.number);
        (before..self.made.len()).filter(move |n| self.made[*n].request == number)
    }

    pub(crate) fn judge(&mut self, ask: &Ask, answer: &Answer) {
        if let Err(why) = self.verdict(ask, answer) {
            self.fail(&why, ask, answer);
        }
    }

    fn verdict(&mut self, ask: &Ask, answer: &Answer) -> Result<(), String> {
        let own: Vec<_> = self.own(ask).collect();
        let status = answer.cache_status();
        if answer.status == 0 {
            let is_broken = own.iter().any(|n| !self.made[*n].is_whole);
            return if is_broken { Ok(()) } else { Err("no answer".into()) };
        }
        for name in ["larder-cache-control", "surrogate-key"] {
            // The field is for this cache in front of handlers only.
            let is_removed = name != "larder-cache-control" || self.rules.client.is_none();
            if is_removed && answer.headers.contains_key(name) {
                return Err(format!("{name} is sent on"));
            }
        }
        if !matches!(ask.method, "GET" | "HEAD") {
            let made = own.first().map(|n| &self.made[*n]).ok_or("not forwarded")?;
            return if made.status == answer.status { Ok(()) } else { Err("another status".into()) };
        }
        let demands_cached = ask.demands.only_if_cached && !self.rules.ignores_requests;
        if demands_cached && !own.is_empty() && !status.contains("hit") {
            return Err("only-if-cached was forwarded".into());
        }
        if answer.status == 504 && status.contains("detail=only-if-cached") {
            return if demands_cached { Ok(()) } else { Err("504 by itself".into()) };
        }
        if !self.at_once && self.is_exact && !ask.has_condition_of_origin() {
            self.judge_liveness(ask, answer, &own)?;
        }
        if ask.has_condition_of_origin() && own.is_empty() {
            return Err("only the origin can tell whether the conditions hold".into());
        }
        match answer.status {
            304 => self.judge_not_modified(ask, answer, &own),
            _ => match answer.number("x-made") {
                Some(n) if own.contains(&n) => self.judge_own(n, ask, answer),
                Some(n) => self.judge_stored(n, ask, answer, &own),
                None if own.iter().any(|n| self.made[*n].method == "HEAD") => Ok(()),
                None => Err("from nowhere".into()),
            },
        }
    }

    /// What is stored and fresh is served.
    fn judge_liveness(&mut self, ask: &Ask, answer: &Answer, own: &[usize]) -> Result<(), String> {
        let key = (ask.uri.to_owned(), ask.header("x-forwarded-host").map(str::to_owned));
        let Some(body) = self.expected.get(&key).filter(|_| !self.rules.no_vary_search) else {
            return Ok(());
        };
        let (now, seen) = (self.now(), ask.seen());
        let mut current =
            self.versions[body].iter().filter(|version| version.retired.is_none_or(|at| at >= self.before));
        // A response is found by the `Vary` of others of its URL.
        let alike = self.versions.values().flatten().filter(|version| self.made[version.body].uri == ask.uri);
        let vary = self.versions[body][0].head.vary();
        let is_alike =
            alike.filter(|other| !self.dead.contains(&other.body)).all(|other| other.head.vary() == vary);
        if !is_alike {
            return Ok(());
        }
        let is_plain =
            self.rules.ignores_requests || (ask.demands.is_none() && ask.header("range").is_none());
        let should = current.all(|version| {
            version.head.is_well_formed()
                && version.selects(&self.rules, &self.made, &seen)
                && version.is_fresh_for(&self.rules, &ask.demands, now)
        });
        // What goes on behind the backs of others may change what is stored.
        let mut others = self.made[self.before..].iter().filter(|made| made.request != ask.number);
        if !(is_plain && should) || others.any(|made| made.uri == ask.uri) {
            return Ok(());
        }
        self.count("expected");
        if own.is_empty() && answer.cache_status().starts_with("larder; hit") {
            return Ok(());
        }
        Err("should be a hit".into())
    }

    /// The origin's answer to this very request.
    fn judge_own(&mut self, n: usize, ask: &Ask, answer: &Answer) -> Result<(), String> {
        let made = self.made[n].clone();
        judge_content(&made, ask, answer)?;
        if made.has_trailers && answer.has_trailers == Some(false) {
            return Err("without its trailers".into());
        }
        let status = answer.cache_status();
        let version = &self.versions[&n][0];
        let refusal = version.refusal(&self.rules, &self.made);
        let passes = (ask.demands.no_store && !self.rules.ignores_requests) || ask.has_condition_of_origin();
        let is_stored = status.contains("; stored");
        if is_stored && self.is_exact && (refusal.is_some() || passes) {
            return Err(format!("stored in spite of {refusal:?}, {passes}"));
        }
        let should = refusal.is_none()
            && made.head.is_well_formed()
            && version.is_fresh_for(&self.rules, &ask.demands, self.now())
            && !(passes || made.is_stream || self.at_once || ask.header("range").is_some())
            && ask.method == "GET";
        if should && !is_stored && self.is_exact {
            return Err("should be stored".into());
        }
        let etag = answer.text("etag").filter(|_| made.head.etag.is_none());
        self.generated.extend(etag.map(|etag| (etag, n)));
        self.count(if is_stored { "stored" } else { "not stored" });
        Ok(())
    }

    /// An answer with a response that was made for another request.
    fn judge_stored(&mut self, n: usize, ask: &Ask, answer: &Answer, own: &[usize]) -> Result<(), String> {
        let made = self.made[n].clone();
        let now = self.now();
        let accepted = self.accepted(n, ask, own)?;
        judge_content(&made, ask, answer)?;
        let validated = own.iter().any(|own| self.made[*own].validates == Some(n));
        let status = answer.cache_status();
        let from_cache = status.contains("hit") || status.contains("collapsed");
        if status.contains("fwd-status=304") && self.is_exact && !self.at_once {
            self.judge_updated(n, answer, own)?;
        }
        let cookie = answer.number("set-cookie");
        if cookie.is_some_and(|cookie| !own.contains(&cookie)) && !self.rules.stores_cookies {
            return Err("another one's cookie".into());
        }
        let mut objections = Vec::new();
        for version in &accepted {
            let age = answer.text("age").and_then(|age| age.parse::<u64>().ok());
            let lifetime = version.lifetime(&self.rules);
            let is_renewed = version.marked.is_some()
                || lifetime.is_none_or(|lifetime| lifetime.counting == Counting::Own);
            if from_cache && !is_renewed && self.is_exact && age != Some(version.age(now)) {
                objections.push(format!("age {age:?}, not {}", version.age(now)));
                continue;
            }
            let ttl = version.end(&self.rules) as i64 - version.age(now) as i64;
            let is_exact = self.is_exact
                && version.head.is_well_formed()
                && lifetime.is_some_and(|lifetime| lifetime.is_declared || !self.rules.heuristic)
                && version.marked.is_none()
                && ttl.abs() < 1_000_000;
            if is_exact && status.starts_with("larder; hit") && !status.contains(&format!("ttl={ttl}")) {
                objections.push(format!("{status}, not {ttl}"));
                continue;
            }
            let told = answer.number("x-user");
            let may_tell = |told: usize| {
                own.contains(&told)
                    || (version.head.x_user == Some(told) && !version.head.withholds_x_user(&self.rules))
            };
            // Another cache may have validated it for several requests at once.
            if self.is_exact && told.is_some_and(|told| !may_tell(told)) {
                objections.push(format!("x-user {told:?}"));
                continue;
            }
            self.count(match () {
                () if validated => "validated",
                () if version.is_fresh_for(&self.rules, &ask.demands, now) => "fresh",
                () if own.iter().any(|own| is_failure(&self.made[*own])) => "on error",
                () => "stale",
            });
            return Ok(());
        }
        Err(objections.join("; "))
    }

    /// To be called when nothing goes on any more.
    pub(crate) fn end(&mut self, asks: &[Ask], answers: &[Option<Answer>]) {
        self.learn();
        let exchanged = self.before..self.made.len();
        for made in &self.made[exchanged.clone()] {
            self.expected.retain(|(uri, _), _| *uri != made.uri);
        }
        let ([ask], [Some(answer)]) = (asks, answers) else { return };
        let status = answer.status;
        if matches!(ask.method, "POST" | "DELETE") {
            if (200..400).contains(&status) {
                self.purged(ask.uri);
            }
            if self.made[exchanged.clone()].iter().any(Made::drops_group) {
                self.invalidated(|uri| uri == "/b");
            }
        }
        let is_stored = answer.cache_status().contains("; stored");
        if exchanged.len() == 1 && is_stored && ask.method == "GET" {
            let last = exchanged.start;
            let host = ask.header("x-forwarded-host").filter(|_| !self.rules.ignores_requests);
            let body = self.made[last].validates.unwrap_or(last);
            self.expected.insert((ask.uri.to_owned(), host.map(str::to_owned)), body);
        }
    }

    /// Fails if anything was wrong.
    pub(crate) fn check(&self) {
        let some: Vec<_> = self.failures.iter().take(1).map(String::as_str).collect();
        assert!(self.failures.is_empty(), "{} failures, as\n{}", self.failures.len(), some.join("\n"));
    }

    pub(crate) fn tally(&self) -> &BTreeMap<&'static str, usize> {
        &self.tally
    }
}
