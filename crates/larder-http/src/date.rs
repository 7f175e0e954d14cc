//! Points in time, as HTTP writes them.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use http::{HeaderMap, HeaderName, HeaderValue};

/// A point in time: milliseconds since 1970. Comparable between processes as far as their clocks agree.
pub(crate) type Millis = u64;

pub(crate) fn millis(time: SystemTime) -> Millis {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(Millis::MAX)
}

/// The time between two points; none if the second is not later.
pub(crate) fn between(earlier: Millis, later: Millis) -> Duration {
    Duration::from_millis(later.saturating_sub(earlier))
}

/// The date in a field. Of several lines that differ, or one that is invalid: an error.
pub(crate) fn field(headers: &HeaderMap, name: &HeaderName) -> Option<Result<Millis, Invalid>> {
    let mut lines = headers.get_all(name).iter().map(parse);
    let first = lines.next()?;
    Some(if lines.all(|line| line == first) { first } else { Err(Invalid) })
}

/// Not a date.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Invalid;

/// A date in one of the three forms of RFC 9110, section 5.6.7, in any case (RFC 9111, section 4.2).
pub(crate) fn parse(value: &HeaderValue) -> Result<Millis, Invalid> {
    let text = value.to_str().map_err(|_| Invalid)?;
    httpdate::parse_http_date(&in_case(text)).map(millis).map_err(|_| Invalid)
}

/// Names of days and months with one capital, the zone in capitals.
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

/// A date for a field.
pub(crate) fn value(time: Millis) -> HeaderValue {
    // Beyond the year 9999 there is no form for a date.
    const LAST: Millis = 253_402_300_799_000;
    let time = UNIX_EPOCH + Duration::from_millis(time.min(LAST));
    HeaderValue::try_from(httpdate::fmt_http_date(time)).expect("a date is ASCII")
}
