//! `Cache-Control`, parsed strictly where it permits something, and leniently where it forbids something.
//!
//! RFC 9111, section 4.2.1 leaves it to the cache how to treat values that are invalid or contradict each other, and
//! encourages to consider such a response stale. So a time that is not a number is zero, and so are two different ones.
//! A directive that forbids something counts wherever it stands, except inside of a quoted string of a well-formed
//! member. A directive that permits more than a cache may do by default counts only if the whole header follows the
//! grammar.

use std::time::Duration;

use http::{HeaderMap, HeaderName, header};

use crate::list_syntax::members;

/// The longest time that is represented, in seconds: 68 years. It stands for all longer ones.
const LONGEST: u64 = u32::MAX as u64 / 2;

/// The directives of a response.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct ResponseDirectives {
    pub(crate) no_store: bool,
    pub(crate) no_cache: Qualified,
    pub(crate) private: Qualified,
    pub(crate) must_revalidate: bool,
    pub(crate) proxy_revalidate: bool,
    pub(crate) must_understand: bool,
    pub(crate) max_age: Option<Duration>,
    pub(crate) s_maxage: Option<Duration>,
    pub(crate) stale_while_revalidate: Option<Duration>,
    pub(crate) stale_if_error: Option<Duration>,
    pub(crate) permits: Permissions,
    /// Where they come from.
    pub(crate) field: Field,
}

/// The field that the directives of a response come from.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum Field {
    /// `Cache-Control`, beside which `Expires` counts.
    #[default]
    CacheControl,
    /// A targeted field that other caches see too.
    Targeted,
    /// The targeted field that is for this cache only.
    Own,
}

/// The directives that permit more than a cache may do by default. Each is set only if it is written as the RFC demands,
/// in a header that follows the grammar.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Permissions {
    pub(crate) public: bool,
    pub(crate) s_maxage: bool,
    pub(crate) must_revalidate: bool,
    pub(crate) must_understand: bool,
}

/// The directives of a request.
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

/// A directive with an optional list of header names (the "qualified form" of RFC 9111, section 5.2.2.4).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) enum Qualified {
    #[default]
    Absent,
    /// It applies to these headers of the response.
    Headers(Vec<HeaderName>),
    /// It applies to the whole response.
    Response,
}

impl Qualified {
    /// Whether it applies to the whole response.
    pub(crate) fn is_unqualified(&self) -> bool {
        *self == Self::Response
    }

    pub(crate) fn names(&self) -> &[HeaderName] {
        match self {
            Self::Headers(names) => names,
            Self::Absent | Self::Response => &[],
        }
    }

    /// Adds one more directive of this name. One whose list cannot be parsed applies to the whole response.
    fn add(&mut self, argument: Argument<'_>) {
        let names = argument.text().map(|list| {
            let names = list.split(',').map(str::trim).filter(|name| !name.is_empty());
            names.map(|name| HeaderName::from_bytes(name.as_bytes())).collect::<Result<Vec<_>, _>>()
        });
        *self = match (std::mem::take(self), names) {
            (Self::Absent, Some(Ok(names))) if !names.is_empty() => Self::Headers(names),
            (Self::Headers(mut known), Some(Ok(names))) if !names.is_empty() => {
                known.extend(names);
                Self::Headers(known)
            }
            _ => Self::Response,
        };
    }
}

/// The directives of a response, while they are read.
#[derive(Debug, Default)]
pub(crate) struct Reading {
    directives: ResponseDirectives,
    permits: Permissions,
    shared_age_is_invalid: bool,
}

