//! What kinds of headers a request has: whether one can identify a client, and whether one can change what a handler
//! answers. Found in one pass over their names, in place of a lookup for each name that might be there.
//!
//! No list of the headers that identify clients is complete, as any service may have one of its own. So a header
//! *possibly identifies* the client unless it is known not to. This counts only where a handler does not declare how
//! its response may be cached, and nothing else tells whom it is for.

use std::{collections::HashMap, sync::LazyLock};

use foldhash::fast::FixedState;
use http::{HeaderMap, HeaderName, header};

use crate::validation::{CACHE_CONDITIONS, ORIGIN_CONDITIONS, RANGE_HEADERS};

/// Headers, besides `Authorization` and `Cookie`, that identify the client: credentials, and what proxies in front found
/// out.
const IDENTIFYING: [&str; 29] = [
    "api-key",
    "apikey",
    "cf-access-authenticated-user-email",
    "cf-access-jwt-assertion",
    "dpop",
    "private-token",
    "proxy-authorization",
    "remote-user",
    "x-access-token",
    "x-amzn-oidc-data",
    "x-amzn-oidc-identity",
    "x-api-key",
    "x-auth-request-access-token",
    "x-auth-request-email",
    "x-auth-request-user",
    "x-auth-token",
    "x-authenticated-user",
    "x-forwarded-access-token",
    "x-forwarded-client-cert",
    "x-forwarded-email",
    "x-forwarded-preferred-username",
    "x-forwarded-user",
    "x-goog-authenticated-user-email",
    "x-goog-iap-jwt-assertion",
    "x-ms-client-principal",
    "x-remote-user",
    "x-session-id",
    "x-session-token",
    "x-user-id",
];

/// Headers that clients, browsers and proxies send independently of who the client is.
///
/// The forwarding headers below belong to them too. `From`, `Origin` and `X-Csrf-Token` do not: they tell who the client
/// is, or which site sent it.
const NOT_IDENTIFYING: [&str; 74] = [
    "accept",
    "accept-charset",
    "accept-encoding",
    "accept-language",
    "alt-used",
    "b3",
    "cache-control",
    "cdn-loop",
    "cf-connecting-ip",
    "cf-connecting-ipv6",
    "cf-ew-via",
    "cf-ipcountry",
    "cf-ray",
    "cf-visitor",
    "client-ip",
    "connection",
    "content-length",
    "date",
    "device-memory",
    "dnt",
    "downlink",
    "dpr",
    "early-data",
    "ect",
    "expect",
    "fastly-client-ip",
    "forwarded",
    "host",
    "http2-settings",
    "if-match",
    "if-modified-since",
    "if-none-match",
    "if-range",
    "if-unmodified-since",
    "keep-alive",
    "max-forwards",
    "pragma",
    "prefer",
    "priority",
    "proxy-connection",
    "purpose",
    "range",
    "referer",
    "request-id",
    "rtt",
    "save-data",
    "sec-purpose",
    "surrogate-capability",
    "te",
    "traceparent",
    "tracestate",
    "trailer",
    "transfer-encoding",
    "true-client-ip",
    "upgrade",
    "upgrade-insecure-requests",
    "user-agent",
    "via",
    "viewport-width",
    "width",
    "x-amz-cf-id",
    "x-amzn-trace-id",
    "x-client-ip",
    "x-cloud-trace-context",
    "x-cluster-client-ip",
    "x-correlation-id",
    "x-forwarded",
    "x-forwarded-by",
    "x-forwarded-for",
    "x-original-forwarded-for",
    "x-purpose",
    "x-real-ip",
    "x-request-id",
    "x-varnish",
];

/// Families of such headers: client hints, fetch metadata, traces.
const NOT_IDENTIFYING_PREFIXES: [&str; 6] =
    ["sec-ch-", "sec-fetch-", "sec-gpc", "x-b3-", "x-envoy-", "access-control-request-"];

/// Headers, besides `Forwarded`, from which frameworks and handlers make links, redirects and routes, although they are
/// not part of what is asked for. Their values are in the key.
const FORWARDING: [&str; 25] = [
    "front-end-https",
    "x-forwarded-host",
    "x-forwarded-path",
    "x-forwarded-port",
    "x-forwarded-prefix",
    "x-forwarded-proto",
    "x-forwarded-protocol",
    "x-forwarded-scheme",
    "x-forwarded-server",
    "x-forwarded-ssl",
    "x-forwarded-uri",
    "x-forwarded-url",
    "x-host",
    "x-http-host-override",
    "x-http-method",
    "x-http-method-override",
    "x-method-override",
    "x-original-host",
    "x-original-uri",
    "x-original-url",
    "x-rewrite-uri",
    "x-rewrite-url",
    "x-scheme",
    "x-script-name",
    "x-url-scheme",
];

/// A set of kinds of headers.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct HeaderKinds(u16);

impl HeaderKinds {
    pub(crate) const AUTHORIZATION: Self = Self(1);
    pub(crate) const COOKIE: Self = Self(1 << 1);
    /// Other headers that identify the client.
    pub(crate) const IDENTIFYING: Self = Self(1 << 2);
    /// All that are not known not to identify the client, the above among them.
    pub(crate) const POSSIBLY_IDENTIFYING: Self = Self(1 << 3);
    /// Headers, besides `Forwarded`, from which handlers make links, redirects or routes.
    pub(crate) const FORWARDING: Self = Self(1 << 4);
    pub(crate) const FORWARDED: Self = Self(1 << 5);
    pub(crate) const CACHE_CONTROL: Self = Self(1 << 6);
    /// `Range`, and `If-Range`.
    pub(crate) const OF_RANGES: Self = Self(1 << 7);
    /// Conditions that a stored response can answer.
    pub(crate) const CACHE_CONDITION: Self = Self(1 << 8);
    /// Conditions that only the handler can answer.
    pub(crate) const ORIGIN_CONDITION: Self = Self(1 << 9);
    pub(crate) const UPGRADE: Self = Self(1 << 10);
    /// Headers that may announce a body.
    pub(crate) const OF_A_BODY: Self = Self(1 << 11);

