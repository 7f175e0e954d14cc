//! Where a response is kept: the layout of keys, and the scopes that cover them.
//!
//! ```text
//! http:<host>:<segment>:<segment>…:@:<scheme>?<query>:v<digest>
//! ```
//!
//! Each segment of the path is a part of its own, so that what is under a path is a prefix. What was put into
//! the key besides (by the user, by headers that often change an answer) and by `Vary` is in the digest.

use std::fmt::Write as _;

use http::{HeaderMap, Uri, header, request::Parts, uri::Authority};
use larder::Scope;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

/// So many segments are parts of their own; the others are one. Each part is a scope of the entry.
const SEGMENTS: usize = 16;

/// Text that is longer than this many bytes is in the key as its digest.
const READABLE: usize = 256;

/// A digest that no one can find a second text for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub(crate) struct Hash([u8; 20]);

impl From<Sha256> for Hash {
    fn from(hasher: Sha256) -> Self {
        let mut hash = [0; 20];
        hash.copy_from_slice(&hasher.finalize()[..20]);
        Self(hash)
    }
}

impl Hash {
    pub(crate) fn of(parts: &[&[u8]]) -> Self {
        let mut hasher = Sha256::new();
        for part in parts {
            hasher.update((part.len() as u64).to_le_bytes());
            hasher.update(part);
        }
        Self::from(hasher)
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        &self.0
    }

    pub(crate) fn hex(&self) -> String {
        self.0.iter().fold(String::with_capacity(40), |mut text, byte| {
            // Writing to a `String` cannot fail.
            let _ = write!(text, "{byte:02x}");
            text
        })
    }
}

/// What is asked for: the key without what tells variants apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Target {
    host: String,
    base: String,
}

impl Target {
    /// What a request asks for.
    pub(crate) fn of(request: &Parts, uri: &Uri, sorted: bool) -> Self {
        let named = request.headers.get(header::HOST).and_then(|host| host.to_str().ok());
        let authority = uri.authority().map(Authority::as_str).or(named).unwrap_or_default();
        let scheme = uri.scheme_str().unwrap_or("http");
        Self::new(scheme, authority, uri.path(), uri.query(), sorted)
    }

    fn new(scheme: &str, authority: &str, path: &str, query: Option<&str>, sorted: bool) -> Self {
        let host = canonical_host(authority);
        let scheme = scheme.to_ascii_lowercase();
        let mut base = path_key(&host, path);
        base.push_str("@:");
        escape(&mut base, &scheme);
        if let Some(query) = query {
            let query = if sorted { sorted_query(query) } else { query.to_owned() };
            base.push('?');
            readable(&mut base, &query);
        }
        Self { host, base }
    }

