//! How old a response is, for how long it is fresh, and what may be done with it (RFC 9111, section 4.2; RFC
//! 5861).

use std::time::Duration;

use http::{HeaderMap, header};
use serde::{Deserialize, Serialize};

use crate::{
    date::{self, Millis, between},
    directives::{RequestDirectives, ResponseDirectives, seconds},
};

/// All about a stored response's freshness, worked out when it was stored.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub(crate) struct Freshness {
    /// When the response came, on the clock that ages are counted by.
    pub(crate) received: Millis,
    /// How old it was then: `corrected_initial_age`.
    pub(crate) initial_age: Duration,
    pub(crate) lifetime: Duration,
    pub(crate) source: Source,
    stale_while_revalidate: Duration,
    stale_if_error: Duration,
    rule: Rule,
}

/// Who said for how long a response is fresh.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub(crate) enum Source {
    /// The response's headers.
    #[default]
    Response,
    /// The user of the cache, because the headers say nothing; or a guess.
    Ours,
    /// The same, of a response that is said to be for everybody.
    OursForAll,
}

/// Whether a stored response may be used without asking.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
enum Rule {
    /// While it is fresh; and while it is stale, if a client takes that.
    Lenient,
    /// While it is fresh; and in the windows that the response itself gives (`s-maxage`, where the user wants that).
    OwnWindows,
    /// While it is fresh (`s-maxage`, `must-revalidate`, `proxy-revalidate`).
    Fresh,
    /// Never (`no-cache`).
    #[default]
    Never,
}

/// What to do with a stored response that answers a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Use {
    /// Use it.
    Fresh,
    /// Use it although it is stale: the client takes that.
    Stale,
    /// Use it although it is stale, and ask for a newer one behind the client's back.
    StaleWhileRevalidate,
    /// Ask. The client did not want to: it would have been fresh.
    Forced,
    /// Ask.
    Validate,
}

/// When a request was sent on, and when its response came: by this process' clock, which headers with dates are
/// compared with.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Exchange {
    pub(crate) sent: Millis,
    pub(crate) received: Millis,
    /// When the response came, on the clock that all processes count its age by.
    pub(crate) shared: Millis,
}

impl Freshness {
    /// That of a response with these headers, which is fresh for `lifetime`.
    pub(crate) fn of(
        headers: &HeaderMap,
        directives: &ResponseDirectives,
        exchange: Exchange,
        (lifetime, source): (Duration, Source),
        extends_s_maxage: bool,
    ) -> Self {
        let rule = if directives.no_cache.is_all() {
            Rule::Never
        } else if directives.forbids_stale() {
            Rule::Fresh
        } else if directives.s_maxage.is_some() {
            if extends_s_maxage { Rule::OwnWindows } else { Rule::Fresh }
        } else {
            Rule::Lenient
        };
        // Where stale responses are forbidden there are no windows.
        let window = |window: Option<Duration>| match rule {
            Rule::Lenient | Rule::OwnWindows => window.unwrap_or_default(),
            Rule::Fresh | Rule::Never => Duration::ZERO,
        };
        Self {
            received: exchange.shared,
            initial_age: initial_age(headers, exchange),
            lifetime,
            source,
            stale_while_revalidate: window(directives.stale_while_revalidate),
            stale_if_error: window(directives.stale_if_error),
            rule,
        }
    }

    /// Section 4.2.3: `current_age`.
    pub(crate) fn age(&self, now: Millis) -> Duration {
        self.initial_age.saturating_add(between(self.received, now))
    }

    /// What to do with it for this request.
    pub(crate) fn decide(&self, request: &RequestDirectives, now: Millis) -> Use {
        let age = self.age(now);
        let staleness = age.saturating_sub(self.lifetime);
        if self.rule == Rule::Never {
            return Use::Validate;
        }
        let is_fresh = age < self.lifetime;
        let left = self.lifetime.saturating_sub(age);
        let takes_stale = request.max_stale.is_some_and(|most| staleness <= most);
        let wants_newer = request.no_cache
            || request.max_age.is_some_and(|most| age > most && request.max_stale.is_none())
            || request.min_fresh.is_some_and(|least| left < least);
        match () {
            () if is_fresh && !wants_newer => Use::Fresh,
            () if wants_newer => Use::Forced,
            () if takes_stale && self.rule == Rule::Lenient => Use::Stale,
            // Who names an age takes nothing stale (section 5.2.1.1).
            () if request.max_age.is_some() => Use::Validate,
            () if staleness < self.stale_while_revalidate && self.rule != Rule::Fresh => {
                Use::StaleWhileRevalidate
            }
            () => Use::Validate,
        }
    }

