//! To whom a response may be given, and how old it may be then: worked out from RFC 9110, 9111, 5861 and 9213 and from what
//! the crate promises beyond these, and from nothing of its code.

use std::collections::BTreeMap;

use super::{
    origin::{Head, Made, Time},
    said::{Counting, Field, Meaning},
};
use crate::{queries::RULES as SEARCH_RULES, url_equivalence::are_equivalent};

/// What a cache is configured to do.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Rules {
    /// None in front of handlers.
    pub(crate) client: Option<Client>,
    pub(crate) no_vary_search: bool,
    pub(crate) ttl: Option<u64>,
    pub(crate) heuristic: bool,
    pub(crate) extends_s_maxage: bool,
    pub(crate) ignores_requests: bool,
    pub(crate) ignores_cookies: bool,
    pub(crate) stores_cookies: bool,
}

/// The private cache of a client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Client {
    /// All requests are made for one identity.
    Named,
    /// Each request tells by its headers for whom it is made, or does not.
    Unnamed,
}

/// What a request demands of a cache.
#[derive(Debug, Clone, Default)]
pub(crate) struct Demands {
    pub(crate) no_store: bool,
    pub(crate) no_cache: bool,
    pub(crate) only_if_cached: bool,
    pub(crate) max_age: Option<u64>,
    pub(crate) min_fresh: Option<u64>,
    pub(crate) max_stale: Option<u64>,
    pub(crate) sie: Option<u64>,
}

/// A response as a cache may have it stored: with the headers of all 304s that it was validated by.
#[derive(Debug, Clone)]
pub(crate) struct Version {
    /// The response that its body is from.
    pub(crate) body: usize,
    /// The one that its last headers are from.
    pub(crate) last: usize,
    pub(crate) head: Head,
    pub(crate) received: Time,
    /// The lifetime that it had before its last 304, if that is not declared: it stays.
    pub(crate) kept: Option<u64>,
    pub(crate) marked: Option<Time>,
    /// How many responses had been made when another one took its place.
    pub(crate) retired: Option<usize>,
}

/// What is known of the answer to a request beside the response that it has.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Own {
    /// The handler told this request that the response is current.
    pub(crate) validated: bool,
    /// The handler failed to answer it.
    pub(crate) failed: bool,
}

/// How long a response is fresh.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Lifetime {
    pub(crate) seconds: u64,
    /// Whether the handler declares it.
    pub(crate) is_declared: bool,
    pub(crate) counting: Counting,
}

const HEURISTICALLY_CACHEABLE: [u16; 11] = [200, 203, 204, 300, 301, 308, 404, 405, 410, 414, 501];
const FAILURES: [u16; 4] = [500, 502, 503, 504];

pub(crate) fn is_failure(made: &Made) -> bool {
    FAILURES.contains(&made.status)
}

impl Head {
    fn meaning(&self, rules: &Rules) -> (Meaning, Counting) {
        let nothing =
            Field { meaning: Meaning { is_well_formed: true, ..Meaning::default() }, ..Field::default() };
        let cache_control = self.cache_control.as_ref().unwrap_or(&nothing);
        if rules.client.is_some() {
            return (cache_control.meaning.clone().in_private_cache(), Counting::CacheControl);
        }
        Meaning::of(self.own.as_ref(), self.cdn.as_ref(), cache_control)
    }

    /// Whether it says to be the same for everyone.
    fn is_for_everyone(&self) -> bool {
        let meaning = self.cache_control.as_ref().map(|field| &field.meaning);
        meaning.is_some_and(|said| said.is_public && !said.private && !said.names_private)
    }

    pub(crate) fn is_well_formed(&self) -> bool {
        [&self.own, &self.cdn, &self.cache_control]
            .into_iter()
            .flatten()
            .all(|field| field.meaning.is_well_formed)
    }

    pub(crate) fn vary(&self) -> Vec<String> {
        let lines = self.vary.iter().flatten();
        let names = lines.flat_map(|line| line.split(',')).map(|name| name.trim().to_ascii_lowercase());
        names.filter(|name| !name.is_empty()).collect()
    }

    /// The headers of a stored response after a 304 (section 3.2). The tag stays: the 304 is for this one.
    pub(crate) fn updated(&self, newer: &Self) -> Self {
        Self {
            own: newer.own.clone().or(self.own.clone()),
            cdn: newer.cdn.clone().or(self.cdn.clone()),
            cache_control: newer.cache_control.clone().or(self.cache_control.clone()),
            vary: newer.vary.clone().or(self.vary.clone()),
            expires: newer.expires.or(self.expires),
            // A response without `Date` is of now.
            date: newer.date,
            age: newer.age,
            etag: self.etag.clone(),
            last_modified: newer.last_modified.or(self.last_modified),
            // The cookie of a 304 is for its own client.
            sets_cookie: false,
            x_user: newer.x_user.or(self.x_user),
            search: newer.search.or(self.search),
        }
    }

