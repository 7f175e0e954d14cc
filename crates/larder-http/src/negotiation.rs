//! Normal forms of `Accept-Encoding` and `Accept-Language`: requests that ask for the same in other words (RFC 9110,
//! sections 12.5.3 and 12.5.4).
//!
//! A normal form has what a request accepts in the order of preference, without the weights themselves. A header that does
//! not follow the grammar has none, nor has one that is longer than any that is meant: it is compared as text.

use std::{cmp::Reverse, fmt::Write as _};

use http::{HeaderMap, HeaderValue, header};

use crate::list_syntax::{Backslash, split};

/// Codings that servers may offer. Of all others only those count that a response has.
const CODINGS: [&str; 5] = ["br", "deflate", "gzip", "identity", "zstd"];

/// Most members of a header that has a normal form. Each is compared with all others.
const MAX_MEMBERS: usize = 64;

/// Its length in bytes, all lines together.
const MAX_BYTES: usize = 4096;

/// A member of a weighted list: its name in lower case, and its weight in thousandths.
type Weighted = (String, u16);

/// What a request accepts of codings. `offered` are those of a stored response.
pub(crate) fn accepted_codings(request: &HeaderMap, offered: &[String]) -> Option<Vec<u8>> {
    let listed: Vec<_> = listed(request, "accept-encoding")?
        .into_iter()
        .map(|(name, weight)| (canonical_coding(&name).to_owned(), weight))
        .collect();
    let weight_of =
        |coding: &str| listed.iter().filter(|(name, _)| name == coding).map(|&(_, weight)| weight).max();
    let others = weight_of("*");
    let mut codings: Vec<&str> = CODINGS.to_vec();
    codings.extend(offered.iter().map(String::as_str).filter(|offered| !CODINGS.contains(offered)));
    codings.sort_unstable();
    codings.dedup();
    let mut accepted: Vec<_> =
        codings.into_iter().filter_map(|coding| Some((coding, weight_of(coding).or(others)?))).collect();
    // A response without a coding is acceptable unless that is excluded.
    let excludes_identity = accepted.contains(&("identity", 0));
    accepted.retain(|&(_, weight)| weight > 0);
    accepted.sort_by_key(|&(_, weight)| Reverse(weight));
    if accepted.last().is_some_and(|&(coding, _)| coding == "identity")
        && !ties_with_the_one_before(&accepted)
    {
        // Where nothing is liked less than it, it need not be named.
        accepted.pop();
    }
    let mut normal = ranked(&accepted);
    if excludes_identity {
        normal.push('!');
    }
    Some(normal.into_bytes())
}

/// What a request accepts of languages. If `ignores_order` is set, languages of the same weight are in alphabetical order.
pub(crate) fn accepted_languages(request: &HeaderMap, ignores_order: bool) -> Option<Vec<u8>> {
    let mut listed = listed(request, "accept-language")?;
    if ignores_order {
        listed.sort();
    }
    listed.sort_by_key(|&(_, weight)| Reverse(weight));
    let listed: Vec<_> = listed.iter().map(|(name, weight)| (name.as_str(), *weight)).collect();
    let excluded = listed.iter().position(|&(_, weight)| weight == 0).unwrap_or(listed.len());
    let mut normal = ranked(&listed[..excluded]);
    for (language, _) in &listed[excluded..] {
        let _ = write!(normal, "!{language}");
    }
    Some(normal.into_bytes())
}

/// What a request prefers to everything else in this header, if there is one such coding or language.
pub(crate) fn preferred(name: &str, request: &HeaderMap) -> Option<String> {
    if !is_negotiated(name) {
        return None;
    }
    let listed = listed(request, name)?;
    let (best, weight) = listed.iter().max_by_key(|&&(_, weight)| weight)?;
    let is_same = |other: &str| other == best || canonical_coding(other) == canonical_coding(best);
    let is_preferred = |(other, of_other): &Weighted| of_other < weight || is_same(other);
    let is_one = *weight > 0 && best != "*" && listed.iter().all(is_preferred);
    is_one.then(|| canonical_coding(best).to_owned())
}

