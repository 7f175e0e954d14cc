//! Validation by entity tags and dates: of what a client has, and of what is stored (RFC 9110, section 13; RFC 9111,
//! section 4.3).

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};

use crate::{
    date::{self, Millis},
    digest::Digest,
    headers::content_length,
    list_syntax::{Backslash, split},
};

/// Conditions of a request that a stored response can answer.
pub(crate) static CACHE_CONDITIONS: [HeaderName; 2] = [header::IF_NONE_MATCH, header::IF_MODIFIED_SINCE];

/// Conditions of a request that only the handler can answer.
pub(crate) static ORIGIN_CONDITIONS: [HeaderName; 2] = [header::IF_MATCH, header::IF_UNMODIFIED_SINCE];

/// Headers of a request for a part of a response.
pub(crate) static RANGE_HEADERS: [HeaderName; 2] = [header::RANGE, header::IF_RANGE];

/// Headers that a 304 does not have: they describe the body.
const NOT_IN_A_304: [&str; 6] = [
    "content-length",
    "content-type",
    "content-encoding",
    "content-language",
    "content-range",
    "content-md5",
];

/// The conditions with which the handler is asked whether a stored response is still current.
#[derive(Debug, Clone, Default)]
pub(crate) struct Conditions {
    pub(crate) if_none_match: Option<HeaderValue>,
    pub(crate) if_modified_since: Option<HeaderValue>,
}

impl Conditions {
    /// Those that follow from the validators that the handler gave the response.
    pub(crate) fn of(stored: &HeaderMap, generated_etag: bool) -> Self {
        Self {
            if_none_match: stored.get(header::ETAG).filter(|_| !generated_etag).cloned(),
            if_modified_since: stored.get(header::LAST_MODIFIED).cloned(),
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.if_none_match.is_none() && self.if_modified_since.is_none()
    }
}

/// The request asks whether what is stored for its URL is still current: an extension of a request, for origins that call
/// other URLs too.
#[cfg_attr(
    all(feature = "actix", not(feature = "tower")),
    expect(dead_code, reason = "for services of tower")
)]
#[derive(Debug, Clone, Copy)]
pub(crate) struct Validating;

/// What is changed in a request before it is forwarded to its handler.
#[derive(Debug, Clone, Default)]
pub(crate) struct RequestChanges {
    /// They replace the client's own conditions: a response can be stored only if it is complete.
    pub(crate) conditions: Option<Conditions>,
    /// Headers that are removed.
    pub(crate) removed: Vec<HeaderName>,
}

impl RequestChanges {
    /// Whether it asks if what is stored is still current.
    #[cfg_attr(
        all(feature = "actix", not(feature = "tower")),
        expect(dead_code, reason = "for services of tower")
    )]
    pub(crate) fn is_validating(&self) -> bool {
        self.conditions.as_ref().is_some_and(|conditions| !conditions.is_empty())
    }

    pub(crate) fn apply(self, headers: &mut HeaderMap) {
        for name in self.removed_headers() {
            headers.remove(name);
        }
        let Some(conditions) = self.conditions else { return };
        if let Some(tag) = conditions.if_none_match {
            headers.insert(header::IF_NONE_MATCH, tag);
        }
        if let Some(date) = conditions.if_modified_since {
            headers.insert(header::IF_MODIFIED_SINCE, date);
        }
    }

    /// All headers of the client that are removed, or replaced.
    pub(crate) fn removed_headers(&self) -> impl Iterator<Item = &HeaderName> {
        let answerable: &'static [HeaderName] =
            if self.conditions.is_some() { &CACHE_CONDITIONS } else { &[] };
        answerable.iter().chain(&self.removed)
    }
}

/// Whether the client has this response already, so that a 304 answers its request. `received` is when a stored response
/// was received: a new one has no date of its last modification, unless it declares one.
pub(crate) fn is_not_modified(
    request: &HeaderMap,
    status: StatusCode,
    response: &HeaderMap,
    received: Option<Millis>,
) -> bool {
    // Conditions apply to a request that would succeed without them (RFC 9110, section 13.2.1).
    if !status.is_success() {
        return false;
    }
    if request.contains_key(header::IF_NONE_MATCH) {
        return any_tag_matches(request, response.get(header::ETAG));
    }
    let Some(Ok(since)) = date::header(request, &header::IF_MODIFIED_SINCE) else { return false };
    // RFC 9111, section 4.3.2: `Last-Modified`, or else `Date`, or else the time at which it was received.
    let named = |name| date::header(response, name).and_then(Result::ok);
    let came = || received.map(|received| named(&header::DATE).unwrap_or(received));
    named(&header::LAST_MODIFIED).or_else(came).is_some_and(|modified| modified <= since)
}