    /// Whether the header that tells `x_user` is for its first client only, or not without validation.
    pub(crate) fn withholds_x_user(&self, rules: &Rules) -> bool {
        let (meaning, _) = self.meaning(rules);
        // What is validated each time needs no more than that.
        meaning.private_names_user || (meaning.no_cache_names_user && !meaning.no_cache)
    }
}

/// Whether a request may identify its client by more than what `vary` names.
fn is_personal(rules: &Rules, seen: &BTreeMap<String, String>, vary: &[String], is_public: bool) -> bool {
    if rules.client.is_some() {
        return false;
    }
    let has = |name: &str| seen.contains_key(name);
    has("authorization")
        || (has("cookie") && !rules.ignores_cookies)
        || (!is_public && has("x-session") && !vary.iter().any(|name| name == "x-session"))
}

impl Version {
    fn date(&self) -> Option<Time> {
        self.head.date.flatten()
    }

    /// Section 4.2.3.
    pub(crate) fn age(&self, now: Time) -> u64 {
        let apparent = self.date().map_or(0, |date| self.received.saturating_sub(date));
        let stated = self.head.age.map_or(0, |(_, age)| age);
        apparent.max(stated) + now.saturating_sub(self.received)
    }

    /// Section 4.2.1; RFC 9213, section 2.1.
    pub(crate) fn lifetime(&self, rules: &Rules) -> Option<Lifetime> {
        let (meaning, counting) = self.head.meaning(rules);
        let declared = |seconds| Some(Lifetime { seconds, is_declared: true, counting });
        if let Some(seconds) = meaning.s_maxage.or(meaning.max_age) {
            return declared(seconds);
        }
        let made_at = self.date().unwrap_or(self.received);
        if let Some(expires) = self.head.expires.filter(|_| counting == Counting::CacheControl) {
            return declared(expires.map_or(0, |expires| expires.saturating_sub(made_at)));
        }
        if meaning.no_cache {
            return declared(0);
        }
        let heuristic = || {
            let modified = self.head.last_modified.filter(|_| rules.heuristic)?;
            // The clock of these tests knows whole seconds only.
            Some(made_at.saturating_sub(modified).div_ceil(10).min(86_400)).filter(|seconds| *seconds > 0)
        };
        let seconds = self.kept.or(rules.ttl).or_else(heuristic)?;
        Some(Lifetime { seconds, is_declared: false, counting })
    }

