//! Long whole numbers in a JSON text, which a decoder that knows no type takes for floats.

use std::borrow::Cow;

/// So many bytes at most, and it is an `i64`.
const SHORT: usize = 18;

/// The text, which has to be JSON, with long whole numbers as texts that no other text is likely to be: so all of their
/// digits are seen.
pub(super) fn as_texts(json: &[u8]) -> Cow<'_, [u8]> {
    let (mut out, mut copied, mut at) = (Vec::new(), 0, 0);
    while let Some(&byte) = json.get(at) {
        let rest = &json[at..];
        let length = match byte {
            b'"' => text_length(rest),
            b'-' | b'0'..=b'9' => number_length(rest),
            _ => 1,
        };
        let token = &rest[..length];
        if byte != b'"' && length > SHORT && is_whole(token) {
            out.extend_from_slice(&json[copied..at]);
            out.extend_from_slice(br#""\u0000"#);
            out.extend_from_slice(token);
            out.push(b'"');
            copied = at + length;
        }
        at += length;
    }
    if copied == 0 {
        return Cow::Borrowed(json);
    }
    out.extend_from_slice(&json[copied..]);
    Cow::Owned(out)
}

/// With its quotation marks.
fn text_length(json: &[u8]) -> usize {
    let mut at = 1;
    while let Some(&byte) = json.get(at) {
        match byte {
            b'"' => return at + 1,
            b'\\' => at += 2,
            _ => at += 1,
        }
    }
    json.len()
}

fn number_length(json: &[u8]) -> usize {
    let is_part = |byte: &&u8| matches!(byte, b'0'..=b'9' | b'-' | b'+' | b'.' | b'e' | b'E');
    json.iter().take_while(is_part).count()
}

fn is_whole(number: &[u8]) -> bool {
    !number.iter().any(|byte| matches!(byte, b'.' | b'e' | b'E'))
}