/// Whether a client's `If-Range` holds for this response, so that a range of it answers the request (RFC 9110, section
/// 13.1.5). It does if there is none, if it is the response's strong tag, or the date of its last modification where that is
/// a strong validator: the response was made at least a second later (section 8.8.2.2).
pub(crate) fn if_range_holds(request: &HeaderMap, response: &HeaderMap) -> bool {
    let mut lines = request.get_all(header::IF_RANGE).iter();
    let condition = match (lines.next(), lines.next()) {
        (None, _) => return true,
        (Some(condition), None) => condition,
        (Some(_), Some(_)) => return false,
    };
    let text = condition.as_bytes().trim_ascii();
    if text.starts_with(b"\"") || text.starts_with(b"W/") {
        let tag = response.get(header::ETAG).map(|tag| tag.as_bytes().trim_ascii());
        return text.starts_with(b"\"") && tag == Some(text);
    }
    let named = |name| date::header(response, name).and_then(Result::ok);
    match (date::parse(condition), named(&header::LAST_MODIFIED), named(&header::DATE)) {
        (Ok(condition), Some(modified), Some(date)) => condition == modified && date >= modified + 1000,
        _ => false,
    }
}

/// Compares the response's tag with each of the request's list, weakly. `*` matches any.
fn any_tag_matches(request: &HeaderMap, stored: Option<&HeaderValue>) -> bool {
    let lines = request.get_all(header::IF_NONE_MATCH).iter();
    let mut tags =
        lines.flat_map(|line| split(line.as_bytes(), b",", Backslash::Literal)).filter(|tag| !tag.is_empty());
    match stored {
        Some(stored) => {
            let stored = stored.as_bytes().trim_ascii();
            tags.any(|tag| tag == b"*" || opaque(tag) == opaque(stored))
        }
        None => tags.any(|tag| tag == b"*"),
    }
}

/// A tag without the mark of a weak one.
fn opaque(tag: &[u8]) -> &[u8] {
    tag.strip_prefix(b"W/").unwrap_or(tag)
}

/// A strong tag, made from the body and the headers that identify a representation.
pub(crate) fn etag(headers: &HeaderMap, body: &Bytes) -> HeaderValue {
    let describing = [header::CONTENT_TYPE, header::CONTENT_ENCODING, header::CONTENT_LANGUAGE];
    let mut parts: Vec<&[u8]> =
        describing.iter().map(|name| headers.get(name).map_or(&b""[..], HeaderValue::as_bytes)).collect();
    parts.push(body);
    HeaderValue::try_from(format!("\"{}\"", &Digest::of(&parts).hex()[..32])).expect("digits are ASCII")
}

/// The headers of a 304 that replaces a response with these: all but those of the body (RFC 9110, section 15.4.5).
pub(crate) fn not_modified_headers(mut headers: HeaderMap) -> HeaderMap {
    for name in NOT_IN_A_304 {
        headers.remove(name);
    }
    headers
}

/// Whether a 304 validates the stored response: not if its validator is another one, which is that of a representation that
/// is not stored (RFC 9111, section 4.3.4). Its tag goes before its date; a strong tag is that of a strong one only.
pub(crate) fn validates(stored: &HeaderMap, generated_etag: bool, not_modified: &HeaderMap) -> bool {
    if let Some(tag) = not_modified.get(header::ETAG) {
        let (tag, stored) = (tag.as_bytes(), stored.get(header::ETAG).filter(|_| !generated_etag));
        let is_weak = tag.starts_with(b"W/");
        return stored.map(HeaderValue::as_bytes).is_some_and(|stored| match is_weak {
            true => opaque(stored) == opaque(tag),
            false => stored == tag,
        });
    }
    let modified = not_modified.get(header::LAST_MODIFIED);
    modified.is_none() || modified == stored.get(header::LAST_MODIFIED)
}

/// How a response to `HEAD` compares with the stored response.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum HeadComparison {
    /// A validator shows that the body is the same.
    Same,
    /// The body is another one.
    Different,
    /// It shows neither.
    Unknown,
}

/// RFC 9111, section 4.3.5. Equal lengths do not show that the bodies are equal.
pub(crate) fn compare_with_head(
    stored: &HeaderMap,
    generated_etag: bool,
    length: usize,
    head: &HeaderMap,
) -> HeadComparison {
    let etag = stored.get(header::ETAG).filter(|_| !generated_etag);
    let validators = [(header::ETAG, etag), (header::LAST_MODIFIED, stored.get(header::LAST_MODIFIED))];
    let mut comparison = HeadComparison::Unknown;
    for (name, stored) in validators {
        match head.get(name) {
            None => {}
            Some(newer) if Some(newer) == stored => comparison = HeadComparison::Same,
            Some(_) => return HeadComparison::Different,
        }
    }
    match content_length(head) {
        Some(stated) if stated != Ok(length as u64) => HeadComparison::Different,
        _ => comparison,
    }
}

#[cfg(test)]
mod tests;
