//! Byte ranges of a response (RFC 9110, section 14).

use std::ops::Range;

use bytes::{BufMut as _, Bytes, BytesMut};
use http::{HeaderMap, HeaderValue, header};

/// Most ranges that one request may name. A set of more is ignored, as a whole response is cheaper then.
const MAX_RANGES: usize = 32;

/// What `Range` asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum RangeHeader {
    /// Ranges of bytes.
    Bytes(ByteRanges),
    /// Ranges of another unit, which only the handler may know.
    OtherUnit,
    /// Nothing: it is invalid, and ignored (section 14.2).
    Invalid,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ByteRanges(Vec<Spec>);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Spec {
    /// From the first position to the last one, that included.
    Between(u64, u64),
    /// The last bytes.
    Suffix(u64),
}

/// The part of a body that ranges select.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Selection {
    /// All of it: the ranges do not count.
    Whole,
    /// At least one range, in the order of the request.
    Ranges(Vec<Range<u64>>),
    /// None of the ranges is within the body.
    Unsatisfiable,
}

impl RangeHeader {
    /// That of a request; none if it has no `Range`.
    pub(crate) fn of(headers: &HeaderMap) -> Option<Self> {
        let mut lines = headers.get_all(header::RANGE).iter();
        let line = lines.next()?;
        let parsed = match (line.to_str(), lines.next()) {
            (Ok(text), None) => Self::parse(text.trim_matches([' ', '\t'])),
            _ => None,
        };
        Some(parsed.unwrap_or(Self::Invalid))
    }

    fn parse(text: &str) -> Option<Self> {
        let (unit, set) = text.split_once('=')?;
        if !unit.eq_ignore_ascii_case("bytes") {
            let is_token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
            return (!unit.is_empty() && unit.bytes().all(is_token)).then_some(Self::OtherUnit);
        }
        let specs = set.split(',').map(|spec| spec.trim_matches([' ', '\t'])).filter(|spec| !spec.is_empty());
        let specs = specs.take(MAX_RANGES + 1).map(Spec::parse).collect::<Option<Vec<_>>>()?;
        let is_valid = !specs.is_empty() && specs.len() <= MAX_RANGES;
        is_valid.then_some(Self::Bytes(ByteRanges(specs)))
    }
}

impl Spec {
    fn parse(spec: &str) -> Option<Self> {
        let (first, last) = spec.split_once('-')?;
        match (first, last) {
            ("", last) => Some(Self::Suffix(position(last)?)),
            (first, "") => Some(Self::Between(position(first)?, u64::MAX)),
            (first, last) => {
                let (first, last) = (position(first)?, position(last)?);
                (first <= last).then_some(Self::Between(first, last))
            }
        }
    }

    /// The range in a body of this length; none if it is not within.
    fn within(self, length: u64) -> Option<Range<u64>> {
        let range = match self {
            Self::Between(first, last) => first..length.min(last.saturating_add(1)),
            Self::Suffix(most) => length.saturating_sub(most)..length,
        };
        (range.start < range.end).then_some(range)
    }
}

impl ByteRanges {
    pub(crate) fn is_single(&self) -> bool {
        self.0.len() == 1
    }

    /// Whether a body that they select from has more bytes than this.
    pub(crate) fn begin_after(&self, length: u64) -> bool {
        self.0.iter().all(|spec| matches!(*spec, Spec::Between(first, _) if first >= length))
    }

    pub(crate) fn select(&self, length: u64) -> Selection {
        let ranges: Vec<_> = self.0.iter().filter_map(|spec| spec.within(length)).collect();
        let total = ranges.iter().fold(0_u64, |total, range| total.saturating_add(range.end - range.start));
        match ranges.is_empty() {
            false if total <= length => Selection::Ranges(ranges),
            // Ranges that overlap so much are an attack, or a mistake.
            false => Selection::Whole,
            // Nothing is all of an empty body, and there is no `Content-Range` for that.
            true if length == 0 && self.0.iter().any(|spec| matches!(spec, Spec::Suffix(1..))) => {
                Selection::Whole
            }
            true => Selection::Unsatisfiable,
        }
    }
}

/// Digits and nothing else. A number that is too large is beyond the end of any body.
fn position(text: &str) -> Option<u64> {
    let is_number = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    is_number.then(|| text.parse().unwrap_or(u64::MAX))
}

/// `Content-Range` of a part.
pub(crate) fn content_range(range: &Range<u64>, length: u64) -> HeaderValue {
    let text = format!("bytes {}-{}/{length}", range.start, range.end.saturating_sub(1));
    HeaderValue::try_from(text).expect("digits are ASCII")
}

