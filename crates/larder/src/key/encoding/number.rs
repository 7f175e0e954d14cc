//! The numbers of `serde_json`, where any crate of the program turned on its feature `arbitrary_precision`: they
//! are written as structs with the number's text as their one field.
//!
//! Programs with the feature and without share keys. So a number has the bytes that it has without, unless it would
//! be another number there.

use serde::{Serialize, Serializer};

use super::bytes::Tag;

/// The name of that struct.
pub(super) const NAME: &str = "$serde_json::private::Number";

/// What `serde_json` calls a number without the feature.
pub(super) enum PlainNumber {
    Unsigned(u64),
    Signed(i64),
    Float(f64),
}

impl PlainNumber {
    /// Whether `serde_json` writes it so.
    fn is_written(&self, text: &str) -> bool {
        match *self {
            Self::Unsigned(number) => itoa::Buffer::new().format(number) == text,
            Self::Signed(number) => itoa::Buffer::new().format(number) == text,
            Self::Float(number) => number.is_finite() && zmij::Buffer::new().format_finite(number) == text,
        }
    }
}

impl Serialize for PlainNumber {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match *self {
            Self::Unsigned(number) => serializer.serialize_u64(number),
            Self::Signed(number) => serializer.serialize_i64(number),
            Self::Float(number) => serializer.serialize_f64(number),
        }
    }
}

/// The number whose encoded text this is.
pub(super) fn plain(text: &[u8]) -> Option<PlainNumber> {
    // The length of a text of less than 128 bytes is one byte, and no plain number is longer.
    let (&[tag, length], text) = text.split_first_chunk()?;
    if tag != Tag::Str as u8 || usize::from(length) != text.len() {
        return None;
    }
    let text = std::str::from_utf8(text).ok()?;
    let unsigned = || text.parse().map(PlainNumber::Unsigned);
    let signed = || text.parse().map(PlainNumber::Signed);
    let number = unsigned().or_else(|_| signed()).or_else(|_| text.parse().map(PlainNumber::Float)).ok()?;
    number.is_written(text).then_some(number)
}
