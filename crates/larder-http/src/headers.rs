//! Header fields: which are stored, and what a 304 changes in stored ones.

use http::{HeaderMap, HeaderName, HeaderValue, header};

use crate::{directives::ResponseDirectives, freshness::Source};

/// Fields of one connection, or for proxies, that are never stored (RFC 9111, section 3.1).
const HOP_BY_HOP: [&str; 11] = [
    "connection",
    "keep-alive",
    "proxy-authenticate",
    "proxy-authentication-info",
    "proxy-authorization",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    // Not of a connection, but about one exchange: made anew for each response.
    "age",
];

/// Whether a field is one of those.
pub(crate) fn is_of_the_exchange(name: &HeaderName) -> bool {
    HOP_BY_HOP.contains(&name.as_str())
}

/// What a 304 does not change: it describes the body that stays (RFC 9111, section 3.2).
const OF_THE_BODY: [HeaderName; 5] = [
    header::CONTENT_LENGTH,
    header::CONTENT_ENCODING,
    header::CONTENT_RANGE,
    HeaderName::from_static("content-md5"),
    header::ETAG,
];

/// Fields with the tags of a page, for caches: not for clients.
pub(crate) const TAGS: [&str; 2] = ["surrogate-key", "cache-tag"];

/// Drops what is not stored: what belongs to the connection, and what the response names as not for everybody.
/// Without `cookies` also what sets cookies.
pub(crate) fn strip(headers: &mut HeaderMap, directives: &ResponseDirectives, cookies: bool) {
    for name in named_by_connection(headers) {
        headers.remove(name);
    }
    for name in HOP_BY_HOP {
        headers.remove(name);
    }
    for name in directives.no_cache.names().iter().chain(directives.private.names()) {
        headers.remove(name);
    }
    if !cookies {
        headers.remove(header::SET_COOKIE);
        headers.remove("set-cookie2");
    }
}

/// Fields by which requests say who asks, besides `Authorization` and `Cookie`: keys, and what proxies in front
/// found out. A handler that reads one and says nothing about caching has not said that its answer is for all.
/// In order.
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

/// Whether a request says who asks in one of these fields.
pub(crate) fn identifies(headers: &HeaderMap) -> bool {
    headers.keys().any(|name| IDENTIFYING.binary_search(&name.as_str()).is_ok())
}

/// Whether the response sets a cookie.
pub(crate) fn sets_cookie(headers: &HeaderMap) -> bool {
    headers.contains_key(header::SET_COOKIE) || headers.contains_key("set-cookie2")
}

/// Whether a request says that it has a body.
pub(crate) fn announces_body(headers: &HeaderMap) -> bool {
    headers.contains_key(header::TRANSFER_ENCODING)
        || headers.get_all(header::CONTENT_LENGTH).iter().any(|length| {
            // `00` is none either.
            let length = length.as_bytes().trim_ascii();
            length.is_empty() || length.iter().any(|&digit| digit != b'0')
        })
}

/// Makes one line of all lines of `Vary`, with `more` names at its end: some caches that come next obey the first one
/// only, and some the last.
pub(crate) fn join_vary(headers: &mut HeaderMap, more: &[HeaderName]) {
    let lines: Vec<_> = headers.get_all(header::VARY).iter().map(HeaderValue::as_bytes).collect();
    if lines.len() < 2 && more.is_empty() {
        return;
    }
    let mut joined = lines.join(&b", "[..]);
    let names = |joined: &[u8], name: &[u8]| {
        joined.split(|&byte| byte == b',').any(|known| known.trim_ascii().eq_ignore_ascii_case(name))
    };
    for name in more {
        if names(&joined, b"*") || names(&joined, name.as_str().as_bytes()) {
            continue;
        }
        if !joined.is_empty() {
            joined.extend_from_slice(b", ");
        }
        joined.extend_from_slice(name.as_str().as_bytes());
    }
    if let Ok(joined) = HeaderValue::from_bytes(&joined) {
        headers.insert(header::VARY, joined);
    }
}

/// Adds `no-cache` to a response that is stored by [`HttpCache::ttl`](crate::HttpCache::ttl) and its like alone, and
/// tells whether it did. By a validator, or by a lifetime of their own, caches that come next would keep it for longer
/// than is decided here, and give it to requests that say who asks.
pub(crate) fn say_what_was_decided(headers: &mut HeaderMap, source: Source) -> bool {
    let says = source != Source::Response && !headers.contains_key(header::CACHE_CONTROL);
    if says {
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    }
    says
}

/// Adds `private` to a response about which its handler says nothing: it may be meant for its client alone.
pub(crate) fn say_it_is_personal(headers: &mut HeaderMap) {
    if !headers.contains_key(header::CACHE_CONTROL) && !headers.contains_key(header::EXPIRES) {
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("private"));
    }
}

/// The same headers in memory of their own: a value may be a view of all that came with it.
pub(crate) fn copied(headers: &HeaderMap) -> HeaderMap {
    let mut copied = HeaderMap::with_capacity(headers.keys_len());
    for (name, value) in headers {
        let mut copy = HeaderValue::from_bytes(value.as_bytes()).unwrap_or_else(|_| value.clone());
        copy.set_sensitive(value.is_sensitive());
        copied.append(name, copy);
    }
    copied
}

