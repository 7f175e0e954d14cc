//! What the headers of a request tell about its client, and about the links and redirects that a handler makes.

use http::{HeaderMap, HeaderName, header};

use crate::{
    header_kinds::HeaderKinds,
    list_syntax::{Backslash, split},
};

/// The forwarding headers that tell the scheme by which a client came.
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

/// Headers that prove for whom a request is made, besides `Authorization` and `Cookie`.
const CREDENTIALS: [&str; 7] =
    ["api-key", "apikey", "private-token", "x-access-token", "x-api-key", "x-auth-token", "x-session-token"];

/// Whether a header is one of those.
pub(crate) fn is_credential(name: &HeaderName) -> bool {
    *name == header::AUTHORIZATION || *name == header::COOKIE || CREDENTIALS.contains(&name.as_str())
}

/// The headers that possibly identify the client, `Authorization` and `Cookie` among them, without those for which
/// `is_ignored` holds.
pub(crate) fn possibly_identifying(
    headers: &HeaderMap,
    is_ignored: impl Fn(&HeaderName) -> bool,
) -> Vec<HeaderName> {
    let is_possibly = |name: &HeaderName| HeaderKinds::of_name(name).has(HeaderKinds::POSSIBLY_IDENTIFYING);
    headers.keys().filter(|name| is_possibly(name) && !is_ignored(name)).cloned().collect()
}

/// Whether handlers may make links, redirects or routes from this header, which is not `Forwarded`.
pub(crate) fn is_forwarding(name: &HeaderName) -> bool {
    HeaderKinds::of_name(name).has(HeaderKinds::FORWARDING)
}

/// Whether a forwarding header tells the scheme by which the client came.
pub(crate) fn tells_scheme(name: &str) -> bool {
    TELLING_THE_SCHEME.contains(&name)
}

/// Whether handlers may make links, redirects or routes from this header of a request.
pub(crate) fn changes_links(name: &HeaderName, headers: &HeaderMap) -> bool {
    is_forwarding(name) || (*name == header::FORWARDED && forwarded_pairs(headers).next().is_some())
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
