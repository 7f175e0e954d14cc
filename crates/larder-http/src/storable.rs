//! Whether a response may be stored, and for how long it is fresh (RFC 9111, section 3).

use std::time::Duration;

use http::{HeaderMap, StatusCode, header};

use crate::{
    caching::Caching,
    conditional,
    config::Config,
    directives::ResponseDirectives,
    engine::Wish,
    fields,
    freshness::{Exchange, Freshness, Source, guessed_lifetime, stated_lifetime},
    page::MOST_HEADERS,
    vary::Vary,
};

/// Statuses that may be stored although nobody said for how long they are fresh (RFC 9110, section 15.1).
const CACHEABLE_BY_THEMSELVES: [u16; 11] = [200, 203, 204, 300, 301, 308, 404, 405, 410, 414, 501];

/// Statuses whose rules are kept here: all that the RFC gives a rule for caches.
const UNDERSTOOD: [u16; 27] = [
    200, 203, 204, 300, 301, 302, 303, 307, 308, 400, 401, 402, 403, 404, 405, 406, 409, 410, 411, 414, 415,
    421, 500, 501, 502, 503, 504,
];

/// Why a response is not stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// Its `Vary` matches nothing.
    Vary,
    Status,
    NoStore,
    Private,
    MustUnderstand,
    Stream,
    /// It has too many headers.
    TooLarge,
    SetCookie,
    /// It was asked for with `Authorization`.
    Authorization,
    /// It was asked for with `Cookie`.
    Cookie,
    /// Nobody says for how long it is fresh.
    Silent,
    /// Nobody says for how long it is fresh or whose it is, and the request may say who asks.
    Personal,
    /// Nobody could use it.
    Stale,
}

impl Refusal {
    /// For people, in `Cache-Status`.
    pub(crate) fn detail(self) -> &'static str {
        match self {
            Self::Vary => "vary",
            Self::Status => "status",
            Self::NoStore => "no-store",
            Self::Private => "private",
            Self::MustUnderstand => "must-understand",
            Self::Stream => "stream",
            Self::TooLarge => "too-large",
            Self::SetCookie => "set-cookie",
            Self::Authorization => "authorization",
            Self::Cookie => "cookie",
            Self::Silent => "silent",
            Self::Personal => "personal",
            Self::Stale => "stale",
        }
    }

    /// Whether it says something about the resource, and not only about who asked.
    pub(crate) fn is_for_all(self) -> bool {
        !matches!(self, Self::SetCookie | Self::Authorization | Self::Cookie | Self::Personal)
    }
}

/// On what terms a response is stored.
#[derive(Debug)]
pub(crate) struct Terms {
    pub(crate) directives: ResponseDirectives,
    pub(crate) freshness: Freshness,
    pub(crate) vary: Vary,
}

/// The terms on which a response to `wish` is stored.
pub(crate) fn terms(
    config: &Config,
    wish: &Wish,
    (status, headers, caching): (StatusCode, &HeaderMap, &Caching),
    exchange: Exchange,
) -> Result<Terms, Refusal> {
    let directives = ResponseDirectives::of(headers);
    let vary = Vary::of(headers, &wish.headers).ok_or(Refusal::Vary)?;
    may_be_stored(status, &directives, caching)?;
    if is_stream(headers) {
        return Err(Refusal::Stream);
    }
    if headers.len() > MOST_HEADERS {
        return Err(Refusal::TooLarge);
    }
    if fields::sets_cookie(headers) && !config.cookies.stores_set_cookie {
        return Err(Refusal::SetCookie);
    }
    may_be_shared(config, wish, &directives, &vary)?;

    let lifetime = lifetime(config, wish, (status, headers, caching), (&directives, &vary), exchange)?;
    let freshness = Freshness::of(headers, &directives, exchange, lifetime, config.extends_s_maxage);
    let is_useful = freshness.is_usable_unasked(exchange.shared)
        || freshness.has_error_window()
        || !conditional::Conditions::of(headers, false).is_empty()
        || freshness.is_within_reach_of_clients();
    if !is_useful {
        return Err(Refusal::Stale);
    }
    Ok(Terms { directives, freshness, vary })
}

/// Whether a response with this status may be stored: not one that is no complete answer by itself.
pub(crate) fn can_be_stored(status: StatusCode) -> bool {
    !status.is_informational() && !matches!(status.as_u16(), 206 | 304)
}

/// Whether the handler allows to store it at all.
fn may_be_stored(
    status: StatusCode,
    directives: &ResponseDirectives,
    caching: &Caching,
) -> Result<(), Refusal> {
    if !can_be_stored(status) {
        return Err(Refusal::Status);
    }
    if caching.no_store {
        return Err(Refusal::NoStore);
    }
    let understood = UNDERSTOOD.contains(&status.as_u16());
    // Section 5.2.2.3: who understands the status need not heed `no-store`.
    match (directives.permits.must_understand, understood) {
        (true, false) => return Err(Refusal::MustUnderstand),
        (true, true) => {}
        (false, _) if directives.no_store => return Err(Refusal::NoStore),
        (false, _) => {}
    }
    if directives.private.is_all() { Err(Refusal::Private) } else { Ok(()) }
}

/// Whether a response to somebody with credentials is for everybody.
fn may_be_shared(
    config: &Config,
    wish: &Wish,
    directives: &ResponseDirectives,
    vary: &Vary,
) -> Result<(), Refusal> {
    let permits = directives.permits;
    let for_all = permits.public || permits.s_maxage;
    // Section 3.5.
    if wish.has_authorization && !for_all && !permits.must_revalidate {
        return Err(Refusal::Authorization);
    }
    let by_cookie = vary.names(&header::COOKIE) || config.cookies.ignores_cookie;
    if wish.has_cookie && !for_all && !by_cookie {
        return Err(Refusal::Cookie);
    }
    Ok(())
}

/// For how long it is fresh, and who says so.
fn lifetime(
    config: &Config,
    wish: &Wish,
    (status, headers, caching): (StatusCode, &HeaderMap, &Caching),
    (directives, vary): (&ResponseDirectives, &Vary),
    exchange: Exchange,
) -> Result<(Duration, Source), Refusal> {
    if let Some(lifetime) = stated_lifetime(headers, directives, exchange.received) {
        return Ok((lifetime, Source::Response));
    }
    if directives.no_cache.is_all() {
        return Ok((Duration::ZERO, Source::Response));
    }
    let is_public = directives.permits.public || caching.public || config.is_public(wish.path());
    let source = if is_public { Source::OursForAll } else { Source::Ours };
    if wish.is_personal(source, vary) {
        return Err(Refusal::Personal);
    }
    if !CACHEABLE_BY_THEMSELVES.contains(&status.as_u16()) && !directives.permits.public {
        return Err(Refusal::Silent);
    }
    let ours = caching.ttl.or_else(|| config.ttl_of(wish.path()));
    let guessed = || guessed_lifetime(headers, exchange.received).filter(|_| config.heuristic);
    match ours.or_else(guessed) {
        Some(lifetime) if !lifetime.is_zero() => Ok((lifetime, source)),
        _ => Err(Refusal::Silent),
    }
}

/// Whether it goes on for as long as the client listens.
fn is_stream(headers: &HeaderMap) -> bool {
    let stream = |value: &http::HeaderValue| {
        value.as_bytes().to_ascii_lowercase().trim_ascii().starts_with(b"text/event-stream")
    };
    headers.get(header::CONTENT_TYPE).is_some_and(stream)
}
