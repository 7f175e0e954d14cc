//! Whether a response may be stored, and with which lifetime (RFC 9111, section 3).

use std::time::Duration;

use http::{HeaderMap, HeaderName, StatusCode, header};

use crate::{
    cache_control::{Field, Qualified, ResponseDirectives},
    cacheable_request::CacheableRequest,
    caching::Caching,
    config::Config,
    freshness::{Exchange, Freshness, Source, declared_lifetime, heuristic_lifetime},
    headers::{self, MAX_HEADERS},
    status_code, targeted,
    validation::Conditions,
    vary::Vary,
};

/// Why a response is not stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// Its `Vary` is `*`, or invalid.
    Vary,
    Status,
    NoStore,
    Private,
    MustUnderstand,
    Stream,
    /// It has too many headers.
    TooLarge,
    SetCookie,
    /// The request has `Authorization`.
    Authorization,
    /// The request has `Cookie`.
    Cookie,
    /// It has no lifetime, neither declared nor configured.
    Silent,
    /// Its handler declares nothing about caching, and the request may identify its client.
    Personal,
    /// It is not declared to be the same for everyone, and the request does not tell for whom it is made.
    Identity,
    /// It is stale, and can be neither served stale nor validated.
    Stale,
}

impl Refusal {
    /// Its `detail` in `Cache-Status`.
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
            Self::Identity => "identity",
            Self::Stale => "stale",
        }
    }

    /// Whether it is a property of the resource, and not only of this request.
    pub(crate) fn is_of_the_resource(self) -> bool {
        !matches!(self, Self::SetCookie | Self::Authorization | Self::Cookie | Self::Personal)
    }
}

/// How a response is stored.
#[derive(Debug)]
pub(crate) struct StorageTerms {
    pub(crate) directives: ResponseDirectives,
    pub(crate) freshness: Freshness,
    pub(crate) vary: Vary,
}

/// The directives of a response that count for this cache.
pub(crate) fn directives(config: &Config, headers: &HeaderMap) -> ResponseDirectives {
    let directives = targeted::directives(headers, &config.targeted);
    if config.is_private { directives.in_private_cache() } else { directives }
}

/// How a response to `request` is stored, or why it is not.
pub(crate) fn storage_terms(
    config: &Config,
    request: &CacheableRequest,
    (status, headers, caching): (StatusCode, &HeaderMap, &Caching),
    exchange: Exchange,
) -> Result<StorageTerms, Refusal> {
    let directives = directives(config, headers);
    let vary = Vary::of(headers, &request.headers, &request.selecting).ok_or(Refusal::Vary)?;
    may_be_stored(status, &directives, caching)?;
    if is_stream(headers) {
        return Err(Refusal::Stream);
    }
    if headers.len() > MAX_HEADERS {
        return Err(Refusal::TooLarge);
    }
    if headers::sets_cookie(headers) && !config.stores_set_cookie {
        return Err(Refusal::SetCookie);
    }
    may_be_shared(config, request, &directives, &vary)?;
    if request.is_unidentified && !is_for_everyone(config, request, (headers, caching), &vary) {
        return Err(Refusal::Identity);
    }

    let lifetime = lifetime(config, request, (status, headers, caching), (&directives, &vary), exchange)?;
    let freshness = Freshness::of(headers, &directives, exchange, lifetime, config.extends_s_maxage);
    let is_useful = freshness.is_reusable(exchange.shared)
        || freshness.has_error_window()
        || !Conditions::of(headers, false).is_empty()
        || freshness.is_acceptable_stale();
    if !is_useful {
        return Err(Refusal::Stale);
    }
    Ok(StorageTerms { directives, freshness, vary })
}

/// Whether a response with a lifetime for this cache only declares one to others too, or forbids them to store it.
pub(crate) fn is_declared_to_all(headers: &HeaderMap) -> bool {
    let directives = ResponseDirectives::of(headers);
    directives.is_lifeless() || declared_lifetime(headers, &directives, 0).is_some()
}

