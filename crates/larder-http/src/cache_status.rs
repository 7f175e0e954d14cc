//! `Cache-Status`: what became of a request (RFC 9211).

use std::{fmt::Write as _, time::Duration};

use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};

/// The field's name.
const CACHE_STATUS: HeaderName = HeaderName::from_static("cache-status");

/// Why a request went on to the handler.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Forward {
    /// The cache was told not to, or cannot, deal with such requests.
    Bypass,
    /// Its method is not cached.
    Method,
    /// Nothing is stored under its URI.
    UriMiss,
    /// What is stored was chosen by other headers.
    VaryMiss,
    /// What is stored may not be used for it.
    Miss,
    /// What is stored is fresh, but the client wants better.
    Request,
    /// What is stored is stale, or has to be validated.
    Stale,
    /// It asks for a part.
    Partial,
}

/// What became of a request.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct CacheStatus {
    pub(crate) forward: Option<Forward>,
    /// What the handler said, where that is not what the client gets.
    pub(crate) forward_status: Option<StatusCode>,
    /// For how long the response is fresh, or since when it is not: seconds.
    pub(crate) ttl: Option<i64>,
    pub(crate) stored: bool,
    pub(crate) collapsed: bool,
    pub(crate) detail: Option<&'static str>,
    /// For how long a cache that comes next may keep the response, where that is known: not a part of the field.
    pub(crate) keepable: Option<i64>,
    /// Neither a hit nor forwarded: this cache's own answer.
    pub(crate) is_own: bool,
}

impl CacheStatus {
    pub(crate) fn hit(ttl: i64) -> Self {
        Self { ttl: Some(ttl), ..Self::default() }
    }

    pub(crate) fn forwarded(why: Forward) -> Self {
        Self { forward: Some(why), ..Self::default() }
    }

    pub(crate) fn not_forwarded(detail: &'static str) -> Self {
        Self { detail: Some(detail), is_own: true, ..Self::default() }
    }

    /// Adds the member of this cache, of this name, to the list of all caches on the way.
    pub(crate) fn append(self, headers: &mut HeaderMap, name: &str) {
        let mut member = String::from(name);
        match self.forward {
            None if self.is_own => {}
            None => member.push_str("; hit"),
            Some(why) => {
                let _ = write!(member, "; fwd={}", why.token());
            }
        }
        if let Some(status) = self.forward_status {
            let _ = write!(member, "; fwd-status={}", status.as_u16());
        }
        if let Some(ttl) = self.ttl {
            let _ = write!(member, "; ttl={ttl}");
        }
        if self.stored {
            member.push_str("; stored");
        }
        if self.collapsed {
            member.push_str("; collapsed");
        }
        if let Some(detail) = self.detail {
            let _ = write!(member, "; detail={detail}");
        }
        // A response with as many headers as there can be goes without.
        if let Ok(member) = HeaderValue::try_from(member) {
            drop(headers.try_append(CACHE_STATUS, member));
        }
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

/// A cache's name as RFC 9211 has it: a token, or else a string in quotes.
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

/// Whole seconds, as far as they can be counted.
pub(crate) fn seconds(time: Duration) -> i64 {
    i64::try_from(time.as_secs()).unwrap_or(i64::MAX)
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
