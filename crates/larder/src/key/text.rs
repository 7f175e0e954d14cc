//! The text of a key as its bytes: all that a hit looks at.

use std::borrow::Cow;

use super::Key;

/// What a key can be given as.
pub(crate) trait KeyText {
    /// The bytes of its text.
    fn bytes(&self) -> &[u8];

    /// Its text.
    fn text(&self) -> &str;
}

impl KeyText for Cow<'_, str> {
    #[inline]
    fn bytes(&self) -> &[u8] {
        self.as_bytes()
    }

    #[inline]
    fn text(&self) -> &str {
        self
    }
}

impl KeyText for Key {
    #[inline]
    fn bytes(&self) -> &[u8] {
        self.as_bytes()
    }

    fn text(&self) -> &str {
        self.as_str()
    }
}

/// Whether two texts are the same. Short ones, as most keys are, are compared in two halves, which overlap: without a call,
/// which would cost more than the comparison.
#[inline]
pub(crate) fn same(one: &[u8], other: &[u8]) -> bool {
    if one.len() != other.len() {
        return false;
    }
    let length = one.len();
    if length >= 8 {
        match length {
            ..=16 => same_ends::<8>(one, other),
            17..=32 => same_ends::<16>(one, other),
            _ => one == other,
        }
    } else if length >= 4 {
        same_ends::<4>(one, other)
    } else {
        one == other
    }
}

/// The same for texts of one length, which is N to 2 N bytes.
#[inline]
fn same_ends<const N: usize>(one: &[u8], other: &[u8]) -> bool {
    one.first_chunk::<N>() == other.first_chunk::<N>() && one.last_chunk::<N>() == other.last_chunk::<N>()
}

#[cfg(test)]
mod tests {
    use super::same;

    /// Of each length, with each single byte changed, and cut off.
    #[test]
    fn texts_are_the_same_if_all_their_bytes_are() {
        for length in 0..=70_usize {
            let text: Vec<u8> = (0..length).map(|at| at as u8).collect();
            assert!(same(&text, &text.clone()));
            assert!(!same(&text, &[&*text, b"x"].concat()));
            for at in 0..length {
                let mut other = text.clone();
                other[at] ^= 0x80;
                assert!(!same(&text, &other), "{length} bytes, of which number {at} differs");
            }
        }
    }
}
