//! The layout of the keys under which responses are stored, and the scopes that cover them.
//!
//! ```text
//! http:<host>:<segment>:<segment>…:@:?<query>:v<digest>
//! ```
//!
//! Each segment of the path is a part of its own, so that all URLs under a path have a prefix in common. `-` stands for
//! a missing query. The scheme, and everything that is not in the URL, is in the digest: an unsafe request invalidates a
//! URL whether it came by `http` or by `https`.

use std::fmt::Write as _;

use http::{
    Uri, header,
    request::Parts,
    uri::{Authority, PathAndQuery},
};
use larder::Scope;

use crate::digest::Digest;

/// Number of path segments that are parts of their own; the others are one part. Each part is a scope of the entry.
const SEGMENTS: usize = 16;

/// Longest text, in bytes, that is in a key as it is. Longer text is there as its digest.
const READABLE: usize = 256;

/// The part of a key that follows from the target URI (the "primary key" of RFC 9111): all variants of a response have
/// it in common.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct PrimaryKey {
    host: String,
    base: String,
}

impl PrimaryKey {
    pub(crate) fn of(request: &Parts, sorted: bool) -> Self {
        let uri = &request.uri;
        Self::new(named_host(request), uri.path(), uri.query(), sorted)
    }

    fn new(authority: &str, path: &str, query: Option<&str>, sorted: bool) -> Self {
        let host = canonical_host(authority);
        let mut base = path_key(&host, path);
        match query {
            None => base.push_str("@:-"),
            Some(query) => {
                base.push_str("@:?");
                let query = if sorted { sorted_query(query) } else { query.to_owned() };
                readable(&mut base, &query);
            }
        }
        Self { host, base }
    }

    /// Path and query of a URI reference in a response from here; none if it leads to another host.
    pub(crate) fn resolve(&self, reference: &str, request: &Uri) -> Option<String> {
        let reference = reference.split('#').next().unwrap_or_default();
        let has_scheme = reference.split(['/', '?']).next().is_some_and(|first| first.contains(':'));
        if has_scheme {
            // A URI without a host, such as `mailto:`, is not served here.
            reference.split_once(':').filter(|(_, rest)| rest.starts_with("//"))?;
            let uri: Uri = reference.parse().ok()?;
            if canonical_host(uri.authority()?.as_str()) != self.host {
                return None;
            }
            return Some(uri.path_and_query().map_or("/", PathAndQuery::as_str).to_owned());
        }
        if let Some(rest) = reference.strip_prefix("//") {
            return self.resolve(&format!("http://{rest}"), request);
        }
        let (path, query) = match reference.split_once('?') {
            Some((path, query)) => (path, Some(query)),
            None => (reference, None),
        };
        let path = match path {
            "" => request.path().to_owned(),
            path if path.starts_with('/') => without_dots(path),
            path => {
                let folder = request.path().rfind('/').map_or("/", |slash| &request.path()[..=slash]);
                without_dots(&format!("{folder}{path}"))
            }
        };
        Some(match query {
            Some(query) => format!("{path}?{query}"),
            None => path,
        })
    }

    pub(crate) fn host(&self) -> &str {
        &self.host
    }

    /// Covers all that is stored for this URI.
    pub(crate) fn scope(&self) -> Scope {
        Scope::prefix(&self.base)
    }

    /// The key of the variant with this digest.
    pub(crate) fn variant(&self, digest: &Digest) -> String {
        match *digest {
            Digest::NONE => [&self.base, ":v"].concat(),
            _ => [&self.base, ":v", &digest.hex()].concat(),
        }
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
    Scope::prefix(format!("{}@", path_key(&canonical_host(host), path)))
}

/// The scope of all stored responses of a path and of all paths under it.
///
/// `/users` covers `/users`, `/users/` and `/users/7`, but not `/users-of-today`. `/` covers all responses of the host.
/// A path of sixteen segments or more covers only itself.
#[must_use]
pub fn pages_under(host: &str, path: &str) -> Scope {
    Scope::prefix(path_key(&canonical_host(host), path.trim_end_matches('/')))
}

/// Covers all variants of a URL.
pub(crate) fn url(host: &str, path_and_query: &str, sorted: bool) -> Scope {
    let (path, query) = match path_and_query.split_once('?') {
        Some((path, query)) => (path, Some(query)),
        None => (path_and_query, None),
    };
    PrimaryKey::new(host, path, query, sorted).scope()
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

/// The host of a request, as the client wrote it.
pub(crate) fn named_host(request: &Parts) -> &str {
    let header = || request.headers.get(header::HOST).and_then(|host| host.to_str().ok());
    request.uri.authority().map(Authority::as_str).or_else(header).unwrap_or_default()
}

/// In lower case, without a user and without the ports 80 and 443.
pub(crate) fn canonical_host(authority: &str) -> String {
    let host = authority.rsplit_once('@').map_or(authority, |(_user, host)| host).to_ascii_lowercase();
    match host.strip_suffix(":80").or_else(|| host.strip_suffix(":443")) {
        Some(host) => host.to_owned(),
        None => host,
    }
}

/// The key as far as the path, with a `:` at its end.
fn path_key(host: &str, path: &str) -> String {
    let mut key = String::from("http:");
    readable(&mut key, host);
    key.push(':');
    let path = path.strip_prefix('/').unwrap_or(path);
    let mut segments = path.splitn(SEGMENTS, '/').peekable();
    if path.is_empty() {
        segments.next();
    }
    let mut left = READABLE * 2;
    for segment in segments {
        // However long the path is, the key is short.
        let short = segment.len() <= left.min(READABLE);
        left = left.saturating_sub(segment.len());
        if short {
            escape(&mut key, segment)
        } else {
            digest(&mut key, segment)
        }
        key.push(':');
    }
    key
}

fn readable(key: &mut String, text: &str) {
    if text.len() <= READABLE { escape(key, text) } else { digest(key, text) }
}

/// Escaped text never has a `%` that is not followed by two hexadecimal digits, so it cannot look like a digest.
fn digest(key: &mut String, text: &str) {
    key.push_str("%~");
    key.push_str(&Digest::of(&[text.as_bytes()]).hex());
}

/// Text in which separators are percent-encoded.
fn escape(key: &mut String, text: &str) {
    let is_special =
        |character: char| matches!(character, ':' | '*' | '%' | '@' | '?') || character.is_control();
    let mut rest = text;
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

/// RFC 3986, section 5.2.4.
fn without_dots(path: &str) -> String {
    let mut segments: Vec<&str> = Vec::new();
    let mut parts = path.split('/').skip(1).peekable();
    while let Some(part) = parts.next() {
        let last = parts.peek().is_none();
        match part {
            "." if last => segments.push(""),
            "." => {}
            ".." => {
                segments.pop();
                if last {
                    segments.push("");
                }
            }
            part => segments.push(part),
        }
    }
    format!("/{}", segments.join("/"))
}

#[cfg(test)]
mod tests;
