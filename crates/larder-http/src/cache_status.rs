//! `Cache-Status`: how a cache handled a request (RFC 9211).

use std::fmt::{self, Write};

use arrayvec::ArrayString;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header::Entry};

pub(crate) const CACHE_STATUS: HeaderName = HeaderName::from_static("cache-status");

/// Why a request was forwarded to the handler: `fwd`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Forward {
    /// The cache is configured not to handle such requests, or cannot.
    Bypass,
    /// Its method is not cached.
    Method,
    /// Nothing is stored under its URI.
    UriMiss,
    /// What is stored under its URI was selected by other headers.
    VaryMiss,
    /// What is stored must not be used for it.
    Miss,
    /// What is stored is fresh, but the client's directives demand a newer response.
    Request,
    /// What is stored is stale, or must be validated.
    Stale,
    /// It is a range request.
    Partial,
}

/// This cache's member of `Cache-Status`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct CacheStatus {
    pub(crate) forward: Option<Forward>,
    /// The status of the handler's response, if the client gets another one.
    pub(crate) forward_status: Option<StatusCode>,
    /// The rest of the response's lifetime in seconds; negative once it is stale.
    pub(crate) ttl: Option<i64>,
    pub(crate) stored: bool,
    pub(crate) collapsed: bool,
    pub(crate) detail: Option<&'static str>,
    /// For how many seconds a cache further on may keep the response: not a part of `Cache-Status`.
    pub(crate) downstream_ttl: Option<i64>,
    /// Neither a hit nor forwarded: the response was made by this cache.
    pub(crate) is_generated: bool,
}

impl CacheStatus {
    pub(crate) fn hit(ttl: i64) -> Self {
        Self { ttl: Some(ttl), ..Self::default() }
    }

    pub(crate) fn forwarded(why: Forward) -> Self {
        Self { forward: Some(why), ..Self::default() }
    }

    pub(crate) fn generated(detail: &'static str) -> Self {
        Self { detail: Some(detail), is_generated: true, ..Self::default() }
    }

    /// The member for the cache of this name.
    pub(crate) fn value(self, name: &str) -> Option<HeaderValue> {
        // Without an allocation, unless the name is long.
        let mut short = ArrayString::<128>::new();
        match self.write(name, &mut short) {
            Ok(()) => HeaderValue::from_str(&short).ok(),
            Err(fmt::Error) => {
                let mut long = String::new();
                // Writing to a `String` cannot fail.
                let _ = self.write(name, &mut long);
                HeaderValue::try_from(long).ok()
            }
        }
    }

    fn write(self, name: &str, member: &mut impl Write) -> fmt::Result {
        member.write_str(name)?;
        match self.forward {
            None if self.is_generated => {}
            None => member.write_str("; hit")?,
            Some(why) => {
                member.write_str("; fwd=")?;
                member.write_str(why.token())?;
            }
        }
        if let Some(status) = self.forward_status {
            member.write_str("; fwd-status=")?;
            member.write_str(status.as_str())?;
        }
        if let Some(ttl) = self.ttl {
            member.write_str("; ttl=")?;
            member.write_str(itoa::Buffer::new().format(ttl))?;
        }
        if self.stored {
            member.write_str("; stored")?;
        }
        if self.collapsed {
            member.write_str("; collapsed")?;
        }
        if let Some(detail) = self.detail {
            member.write_str("; detail=")?;
            member.write_str(detail)?;
        }
        Ok(())
    }
}

/// Adds a member to the list of all caches on the way.
pub(crate) fn append(member: HeaderValue, headers: &mut HeaderMap) {
    // Without room for one more header, the response has no `Cache-Status`.
    let _ = headers.try_append(CACHE_STATUS, member);
}

/// Puts a member into the place that is there for it: the last line.
pub(crate) fn put(member: HeaderValue, headers: &mut HeaderMap) {
    if let Entry::Occupied(mut lines) = headers.entry(CACHE_STATUS)
        && let Some(place) = lines.iter_mut().last()
    {
        *place = member;
    }
}

impl Forward {
    fn token(self) -> &'static str {
        match self {
            Self::Bypass => "bypass",
            Self::Method => "method",
            Self::UriMiss => "uri-miss",
            Self::VaryMiss => "vary-miss",
            Self::Miss => "miss",
            Self::Request => "request",
            Self::Stale => "stale",
            Self::Partial => "partial",
        }
    }
}

/// A cache's name in the syntax of RFC 9211: a token, or else a string in quotes.
pub(crate) fn name(name: &str) -> String {
    let is_token = |c: char| c.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~:/".contains(c);
    if name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '*') && name.chars().all(is_token) {
        return name.to_owned();
    }
    let mut quoted = String::from("\"");
    for character in name.chars().filter(|&c| c == ' ' || c.is_ascii_graphic()) {
        if matches!(character, '"' | '\\') {
            quoted.push('\\');
        }
        quoted.push(character);
    }
    quoted.push('"');
    quoted
}

#[cfg(test)]
mod tests {
    #[test]
    fn names_are_tokens_or_strings() {
        for (given, written) in [
            ("larder", "larder"),
            ("edge/1:2", "edge/1:2"),
            ("The Edge", "\"The Edge\""),
            ("1", "\"1\""),
            ("a\"ü\n", "\"a\\\"\""),
        ] {
            assert_eq!(super::name(given), written);
        }
    }
}