/// `Content-Range` of a 416.
pub(crate) fn unsatisfied_range(length: u64) -> HeaderValue {
    HeaderValue::try_from(format!("bytes */{length}")).expect("digits are ASCII")
}

/// The parts of a body as `multipart/byteranges` (section 14.6): the media type, and the content.
pub(crate) fn multipart(
    body: &Bytes,
    ranges: &[Range<u64>],
    content_type: Option<&HeaderValue>,
) -> (HeaderValue, Bytes) {
    let boundary = format!("{:016x}{:016x}", fastrand::u64(..), fastrand::u64(..));
    let mut content = BytesMut::new();
    for range in ranges {
        content.put_slice(format!("\r\n--{boundary}\r\n").as_bytes());
        if let Some(content_type) = content_type {
            content.put_slice(b"Content-Type: ");
            content.put_slice(content_type.as_bytes());
            content.put_slice(b"\r\n");
        }
        content.put_slice(b"Content-Range: ");
        content.put_slice(content_range(range, body.len() as u64).as_bytes());
        content.put_slice(b"\r\n\r\n");
        content.put(slice(body, range));
    }
    content.put_slice(format!("\r\n--{boundary}--\r\n").as_bytes());
    let media_type = format!("multipart/byteranges; boundary={boundary}");
    (HeaderValue::try_from(media_type).expect("digits are ASCII"), content.freeze())
}

/// A part of a body in memory, without a copy.
pub(crate) fn slice(body: &Bytes, range: &Range<u64>) -> Bytes {
    let at = |position: u64| usize::try_from(position).unwrap_or(usize::MAX).min(body.len());
    body.slice(at(range.start)..at(range.end))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn selected(header: &str, length: u64) -> Option<Selection> {
        let mut headers = HeaderMap::new();
        headers.insert(header::RANGE, HeaderValue::from_str(header).unwrap());
        match RangeHeader::of(&headers)? {
            RangeHeader::Bytes(ranges) => Some(ranges.select(length)),
            RangeHeader::OtherUnit | RangeHeader::Invalid => None,
        }
    }

    #[test]
    fn section_14_1_2_ranges_of_ten_bytes() {
        let one = |start, end| Some(Selection::Ranges(std::iter::once(start..end).collect()));
        assert_eq!(selected("bytes=0-0", 10), one(0, 1));
        assert_eq!(selected("Bytes=2-4", 10), one(2, 5));
        assert_eq!(selected("bytes=5-", 10), one(5, 10));
        assert_eq!(selected("bytes=5-99999999999999999999999", 10), one(5, 10));
        assert_eq!(selected("bytes=-3", 10), one(7, 10));
        assert_eq!(selected("bytes=-30", 10), one(0, 10));
        assert_eq!(selected("bytes=20-,-1", 10), one(9, 10));
        assert_eq!(selected("bytes= , 0-1 ,\t8-9,", 10), Some(Selection::Ranges(vec![0..2, 8..10])));
        assert_eq!(selected("bytes=8-9,0-1", 10), Some(Selection::Ranges(vec![8..10, 0..2])));
        for none in ["bytes=10-", "bytes=10-20", "bytes=-0", "bytes=99999999999999999999999-"] {
            assert_eq!(selected(none, 10), Some(Selection::Unsatisfiable), "{none}");
        }
        assert_eq!(selected("bytes=0-", 0), Some(Selection::Unsatisfiable));
        assert_eq!(selected("bytes=-5", 0), Some(Selection::Whole));
        assert_eq!(selected("bytes=0-,0-,0-", 10), Some(Selection::Whole));
    }

    #[test]
    fn what_is_invalid_is_ignored() {
        let many = format!("bytes={}", "0-0,".repeat(33));
        for invalid in [
            "",
            "bytes",
            "bytes=",
            "bytes=,",
            "bytes=-",
            "bytes=a-b",
            "bytes=2-1",
            "bytes=1",
            "bytes=+1-2",
            "bytes=1-2x",
            "bytes=0-1,2-1",
            "bytes=0x0-1",
            "bytes 0-1",
            "bytes = 0-1",
            "=0-1",
            "bytes=1--2",
            "bytes=0-1;2-3",
            many.as_str(),
        ] {
            assert_eq!(selected(invalid, 10), None, "{invalid}");
        }
    }

    #[test]
    fn other_units_are_the_handler_s() {
        let mut headers = HeaderMap::new();
        assert_eq!(RangeHeader::of(&headers), None);
        headers.insert(header::RANGE, HeaderValue::from_static("items=0-1"));
        assert_eq!(RangeHeader::of(&headers), Some(RangeHeader::OtherUnit));
        headers.append(header::RANGE, HeaderValue::from_static("bytes=0-1"));
        assert_eq!(RangeHeader::of(&headers), Some(RangeHeader::Invalid));
    }
}