/// Whether the status, the handler and the response's directives allow to store it.
fn may_be_stored(
    status: StatusCode,
    directives: &ResponseDirectives,
    caching: &Caching,
) -> Result<(), Refusal> {
    if !status_code::is_complete(status) {
        return Err(Refusal::Status);
    }
    if caching.no_store {
        return Err(Refusal::NoStore);
    }
    // Section 5.2.2.3: a cache that understands the status may ignore `no-store`.
    if directives.must_understand && !status_code::is_understood(status) {
        return Err(Refusal::MustUnderstand);
    }
    if directives.no_store && !directives.permits.must_understand {
        return Err(Refusal::NoStore);
    }
    if directives.private.is_unqualified() { Err(Refusal::Private) } else { Ok(()) }
}

/// Whether a response to a request with `Authorization` or `Cookie` may be shared.
fn may_be_shared(
    config: &Config,
    request: &CacheableRequest,
    directives: &ResponseDirectives,
    vary: &Vary,
) -> Result<(), Refusal> {
    let permits = directives.permits;
    let is_shared = permits.public || permits.s_maxage;
    // Section 3.5.
    if request.has_authorization && !is_shared && !permits.must_revalidate {
        return Err(Refusal::Authorization);
    }
    let by_cookie =
        (vary.names(&header::COOKIE) && config.selecting.is_exact(&header::COOKIE)) || config.ignores_cookie;
    if request.has_cookie && !is_shared && !by_cookie {
        return Err(Refusal::Cookie);
    }
    Ok(())
}

/// Whether a response is declared to be the same for all identities, with every header that selects it in the request. The
/// client may have sent it with others, its credentials among them.
fn is_for_everyone(
    config: &Config,
    request: &CacheableRequest,
    (headers, caching): (&HeaderMap, &Caching),
    vary: &Vary,
) -> bool {
    // With `private`, which is left out of the directives that count.
    let declared = ResponseDirectives::of(headers);
    let is_public = declared.permits.public || caching.public || config.is_public(&request.path);
    // A coding that the client asked for itself, and undid, makes no difference.
    let is_undone = |name: &HeaderName| {
        *name == header::ACCEPT_ENCODING && !headers.contains_key(header::CONTENT_ENCODING)
    };
    let is_known = |name: &HeaderName| request.headers.contains_key(name) || is_undone(name);
    is_public && declared.private == Qualified::Absent && vary.names_all(is_known)
}

/// The lifetime, and where it comes from.
fn lifetime(
    config: &Config,
    request: &CacheableRequest,
    (status, headers, caching): (StatusCode, &HeaderMap, &Caching),
    (directives, vary): (&ResponseDirectives, &Vary),
    exchange: Exchange,
) -> Result<(Duration, Source), Refusal> {
    if let Some(lifetime) = declared_lifetime(headers, directives, exchange.received) {
        if let Some(ttl) = caching.ttl.filter(|_| caching.overrides_headers) {
            return Ok((ttl, Source::Own));
        }
        let is_own = directives.field == Field::Own;
        return Ok((lifetime, if is_own { Source::Own } else { Source::Origin }));
    }
    if directives.no_cache.is_unqualified() {
        return Ok((Duration::ZERO, Source::Origin));
    }
    let is_public = directives.permits.public || caching.public || config.is_public(&request.path);
    let source = if is_public { Source::ConfiguredPublic } else { Source::Configured };
    if request.is_personal(source, vary) {
        return Err(Refusal::Personal);
    }
    if !status_code::is_heuristically_cacheable(status) && !directives.permits.public {
        return Err(Refusal::Silent);
    }
    let configured = caching.ttl.or_else(|| config.ttl_of(&request.path));
    let heuristic = || heuristic_lifetime(headers, exchange.received).filter(|_| config.heuristic);
    match configured.or_else(heuristic) {
        Some(lifetime) if lifetime.is_zero() => Err(Refusal::Silent),
        // Behind a private cache there is no other one that would have to know where the lifetime comes from.
        Some(lifetime) if config.is_private => Ok((lifetime, Source::Origin)),
        Some(lifetime) => Ok((lifetime, source)),
        None => Err(Refusal::Silent),
    }
}

/// Whether it is an event stream, which goes on for as long as the client listens.
fn is_stream(headers: &HeaderMap) -> bool {
    let stream = |value: &http::HeaderValue| {
        value.as_bytes().to_ascii_lowercase().trim_ascii().starts_with(b"text/event-stream")
    };
    headers.get(header::CONTENT_TYPE).is_some_and(stream)
}