impl Reading {
    /// Adds one more directive; `name` is in lower case.
    pub(crate) fn add(&mut self, name: &str, argument: Argument<'_>) {
        let Self { directives, permits, shared_age_is_invalid } = self;
        match name {
            "no-store" => directives.no_store = true,
            "no-cache" => directives.no_cache.add(argument),
            "private" => directives.private.add(argument),
            "public" => permits.public |= argument == Argument::None,
            "must-revalidate" => {
                directives.must_revalidate = true;
                permits.must_revalidate |= argument == Argument::None;
            }
            "proxy-revalidate" => directives.proxy_revalidate = true,
            "must-understand" => {
                directives.must_understand = true;
                permits.must_understand |= argument == Argument::None;
            }
            "max-age" => set(&mut directives.max_age, argument),
            "s-maxage" => {
                let is_valid = matches!(argument, Argument::Token(text) if seconds(Some(text)).is_some())
                    && directives.s_maxage.is_none_or(|known| seconds(argument.text()) == Some(known));
                *shared_age_is_invalid |= !is_valid;
                set(&mut directives.s_maxage, argument);
            }
            "stale-while-revalidate" => set(&mut directives.stale_while_revalidate, argument),
            "stale-if-error" => set(&mut directives.stale_if_error, argument),
            _ => {}
        }
    }

    /// All of them, of a header that follows the grammar or does not.
    pub(crate) fn directives(self, well_formed: bool) -> ResponseDirectives {
        let Self { mut directives, mut permits, shared_age_is_invalid } = self;
        permits.s_maxage = directives.s_maxage.is_some() && !shared_age_is_invalid;
        directives.permits = if well_formed { permits } else { Permissions::default() };
        directives
    }
}

impl ResponseDirectives {
    /// Those of `Cache-Control`.
    pub(crate) fn of(headers: &HeaderMap) -> Self {
        let mut reading = Reading::default();
        let well_formed = each(headers, |name, argument| reading.add(name, argument));
        reading.directives(well_formed)
    }

    /// Those that count in a private cache: without what is said to shared ones only.
    pub(crate) fn in_private_cache(self) -> Self {
        let permits = Permissions { s_maxage: false, ..self.permits };
        Self { private: Qualified::Absent, s_maxage: None, proxy_revalidate: false, permits, ..self }
    }

    /// Adds prohibitions, for the whole response.
    pub(crate) fn forbid(&mut self, names: &[String]) {
        for name in names {
            match name.as_str() {
                "no-store" => {
                    self.no_store = true;
                    // It would permit to ignore `no-store`.
                    self.permits.must_understand = false;
                }
                "no-cache" => self.no_cache = Qualified::Response,
                "private" => self.private = Qualified::Response,
                _ => {}
            }
        }
    }

    /// Whether they give the response no lifetime in a shared cache, whatever else they say.
    pub(crate) fn is_lifeless(&self) -> bool {
        self.no_store || self.no_cache.is_unqualified() || self.private.is_unqualified()
    }

    /// Whether a stale response must be validated, whatever the request's directives and its other ones.
    pub(crate) fn forbids_stale(&self) -> bool {
        self.must_revalidate || self.proxy_revalidate || self.no_cache.is_unqualified()
    }
}

impl RequestDirectives {
    pub(crate) fn of(headers: &HeaderMap) -> Self {
        let mut directives = Self::default();
        each(headers, |name, argument| match name {
            "no-store" => directives.no_store = true,
            "no-cache" => directives.no_cache = true,
            "only-if-cached" => directives.only_if_cached = true,
            "max-age" => set(&mut directives.max_age, argument),
            // An invalid `min-fresh` demands more than any response has.
            "min-fresh" => {
                let asked = seconds(argument.text()).unwrap_or(Duration::from_secs(LONGEST));
                directives.min_fresh = Some(directives.min_fresh.unwrap_or_default().max(asked));
            }
            "max-stale" if argument == Argument::None => {
                directives.max_stale = Some(Duration::from_secs(LONGEST));
            }
            "max-stale" => set(&mut directives.max_stale, argument),
            "stale-if-error" => set(&mut directives.stale_if_error, argument),
            _ => {}
        });
        directives
    }
}

/// Sets a time. An invalid one is zero, and so are two that differ.
fn set(time: &mut Option<Duration>, argument: Argument<'_>) {
    let given = seconds(argument.text()).unwrap_or_default();
    *time = Some(match *time {
        Some(known) if known != given => Duration::ZERO,
        _ => given,
    });
}

