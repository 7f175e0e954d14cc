//! What is in a key besides the URL: all that a handler may make its answer from before it says so by `Vary`.

use http::{HeaderMap, HeaderName, Uri, header, request::Parts};

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

/// A digest of what tells requests for one URL apart: the user's `own` additions, and what steers handlers.
///
/// `routed` is what a router or a middleware made of the request's URI.
pub(crate) fn digest(request: &Parts, routed: &Uri, own: &[String]) -> Hash {
    let mut parts: Vec<Vec<u8>> = own.iter().map(|addition| addition.clone().into_bytes()).collect();
    let own = (parts.len() as u64).to_le_bytes();
    let mut add = |name: &str, value: &[u8]| parts.push([name.as_bytes(), b":", value].concat());
    let is_steering = |name: &&HeaderName| STEERING.binary_search(&name.as_str()).is_ok();
    let mut steering: Vec<_> = request.headers.keys().filter(is_steering).collect();
    steering.sort_unstable_by_key(|name| name.as_str());
    for name in steering {
        request.headers.get_all(name).iter().for_each(|value| add(name.as_str(), value.as_bytes()));
    }
    for pair in steering_pairs(&request.headers) {
        add("forwarded", pair);
    }
    if let Some(scheme) = request.uri.scheme_str().filter(|scheme| !scheme.eq_ignore_ascii_case("http")) {
        add("scheme", scheme.to_ascii_lowercase().as_bytes());
    }
    // The key has the host in its canonical form. A handler may believe what stands there, a second `Host`,
    // and one that is no text.
    let named = named_host(request).to_ascii_lowercase();
    if named != canonical_host(&named) {
        add("authority", named.as_bytes());
    }
    let hosts = request.headers.get_all(header::HOST);
    let is_text = hosts.iter().all(|host| host.to_str().is_ok());
    if request.uri.authority().is_some() || hosts.iter().nth(1).is_some() || !is_text {
        hosts.iter().for_each(|host| add("host", host.as_bytes()));
    }
    if *routed != request.uri {
        add("routed", routed.to_string().as_bytes());
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
        digest(&parts, &parts.uri, &own)
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
    fn the_scheme_and_what_a_router_made_of_the_url_are_in_the_key() {
        let of = |uri: &str, routed: &str| {
            let (parts, ()) = Request::get(uri).body(()).unwrap().into_parts();
            digest(&parts, &routed.parse().unwrap(), &[])
        };
        assert_ne!(of("/page", "/"), of("/page", "/page"));
        let [tls, plain] = ["https://example.com/", "http://example.com/"];
        assert_ne!(of(tls, tls), of(plain, plain));
    }
}
