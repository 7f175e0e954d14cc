//! Headers of responses: which are stored, which a 304 updates, and what is added for caches further on.

use std::time::Duration;

use http::{HeaderMap, HeaderName, HeaderValue, header};

use crate::{
    cache_control::ResponseDirectives,
    cache_status::CACHE_STATUS,
    date::{self, Millis},
    freshness::Source,
    list_syntax::members,
};

/// Most header lines that are stored: more than any server accepts, and few enough for others to be added.
pub(crate) const MAX_HEADERS: usize = 1024;

/// Headers of one connection or one exchange, which are never stored (RFC 9111, section 3.1).
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
    // Made anew for each response.
    "age",
];

/// Whether a header is one of those.
pub(crate) fn is_hop_by_hop(name: &HeaderName) -> bool {
    HOP_BY_HOP.contains(&name.as_str())
}

/// Headers that a 304 does not update: they describe the stored body (RFC 9111, section 3.2).
const OF_THE_BODY: [HeaderName; 5] = [
    header::CONTENT_LENGTH,
    header::CONTENT_ENCODING,
    header::CONTENT_RANGE,
    HeaderName::from_static("content-md5"),
    header::ETAG,
];

/// Headers, besides `Content-*` and `*Cache-Control`, that tell what a response is and where it holds.
const OF_THE_REPRESENTATION: [HeaderName; 8] = [
    header::ETAG,
    header::LAST_MODIFIED,
    header::LINK,
    header::LOCATION,
    header::VARY,
    HeaderName::from_static("no-vary-search"),
    HeaderName::from_static("repr-digest"),
    HeaderName::from_static("surrogate-control"),
];

/// Whether a header is one of those. A `Content-Security-Policy` may name what is made for each response.
pub(crate) fn is_of_the_representation(name: &HeaderName) -> bool {
    (name.as_str().starts_with("content-") && !name.as_str().starts_with("content-security-policy"))
        || name.as_str().ends_with("cache-control")
        || OF_THE_REPRESENTATION.contains(name)
}

/// Headers with the tags of a response. They are for caches, and are not sent to clients.
pub(crate) const TAG_HEADERS: [&str; 2] = ["surrogate-key", "cache-tag"];

/// Removes the headers that are not stored: those of the connection, and those that `no-cache` and `private` name; and
/// those that set cookies, unless `cookies` is set. `Vary` stays, whatever names it: it tells whom the response is for.
pub(crate) fn strip(headers: &mut HeaderMap, directives: &ResponseDirectives, cookies: bool) {
    for name in named_by_connection(headers) {
        remove(headers, &name);
    }
    for name in HOP_BY_HOP {
        headers.remove(name);
    }
    remove_named(headers, directives, |_| true);
    if !cookies {
        remove_set_cookie(headers);
    }
}

/// Removes the headers that `no-cache` and `private` name, but for `Vary`, if they are to be removed by `is_removed` too.
pub(crate) fn remove_named(
    headers: &mut HeaderMap,
    directives: &ResponseDirectives,
    is_removed: impl Fn(&HeaderName) -> bool,
) {
    let named = directives.no_cache.names().iter().chain(directives.private.names());
    for name in named.filter(|name| is_removed(name)) {
        remove(headers, name);
    }
}

fn remove(headers: &mut HeaderMap, name: &HeaderName) {
    if *name != header::VARY {
        headers.remove(name);
    }
}

pub(crate) fn remove_set_cookie(headers: &mut HeaderMap) {
    headers.remove(header::SET_COOKIE);
    headers.remove("set-cookie2");
}

/// Whether the response sets a cookie.
pub(crate) fn sets_cookie(headers: &HeaderMap) -> bool {
    headers.contains_key(header::SET_COOKIE) || headers.contains_key("set-cookie2")
}

/// Whether the headers of a request announce a body.
pub(crate) fn announces_body(headers: &HeaderMap) -> bool {
    headers.contains_key(header::TRANSFER_ENCODING)
        || headers.get_all(header::CONTENT_LENGTH).iter().any(|length| {
            // `00` announces none either.
            let length = length.as_bytes().trim_ascii();
            length.is_empty() || length.iter().any(|&digit| digit != b'0')
        })
}

/// Joins all lines of `Vary` and the names in `more` to one line: some caches further on obey only the first line, and
/// some only the last.
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

/// Whether `Vary` names no other headers than these.
pub(crate) fn vary_is_within(headers: &HeaderMap, known: &[HeaderName]) -> bool {
    let lines = headers.get_all(header::VARY).iter().map(HeaderValue::as_bytes);
    let mut names = lines.flat_map(|line| line.split(|&byte| byte == b',')).map(<[u8]>::trim_ascii);
    names.all(|name| {
        name.is_empty() || known.iter().any(|known| name.eq_ignore_ascii_case(known.as_str().as_bytes()))
    })
}

/// Adds `no-cache` to a response whose lifetime its handler does not declare for caches further on; returns whether it
/// did. Otherwise these could choose a longer lifetime of their own, and would serve the response to requests that
/// identify their clients.
pub(crate) fn add_no_cache(headers: &mut HeaderMap, source: Source) -> bool {
    let is_declared = match source {
        Source::Origin => true,
        Source::Own => headers.contains_key(header::EXPIRES),
        Source::Configured | Source::ConfiguredPublic => false,
    };
    let adds = !is_declared && !headers.contains_key(header::CACHE_CONTROL);
    if adds {
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    }
    adds
}