    /// What another URI means, in a response from here: none if it is elsewhere.
    pub(crate) fn resolve(&self, reference: &str, request: &Uri, sorted: bool) -> Option<Self> {
        let reference = reference.split('#').next().unwrap_or_default();
        let scheme = request.scheme_str().unwrap_or("http");
        if reference.contains("://") && !reference.starts_with(['/', '?']) {
            let uri: Uri = reference.parse().ok()?;
            if canonical_host(uri.authority()?.as_str()) != self.host {
                return None;
            }
            // The scheme is the request's: behind a proxy that ends TLS, the handler names `https` where the
            // request does not.
            return Some(Self::new(scheme, &self.host, uri.path(), uri.query(), sorted));
        }
        if let Some(rest) = reference.strip_prefix("//") {
            return self.resolve(&format!("{scheme}://{rest}"), request, sorted);
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
        Some(Self::new(scheme, &self.host, &path, query, sorted))
    }

    /// All that is kept for this URI.
    pub(crate) fn scope(&self) -> Scope {
        Scope::prefix(&self.base)
    }

    /// Where a response is kept that was chosen by this.
    pub(crate) fn slot(&self, chosen_by: &Hash) -> String {
        format!("{}:v{}", self.base, chosen_by.hex())
    }
}

/// The pages of a path, with any scheme and query: for `larder`'s `invalidate`.
///
/// `host` is what the requests name in `Host`, with its port unless that is 80 or 443; `path` is as it stands
/// in the URL, percent-encoded.
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

/// The pages of a path and of all paths under it.
///
/// `/users` covers `/users`, `/users/` and `/users/7`, but not `/users-of-today`. For `/` these are all pages
/// of the host. A path is covered to a depth of sixteen segments.
#[must_use]
pub fn pages_under(host: &str, path: &str) -> Scope {
    Scope::prefix(path_key(&canonical_host(host), path.trim_end_matches('/')))
}

/// Lower case, without the port that goes without saying.
fn canonical_host(authority: &str) -> String {
    let host = authority.rsplit_once('@').map_or(authority, |(_user, host)| host).to_ascii_lowercase();
    match host.strip_suffix(":80").or_else(|| host.strip_suffix(":443")) {
        Some(host) => host.to_owned(),
        None => host,
    }
}

/// Whether nothing but its case is lost in the key.
fn is_canonical(authority: &str) -> bool {
    canonical_host(authority).len() == authority.len()
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
        // However long the path is, the key is not.
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

/// A `%` that is not followed by two digits is in no escaped text.
fn digest(key: &mut String, text: &str) {
    key.push_str("%~");
    key.push_str(&Hash::of(&[text.as_bytes()]).hex());
}

/// Text in which nothing can be taken for a separator.
fn escape(key: &mut String, text: &str) {
    for character in text.chars() {
        match character {
            ':' | '*' | '%' | '@' | '?' => {
                // Writing to a `String` cannot fail.
                let _ = write!(key, "%{:02X}", u32::from(character));
            }
            character if character.is_control() => {
                let _ = write!(key, "%{:02X}", u32::from(character));
            }
            character => key.push(character),
        }
    }
}

/// The parameters by name; those of one name keep their order, which may mean something.
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

/// Headers that are not a part of what is asked for, and that frameworks and handlers build links, redirects
/// and routes from: a response is only given to those who sent the same.
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

/// What tells requests for one URI apart before any response does: the user's own additions, and headers that
/// steer what a handler answers.
pub(crate) fn additions(uri: &Uri, headers: &HeaderMap, own: &[String]) -> Hash {
    let mut parts: Vec<Vec<u8>> = own.iter().map(|addition| addition.clone().into_bytes()).collect();
    let own = (parts.len() as u64).to_le_bytes();
    for name in STEERING {
        for value in headers.get_all(name) {
            parts.push([name.as_bytes(), b":", value.as_bytes()].concat());
        }
    }
    // Where `Host` is not what the key has as the host, a handler may believe it all the same: without what goes
    // without saying, `evil.example/@example.com` and `example.com:443` are hosts for links that lead elsewhere.
    let hosts = headers.get_all(header::HOST);
    let is_in_key = |host: &[u8]| std::str::from_utf8(host).is_ok_and(is_canonical);
    if uri.authority().is_some()
        || hosts.iter().nth(1).is_some()
        || !hosts.iter().all(|host| is_in_key(host.as_bytes()))
    {
        parts.extend(hosts.iter().map(|host| [b"host:", host.as_bytes()].concat()));
    }
    if let Some(authority) = uri.authority().filter(|authority| !is_canonical(authority.as_str())) {
        parts.push([b"authority:", authority.as_str().as_bytes()].concat());
    }
    // `Forwarded` also names the client, which would give each of them pages of its own.
    for value in headers.get_all(header::FORWARDED) {
        let pairs = value.as_bytes().split(|&byte| byte == b';' || byte == b',').map(<[u8]>::trim_ascii);
        let steers = |pair: &&[u8]| {
            let name = pair.split(|&byte| byte == b'=').next().unwrap_or_default().trim_ascii();
            name.eq_ignore_ascii_case(b"host") || name.eq_ignore_ascii_case(b"proto")
        };
        parts.extend(pairs.filter(steers).map(|pair| [b"forwarded:", pair].concat()));
    }
    let parts: Vec<&[u8]> = std::iter::once(&own[..]).chain(parts.iter().map(Vec::as_slice)).collect();
    Hash::of(&parts)
}

#[cfg(test)]
mod tests;