    /// The kinds of all these headers.
    pub(crate) fn of(headers: &HeaderMap) -> Self {
        headers.keys().map(Self::of_name).fold(Self::default(), Self::and)
    }

    /// The kinds that a header belongs to.
    pub(crate) fn of_name(name: &HeaderName) -> Self {
        KNOWN.get(name).copied().unwrap_or_else(|| {
            let is_harmless = NOT_IDENTIFYING_PREFIXES.iter().any(|prefix| name.as_str().starts_with(prefix));
            if is_harmless { Self::default() } else { Self::POSSIBLY_IDENTIFYING }
        })
    }

    /// Whether there is a header of one of these kinds.
    pub(crate) const fn has(self, kinds: Self) -> bool {
        self.0 & kinds.0 != 0
    }

    pub(crate) const fn and(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

/// The headers whose names are known.
static KNOWN: LazyLock<HashMap<HeaderName, HeaderKinds, FixedState>> = LazyLock::new(|| {
    let mut known = HashMap::with_hasher(FixedState::default());
    let mut add = |name: HeaderName, kinds: HeaderKinds| {
        let all: &mut HeaderKinds = known.entry(name).or_default();
        *all = all.and(kinds);
    };
    let identifying = HeaderKinds::IDENTIFYING.and(HeaderKinds::POSSIBLY_IDENTIFYING);
    for (names, kinds) in [
        (&NOT_IDENTIFYING[..], HeaderKinds::default()),
        (&IDENTIFYING, identifying),
        (&FORWARDING, HeaderKinds::FORWARDING),
    ] {
        names.iter().for_each(|name| add(HeaderName::from_static(name), kinds));
    }
    for (name, kind) in [
        (header::AUTHORIZATION, HeaderKinds::AUTHORIZATION.and(HeaderKinds::POSSIBLY_IDENTIFYING)),
        (header::COOKIE, HeaderKinds::COOKIE.and(HeaderKinds::POSSIBLY_IDENTIFYING)),
        (header::FORWARDED, HeaderKinds::FORWARDED),
        (header::CACHE_CONTROL, HeaderKinds::CACHE_CONTROL),
        (header::UPGRADE, HeaderKinds::UPGRADE),
        (header::CONTENT_LENGTH, HeaderKinds::OF_A_BODY),
        (header::TRANSFER_ENCODING, HeaderKinds::OF_A_BODY),
    ] {
        add(name, kind);
    }
    RANGE_HEADERS.iter().for_each(|name| add(name.clone(), HeaderKinds::OF_RANGES));
    CACHE_CONDITIONS.iter().for_each(|name| add(name.clone(), HeaderKinds::CACHE_CONDITION));
    ORIGIN_CONDITIONS.iter().for_each(|name| add(name.clone(), HeaderKinds::ORIGIN_CONDITION));
    known
});

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    /// Each name is in one list only.
    #[test]
    fn no_name_is_listed_twice() {
        let all = [&IDENTIFYING[..], &NOT_IDENTIFYING, &FORWARDING].concat();
        let distinct: std::collections::HashSet<_> = all.iter().collect();
        assert_eq!(distinct.len(), all.len());
    }

    fn of(names: &[&'static str]) -> HeaderKinds {
        let headers = names.iter().map(|name| (HeaderName::from_static(name), HeaderValue::from_static("1")));
        HeaderKinds::of(&headers.collect())
    }

    #[test]
    fn an_unknown_header_possibly_identifies_the_client() {
        let harmless =
            ["accept", "sec-ch-ua", "x-b3-traceid", "user-agent", "x-forwarded-for", "x-request-id"];
        assert_eq!(of(&harmless), HeaderKinds::default());
        for name in
            ["x-user", "token", "x-session", "x-tenant", "from", "cookie", "authorization", "x-api-key"]
        {
            assert!(of(&[name]).has(HeaderKinds::POSSIBLY_IDENTIFYING), "{name}");
        }
    }

    #[test]
    fn a_set_has_the_kinds_of_all_headers() {
        let kinds = of(&["accept", "range", "authorization"]);
        for kind in [HeaderKinds::OF_RANGES, HeaderKinds::AUTHORIZATION, HeaderKinds::POSSIBLY_IDENTIFYING] {
            assert!(kinds.has(kind));
        }
        for kind in [HeaderKinds::COOKIE, HeaderKinds::IDENTIFYING, HeaderKinds::FORWARDING] {
            assert!(!kinds.has(kind));
        }
        for (name, kind) in [
            ("x-api-key", HeaderKinds::IDENTIFYING),
            ("x-forwarded-host", HeaderKinds::FORWARDING),
            ("forwarded", HeaderKinds::FORWARDED),
            ("if-none-match", HeaderKinds::CACHE_CONDITION),
            ("if-match", HeaderKinds::ORIGIN_CONDITION),
            ("if-range", HeaderKinds::OF_RANGES),
            ("cache-control", HeaderKinds::CACHE_CONTROL),
            ("content-length", HeaderKinds::OF_A_BODY),
            ("transfer-encoding", HeaderKinds::OF_A_BODY),
            ("upgrade", HeaderKinds::UPGRADE),
            ("cookie", HeaderKinds::COOKIE),
        ] {
            assert!(of(&[name]).has(kind), "{name}");
        }
    }
}
