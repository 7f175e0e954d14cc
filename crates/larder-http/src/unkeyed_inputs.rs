//! Unkeyed inputs: what a handler may make its response from that is neither in the URL nor named by `Vary`.
//!
//! A cache that leaves them out of its keys can be poisoned: it serves to all clients what a handler made of one
//! client's `X-Forwarded-Host`. So a digest of them is part of each key.

use std::borrow::Cow;

use http::{HeaderName, Uri, request::Parts, uri::PathAndQuery};

use crate::{
    digest::Digest,
    header_kinds::HeaderKinds,
    key::{RequestHost, normal_form},
    request_headers::{forwarded_pairs, is_forwarding, is_proto, proxy_tells_scheme, tells_scheme},
};

/// What of a request is in its key, beside its own headers and its URI.
pub(crate) struct Inputs<'a> {
    /// In the cache of a client, the identity that all its requests have, if there is one.
    pub(crate) client: Option<Option<&'a str>>,
    /// The parts that the user adds to keys.
    pub(crate) own: &'a [String],
    /// The headers whose values are in the key.
    pub(crate) headers: &'a [HeaderName],
    /// The URI that a router or a middleware routed the request to, if that may be another one.
    pub(crate) routed: Option<&'a Uri>,
    /// Whether it came over TLS, which a request of HTTP/1.1 does not tell by itself.
    pub(crate) is_secure: bool,
    pub(crate) host: &'a RequestHost<'a>,
    /// Whether something in its URI is percent-encoded.
    pub(crate) is_encoded: bool,
}

impl Inputs<'_> {
    /// A digest of them, of the forwarding headers of a request with headers of these `kinds`, and of what its `Host` tells
    /// beside the canonical host. With `any_scheme`, `http` and `https` make no difference.
    pub(crate) fn digest(&self, request: &Parts, kinds: HeaderKinds, any_scheme: bool) -> Digest {
        let mut parts: Vec<Vec<u8>> = Vec::new();
        self.own.iter().for_each(|part| parts.push(part.clone().into_bytes()));
        let own = (parts.len() as u64).to_le_bytes();
        let mut add = |name: &str, value: &[u8]| parts.push([name.as_bytes(), b":", value].concat());
        let mut add_lines = |name: &HeaderName| {
            request.headers.get_all(name).iter().for_each(|value| add(name.as_str(), value.as_bytes()));
        };
        if kinds.has(HeaderKinds::FORWARDING) {
            let counts =
                |name: &&HeaderName| is_forwarding(name) && !(any_scheme && tells_scheme(name.as_str()));
            let mut forwarding: Vec<_> = request.headers.keys().filter(counts).collect();
            forwarding.sort_unstable_by_key(|name| name.as_str());
            forwarding.into_iter().for_each(&mut add_lines);
        }
        self.headers.iter().for_each(&mut add_lines);
        // A client and the service that it calls may use one cache: they share neither responses nor computations. No header
        // has a blank in its name.
        match self.client {
            None => {}
            Some(None) => add("a client", b""),
            Some(Some(identity)) => add("a client of", identity.as_bytes()),
        }
        if kinds.has(HeaderKinds::FORWARDED) {
            let counts = |pair: &&[u8]| !(any_scheme && is_proto(pair));
            forwarded_pairs(&request.headers).filter(counts).for_each(|pair| add("forwarded", pair));
        }
        // Behind a proxy that tells the client's scheme, the scheme of its own request has no meaning: a request of HTTP/2
        // has one in its URI, and one of HTTP/1.1 has none.
        let of_connection = self.is_secure.then_some("https");
        let scheme = request.uri.scheme_str().or(of_connection);
        let scheme = scheme.filter(|scheme| !scheme.eq_ignore_ascii_case("http"));
        if let Some(scheme) = scheme.filter(|_| !any_scheme && !proxy_tells_scheme(&request.headers)) {
            add("scheme", scheme.to_ascii_lowercase().as_bytes());
        }
        // The key has the host in its canonical form only. A handler may use the host as it is written, a second `Host`,
        // and one that is not text.
        let RequestHost { named, canonical, has_others } = self.host;
        if matches!(canonical, Cow::Owned(canonical) if !named.eq_ignore_ascii_case(canonical)) {
            add("authority", named.to_ascii_lowercase().as_bytes());
        }
        if self.is_encoded && matches!(normal_form(request.uri.path()), Cow::Owned(_)) {
            add("path", request.uri.path().as_bytes());
        }
        if *has_others {
            let hosts = request.headers.get_all(http::header::HOST);
            hosts.iter().for_each(|host| add("host", host.as_bytes()));
        }
        if let Some(routed) = self.routed {
            // Without scheme and host: they are above, and a request of HTTP/1.1 does not have them in its URI.
            if routed.path_and_query() != request.uri.path_and_query() {
                // The query that the client sent is in the key, as far as it makes a difference.
                if routed.query() == request.uri.query() {
                    add("routed path", routed.path().as_bytes());
                } else {
                    let path = routed.path_and_query().map_or("", PathAndQuery::as_str);
                    add("routed", path.as_bytes());
                }
            }
            if (routed.scheme(), routed.authority()) != (request.uri.scheme(), request.uri.authority()) {
                add("routed to", routed.to_string().as_bytes());
            }
        }
        if parts.is_empty() {
            return Digest::NONE;
        }
        let parts: Vec<&[u8]> = std::iter::once(&own[..]).chain(parts.iter().map(Vec::as_slice)).collect();
        Digest::of(&parts)
    }
}

