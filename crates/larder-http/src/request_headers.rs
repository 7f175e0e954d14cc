//! Which headers of a request say nothing about who asks.
//!
//! A list of those that do cannot be complete: any service may have one of its own. So it is the other way round:
//! a header that is not known to be harmless may say who asks. That counts where a handler says nothing about
//! caching, and nothing else tells for whom its responses are.

use http::{HeaderMap, HeaderName};

/// Headers that clients, browsers and proxies send whoever asks. In order.
///
/// `Range` and conditions are dealt with elsewhere, and so are `Authorization`, `Cookie` and what steers handlers
/// (it is in the key). `From`, `Origin` and `X-Csrf-Token` are not here: they say who asks, or from where.
const HARMLESS: [&str; 98] = [
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
    "front-end-https",
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
    "x-original-forwarded-for",
    "x-original-host",
    "x-original-uri",
    "x-original-url",
    "x-purpose",
    "x-real-ip",
    "x-request-id",
    "x-rewrite-uri",
    "x-rewrite-url",
    "x-scheme",
    "x-script-name",
    "x-url-scheme",
    "x-varnish",
];

/// Families of such headers: client hints, fetch metadata, traces.
const HARMLESS_PREFIXES: [&str; 6] =
    ["sec-ch-", "sec-fetch-", "sec-gpc", "x-b3-", "x-envoy-", "access-control-request-"];

/// The headers of a request that may say who asks, `Authorization` and `Cookie` among them, but for those that
/// `is_known`.
pub(crate) fn unknown(headers: &HeaderMap, is_known: impl Fn(&HeaderName) -> bool) -> Vec<HeaderName> {
    headers.keys().filter(|name| !is_harmless(name.as_str()) && !is_known(name)).cloned().collect()
}

fn is_harmless(name: &str) -> bool {
    HARMLESS.binary_search(&name).is_ok() || HARMLESS_PREFIXES.iter().any(|prefix| name.starts_with(prefix))
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    #[test]
    fn names_are_in_order() {
        assert!(HARMLESS.is_sorted());
    }

    #[test]
    fn what_is_not_known_may_say_who_asks() {
        let mut headers = HeaderMap::new();
        for name in ["accept", "sec-ch-ua", "x-b3-traceid", "user-agent", "x-forwarded-for", "x-request-id"] {
            headers.insert(HeaderName::from_static(name), HeaderValue::from_static("1"));
        }
        assert!(unknown(&headers, |_| false).is_empty());
        for name in
            ["x-user", "token", "x-session", "x-tenant", "from", "cookie", "authorization", "x-api-key"]
        {
            headers.insert(HeaderName::from_static(name), HeaderValue::from_static("1"));
        }
        assert_eq!(unknown(&headers, |name| name == "token").len(), 7);
    }
}
