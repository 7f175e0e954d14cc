//! `<value:md5>` and `<value:hash>`: digests of a value's [encoding](super::encoding), the same for equal values
//! in every process.

use std::{hash::BuildHasher, sync::LazyLock};

use arrayvec::ArrayString;
use foldhash::quality::RandomState;
use serde::Serialize;

use super::encoding::{self, Unserializable};

/// A digest as it stands in a key.
pub(super) type Text = ArrayString<32>;

/// The alphabet of [RFC 4648](https://www.rfc-editor.org/rfc/rfc4648#section-6)'s base 32, in lower case.
const BASE32: &[u8; 32] = b"abcdefghijklmnopqrstuvwxyz234567";

/// The MD5 ([RFC 1321](https://www.rfc-editor.org/rfc/rfc1321)) of the value, as 32 hexadecimal digits.
///
/// Two values with one MD5 can be made in seconds: for values that strangers choose there is
/// [`hash`].
pub(super) fn md5<T: Serialize + ?Sized>(value: &T) -> Result<Text, Unserializable> {
    let encoded = encoding::encode(value)?;
    let mut digits = Text::new();
    for byte in md5::compute(&encoded).0 {
        for nibble in [byte >> 4, byte & 15] {
            digits.push(char::from_digit(nibble.into(), 16).expect("a nibble is a hexadecimal digit"));
        }
    }
    Ok(digits)
}

/// A short one for two values that meet in one process, which no stranger can choose so that they agree: there is a
/// secret of the process in it.
pub(super) fn short<T: Serialize + ?Sized>(value: &T) -> Result<u64, Unserializable> {
    static SECRET: LazyLock<RandomState> = LazyLock::new(RandomState::default);
    let encoded = encoding::encode(value)?;
    Ok(SECRET.hash_one(&encoded[..]))
}

/// The first 160 bits of the value's SHA-256, as 32 characters of base 32: as short as an MD5, and finding two
/// values with one digest takes some 2⁸⁰ attempts.
///
/// Without a secret, because every process that shares the cache must come to the same key.
pub(super) fn hash<T: Serialize + ?Sized>(value: &T) -> Result<Text, Unserializable> {
    let encoded = encoding::encode(value)?;
    let digest = hmac_sha256::Hash::hash(&encoded);
    let mut text = Text::new();
    // Five bytes are eight characters.
    for group in digest[..20].chunks_exact(5) {
        let bits = group.iter().fold(0_u64, |bits, byte| bits << 8 | u64::from(*byte));
        for place in (0..8).rev() {
            let digit = bits >> (5 * place) & 31;
            text.push(char::from(BASE32[digit as usize]));
        }
    }
    Ok(text)
}
