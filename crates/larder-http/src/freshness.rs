//! The age and the lifetime of a response, and whether it may be used (RFC 9111, section 4.2; RFC 5861).

use std::time::{Duration, Instant};

use http::{HeaderMap, header};
use serde::{Deserialize, Serialize};

use crate::{
    cache_control::{Field, RequestDirectives, ResponseDirectives, seconds},
    date::{self, Millis, between},
};

/// The freshness of a stored response, as calculated when it was stored.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub(crate) struct Freshness {
    /// When the response was received, by the clock that all processes share.
    pub(crate) received: Millis,
    /// Its age then: `corrected_initial_age`.
    pub(crate) initial_age: Duration,
    pub(crate) lifetime: Duration,
    pub(crate) source: Source,
    stale_while_revalidate: Duration,
    stale_if_error: Duration,
    rule: ReuseRule,
    /// Its age when it was marked stale, if it was: its lifetime ended then.
    #[serde(skip)]
    marked_at: Option<Duration>,
    /// When it was received by this process, by the clock that is never set.
    #[serde(skip)]
    received_at: Option<Instant>,
}

/// Where the lifetime of a response comes from. The serialized names are part of the format in which responses are
/// shared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub(crate) enum Source {
    /// The handler declared it in the response's headers.
    #[default]
    #[serde(rename = "Response")]
    Origin,
    /// The handler declared it for this cache only: in the field that is its own, or in the response's extensions.
    Own,
    /// It is configured here, or heuristic: the headers do not declare it.
    #[serde(rename = "Ours")]
    Configured,
    /// The same, and the response is declared to be public.
    #[serde(rename = "OursForAll")]
    ConfiguredPublic,
}

/// When a stored response may be used without validation. The serialized names are part of the format in which responses
/// are shared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename = "Rule")]
enum ReuseRule {
    /// While it is fresh; stale in its own windows, and to clients that accept stale responses.
    #[serde(rename = "Lenient")]
    StaleAllowed,
    /// While it is fresh; stale in its own windows only (`s-maxage`, with [`crate::HttpCache::extend_s_maxage`]).
    OwnWindows,
    /// While it is fresh (`s-maxage`, `must-revalidate`, `proxy-revalidate`).
    #[serde(rename = "Fresh")]
    FreshOnly,
    /// Never (`no-cache`).
    #[default]
    Never,
}

/// What to do with a stored response that a request selects.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reuse {
    /// Serve it: it is fresh.
    Fresh,
    /// Serve it although it is stale: the client accepts that.
    Stale,
    /// Serve it although it is stale, and revalidate it in the background.
    StaleWhileRevalidate,
    /// Revalidate it: the client's directives demand that.
    RevalidateOnRequest,
    /// Revalidate it.
    Revalidate,
}

/// When a request was sent to the handler, and when its response was received: by this process' clock, with which dates
/// in headers are compared.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Exchange {
    pub(crate) sent: Millis,
    pub(crate) received: Millis,
    /// When the response was received, by the clock that all processes share.
    pub(crate) shared: Millis,
    /// The same by the clock that is never set; none if the user gave the clock.
    pub(crate) at: Option<Instant>,
}

impl Freshness {
    /// That of a response with these headers and this lifetime.
    pub(crate) fn of(
        headers: &HeaderMap,
        directives: &ResponseDirectives,
        exchange: Exchange,
        (lifetime, source): (Duration, Source),
        extends_s_maxage: bool,
    ) -> Self {
        let rule = if directives.no_cache.is_unqualified() {
            ReuseRule::Never
        } else if directives.forbids_stale() {
            ReuseRule::FreshOnly
        } else if directives.s_maxage.is_some() {
            if extends_s_maxage { ReuseRule::OwnWindows } else { ReuseRule::FreshOnly }
        } else {
            ReuseRule::StaleAllowed
        };
        // Where stale responses are forbidden, the windows do not count.
        let window = |window: Option<Duration>| match rule {
            ReuseRule::StaleAllowed | ReuseRule::OwnWindows => window.unwrap_or_default(),
            ReuseRule::FreshOnly | ReuseRule::Never => Duration::ZERO,
        };
        Self {
            received: exchange.shared,
            initial_age: initial_age(headers, exchange),
            lifetime,
            source,
            stale_while_revalidate: window(directives.stale_while_revalidate),
            stale_if_error: window(directives.stale_if_error),
            rule,
            marked_at: None,
            received_at: exchange.at,
        }
    }

    /// That of a response that was marked stale so long before `now`.
    pub(crate) fn marked(&self, ago: Duration, now: Millis) -> Self {
        Self { marked_at: Some(self.age(now).saturating_sub(ago)), ..self.clone() }
    }

    pub(crate) fn is_marked(&self) -> bool {
        self.marked_at.is_some()
    }

    /// Its age at which it is stale.
    pub(crate) fn end(&self) -> Duration {
        self.marked_at.map_or(self.lifetime, |age| age.min(self.lifetime))
    }

    /// The time at which it is judged, where the shared clock tells `now`: that clock may have been set back since the
    /// response was received.
    pub(crate) fn judged_at(&self, now: Millis) -> Millis {
        let Some(at) = self.received_at else { return now };
        let since = at.elapsed();
        // Cheaper than `as_millis`, which is for more years than there will be.
        let since = since.as_secs().saturating_mul(1000).saturating_add(since.subsec_millis().into());
        now.max(self.received.saturating_add(since))
    }

