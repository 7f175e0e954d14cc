//! The layout of the keys under which responses are stored, and the scopes that cover them.
//!
//! ```text
//! http:<host>:<segment>:<segment>…:@:?<query>:v<digest>
//! http:<host>:<segment>:<segment>…:@:~:<digest of the rule>:<canonical query>:v<digest>
//! http:<host>:<segment>:<segment>…:@:r
//! ```
//!
//! Each segment of the path is a part of its own, so that all URLs under a path have a prefix in common. `-` stands for
//! a missing query. Responses with `No-Vary-Search` are under `~`, with the query in the form that its rule gives to all
//! that are equivalent; at `r` is the last rule of the path. What is percent-encoded is in its normal form. The scheme,
//! another spelling, and everything that is not in the URL, are in the digest: an unsafe request invalidates a URL
//! whether it came by `http` or by `https`.

mod reference;

use std::{borrow::Cow, fmt::Write as _};

use http::{HeaderValue, Uri, header, request::Parts};
use larder::Scope;

pub(crate) use self::reference::resolve;
use crate::{digest::Digest, no_vary_search::UrlVariation};

/// Number of path segments that are parts of their own; the others are one part. Each part is a scope of the entry.
const SEGMENTS: usize = 16;

/// Longest text, in bytes, that is in a key as it is. Longer text is there as its digest.
const READABLE: usize = 256;

/// The host that a request is for.
#[derive(Debug)]
pub(crate) struct RequestHost<'a> {
    /// As the client wrote it.
    pub(crate) named: &'a str,
    /// As it is in keys.
    pub(crate) canonical: Cow<'a, str>,
    /// Whether there is a `Host` that is another one, or is not text.
    pub(crate) has_others: bool,
}

impl<'a> RequestHost<'a> {
    pub(crate) fn of(request: &'a Parts) -> Self {
        let mut lines = request.headers.get_all(header::HOST).iter();
        let (named, has_others) = match request.uri.authority() {
            Some(authority) => (authority.as_str(), lines.any(|host| !is_host(host, authority.as_str()))),
            None => {
                let first = lines.next();
                let named = first.and_then(|host| host.to_str().ok());
                let is_text = first.is_none() || named.is_some();
                let named = named.unwrap_or_default();
                (named, !is_text || lines.any(|host| !is_host(host, named)))
            }
        };
        Self { named, canonical: canonical_host(named), has_others }
    }
}

fn is_host(header: &HeaderValue, named: &str) -> bool {
    header.as_bytes().eq_ignore_ascii_case(named.as_bytes())
}

/// The part of a key that follows from the target URI (the "primary key" of RFC 9111): all variants of a response have
/// it in common.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct PrimaryKey {
    /// The host, then the key of the variant without a digest.
    text: String,
    /// Where the host ends.
    host: usize,
    /// Where the path ends.
    path: usize,
}

/// Stands before the digest of a variant.
const VARIANT: &str = ":v";

/// Stands after the path where `No-Vary-Search` tells which queries are equivalent.
const VARIATION: &str = "@:~";

/// Stands after the path in the key of its last rule.
const RULE: &str = "@:r";

impl PrimaryKey {
    /// The key of a URI, with its parameters `sorted` or in their order.
    pub(crate) fn of(uri: &Uri, host: &RequestHost<'_>, sorted: bool) -> Self {
        Self::new(&host.canonical, uri.path(), uri.query(), sorted)
    }

    /// That of a host in its canonical form.
    fn new(host: &str, path: &str, query: Option<&str>, sorted: bool) -> Self {
        // Room for the separators of most paths.
        let mut text = String::with_capacity(2 * host.len() + path.len() + query.map_or(0, str::len) + 24);
        text.push_str(host);
        push_path_key(&mut text, host, path);
        let path = text.len();
        match query {
            None => text.push_str("@:-"),
            Some(query) => {
                text.push_str("@:?");
                match sorted {
                    true => readable(&mut text, &sorted_query(&normal_form(query))),
                    false => readable(&mut text, query),
                }
            }
        }
        text.push_str(VARIANT);
        Self { text, host: host.len(), path }
    }

    /// That of all queries of this path which are equivalent to `query` by a rule.
    pub(crate) fn modulo(&self, rule: &UrlVariation, query: Option<&str>) -> Self {
        let canonical = rule.canonical(query);
        let mut text = String::with_capacity(self.path + canonical.len() + 100);
        text.push_str(&self.text[..self.path]);
        text.push_str(VARIATION);
        text.push(':');
        text.push_str(&rule.digest().hex());
        text.push(':');
        // It has none of the characters that are escaped in keys, but `%`, which is not followed by `~` in it.
        if canonical.len() <= READABLE {
            text.push_str(&canonical)
        } else {
            digest(&mut text, &canonical)
        }
        text.push_str(VARIANT);
        Self { text, ..*self }
    }

    /// The key of the last rule of the path.
    pub(crate) fn rule(&self) -> String {
        [&self.text[self.host..self.path], RULE].concat()
    }

