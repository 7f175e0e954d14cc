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

/// A date in one of the three forms of RFC 9110, section 5.6.7, in any case (RFC 9111, section 4.2). The day of the week
/// adds nothing to a date, and may be a wrong one.
pub(crate) fn parse(value: &HeaderValue) -> Result<Millis, InvalidDate> {
    const DAYS: [&str; 7] = ["Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"];
    let text = in_case(value.to_str().map_err(|_| InvalidDate)?);
    if let Ok(date) = httpdate::parse_http_date(&text) {
        return Ok(millis(date));
    }
    let length = text.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or_default();
    let (day, rest) = text.split_at(length);
    // Three letters, or the whole name.
    let named = |known: &&str| *known == day || known.get(..3) == Some(day);
    if !DAYS.iter().any(named) {
        return Err(InvalidDate);
    }
    let on = |other: &&str| {
        let other = if length == 3 { &other[..3] } else { other };
        httpdate::parse_http_date(&format!("{other}{rest}")).ok()
    };
    DAYS.iter().find_map(on).map(millis).ok_or(InvalidDate)
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

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &'static str) -> Option<Millis> {
        parse(&HeaderValue::from_static(text)).ok()
    }

    #[test]
    fn a_date_on_another_day_of_the_week_is_a_date() {
        let date = parsed("Mon, 08 Aug 2050 02:01:18 GMT");
        assert!(date.is_some());
        for text in [
            "Thu, 08 Aug 2050 02:01:18 GMT",
            "thu, 08 aug 2050 02:01:18 gmt",
            "Mon Aug  8 02:01:18 2050",
            "Thu Aug  8 02:01:18 2050",
        ] {
            assert_eq!(parsed(text), date, "{text}");
        }
        let old = parsed("Sunday, 06-Nov-94 08:49:37 GMT");
        assert!(old.is_some());
        assert_eq!(parsed("Friday, 06-Nov-94 08:49:37 GMT"), old);
        for text in [
            "Foo, 08 Aug 2050 02:01:18 GMT",
            "08 Aug 2050 02:01:18 GMT",
            "Thu",
            "",
            "0",
            "Thu, 32 Aug 2050 02:01:18 GMT",
        ] {
            assert_eq!(parsed(text), None, "{text}");
        }
    }
}