    /// Section 4.2.3: `current_age`.
    pub(crate) fn age(&self, now: Millis) -> Duration {
        self.initial_age.saturating_add(between(self.received, now))
    }

    /// Whether a request with these directives may have it without validation.
    pub(crate) fn reuse(&self, request: &RequestDirectives, now: Millis) -> Reuse {
        if self.rule == ReuseRule::Never {
            return Reuse::Revalidate;
        }
        let age = self.age(now);
        let end = self.end();
        let is_fresh = age < end;
        let wants_newer = request.no_cache
            || request
                .max_age
                .is_some_and(|most| age > most.saturating_add(request.max_stale.unwrap_or_default()))
            || request.min_fresh.is_some_and(|least| end.saturating_sub(age) < least);
        if is_fresh && !wants_newer {
            return Reuse::Fresh;
        }
        let staleness = age.saturating_sub(end);
        let takes_stale = request.max_stale.is_some_and(|most| staleness <= most);
        match () {
            () if wants_newer => Reuse::RevalidateOnRequest,
            () if takes_stale && self.rule == ReuseRule::StaleAllowed => Reuse::Stale,
            // A client with `max-age` does not accept stale responses (section 5.2.1.1).
            () if request.max_age.is_some() => Reuse::Revalidate,
            () if staleness < self.stale_while_revalidate && self.rule != ReuseRule::FreshOnly => {
                Reuse::StaleWhileRevalidate
            }
            () => Reuse::Revalidate,
        }
    }

    /// Whether it may be served in place of an error.
    pub(crate) fn serves_on_error(&self, request: &RequestDirectives, now: Millis) -> bool {
        let asked = request.stale_if_error.unwrap_or_default();
        let window = match self.rule {
            ReuseRule::StaleAllowed => self.stale_if_error.max(asked),
            ReuseRule::OwnWindows => self.stale_if_error,
            ReuseRule::FreshOnly | ReuseRule::Never => return false,
        };
        let age = self.age(now);
        !window.is_zero() && age <= self.end().saturating_add(window)
    }

    /// For how long from `now` it can be of use: while it is fresh, then in its windows, or for `keep`, which is for
    /// clients that accept stale responses and for validation.
    pub(crate) fn retention(&self, now: Millis, keep: Duration) -> Duration {
        self.lifetime.saturating_add(self.kept_stale(keep)).saturating_sub(self.age(now))
    }

    /// The same once it is stale, or marked stale.
    pub(crate) fn kept_stale(&self, keep: Duration) -> Duration {
        self.stale_while_revalidate.max(self.stale_if_error).max(keep)
    }

    /// Whether it can be served without validation now or later.
    pub(crate) fn is_reusable(&self, now: Millis) -> bool {
        self.rule != ReuseRule::Never
            && (self.age(now) < self.lifetime || !self.stale_while_revalidate.is_zero())
    }

    /// Whether a client that accepts stale responses may get it once it is stale.
    pub(crate) fn is_acceptable_stale(&self) -> bool {
        self.rule == ReuseRule::StaleAllowed && !self.lifetime.is_zero()
    }

    /// Whether it may be served in place of errors at some time.
    pub(crate) fn has_error_window(&self) -> bool {
        !self.stale_if_error.is_zero()
    }
}

/// Section 4.2.3: `corrected_initial_age`.
fn initial_age(headers: &HeaderMap, exchange: Exchange) -> Duration {
    let apparent = match date::header(headers, &header::DATE) {
        // Dates are whole seconds.
        Some(Ok(date)) => between(date, exchange.received / 1000 * 1000),
        _ => Duration::ZERO,
    };
    let delay = between(exchange.sent, exchange.received);
    apparent.max(stated_age(headers).saturating_add(delay))
}

/// `Age`: the first of several; zero if it is not a number (section 5.1).
fn stated_age(headers: &HeaderMap) -> Duration {
    let value = headers.get(header::AGE).and_then(|value| value.to_str().ok());
    let first = value.and_then(|value| value.split(',').next());
    seconds(first.map(str::trim)).unwrap_or_default()
}

/// Section 4.2.1: the lifetime that the response declares for a shared cache.
pub(crate) fn declared_lifetime(
    headers: &HeaderMap,
    directives: &ResponseDirectives,
    received: Millis,
) -> Option<Duration> {
    if let Some(lifetime) = directives.s_maxage.or(directives.max_age) {
        return Some(lifetime);
    }
    if directives.field != Field::CacheControl {
        return None;
    }
    let expires = date::header(headers, &header::EXPIRES)?;
    // An invalid `Expires`, `0` above all, is a time in the past (section 5.3).
    let Ok(expires) = expires else { return Some(Duration::ZERO) };
    let date = match date::header(headers, &header::DATE) {
        Some(Ok(date)) => date,
        _ => received / 1000 * 1000,
    };
    Some(between(date, expires))
}

/// Section 4.2.2: a tenth of the time since the last modification, a day at most.
pub(crate) fn heuristic_lifetime(headers: &HeaderMap, received: Millis) -> Option<Duration> {
    const DAY: Duration = Duration::from_secs(24 * 60 * 60);
    let modified = date::header(headers, &header::LAST_MODIFIED)?.ok()?;
    let date = match date::header(headers, &header::DATE) {
        Some(Ok(date)) => date,
        _ => received,
    };
    let lifetime = (between(modified, date) / 10).min(DAY);
    (!lifetime.is_zero()).then_some(lifetime)
}

#[cfg(test)]
mod tests;