    /// What all variants have in common.
    fn base(&self) -> &str {
        &self.text[self.host..self.text.len() - VARIANT.len()]
    }

    pub(crate) fn host(&self) -> &str {
        &self.text[..self.host]
    }

    /// Covers all that is stored for this URI.
    pub(crate) fn scope(&self) -> Scope {
        Scope::prefix(self.base())
    }

    /// The digest in the key of one of its variants; none if it is that of another URL.
    pub(crate) fn digest_of(&self, variant: &str) -> Option<Digest> {
        Digest::from_hex(variant.strip_prefix(&self.text[self.host..])?)
    }

    /// The key of the variant with this digest.
    pub(crate) fn variant(&self, digest: &Digest) -> Cow<'_, str> {
        let without_digest = &self.text[self.host..];
        if *digest == Digest::NONE {
            return Cow::Borrowed(without_digest);
        }
        Cow::Owned([without_digest, &digest.hex()].concat())
    }
}

/// The scope of all stored responses of a path, with any scheme and query: an argument for `larder`'s `invalidate`.
///
/// `host` is the value of the requests' `Host` header, with the port unless it is 80 or 443. `path` is written as in the
/// URL, percent-encoded.
///
/// ```
/// # use larder::{CacheExt, MemoryCache};
/// # let cache = MemoryCache::new(10);
/// cache.invalidate(larder_http::page("example.com", "/users/7"));
/// ```
#[must_use]
pub fn page(host: &str, path: &str) -> Scope {
    let mut key = path_key(host, path);
    key.push('@');
    Scope::prefix(key)
}

/// The scope of all stored responses of a path and of all paths under it.
///
/// `/users` covers `/users`, `/users/` and `/users/7`, but not `/users-of-today`. `/` covers all responses of the host.
/// A path of sixteen segments or more covers only itself.
#[must_use]
pub fn pages_under(host: &str, path: &str) -> Scope {
    Scope::prefix(path_key(host, path.trim_end_matches('/')))
}

/// Covers all that is stored under rules of `No-Vary-Search` for the path of a URL, whatever its query: which of it
/// answers the URL too, another process may know alone.
pub(crate) fn variations(host: &str, path_and_query: &str) -> Scope {
    let path = path_and_query.split('?').next().unwrap_or_default();
    Scope::prefix(path_key(host, path) + VARIATION)
}

/// Covers all variants of a URL.
pub(crate) fn url(host: &str, path_and_query: &str, sorted: bool) -> Scope {
    let (path, query) = match path_and_query.split_once('?') {
        Some((path, query)) => (path, Some(query)),
        None => (path_and_query, None),
    };
    PrimaryKey::new(&canonical_host(host), path, query, sorted).scope()
}

/// Path and query of `uri` as it is, and with the slash at the end of its path removed or added: a layer between the cache
/// and the handler may treat both as one.
pub(crate) fn with_either_slash(uri: &Uri) -> Vec<String> {
    let path = uri.path();
    let other = match path.strip_suffix('/') {
        Some("") => None,
        Some(path) => Some(path.to_owned()),
        None => Some(format!("{path}/")),
    };
    let paths = std::iter::once(path.to_owned()).chain(other);
    let with_query = |path| match uri.query() {
        Some(query) => format!("{path}?{query}"),
        None => path,
    };
    paths.map(with_query).collect()
}

/// In lower case, without a user and without the ports 80 and 443.
pub(crate) fn canonical_host(authority: &str) -> Cow<'_, str> {
    // So most hosts are. Whatever a byte is, the next one is looked at: that takes no branch for each.
    if authority.bytes().fold(true, |canonical, byte| canonical & IN_HOSTS[usize::from(byte)]) {
        return Cow::Borrowed(authority);
    }
    let host = authority.rsplit_once('@').map_or(authority, |(_user, host)| host);
    let host = host.strip_suffix(":80").or_else(|| host.strip_suffix(":443")).unwrap_or(host);
    Cow::Owned(host.to_ascii_lowercase())
}

/// A path or a query in the form that all equivalent ones have (RFC 3986, section 6.2.2): what need not be percent-encoded
/// is not, and all digits are in upper case.
pub(crate) fn normal_form(text: &str) -> Cow<'_, str> {
    // So most texts are.
    if !text.as_bytes().contains(&b'%') {
        return Cow::Borrowed(text);
    }
    let (mut normal, mut rest) = (String::with_capacity(text.len()), text);
    while let Some((plain, encoded)) = rest.split_once('%') {
        normal.push_str(plain);
        let digits = encoded.get(..2).filter(|digits| digits.bytes().all(|digit| digit.is_ascii_hexdigit()));
        let byte = digits.and_then(|digits| u8::from_str_radix(digits, 16).ok());
        rest = if byte.is_some() { &encoded[2..] } else { encoded };
        match byte.map(char::from) {
            Some(plain) if plain.is_ascii_alphanumeric() || matches!(plain, '-' | '.' | '_' | '~') => {
                normal.push(plain);
            }
            Some(byte) => {
                // Writing to a `String` cannot fail.
                let _ = write!(normal, "%{:02X}", u32::from(byte));
            }
            None => normal.push('%'),
        }
    }
    normal.push_str(rest);
    if normal == text { Cow::Borrowed(text) } else { Cow::Owned(normal) }
}