    /// Whether it may be used in place of an error.
    pub(crate) fn serves_on_error(&self, request: &RequestDirectives, now: Millis) -> bool {
        let asked = request.stale_if_error.unwrap_or_default();
        let window = match self.rule {
            Rule::Lenient => self.stale_if_error.max(asked),
            Rule::OwnWindows => self.stale_if_error,
            Rule::Fresh | Rule::Never => return false,
        };
        let age = self.age(now);
        !window.is_zero() && age <= self.lifetime.saturating_add(window)
    }

    /// For how long from `now` it can be of any use: while fresh, in its windows, and `keep` longer for those
    /// who take stale responses, or to be validated.
    pub(crate) fn retention(&self, now: Millis, keep: Duration) -> Duration {
        let windows = self.stale_while_revalidate.max(self.stale_if_error).max(keep);
        self.lifetime.saturating_add(windows).saturating_sub(self.age(now))
    }

    /// Whether it can be used without asking at all.
    pub(crate) fn is_usable_unasked(&self, now: Millis) -> bool {
        self.rule != Rule::Never && (self.age(now) < self.lifetime || !self.stale_while_revalidate.is_zero())
    }

    /// Whether a client may take it once it is stale.
    pub(crate) fn is_within_reach_of_clients(&self) -> bool {
        self.rule == Rule::Lenient && !self.lifetime.is_zero()
    }

    /// Whether there is an error that it could be used in place of.
    pub(crate) fn has_error_window(&self) -> bool {
        !self.stale_if_error.is_zero()
    }
}

/// Section 4.2.3: `corrected_initial_age`.
fn initial_age(headers: &HeaderMap, exchange: Exchange) -> Duration {
    let apparent = match date::field(headers, &header::DATE) {
        // Dates are whole seconds.
        Some(Ok(date)) => between(date, exchange.received / 1000 * 1000),
        _ => Duration::ZERO,
    };
    let delay = between(exchange.sent, exchange.received);
    apparent.max(stated_age(headers).saturating_add(delay))
}

/// `Age`: the first one given; what is no number is nothing (section 5.1).
fn stated_age(headers: &HeaderMap) -> Duration {
    let value = headers.get(header::AGE).and_then(|value| value.to_str().ok());
    let first = value.and_then(|value| value.split(',').next());
    seconds(first.map(str::trim)).unwrap_or_default()
}

/// Section 4.2.1: for how long the response says it is fresh in a shared cache.
pub(crate) fn stated_lifetime(
    headers: &HeaderMap,
    directives: &ResponseDirectives,
    received: Millis,
) -> Option<Duration> {
    if let Some(lifetime) = directives.s_maxage.or(directives.max_age) {
        return Some(lifetime);
    }
    let expires = date::field(headers, &header::EXPIRES)?;
    // An invalid `Expires`, `0` above all, is a time in the past (section 5.3).
    let Ok(expires) = expires else { return Some(Duration::ZERO) };
    let date = match date::field(headers, &header::DATE) {
        Some(Ok(date)) => date,
        _ => received / 1000 * 1000,
    };
    Some(between(date, expires))
}

/// Section 4.2.2: a tenth of the time since the last change, a day at most.
pub(crate) fn guessed_lifetime(headers: &HeaderMap, received: Millis) -> Option<Duration> {
    const DAY: Duration = Duration::from_secs(24 * 60 * 60);
    let modified = date::field(headers, &header::LAST_MODIFIED)?.ok()?;
    let date = match date::field(headers, &header::DATE) {
        Some(Ok(date)) => date,
        _ => received,
    };
    let lifetime = (between(modified, date) / 10).min(DAY);
    (!lifetime.is_zero()).then_some(lifetime)
}

#[cfg(test)]
mod tests;
