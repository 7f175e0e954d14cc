//! Points in time, as HTTP writes them.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use http::{HeaderMap, HeaderName, HeaderValue, header::DATE};

/// A point in time: milliseconds since 1970. Two processes can compare theirs only as far as their clocks agree.
pub(crate) type Millis = u64;

pub(crate) fn millis(time: SystemTime) -> Millis {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(Millis::MAX)
}

/// The time between two points; zero if the second is not later.
pub(crate) fn between(earlier: Millis, later: Millis) -> Duration {
    Duration::from_millis(later.saturating_sub(earlier))
}

/// The date in a header; none if it is absent. An invalid date is an error, and so are several that differ.
pub(crate) fn header(headers: &HeaderMap, name: &HeaderName) -> Option<Result<Millis, InvalidDate>> {
    let mut lines = headers.get_all(name).iter().map(parse);
    let first = lines.next()?;
    Some(if lines.all(|line| line == first) { first } else { Err(InvalidDate) })
}

/// A header value that is not a date.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct InvalidDate;

/// A date in one of the three forms of RFC 9110, section 5.6.7, in any case (RFC 9111, section 4.2).
pub(crate) fn parse(value: &HeaderValue) -> Result<Millis, InvalidDate> {
    let text = value.to_str().map_err(|_| InvalidDate)?;
    httpdate::parse_http_date(&in_case(text)).map(millis).map_err(|_| InvalidDate)
}

/// Text with the case that `httpdate` requires: names of days and months capitalized, the zone in upper case.
fn in_case(text: &str) -> String {
    let mut cased = String::with_capacity(text.len());
    let mut first = true;
    for character in text.chars() {
        cased.push(if first { character.to_ascii_uppercase() } else { character.to_ascii_lowercase() });
        first = !character.is_ascii_alphabetic();
    }
    match cased.strip_suffix("Gmt") {
        Some(date) => format!("{date}GMT"),
        None => cased,
    }
}

/// A date as a header value.
pub(crate) fn value(time: Millis) -> HeaderValue {
    // Beyond the year 9999 there is no form for a date.
    const LAST: Millis = 253_402_300_799_000;
    let time = UNIX_EPOCH + Duration::from_millis(time.min(LAST));
    HeaderValue::try_from(httpdate::fmt_http_date(time)).expect("a date is ASCII")
}

/// Dates a response that has no valid `Date`: it was made when it was received (RFC 9110, section 6.6.1).
pub(crate) fn ensure_date(headers: &mut HeaderMap, received: Millis) {
    let is_valid = matches!(header(headers, &DATE), Some(Ok(_)));
    if !is_valid {
        headers.insert(DATE, value(received));
    }
}

/// Whole seconds, for a header; at most as many as an `i64` holds.
pub(crate) fn seconds(time: Duration) -> i64 {
    i64::try_from(time.as_secs()).unwrap_or(i64::MAX)
}