/// Whether a stored response has what a request prefers to everything else in this header: no other response suits it
/// better, whatever else the request accepts.
pub(crate) fn is_preferred(name: &str, request: &HeaderMap, response: &HeaderMap) -> bool {
    let described_by = match name {
        "accept-encoding" => header::CONTENT_ENCODING,
        _ => header::CONTENT_LANGUAGE,
    };
    let mut values = values(response, described_by.as_str());
    let (Some(only), None) = (values.next(), values.next()) else { return false };
    preferred(name, request).is_some_and(|preferred| preferred == canonical_coding(&only))
}

fn is_negotiated(name: &str) -> bool {
    matches!(name, "accept-encoding" | "accept-language")
}

/// The codings of a response, if it has any.
pub(crate) fn codings_of(response: &HeaderMap) -> Vec<String> {
    values(response, "content-encoding").map(|coding| canonical_coding(&coding).to_owned()).collect()
}

fn ties_with_the_one_before(accepted: &[(&str, u16)]) -> bool {
    matches!(accepted, [.., (_, before), (_, last)] if before == last)
}

/// `a=b>c`: a and b are preferred to c.
fn ranked(members: &[(&str, u16)]) -> String {
    let mut text = String::new();
    let mut before = None;
    for &(name, weight) in members {
        match before {
            None => {}
            Some(before) if before == weight => text.push('='),
            Some(_) => text.push('>'),
        }
        text.push_str(name);
        before = Some(weight);
    }
    text
}

/// RFC 9110, sections 8.4.1.1 and 8.4.1.3.
fn canonical_coding(name: &str) -> &str {
    match name {
        "x-gzip" => "gzip",
        "x-compress" => "compress",
        name => name,
    }
}

/// The members of a list in lower case.
fn values(headers: &HeaderMap, name: &str) -> impl Iterator<Item = String> {
    let members =
        headers.get_all(name).into_iter().flat_map(|line| split(line.as_bytes(), b",", Backslash::Escapes));
    let members = members.filter(|member| !member.is_empty());
    members.map(|member| String::from_utf8_lossy(member).to_ascii_lowercase())
}

/// The members of a weighted list; none if one of them is not valid, or has two weights, or if they are too many.
fn listed(headers: &HeaderMap, name: &str) -> Option<Vec<Weighted>> {
    if headers.get_all(name).iter().map(HeaderValue::len).sum::<usize>() > MAX_BYTES {
        return None;
    }
    let mut listed: Vec<Weighted> = Vec::new();
    for member in values(headers, name) {
        if listed.len() == MAX_MEMBERS {
            return None;
        }
        let (name, weight) = match member.split_once(';') {
            None => (member.as_str(), 1000),
            Some((name, weight)) => (name.trim_end_matches([' ', '\t']), parsed_weight(weight)?),
        };
        let is_of_name = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.*+!#$%&'^`|~".contains(&byte);
        if name.is_empty() || !name.bytes().all(is_of_name) {
            return None;
        }
        match listed.iter().find(|(known, _)| known == name) {
            Some((_, known)) if *known != weight => return None,
            Some(_) => {}
            None => listed.push((name.to_owned(), weight)),
        }
    }
    Some(listed)
}

/// `q=0.5` in thousandths (RFC 9110, section 12.4.2).
fn parsed_weight(parameter: &str) -> Option<u16> {
    let text = parameter.trim_matches([' ', '\t']).strip_prefix("q=")?;
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    if fraction.len() > 3 || !fraction.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let thousandths: u16 = format!("{fraction:0<3}").parse().ok()?;
    match whole {
        "0" => Some(thousandths),
        "1" if thousandths == 0 => Some(1000),
        _ => None,
    }
}

#[cfg(test)]
mod tests;