#[cfg(test)]
mod tests {
    use http::Request;

    use super::*;
    use crate::key::is_encoded;

    /// The digest of a request that was routed to this URI.
    fn digest(request: &Parts, routed: Option<&Uri>, own: &[String], any_scheme: bool) -> Digest {
        let inputs = Inputs {
            client: None,
            own,
            headers: &[],
            routed,
            is_secure: false,
            host: &RequestHost::of(request),
            is_encoded: is_encoded(&request.uri),
        };
        inputs.digest(request, HeaderKinds::of(&request.headers), any_scheme)
    }

    fn of(fields: &[(&'static str, &'static str)], own: &[&str]) -> Digest {
        let mut request = Request::get("/");
        for (name, value) in fields {
            request = request.header(*name, value.as_bytes());
        }
        let (parts, ()) = request.body(()).unwrap().into_parts();
        let own: Vec<_> = own.iter().map(|own| (*own).to_owned()).collect();
        digest(&parts, None, &own, false)
    }

    #[test]
    fn forwarding_headers_are_in_the_key() {
        let plain = of(&[], &[]);
        let others = [("user-agent", "x"), ("x-forwarded-for", "1"), ("forwarded", "for=1, by=2")];
        assert_eq!(of(&others, &[]), plain);
        assert_eq!(of(&[("host", "example.com")], &[]), plain);
        assert_eq!(of(&[("host", "Example.com:8080")], &[]), plain);
        for input in [
            ("x-forwarded-host", "evil"),
            ("forwarded", "for=1; HOST=evil"),
            ("forwarded", "for=\"a;b\";host=evil"),
            ("host", "example.com:80"),
            ("host", "evil@example.com"),
            ("host", "not text: ü"),
        ] {
            assert_ne!(of(&[input], &[]), plain, "{input:?}");
        }
        assert_eq!(of(&[("forwarded", "for=\"a;host=evil\"")], &[]), plain);
        assert_ne!(of(&[], &["x-forwarded-host:evil"]), of(&[("x-forwarded-host", "evil")], &[]));
        assert_ne!(of(&[], &["a", "b"]), of(&[], &["ab"]));
        assert_ne!(of(&[], &[""]), plain);
    }

    #[test]
    fn clients_and_their_identities_are_in_the_key() {
        let (request, ()) = Request::get("/").body(()).unwrap().into_parts();
        let clients = [None, Some(None), Some(Some("")), Some(Some("a")), Some(Some("b"))];
        let mut digests = clients.map(|client| {
            let inputs = Inputs {
                client,
                own: &[],
                headers: &[],
                routed: None,
                is_secure: false,
                host: &RequestHost::of(&request),
                is_encoded: false,
            };
            inputs.digest(&request, HeaderKinds::of(&request.headers), false).hex()
        });
        assert_eq!(digests[0], Digest::NONE.hex());
        digests.sort();
        assert!(digests.windows(2).all(|pair| pair[0] != pair[1]), "{digests:?}");
    }

    #[test]
    fn behind_a_proxy_the_client_s_scheme_counts() {
        let of = |uri: &str, fields: &[(&'static str, &'static str)], any_scheme| {
            let mut request = Request::get(uri);
            for (name, value) in fields {
                request = request.header(*name, *value);
            }
            let (parts, ()) = request.body(()).unwrap().into_parts();
            digest(&parts, None, &[], any_scheme)
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
    fn the_scheme_and_the_routed_uri_are_in_the_key() {
        let of = |uri: &str, routed: &str| {
            let (parts, ()) = Request::get(uri).body(()).unwrap().into_parts();
            digest(&parts, Some(&routed.parse().unwrap()), &[], false)
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
