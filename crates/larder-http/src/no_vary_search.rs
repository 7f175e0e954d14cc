//! `No-Vary-Search`: which requests with another query a response answers too
//! (draft-ietf-httpbis-no-vary-search-10).

use std::sync::Arc;

use http::{HeaderMap, HeaderName};
use serde::{Deserialize, Serialize};

use crate::{
    digest::{Digest, PartsHasher},
    structured_fields::{Value, dictionary},
};

pub(crate) static NO_VARY_SEARCH: HeaderName = HeaderName::from_static("no-vary-search");

/// Most parameters that a header names. One that names more has no effect: what is kept of it is bounded.
const MAX_NAMES: usize = 32;

/// Their length in bytes, together.
const MAX_BYTES: usize = 1024;

/// What of a query selects a response: a "URL variation config" other than the default one, by which queries are compared
/// byte by byte (section 4).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "Portable", into = "Portable")]
pub(crate) struct UrlVariation(Arc<Parts>);

#[derive(Debug, PartialEq, Eq)]
struct Parts {
    /// Decoded, sorted.
    names: Vec<String>,
    /// Whether the parameters with these names select a response, and no others do; or all others do.
    select: bool,
    ignores_order: bool,
    /// Of all of that.
    digest: Digest,
}

/// What is serialized: the digest follows from it. The names of this type and its fields are part of the format in which
/// responses are shared.
#[derive(Serialize, Deserialize)]
#[serde(rename = "UrlVariation")]
struct Portable {
    names: Vec<String>,
    select: bool,
    ignores_order: bool,
}

impl From<Portable> for UrlVariation {
    fn from(portable: Portable) -> Self {
        Self::new(portable.names, portable.select, portable.ignores_order)
    }
}

impl From<UrlVariation> for Portable {
    fn from(UrlVariation(parts): UrlVariation) -> Self {
        Self { names: parts.names.clone(), select: parts.select, ignores_order: parts.ignores_order }
    }
}

impl UrlVariation {
    fn new(mut names: Vec<String>, select: bool, ignores_order: bool) -> Self {
        names.sort_unstable();
        names.dedup();
        let mut hasher = PartsHasher::default();
        hasher.flag(select);
        hasher.flag(ignores_order);
        names.iter().for_each(|name| hasher.part(name.as_bytes()));
        Self(Arc::new(Parts { names, select, ignores_order, digest: hasher.finish() }))
    }

    /// That of a response; none if it is the default one, as it is for a header that is not valid in all of its parts
    /// (section 5).
    pub(crate) fn of(response: &HeaderMap) -> Option<Self> {
        if !response.contains_key(&NO_VARY_SEARCH) {
            return None;
        }
        let members = dictionary(response.get_all(&NO_VARY_SEARCH))?;
        // The last member with a key counts.
        let member = |key| members.iter().rev().find(|(known, _)| known == key).map(|(_, value)| value);
        let ignores_order = match member("key-order") {
            None => false,
            Some(Value::Boolean(ignores)) => *ignores,
            Some(_) => return None,
        };
        let (names, select) = match (member("params"), member("except")) {
            (None, None) => (Vec::new(), false),
            (Some(Value::InnerList(params)), None) => (names(params)?, false),
            (None, Some(Value::InnerList(except))) => (names(except)?, true),
            _ => return None,
        };
        let is_default = names.is_empty() && !select && !ignores_order;
        (!is_default).then(|| Self::new(names, select, ignores_order))
    }

    pub(crate) fn digest(&self) -> &Digest {
        &self.0.digest
    }

    /// The same text for all queries that are equivalent, and for no others (section 6). It has no byte but letters,
    /// digits, and `-._~%&=`.
    pub(crate) fn canonical(&self, query: Option<&str>) -> String {
        let mut pairs: Vec<_> = pairs(query.unwrap_or_default())
            .filter(|(name, _)| self.0.names.binary_search(name).is_ok() == self.0.select)
            .collect();
        if self.0.ignores_order {
            // Stable: the values of one name keep their order.
            pairs.sort_by(|(one, _), (other, _)| one.cmp(other));
        }
        let mut canonical = String::new();
        for (name, value) in pairs {
            if !canonical.is_empty() {
                canonical.push('&');
            }
            encode(&mut canonical, &name);
            canonical.push('=');
            encode(&mut canonical, &value);
        }
        canonical
    }
}

/// The names of parameters; none if one of the items is not a string, or if they are too many.
fn names(items: &[Value]) -> Option<Vec<String>> {
    let names: Vec<_> = items
        .iter()
        .map(|item| match item {
            Value::String(name) => Some(decoded(name)),
            _ => None,
        })
        .collect::<Option<_>>()?;
    let bytes: usize = names.iter().map(String::len).sum();
    (names.len() <= MAX_NAMES && bytes <= MAX_BYTES).then_some(names)
}

/// The parameters of a query in `application/x-www-form-urlencoded`, decoded.
fn pairs(query: &str) -> impl Iterator<Item = (String, String)> {
    query.split('&').filter(|pair| !pair.is_empty()).map(|pair| {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        (decoded(name), decoded(value))
    })
}

/// A name or a value: `+` is a blank, and bytes that are not UTF-8 are U+FFFD.
fn decoded(text: &str) -> String {
    let digit =
        |byte: Option<&u8>| char::from(*byte?).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    let bytes = text.as_bytes();
    let mut decoded = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while let Some(&byte) = bytes.get(at) {
        at += 1;
        match byte {
            b'+' => decoded.push(b' '),
            b'%' => match (digit(bytes.get(at)), digit(bytes.get(at + 1))) {
                (Some(high), Some(low)) => {
                    decoded.push(high << 4 | low);
                    at += 2;
                }
                _ => decoded.push(b'%'),
            },
            byte => decoded.push(byte),
        }
    }
    String::from_utf8_lossy(&decoded).into_owned()
}

fn encode(canonical: &mut String, text: &str) {
    const DIGITS: &[u8; 16] = b"0123456789ABCDEF";
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            canonical.push(char::from(byte));
        } else {
            canonical.push('%');
            canonical.push(char::from(DIGITS[usize::from(byte >> 4)]));
            canonical.push(char::from(DIGITS[usize::from(byte & 15)]));
        }
    }
}

#[cfg(test)]
mod tests;