/// Puts the fields of a 304 in place of those that are stored.
pub(crate) fn update(stored: &mut HeaderMap, newer: &HeaderMap) {
    let changed = newer.keys().filter(|name| !OF_THE_BODY.contains(name));
    for name in changed {
        stored.remove(name);
        for value in newer.get_all(name) {
            stored.append(name.clone(), value.clone());
        }
    }
}

/// Takes the tags out of a response's headers: `Surrogate-Key` has blanks between them, `Cache-Tag` commas.
pub(crate) fn take_tags(headers: &mut HeaderMap) -> Vec<String> {
    let mut tags = Vec::new();
    for name in TAGS {
        for value in headers.get_all(name) {
            let text = String::from_utf8_lossy(value.as_bytes());
            let separate = |character: char| match name {
                "cache-tag" => character == ',',
                _ => character.is_whitespace(),
            };
            let named = text.split(separate).map(str::trim).filter(|tag| !tag.is_empty());
            tags.extend(named.map(str::to_owned));
        }
        headers.remove(name);
    }
    tags
}

fn named_by_connection(headers: &HeaderMap) -> Vec<HeaderName> {
    let lines = headers.get_all(header::CONNECTION).iter().filter_map(|value| value.to_str().ok());
    let names = lines.flat_map(|line| line.split(',')).map(str::trim);
    names.filter_map(|name| HeaderName::from_bytes(name.as_bytes()).ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_in_order() {
        assert!(IDENTIFYING.is_sorted());
    }

    fn headers(fields: &[(&'static str, &'static str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for &(name, value) in fields {
            headers.append(name, HeaderValue::from_static(value));
        }
        headers
    }

    fn names(headers: &HeaderMap) -> Vec<&str> {
        let mut names: Vec<_> = headers.keys().map(HeaderName::as_str).collect();
        names.sort_unstable();
        names
    }

    #[test]
    fn section_3_1_what_is_of_the_connection_is_not_stored() {
        let mut stored = headers(&[
            ("connection", "a, B"),
            ("connection", "keep-alive"),
            ("a", "1"),
            ("b", "2"),
            ("c", "3"),
            ("keep-alive", "5"),
            ("transfer-encoding", "chunked"),
            ("upgrade", "x"),
            ("proxy-authenticate", "x"),
            ("set-cookie", "a=b"),
        ]);
        strip(&mut stored, &ResponseDirectives::default(), false);
        assert_eq!(names(&stored), ["c"]);
    }

    #[test]
    fn section_5_2_2_named_fields_are_not_stored() {
        let mut stored = headers(&[
            ("cache-control", "no-cache=\"a, b\", private=\"c\", max-age=60"),
            ("a", "1"),
            ("b", "2"),
            ("c", "3"),
            ("d", "4"),
        ]);
        let directives = ResponseDirectives::of(&stored);
        strip(&mut stored, &directives, false);
        assert_eq!(names(&stored), ["cache-control", "d"]);
    }

    #[test]
    fn section_3_2_a_304_changes_all_but_what_describes_the_body() {
        let mut stored = headers(&[("x", "1"), ("x", "2"), ("y", "3"), ("content-length", "5")]);
        update(&mut stored, &headers(&[("x", "4"), ("content-length", "0"), ("z", "6")]));
        assert_eq!(stored.get_all("x").iter().collect::<Vec<_>>(), ["4"]);
        assert_eq!(stored["content-length"], "5");
        assert_eq!(names(&stored), ["content-length", "x", "y", "z"]);
    }

    #[test]
    fn no_length_is_that_of_a_body_however_it_is_written() {
        for none in ["0", "00", " 000 "] {
            assert!(!announces_body(&headers(&[("content-length", none)])), "{none}");
        }
        for some in ["1", "x", "", "0, 0"] {
            assert!(announces_body(&headers(&[("content-length", some)])), "{some}");
        }
        assert!(announces_body(&headers(&[("content-length", "0"), ("content-length", "5")])));
    }

    #[test]
    fn all_lines_of_vary_are_one() {
        let joined = |lines: &[(&'static str, &'static str)], more: &[&'static str]| {
            let mut headers = headers(lines);
            let more: Vec<_> = more.iter().map(|name| HeaderName::from_static(name)).collect();
            join_vary(&mut headers, &more);
            headers.get_all("vary").iter().map(|line| line.to_str().unwrap().to_owned()).collect::<Vec<_>>()
        };
        assert_eq!(joined(&[("vary", "a"), ("vary", "b, c")], &[]), ["a, b, c"]);
        assert_eq!(joined(&[("vary", "A"), ("vary", "b")], &["a", "d"]), ["A, b, d"]);
        assert_eq!(joined(&[("vary", "*")], &["a"]), ["*"]);
        assert_eq!(joined(&[], &["a"]), ["a"]);
        assert_eq!(joined(&[], &[]), [""; 0]);
    }

    #[test]
    fn tags_are_taken_out() {
        let mut response = headers(&[("surrogate-key", "a b  c"), ("cache-tag", "d e,f"), ("x", "1")]);
        assert_eq!(take_tags(&mut response), ["a", "b", "c", "d e", "f"]);
        assert_eq!(names(&response), ["x"]);
    }
}
