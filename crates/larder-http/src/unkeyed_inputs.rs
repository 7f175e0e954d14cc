//! What is in a key besides the URL: all that a handler may make its answer from before it says so by `Vary`.

use http::{HeaderMap, HeaderName, Uri, header, request::Parts, uri::PathAndQuery};

use crate::{
    key::{Hash, canonical_host, named_host},
    lists::{Backslash, split},
};

/// Headers that are not a part of what is asked for, and that frameworks and handlers build links, redirects
/// and routes from: a response is only given to those who sent the same. In order.
const STEERING: [&str; 25] = [
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

/// Those of them, and the parts of `Forwarded`, that tell the scheme by which a client came.
const OF_THE_SCHEME: [&str; 8] = [
    "front-end-https",
    "x-forwarded-port",
    "x-forwarded-proto",
    "x-forwarded-protocol",
    "x-forwarded-scheme",
    "x-forwarded-ssl",
    "x-scheme",
    "x-url-scheme",
];

/// Whether handlers may be steered by this header of a request.
pub(crate) fn steers(name: &HeaderName, headers: &HeaderMap) -> bool {
    let forwarded = || *name == header::FORWARDED && steering_pairs(headers).next().is_some();
    STEERING.binary_search(&name.as_str()).is_ok() || forwarded()
}

/// A digest of what tells requests for one URL apart: the user's `own` additions, and what steers handlers.
///
/// `routed` is what a router or a middleware made of the request's URI. With `any_scheme`, URLs with `http` and `https`
/// are the same.
pub(crate) fn digest(
    request: &Parts,
    routed: &Uri,
    (own, key_headers): (&[String], &[HeaderName]),
    any_scheme: bool,
) -> Hash {
    let mut parts: Vec<Vec<u8>> = own.iter().map(|addition| addition.clone().into_bytes()).collect();
    let own = (parts.len() as u64).to_le_bytes();
    let mut add = |name: &str, value: &[u8]| parts.push([name.as_bytes(), b":", value].concat());
    let is_steering = |name: &&HeaderName| {
        let name = name.as_str();
        STEERING.binary_search(&name).is_ok() && !(any_scheme && OF_THE_SCHEME.contains(&name))
    };
    let mut steering: Vec<_> = request.headers.keys().filter(is_steering).collect();
    steering.sort_unstable_by_key(|name| name.as_str());
    for name in steering {
        request.headers.get_all(name).iter().for_each(|value| add(name.as_str(), value.as_bytes()));
    }
    for name in key_headers {
        request.headers.get_all(name).iter().for_each(|value| add(name.as_str(), value.as_bytes()));
    }
    for pair in steering_pairs(&request.headers) {
        if !(any_scheme && is_about_scheme(pair)) {
            add("forwarded", pair);
        }
    }
    // Behind a proxy that says by which scheme clients came, the one by which it came itself means nothing: a request
    // of HTTP/2 has one, and one of HTTP/1.1 has none.
    let scheme = request.uri.scheme_str().filter(|scheme| !scheme.eq_ignore_ascii_case("http"));
    if let Some(scheme) = scheme.filter(|_| !any_scheme && !tells_scheme(&request.headers)) {
        add("scheme", scheme.to_ascii_lowercase().as_bytes());
    }
    // The key has the host in its canonical form. A handler may believe what stands there, a second `Host`,
    // and one that is no text.
    let named = named_host(request).to_ascii_lowercase();
    if named != canonical_host(&named) {
        add("authority", named.as_bytes());
    }
    let hosts = request.headers.get_all(header::HOST);
    if hosts.iter().any(|host| !host.as_bytes().eq_ignore_ascii_case(named.as_bytes())) {
        hosts.iter().for_each(|host| add("host", host.as_bytes()));
    }
    // Apart from scheme and host, which are above, and which a request of HTTP/1.1 does not have in its URI.
    if routed.path_and_query() != request.uri.path_and_query() {
        let path = routed.path_and_query().map_or("", PathAndQuery::as_str);
        add("routed", path.as_bytes());
    }
    if (routed.scheme(), routed.authority()) != (request.uri.scheme(), request.uri.authority()) {
        add("routed to", routed.to_string().as_bytes());
    }
    if parts.is_empty() {
        return Hash::NONE;
    }
    let parts: Vec<&[u8]> = std::iter::once(&own[..]).chain(parts.iter().map(Vec::as_slice)).collect();
    Hash::of(&parts)
}

/// The host and the protocol of `Forwarded` (RFC 7239). It also names the client, which would give each of them
/// pages of its own.
fn steering_pairs(headers: &HeaderMap) -> impl Iterator<Item = &[u8]> {
    let lines = headers.get_all(header::FORWARDED).iter();
    let pairs = lines.flat_map(|line| split(line.as_bytes(), b",;", Backslash::Escapes));
    pairs.filter(|pair| {
        let name = pair.split(|&byte| byte == b'=').next().unwrap_or_default().trim_ascii();
        name.eq_ignore_ascii_case(b"host") || name.eq_ignore_ascii_case(b"proto")
    })
}

fn is_about_scheme(pair: &[u8]) -> bool {
    pair.split(|&byte| byte == b'=').next().unwrap_or_default().trim_ascii().eq_ignore_ascii_case(b"proto")
}

/// Whether a proxy says by which scheme the client came.
fn tells_scheme(headers: &HeaderMap) -> bool {
    headers.contains_key("x-forwarded-proto") || steering_pairs(headers).any(is_about_scheme)
}

#[cfg(test)]
mod tests {
    use http::Request;

    use super::*;

    fn of(fields: &[(&'static str, &'static str)], own: &[&str]) -> Hash {
        let mut request = Request::get("/");
        for (name, value) in fields {
            request = request.header(*name, value.as_bytes());
        }
        let (parts, ()) = request.body(()).unwrap().into_parts();
        let own: Vec<_> = own.iter().map(|own| (*own).to_owned()).collect();
        digest(&parts, &parts.uri, (&own, &[]), false)
    }

    #[test]
    fn names_are_in_order() {
        assert!(STEERING.is_sorted());
    }

    #[test]
    fn what_steers_handlers_is_in_the_key() {
        let plain = of(&[], &[]);
        let others = [("user-agent", "x"), ("x-forwarded-for", "1"), ("forwarded", "for=1, by=2")];
        assert_eq!(of(&others, &[]), plain);
        assert_eq!(of(&[("host", "example.com")], &[]), plain);
        assert_eq!(of(&[("host", "Example.com:8080")], &[]), plain);
        for steering in [
            ("x-forwarded-host", "evil"),
            ("forwarded", "for=1; HOST=evil"),
            ("forwarded", "for=\"a;b\";host=evil"),
            ("host", "example.com:80"),
            ("host", "evil@example.com"),
            ("host", "not text: ü"),
        ] {
            assert_ne!(of(&[steering], &[]), plain, "{steering:?}");
        }
        assert_eq!(of(&[("forwarded", "for=\"a;host=evil\"")], &[]), plain);
        assert_ne!(of(&[], &["x-forwarded-host:evil"]), of(&[("x-forwarded-host", "evil")], &[]));
        assert_ne!(of(&[], &["a", "b"]), of(&[], &["ab"]));
        assert_ne!(of(&[], &[""]), plain);
    }

    #[test]
    fn behind_a_proxy_the_client_s_scheme_counts() {
        let of = |uri: &str, fields: &[(&'static str, &'static str)], any_scheme| {
            let mut request = Request::get(uri);
            for (name, value) in fields {
                request = request.header(*name, *value);
            }
            let (parts, ()) = request.body(()).unwrap().into_parts();
            digest(&parts, &parts.uri, (&[], &[]), any_scheme)
        };
        let [by_tls, by_hand] = [[("x-forwarded-proto", "https")], [("x-forwarded-proto", "http")]];
        for of_proxy in ["http://example.com/", "https://example.com/"] {
            assert_eq!(of(of_proxy, &by_tls, false), of("/", &by_tls, false), "{of_proxy}");
        }
        let forwarded = [("forwarded", "proto=https")];
        assert_eq!(of("https://example.com/", &forwarded, false), of("/", &forwarded, false));
        assert_ne!(of("/", &by_hand, false), of("/", &by_tls, false));
        assert_ne!(of("https://example.com/", &[("host", "other.example")], false), of("/", &[], false));
        for fields in [&by_hand, &by_tls, &forwarded, &[("x-forwarded-port", "443")]] {
            assert_eq!(of("https://example.com/", fields, true), of("/", &[], true), "{fields:?}");
        }
    }

    #[test]
    fn the_scheme_and_what_a_router_made_of_the_url_are_in_the_key() {
        let of = |uri: &str, routed: &str| {
            let (parts, ()) = Request::get(uri).body(()).unwrap().into_parts();
            digest(&parts, &routed.parse().unwrap(), (&[], &[]), false)
        };
        assert_ne!(of("/page", "/"), of("/page", "/page"));
        let [tls, plain] = ["https://example.com/", "http://example.com/"];
        assert_ne!(of(tls, tls), of(plain, plain));
        // What HTTP/2 has in its URI and HTTP/1.1 has not.
        assert_eq!(
            of("http://example.com/api/page?a", "http://example.com/page?a"),
            of("/api/page?a", "/page?a")
        );
        assert_ne!(of("http://example.com/page", "http://other.example/page"), of("/page", "/page"));
    }
}
