//! Validators: entity tags and dates, asked for by clients and asked of the handler (RFC 9110, section 13; RFC
//! 9111, section 4.3).

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};

use crate::{
    date::{self, Millis},
    key::Hash,
    lists::{Backslash, members, split},
};

/// What a client may ask with that a stored response can answer.
pub(crate) static ANSWERABLE: [HeaderName; 2] = [header::IF_NONE_MATCH, header::IF_MODIFIED_SINCE];

/// What a client may ask with that only the handler can answer.
pub(crate) static FOR_THE_HANDLER: [HeaderName; 4] =
    [header::IF_MATCH, header::IF_UNMODIFIED_SINCE, header::IF_RANGE, header::RANGE];

/// What is not in a 304: it describes a body, or is one's.
const NOT_IN_A_304: [&str; 6] = [
    "content-length",
    "content-type",
    "content-encoding",
    "content-language",
    "content-range",
    "content-md5",
];

/// What the handler is asked with: whether what is stored still stands.
#[derive(Debug, Clone, Default)]
pub(crate) struct Conditions {
    pub(crate) if_none_match: Option<HeaderValue>,
    pub(crate) if_modified_since: Option<HeaderValue>,
}

impl Conditions {
    /// By the validators that the handler gave.
    pub(crate) fn of(stored: &HeaderMap, own_etag: bool) -> Self {
        Self {
            if_none_match: stored.get(header::ETAG).filter(|_| !own_etag).cloned(),
            if_modified_since: stored.get(header::LAST_MODIFIED).cloned(),
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.if_none_match.is_none() && self.if_modified_since.is_none()
    }
}

/// What is changed in a request before its handler is asked.
#[derive(Debug, Clone, Default)]
pub(crate) struct Changes {
    /// In place of the client's own conditions: the response has to be one that can be stored.
    pub(crate) conditions: Option<Conditions>,
    /// Headers that the handler does not see.
    pub(crate) without: Vec<HeaderName>,
}

impl Changes {
    pub(crate) fn apply(self, headers: &mut HeaderMap) {
        for name in self.removed() {
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

    /// The headers that are not the client's any more.
    pub(crate) fn removed(&self) -> impl Iterator<Item = &HeaderName> {
        let answerable: &'static [HeaderName] = if self.conditions.is_some() { &ANSWERABLE } else { &[] };
        answerable.iter().chain(&self.without)
    }
}

/// Whether a client has this response already, so that a 304 is its answer. `received` is when it came, if it was
/// stored: what is new has no date that says when it changed last, unless it names one.
pub(crate) fn has_it(
    request: &HeaderMap,
    status: StatusCode,
    response: &HeaderMap,
    received: Option<Millis>,
) -> bool {
    // Conditions are about what would be a success (RFC 9110, section 13.2.1).
    if !status.is_success() {
        return false;
    }
    if request.contains_key(header::IF_NONE_MATCH) {
        return any_tag_matches(request, response.get(header::ETAG));
    }
    let Some(Ok(since)) = date::field(request, &header::IF_MODIFIED_SINCE) else { return false };
    // Section 4.3.2: `Last-Modified`, or else `Date`, or else when it came.
    let named = |name| date::field(response, name).and_then(Result::ok);
    let came = || received.map(|received| named(&header::DATE).unwrap_or(received));
    named(&header::LAST_MODIFIED).or_else(came).is_some_and(|modified| modified <= since)
}

/// Weak comparison with each of a list; `*` is any.
fn any_tag_matches(request: &HeaderMap, stored: Option<&HeaderValue>) -> bool {
    let lines = request.get_all(header::IF_NONE_MATCH).iter();
    let mut tags = lines
        .flat_map(|line| split(line.as_bytes(), b",", Backslash::IsItself))
        .filter(|tag| !tag.is_empty());
    match stored {
        Some(stored) => {
            let stored = stored.as_bytes().trim_ascii();
            tags.any(|tag| tag == b"*" || opaque(tag) == opaque(stored))
        }
        None => tags.any(|tag| tag == b"*"),
    }
}

/// The tag without its weakness.
fn opaque(tag: &[u8]) -> &[u8] {
    tag.strip_prefix(b"W/").unwrap_or(tag)
}

/// A strong tag made from what identifies a representation.
pub(crate) fn etag(headers: &HeaderMap, body: &Bytes) -> HeaderValue {
    let describing = [header::CONTENT_TYPE, header::CONTENT_ENCODING, header::CONTENT_LANGUAGE];
    let mut parts: Vec<&[u8]> =
        describing.iter().map(|name| headers.get(name).map_or(&b""[..], HeaderValue::as_bytes)).collect();
    parts.push(body);
    HeaderValue::try_from(format!("\"{}\"", &Hash::of(&parts).hex()[..32])).expect("digits are ASCII")
}

/// The headers of a 304 in place of a response with these: all but those of its body (RFC 9110, section
/// 15.4.5).
pub(crate) fn not_modified(mut headers: HeaderMap) -> HeaderMap {
    for name in NOT_IN_A_304 {
        headers.remove(name);
    }
    headers
}

/// Whether a 304 is about what is stored: if it has a tag, that is the one. Another tag is that of a
/// representation which is not here, and says nothing about this one (RFC 9111, section 4.3.4).
pub(crate) fn is_about(stored: &HeaderMap, own_etag: bool, not_modified: &HeaderMap) -> bool {
    let stored = stored.get(header::ETAG).filter(|_| !own_etag);
    not_modified
        .get(header::ETAG)
        .is_none_or(|tag| stored.is_some_and(|stored| opaque(stored.as_bytes()) == opaque(tag.as_bytes())))
}

/// What a response to `HEAD` says of the body that is stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum SaidByHead {
    /// It is that body, by a validator.
    Same,
    /// It is another one.
    Another,
    /// Neither.
    Nothing,
}

/// RFC 9111, section 4.3.5. That the length is the same does not show that the body is.
pub(crate) fn said_by_head(
    stored: &HeaderMap,
    own_etag: bool,
    length: usize,
    head: &HeaderMap,
) -> SaidByHead {
    let etag = stored.get(header::ETAG).filter(|_| !own_etag);
    let validators = [(header::ETAG, etag), (header::LAST_MODIFIED, stored.get(header::LAST_MODIFIED))];
    let mut said = SaidByHead::Nothing;
    for (name, stored) in validators {
        match head.get(name) {
            None => {}
            Some(newer) if Some(newer) == stored => said = SaidByHead::Same,
            Some(_) => return SaidByHead::Another,
        }
    }
    match content_length(head) {
        Some(stated) if stated != Ok(length as u64) => SaidByHead::Another,
        _ => said,
    }
}

/// `Content-Length`, if all that is said of it agrees.
pub(crate) fn content_length(headers: &HeaderMap) -> Option<Result<u64, ()>> {
    let mut lengths = headers.get_all(header::CONTENT_LENGTH).iter().flat_map(|line| {
        let line = line.to_str().unwrap_or("invalid").to_owned();
        // Digits alone: `parse` takes a sign too.
        let length = |text: &str| text.parse().ok().filter(|_| !text.starts_with('+')).ok_or(());
        members(&line).map(length).collect::<Vec<_>>()
    });
    let first: Result<u64, ()> = lengths.next()?;
    Some(if lengths.all(|length| length == first) { first } else { Err(()) })
}

#[cfg(test)]
mod tests;
