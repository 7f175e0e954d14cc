//! `Cache-Control`, read strictly where it allows and tolerantly where it forbids.
//!
//! RFC 9111, section 4.2.1 leaves it to the cache what to do about values that are invalid or contradict each
//! other, and encourages to take such a response for stale. So a time that is no number counts as zero, two
//! different ones count as zero, and a word that forbids something does so however it is spaced.

use std::time::Duration;

use http::{HeaderMap, HeaderName, header};

use crate::lists::members;

/// The longest time that is told apart from for ever: 68 years.
const LONGEST: u64 = u32::MAX as u64 / 2;

/// What a response says about being cached.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct ResponseDirectives {
    pub(crate) no_store: bool,
    pub(crate) no_cache: Fields,
    pub(crate) private: Fields,
    pub(crate) public: bool,
    pub(crate) must_revalidate: bool,
    pub(crate) proxy_revalidate: bool,
    pub(crate) must_understand: bool,
    pub(crate) max_age: Option<Duration>,
    pub(crate) s_maxage: Option<Duration>,
    pub(crate) stale_while_revalidate: Option<Duration>,
    pub(crate) stale_if_error: Option<Duration>,
}

/// What a request says about what it takes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct RequestDirectives {
    pub(crate) no_store: bool,
    pub(crate) no_cache: bool,
    pub(crate) only_if_cached: bool,
    pub(crate) max_age: Option<Duration>,
    pub(crate) min_fresh: Option<Duration>,
    pub(crate) max_stale: Option<Duration>,
    pub(crate) stale_if_error: Option<Duration>,
}

/// What a directive with an optional list of fields is about.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) enum Fields {
    /// The directive is not there.
    #[default]
    None,
    /// These fields of the response.
    Some(Vec<HeaderName>),
    /// The response.
    All,
}

impl Fields {
    pub(crate) fn is_all(&self) -> bool {
        *self == Self::All
    }

    pub(crate) fn names(&self) -> &[HeaderName] {
        match self {
            Self::Some(names) => names,
            Self::None | Self::All => &[],
        }
    }

    /// Adds what one more directive says. A list that cannot be read is about the whole response.
    fn add(&mut self, value: Option<&str>) {
        let names = value.map(|list| {
            let names = list.split(',').map(str::trim).filter(|name| !name.is_empty());
            names.map(|name| HeaderName::from_bytes(name.as_bytes())).collect::<Result<Vec<_>, _>>()
        });
        *self = match (std::mem::take(self), names) {
            (Self::None, Some(Ok(names))) if !names.is_empty() => Self::Some(names),
            (Self::Some(mut known), Some(Ok(names))) if !names.is_empty() => {
                known.extend(names);
                Self::Some(known)
            }
            _ => Self::All,
        };
    }
}

impl ResponseDirectives {
    pub(crate) fn of(headers: &HeaderMap) -> Self {
        let mut directives = Self::default();
        each(headers, |name, value| match name {
            "no-store" => directives.no_store = true,
            "no-cache" => directives.no_cache.add(value),
            "private" => directives.private.add(value),
            "public" => directives.public = true,
            "must-revalidate" => directives.must_revalidate = true,
            "proxy-revalidate" => directives.proxy_revalidate = true,
            "must-understand" => directives.must_understand = true,
            "max-age" => set(&mut directives.max_age, value),
            "s-maxage" => set(&mut directives.s_maxage, value),
            "stale-while-revalidate" => set(&mut directives.stale_while_revalidate, value),
            "stale-if-error" => set(&mut directives.stale_if_error, value),
            _ => {}
        });
        directives
    }

    /// Whether a stale response has to be validated, whatever a client takes.
    pub(crate) fn forbids_stale(&self) -> bool {
        self.must_revalidate || self.proxy_revalidate || self.no_cache.is_all()
    }
}

impl RequestDirectives {
    pub(crate) fn of(headers: &HeaderMap) -> Self {
        let mut directives = Self::default();
        each(headers, |name, value| match name {
            "no-store" => directives.no_store = true,
            "no-cache" => directives.no_cache = true,
            "only-if-cached" => directives.only_if_cached = true,
            "max-age" => set(&mut directives.max_age, value),
            // A `min-fresh` that cannot be read asks for more than any response has.
            "min-fresh" => {
                let asked = seconds(value).unwrap_or(Duration::from_secs(LONGEST));
                directives.min_fresh = Some(directives.min_fresh.unwrap_or_default().max(asked));
            }
            "max-stale" if value.is_none() => directives.max_stale = Some(Duration::from_secs(LONGEST)),
            "max-stale" => set(&mut directives.max_stale, value),
            "stale-if-error" => set(&mut directives.stale_if_error, value),
            _ => {}
        });
        directives
    }
}

/// Notes a time. An invalid one is zero, and so are two that differ.
fn set(time: &mut Option<Duration>, value: Option<&str>) {
    let given = seconds(value).unwrap_or_default();
    *time = Some(match *time {
        Some(known) if known != given => Duration::ZERO,
        _ => given,
    });
}

/// Delta-seconds: digits and nothing else. More than can be counted is a long time (RFC 9111, section 1.2.2).
pub(crate) fn seconds(value: Option<&str>) -> Option<Duration> {
    let digits = value?;
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    Some(Duration::from_secs(digits.parse().unwrap_or(LONGEST).min(LONGEST)))
}

/// Calls `directive` with each directive's name, in lower case, and its value without quotes.
fn each(headers: &HeaderMap, mut directive: impl FnMut(&str, Option<&str>)) {
    for line in headers.get_all(header::CACHE_CONTROL) {
        // What is not ASCII cannot be a directive that is known, and must not hide one.
        let line = String::from_utf8_lossy(line.as_bytes());
        for member in members(&line) {
            let (name, value) = match member.split_once('=') {
                Some((name, value)) => (name, Some(value)),
                None => (member, None),
            };
            let name = name.trim_end().to_ascii_lowercase();
            // No blanks around `=` (RFC 9110, section 5.6.6): what forbids still forbids, a time is invalid.
            let spaced = member
                .split_once('=')
                .is_some_and(|(name, value)| name.ends_with([' ', '\t']) || value.starts_with([' ', '\t']));
            let value = value.map(|value| if spaced { " ".into() } else { unquoted(value) });
            directive(&name, value.as_deref());
        }
    }
}

/// A token as it stands, or what a quoted string says.
fn unquoted(value: &str) -> String {
    let Some(quoted) = value.strip_prefix('"').and_then(|value| value.strip_suffix('"')) else {
        return value.to_owned();
    };
    let mut text = String::with_capacity(quoted.len());
    let mut characters = quoted.chars();
    while let Some(character) = characters.next() {
        text.extend(if character == '\\' { characters.next() } else { Some(character) });
    }
    text
}

#[cfg(test)]
mod tests;