    /// Why a shared cache may not store it; sections 3 and 3.5.
    pub(crate) fn refusal(&self, rules: &Rules, made: &[Made]) -> Option<&'static str> {
        let (meaning, _) = self.head.meaning(rules);
        let (maker, status) = (&made[self.last].seen, made[self.body].status);
        let vary = self.head.vary();
        let is_for_all = meaning.is_public || meaning.permits_s_maxage;
        let is_understood = status != 299;
        let is_shared = rules.client.is_none();
        // What its client adds on the way is not known.
        let is_of_unknown = rules.client == Some(Client::Unnamed)
            && !maker.contains_key("authorization")
            && !maker.contains_key("cookie");
        let is_selected_by_maker =
            vary.iter().all(|name| name == "accept-encoding" || maker.contains_key(name));
        let by_cookie = vary.iter().any(|name| name == "cookie") || rules.ignores_cookies;
        match () {
            () if made[self.body].method != "GET" => Some("method"),
            () if matches!(status, 206 | 304) => Some("status"),
            () if vary.iter().any(|name| name == "*") => Some("vary"),
            () if meaning.must_understand && !is_understood => Some("must-understand"),
            () if meaning.no_store && !meaning.permits_must_understand => Some("no-store"),
            () if meaning.private => Some("private"),
            () if self.head.sets_cookie && !rules.stores_cookies => Some("set-cookie"),
            () if is_shared
                && maker.contains_key("authorization")
                && !is_for_all
                && !meaning.permits_must_revalidate =>
            {
                Some("authorization")
            }
            () if is_shared && maker.contains_key("cookie") && !is_for_all && !by_cookie => Some("cookie"),
            () if is_of_unknown && !(self.head.is_for_everyone() && is_selected_by_maker) => Some("identity"),
            () if !made[self.body].is_whole => Some("broken"),
            () if made[self.body].has_trailers => Some("trailers"),
            () => match self.lifetime(rules) {
                Some(lifetime) if lifetime.is_declared => None,
                _ if is_personal(rules, maker, &vary, meaning.is_public) => Some("personal"),
                None => Some("silent"),
                Some(_) if !HEURISTICALLY_CACHEABLE.contains(&status) && !meaning.is_public => Some("status"),
                Some(_) => None,
            },
        }
    }

    /// Section 4.1, and what is promised of responses whose handlers declare no lifetime.
    pub(crate) fn selects(&self, rules: &Rules, made: &[Made], asked: &BTreeMap<String, String>) -> bool {
        let (maker, vary) = (&made[self.last].seen, self.head.vary());
        let is_public = self.head.meaning(rules).0.is_public;
        let is_declared = self.lifetime(rules).is_some_and(|lifetime| lifetime.is_declared);
        let is_same = |name: &str| maker.get(name) == asked.get(name);
        let is_of_identity = rules.client != Some(Client::Unnamed)
            || ["authorization", "cookie", "x-session"].into_iter().all(is_same);
        is_of_identity
            && vary.iter().all(|name| name != "*" && is_same(name))
            && (is_declared || !is_personal(rules, asked, &vary, is_public))
            // Poisoning: what handlers may make links of.
            && maker.get("x-forwarded-host") == asked.get("x-forwarded-host")
    }

    /// Whether it answers a URL: its own, or one that its rule makes equivalent.
    pub(crate) fn answers(&self, rules: &Rules, made: &[Made], asked: &str) -> bool {
        let uri = &*made[self.body].uri;
        let [one, other] = [uri, asked].map(|uri| uri.split_once('?').unwrap_or((uri, "")));
        let is_equivalent = || {
            let (params, except, key_order) = SEARCH_RULES[self.head.search?].1?;
            let [params, except] = [params, except]
                .map(|names| Some(names?.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>()));
            let rule = (params.as_deref(), except.as_deref(), key_order);
            Some(are_equivalent(rule, [Some(one.1), Some(other.1)]))
        };
        uri == asked || (rules.no_vary_search && one.0 == other.0 && is_equivalent() == Some(true))
    }

    /// The age at which it is stale.
    pub(crate) fn end(&self, rules: &Rules) -> u64 {
        let lifetime = self.lifetime(rules).map_or(0, |lifetime| lifetime.seconds);
        self.marked.map_or(lifetime, |marked| lifetime.min(self.age(marked)))
    }

    /// Whether it is fresh, and fresh enough for a request.
    pub(crate) fn is_fresh_for(&self, rules: &Rules, demands: &Demands, now: Time) -> bool {
        let (age, end) = (self.age(now), self.end(rules));
        let no_cache = self.head.meaning(rules).0.no_cache;
        age < end && !no_cache && (rules.ignores_requests || demands.accept(age, end))
    }

    /// Why it may not be used for a request; section 4.
    pub(crate) fn objection(
        &self,
        rules: &Rules,
        (demands, own): (&Demands, Own),
        now: Time,
    ) -> Option<String> {
        if own.validated || self.is_fresh_for(rules, demands, now) {
            return None;
        }
        let (meaning, _) = self.head.meaning(rules);
        if meaning.no_cache {
            return Some("no-cache".to_owned());
        }
        let (age, end) = (self.age(now), self.end(rules));
        let staleness = age.saturating_sub(end);
        let demands = if rules.ignores_requests { &Demands::default() } else { demands };
        // Section 4.2.4.
        let by_s_maxage = meaning.s_maxage.is_some();
        let is_forbidden =
            meaning.must_revalidate || meaning.proxy_revalidate || (by_s_maxage && !rules.extends_s_maxage);
        if is_forbidden && age >= end {
            return Some(format!("stale, which is forbidden: {age} of {end}"));
        }
        // RFC 5861, section 4. A request does not change what `s-maxage` means.
        let asked = demands.sie.filter(|_| !by_s_maxage);
        let window = meaning.sie.max(asked);
        if own.failed && window.is_some_and(|window| staleness <= window) {
            return None;
        }
        if demands.refuse(age, end) {
            return Some(format!("demanded otherwise: {age} of {end}"));
        }
        let accepted = demands.max_stale.is_some_and(|most| staleness <= most) && !by_s_maxage;
        // RFC 5861, section 3.
        let refreshed = meaning.swr.is_some_and(|window| staleness < window) && demands.max_age.is_none();
        if accepted || refreshed {
            return None;
        }
        Some(format!("stale: {age} of {end}"))
    }
}

impl Demands {
    /// Section 5.2.1.
    fn accept(&self, age: u64, end: u64) -> bool {
        !self.refuse(age, end)
    }

    fn refuse(&self, age: u64, end: u64) -> bool {
        self.no_cache
            || self.max_age.is_some_and(|most| age > most + self.max_stale.unwrap_or_default())
            || self.min_fresh.is_some_and(|least| end.saturating_sub(age) < least)
    }

    pub(crate) fn is_none(&self) -> bool {
        let Self { no_store, no_cache, only_if_cached, max_age, min_fresh, max_stale, sie } = self;
        !(*no_store || *no_cache || *only_if_cached)
            && [max_age, min_fresh, max_stale, sie].iter().all(|time| time.is_none())
    }
}
