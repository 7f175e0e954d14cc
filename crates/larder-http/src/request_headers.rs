//! What the names of request headers tell: whether a header can identify a client, and whether it can change what a
//! handler answers.
//!
//! No list of the headers that identify clients is complete, as any service may have one of its own. So a header
//! *possibly identifies* the client unless it is known not to. This counts only where a handler does not declare how
//! its response may be cached, and nothing else tells whom it is for.

use http::{HeaderMap, HeaderName, header};

use crate::list_syntax::{Backslash, split};

/// Headers, besides `Authorization` and `Cookie`, that identify the client: credentials, and what proxies in front found
/// out. Sorted.
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

/// Headers that clients, browsers and proxies send independently of who the client is. Sorted.
///
/// The forwarding headers below belong to them too. `From`, `Origin` and `X-Csrf-Token` do not: they tell who the client
/// is, or which site sent it.
const NOT_IDENTIFYING: [&str; 73] = [
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
/// not part of what is asked for. Their values are in the key. Sorted.
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

/// Those of them that tell the scheme by which a client came.
const TELLING_THE_SCHEME: [&str; 8] = [
    "front-end-https",
    "x-forwarded-port",
    "x-forwarded-proto",
    "x-forwarded-protocol",
    "x-forwarded-scheme",
    "x-forwarded-ssl",
    "x-scheme",
    "x-url-scheme",
];

/// Whether the request has one of the headers, besides `Authorization` and `Cookie`, that identify the client.
pub(crate) fn identify_client(headers: &HeaderMap) -> bool {
    headers.keys().any(|name| IDENTIFYING.binary_search(&name.as_str()).is_ok())
}

/// The headers that possibly identify the client, `Authorization` and `Cookie` among them, without those for which
/// `is_ignored` holds.
pub(crate) fn possibly_identifying(
    headers: &HeaderMap,
    is_ignored: impl Fn(&HeaderName) -> bool,
) -> Vec<HeaderName> {
    headers.keys().filter(|name| !is_not_identifying(name.as_str()) && !is_ignored(name)).cloned().collect()
}

fn is_not_identifying(name: &str) -> bool {
    NOT_IDENTIFYING.binary_search(&name).is_ok()
        || is_forwarding(name)
        || NOT_IDENTIFYING_PREFIXES.iter().any(|prefix| name.starts_with(prefix))
}

/// Whether handlers may make links, redirects or routes from this header, which is not `Forwarded`.
pub(crate) fn is_forwarding(name: &str) -> bool {
    FORWARDING.binary_search(&name).is_ok()
}

/// Whether a forwarding header tells the scheme by which the client came.
pub(crate) fn tells_scheme(name: &str) -> bool {
    TELLING_THE_SCHEME.contains(&name)
}

/// Whether handlers may make links, redirects or routes from this header of a request.
pub(crate) fn changes_links(name: &HeaderName, headers: &HeaderMap) -> bool {
    is_forwarding(name.as_str()) || (*name == header::FORWARDED && forwarded_pairs(headers).next().is_some())
}

/// Host and protocol in `Forwarded` (RFC 7239). It also names the client: with that in the key, each client would have
/// responses of its own.
pub(crate) fn forwarded_pairs(headers: &HeaderMap) -> impl Iterator<Item = &[u8]> {
    let lines = headers.get_all(header::FORWARDED).iter();
    let pairs = lines.flat_map(|line| split(line.as_bytes(), b",;", Backslash::Escapes));
    pairs.filter(|pair| is_named(pair, b"host") || is_named(pair, b"proto"))
}

/// Whether a pair of `Forwarded` tells the scheme by which the client came.
pub(crate) fn is_proto(pair: &[u8]) -> bool {
    is_named(pair, b"proto")
}

fn is_named(pair: &[u8], name: &[u8]) -> bool {
    pair.split(|&byte| byte == b'=').next().unwrap_or_default().trim_ascii().eq_ignore_ascii_case(name)
}

/// Whether a proxy in front tells the scheme by which the client came.
pub(crate) fn proxy_tells_scheme(headers: &HeaderMap) -> bool {
    headers.contains_key("x-forwarded-proto") || forwarded_pairs(headers).any(is_proto)
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    #[test]
    fn names_are_in_order() {
        for names in [&IDENTIFYING[..], &NOT_IDENTIFYING, &FORWARDING] {
            assert!(names.is_sorted());
        }
    }

    /// Each name is in one list only, but for those of the scheme, which are forwarding headers.
    #[test]
    fn no_name_is_listed_twice() {
        let all = [&IDENTIFYING[..], &NOT_IDENTIFYING, &FORWARDING].concat();
        let distinct: std::collections::HashSet<_> = all.iter().collect();
        assert_eq!(distinct.len(), all.len());
        assert!(TELLING_THE_SCHEME.iter().all(|name| is_forwarding(name)));
    }

    #[test]
    fn an_unknown_header_possibly_identifies_the_client() {
        let mut headers = HeaderMap::new();
        for name in ["accept", "sec-ch-ua", "x-b3-traceid", "user-agent", "x-forwarded-for", "x-request-id"] {
            headers.insert(HeaderName::from_static(name), HeaderValue::from_static("1"));
        }
        assert!(possibly_identifying(&headers, |_| false).is_empty());
        for name in
            ["x-user", "token", "x-session", "x-tenant", "from", "cookie", "authorization", "x-api-key"]
        {
            headers.insert(HeaderName::from_static(name), HeaderValue::from_static("1"));
        }
        assert_eq!(possibly_identifying(&headers, |name| name == "token").len(), 7);
    }
}
