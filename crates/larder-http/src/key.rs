//! Where a response is kept: the layout of keys, and the scopes that cover them.
//!
//! ```text
//! http:<host>:<segment>:<segment>…:@:?<query>:v<digest>
//! ```
//!
//! Each segment of the path is a part of its own, so that what is under a path is a prefix. Without a query there
//! is a `-` in its place. All that is not in the URL, and the scheme, is in the digest: a change is a change
//! whether it came by `http` or by `https`.

use std::fmt::Write as _;

use http::{Uri, header, request::Parts, uri::Authority};
use larder::Scope;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

/// So many segments are parts of their own; the others are one. Each part is a scope of the entry.
const SEGMENTS: usize = 16;

/// Text that is longer than this many bytes is in the key as its digest.
const READABLE: usize = 256;

/// A digest that no one can find a second text for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
pub(crate) struct Hash([u8; 20]);

impl From<Sha256> for Hash {
    fn from(hasher: Sha256) -> Self {
        let mut hash = [0; 20];
        hash.copy_from_slice(&hasher.finalize()[..20]);
        Self(hash)
    }
}

impl Hash {
    /// That of nothing, which needs no digest.
    pub(crate) const NONE: Self = Self([0; 20]);

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
        let digit = |value: u8| char::from(b"0123456789abcdef"[usize::from(value & 15)]);
        self.0.iter().flat_map(|&byte| [digit(byte >> 4), digit(byte)]).collect()
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

    /// What another URI means, in a response from here: none if it is elsewhere.
    pub(crate) fn resolve(&self, reference: &str, request: &Uri, sorted: bool) -> Option<Self> {
        let reference = reference.split('#').next().unwrap_or_default();
        let has_scheme = reference.split(['/', '?']).next().is_some_and(|first| first.contains(':'));
        if has_scheme {
            // One that names no host, such as `mailto:`, is none of ours.
            reference.split_once(':').filter(|(_, rest)| rest.starts_with("//"))?;
            let uri: Uri = reference.parse().ok()?;
            if canonical_host(uri.authority()?.as_str()) != self.host {
                return None;
            }
            return Some(Self::new(&self.host, uri.path(), uri.query(), sorted));
        }
        if let Some(rest) = reference.strip_prefix("//") {
            return self.resolve(&format!("http://{rest}"), request, sorted);
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
        Some(Self::new(&self.host, &path, query, sorted))
    }

    /// The same with a slash more or less at the end of the path of its `uri`.
    pub(crate) fn beside(&self, uri: &Uri, sorted: bool) -> Self {
        let path = match uri.path().strip_suffix('/') {
            Some(path) => path.to_owned(),
            None => format!("{}/", uri.path()),
        };
        Self::new(&self.host, &path, uri.query(), sorted)
    }

    /// All that is kept for this URI.
    pub(crate) fn scope(&self) -> Scope {
        Scope::prefix(&self.base)
    }

    /// Where a response is kept that was chosen by this.
    pub(crate) fn slot(&self, chosen_by: &Hash) -> String {
        match *chosen_by {
            Hash::NONE => [&self.base, ":v"].concat(),
            _ => [&self.base, ":v", &chosen_by.hex()].concat(),
        }
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

/// The host that a request names, as it names it.
pub(crate) fn named_host(request: &Parts) -> &str {
    let header = || request.headers.get(header::HOST).and_then(|host| host.to_str().ok());
    request.uri.authority().map(Authority::as_str).or_else(header).unwrap_or_default()
}

/// Lower case, without the port that goes without saying.
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

#[cfg(test)]
mod tests;