/// Delta-seconds: digits and nothing else. A number that is too large is the longest time (RFC 9111, section 1.2.2).
pub(crate) fn seconds(value: Option<&str>) -> Option<Duration> {
    let digits = value?;
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    Some(Duration::from_secs(digits.parse().unwrap_or(LONGEST).min(LONGEST)))
}

/// The argument of a directive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Argument<'a> {
    None,
    Token(&'a str),
    /// Without the quotes.
    Quoted(&'a str),
    /// The directive does not follow the grammar, or stands behind a quote that is not closed.
    Malformed,
}

impl<'a> Argument<'a> {
    fn text(self) -> Option<&'a str> {
        match self {
            Self::Token(text) | Self::Quoted(text) => Some(text),
            Self::None | Self::Malformed => None,
        }
    }
}

/// Calls `directive` with each directive's name, in lower case, and its argument; returns whether the whole header
/// follows the grammar. Of a member that does not, each word counts as a directive: one of them may forbid something.
fn each(headers: &HeaderMap, mut directive: impl FnMut(&str, Argument<'_>)) -> bool {
    let mut well_formed = true;
    let mut quote_is_open = false;
    for line in headers.get_all(header::CACHE_CONTROL) {
        // Text that is not ASCII cannot be a known directive, and must not hide one.
        let line = String::from_utf8_lossy(line.as_bytes());
        for member in members(&line) {
            match well_formed_directive(member) {
                Some((name, _, _)) if quote_is_open => directive(&name, Argument::Malformed),
                Some((name, None, _)) => directive(&name, Argument::None),
                Some((name, Some(text), false)) => directive(&name, Argument::Token(&text)),
                Some((name, Some(text), true)) => directive(&name, Argument::Quoted(&text)),
                None => {
                    well_formed = false;
                    quote_is_open |= has_open_quote(member);
                    let is_separator = |c: char| !(c.is_ascii_alphanumeric() || matches!(c, '-' | '_'));
                    for word in member.split(is_separator) {
                        directive(&word.to_ascii_lowercase(), Argument::Malformed);
                    }
                }
            }
        }
    }
    well_formed
}

/// Parses `token [ "=" ( token / quoted-string ) ]`: the name in lower case, the argument without quotes, and whether it
/// was quoted. None if it is anything else.
fn well_formed_directive(member: &str) -> Option<(String, Option<String>, bool)> {
    let (name, argument) = match member.split_once('=') {
        Some((name, argument)) => (name, Some(argument)),
        None => (member, None),
    };
    // Known names have no other characters. A name in typographic quotes, say, may contain a directive.
    let is_name = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    if name.is_empty() || !name.bytes().all(is_name) {
        return None;
    }
    let name = name.to_ascii_lowercase();
    match argument {
        None => Some((name, None, false)),
        Some(token) if !token.is_empty() && token.bytes().all(is_token) => {
            Some((name, Some(token.to_owned()), false))
        }
        Some(quoted) => Some((name, Some(unquoted(quoted)?), true)),
    }
}

/// RFC 9110, section 5.6.2.
fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

/// The content of a quoted string (RFC 9110, section 5.6.4); none if the value is not exactly one.
fn unquoted(value: &str) -> Option<String> {
    let mut characters = value.strip_prefix('"')?.chars();
    let mut text = String::with_capacity(value.len());
    loop {
        match characters.next()? {
            '"' => break,
            '\\' => text.push(characters.next()?),
            character => text.push(character),
        }
    }
    characters.next().is_none().then_some(text)
}

/// Whether a quote in it is not closed: a strict parser would then take all that follows for quoted text.
fn has_open_quote(member: &str) -> bool {
    let mut open = false;
    let mut characters = member.chars();
    while let Some(character) = characters.next() {
        match character {
            '"' => open = !open,
            '\\' if open => drop(characters.next()),
            _ => {}
        }
    }
    open
}

#[cfg(test)]
mod tests;