/// Makes a stored response new for its recipients: its lifetime here is not theirs, and they have the whole of that
/// before them (RFC 9213, section 2.3).
pub(crate) fn renew(headers: &mut HeaderMap, age: Duration, now: Millis) {
    headers.insert(header::AGE, HeaderValue::from_static("0"));
    headers.insert(header::DATE, date::value(now));
    if let Some(Ok(expires)) = date::header(headers, &header::EXPIRES) {
        let moved = u64::try_from(age.as_millis()).unwrap_or(u64::MAX);
        headers.insert(header::EXPIRES, date::value(expires.saturating_add(moved)));
    }
}

/// Adds `private` to a response whose handler declares nothing about caching: it may be for its client only.
pub(crate) fn add_private(headers: &mut HeaderMap) {
    if !headers.contains_key(header::CACHE_CONTROL) && !headers.contains_key(header::EXPIRES) {
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("private"));
    }
}

/// A number as a value, in one allocation.
pub(crate) fn number(number: i64) -> HeaderValue {
    let mut digits = itoa::Buffer::new();
    HeaderValue::from_str(digits.format(number)).unwrap_or_else(|_| number.into())
}

/// A copy without the header `left_out`, and with empty places for `Age` and `Cache-Status`, which each response has: a map
/// that grows is copied once more.
pub(crate) fn with_places(headers: &HeaderMap, left_out: Option<&HeaderName>) -> HeaderMap {
    // One more: an `insert` makes room before it finds that it needs none.
    let mut copy = HeaderMap::with_capacity(headers.len() + 3);
    for (name, value) in headers {
        if left_out != Some(name) {
            copy.append(name.clone(), value.clone());
        }
    }
    let empty = HeaderValue::from_static("");
    copy.insert(header::AGE, empty.clone());
    copy.append(CACHE_STATUS, empty);
    copy
}

/// Puts the age into the place that is there for it.
pub(crate) fn put_age(headers: &mut HeaderMap, age: HeaderValue) {
    match headers.get_mut(header::AGE) {
        Some(place) => *place = age,
        None => drop(headers.insert(header::AGE, age)),
    }
}

/// The same headers in memory of their own: a value may be a view of a large buffer that it came in.
pub(crate) fn copied(headers: &HeaderMap) -> HeaderMap {
    let mut copied = HeaderMap::with_capacity(headers.keys_len());
    for (name, value) in headers {
        let mut copy = HeaderValue::from_bytes(value.as_bytes()).unwrap_or_else(|_| value.clone());
        copy.set_sensitive(value.is_sensitive());
        copied.append(name, copy);
    }
    copied
}

/// Replaces stored headers with those of a 304.
pub(crate) fn update(stored: &mut HeaderMap, newer: &HeaderMap) {
    let changed = newer.keys().filter(|name| !OF_THE_BODY.contains(name));
    for name in changed {
        stored.remove(name);
        for value in newer.get_all(name) {
            stored.append(name.clone(), value.clone());
        }
    }
}

/// Removes the headers with tags, and returns the tags. Blanks separate them in `Surrogate-Key`, commas in `Cache-Tag`.
pub(crate) fn take_tags(headers: &mut HeaderMap) -> Vec<String> {
    let mut tags = Vec::new();
    for name in TAG_HEADERS {
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

/// `Content-Length`: none if it is absent, an error if it is invalid, or if there are several that differ.
pub(crate) fn content_length(headers: &HeaderMap) -> Option<Result<u64, ()>> {
    let mut lengths = headers.get_all(header::CONTENT_LENGTH).iter().flat_map(|line| {
        let line = line.to_str().unwrap_or("invalid").to_owned();
        // Digits only: `parse` accepts a sign too.
        let length = |text: &str| text.parse().ok().filter(|_| !text.starts_with('+')).ok_or(());
        members(&line).map(length).collect::<Vec<_>>()
    });
    let first: Result<u64, ()> = lengths.next()?;
    Some(if lengths.all(|length| length == first) { first } else { Err(()) })
}

fn named_by_connection(headers: &HeaderMap) -> Vec<HeaderName> {
    let lines = headers.get_all(header::CONNECTION).iter().filter_map(|value| value.to_str().ok());
    let names = lines.flat_map(|line| line.split(',')).map(str::trim);
    names.filter_map(|name| HeaderName::from_bytes(name.as_bytes()).ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

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
    fn section_3_1_headers_of_the_connection_are_not_stored() {
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
    fn section_5_2_2_headers_named_by_directives_are_not_stored() {
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

    #[test]
    fn lengths_have_to_agree() {
        assert_eq!(content_length(&headers(&[])), None);
        assert_eq!(content_length(&headers(&[("content-length", "5")])), Some(Ok(5)));
        assert_eq!(content_length(&headers(&[("content-length", "5, 5")])), Some(Ok(5)));
        assert_eq!(
            content_length(&headers(&[("content-length", "5"), ("content-length", "6")])),
            Some(Err(()))
        );
        assert_eq!(content_length(&headers(&[("content-length", "x")])), Some(Err(())));
        assert_eq!(content_length(&headers(&[("content-length", "+5")])), Some(Err(())));
    }
}