/// Whether something in the path or the query of a URI is percent-encoded.
pub(crate) fn is_encoded(uri: &Uri) -> bool {
    uri.path_and_query().is_some_and(|text| text.as_str().as_bytes().contains(&b'%'))
}

/// A query that is not in its normal form, with its parameters `sorted` or in their order.
pub(crate) fn other_spelling(query: Option<&str>, sorted: bool) -> Option<Cow<'_, str>> {
    let query = query.filter(|query| matches!(normal_form(query), Cow::Owned(_)))?;
    Some(if sorted { sorted_query(query).into() } else { query.into() })
}

fn path_key(host: &str, path: &str) -> String {
    let mut key = String::new();
    push_path_key(&mut key, &canonical_host(host), path);
    key
}

/// The key as far as the path, with a `:` at its end.
fn push_path_key(key: &mut String, host: &str, path: &str) {
    key.push_str("http:");
    readable(key, host);
    key.push(':');
    let path = path.strip_prefix('/').unwrap_or(path);
    if path.is_empty() {
        return;
    }
    if !push_plain_path(key, path) {
        push_segments(key, path);
    }
}

/// A path of which only the separators are other ones in a key, as most are; false for any other one.
fn push_plain_path(key: &mut String, path: &str) -> bool {
    let mut copy = [0; READABLE];
    let Some(copy) = copy.get_mut(..path.len()) else { return false };
    let (mut is_plain, mut separators) = (true, 0);
    for (copied, byte) in copy.iter_mut().zip(path.bytes()) {
        let is_separator = byte == b'/';
        is_plain &= PLAIN[usize::from(byte)];
        separators += usize::from(is_separator);
        *copied = if is_separator { b':' } else { byte };
    }
    match std::str::from_utf8(copy) {
        Ok(copy) if is_plain && separators < SEGMENTS => {
            key.push_str(copy);
            key.push(':');
            true
        }
        _ => false,
    }
}

/// The segments of a path, each as it can be.
fn push_segments(key: &mut String, path: &str) {
    let (mut rest, mut left) = (path, READABLE * 2);
    for number in 1..=SEGMENTS {
        let end = rest.find('/').filter(|_| number < SEGMENTS);
        let (segment, more) = rest.split_at(end.unwrap_or(rest.len()));
        // However long the path is, the key is short.
        let short = segment.len() <= left.min(READABLE);
        left = left.saturating_sub(segment.len());
        if short {
            escape(key, segment)
        } else {
            digest(key, segment)
        }
        key.push(':');
        if end.is_none() {
            break;
        }
        rest = &more[1..];
    }
}

fn readable(key: &mut String, text: &str) {
    if text.len() <= READABLE { escape(key, text) } else { digest(key, text) }
}

/// Escaped text never has a `%` that is not followed by two hexadecimal digits, so it cannot look like a digest.
fn digest(key: &mut String, text: &str) {
    key.push_str("%~");
    key.push_str(&Digest::of(&[normal_form(text).as_bytes()]).hex());
}

/// The bytes of which most hosts are, in their canonical form.
const IN_HOSTS: [bool; 256] = {
    let mut in_hosts = [false; 256];
    let mut byte = b'-';
    while byte <= b'z' {
        in_hosts[byte as usize] = matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'.' | b'-');
        byte += 1;
    }
    in_hosts
};

/// The bytes that are not escaped, of those of ASCII.
const PLAIN: [bool; 256] = {
    let mut plain = [false; 256];
    let mut byte = b' ';
    while byte <= b'~' {
        plain[byte as usize] = !matches!(byte, b':' | b'*' | b'%' | b'@' | b'?');
        byte += 1;
    }
    plain
};

/// Text in its normal form, in which separators are percent-encoded.
fn escape(key: &mut String, text: &str) {
    // So most text is. All bytes are looked at here too.
    if text.bytes().fold(true, |plain, byte| plain & PLAIN[usize::from(byte)]) {
        return key.push_str(text);
    }
    let is_special =
        |character: char| matches!(character, ':' | '*' | '%' | '@' | '?') || character.is_control();
    let text = normal_form(text);
    let mut rest = &*text;
    while let Some(at) = rest.find(is_special) {
        let (plain, special) = rest.split_at(at);
        key.push_str(plain);
        let mut characters = special.chars();
        if let Some(character) = characters.next() {
            // Writing to a `String` cannot fail.
            let _ = write!(key, "%{:02X}", u32::from(character));
        }
        rest = characters.as_str();
    }
    key.push_str(rest);
}

/// The parameters in order of their names. Those of one name keep their order, which may have a meaning.
fn sorted_query(query: &str) -> String {
    let mut parameters: Vec<_> = query.split('&').filter(|parameter| !parameter.is_empty()).collect();
    parameters.sort_by_key(|parameter| parameter.split('=').next());
    parameters.join("&")
}

#[cfg(test)]
mod tests;
