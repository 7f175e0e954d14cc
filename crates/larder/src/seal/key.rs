//! One secret.

use std::fmt;

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use zeroize::Zeroizing;

use crate::error::{Kind, Result};

/// Its length in bytes.
const LENGTH: usize = 32;

/// A secret key of 32 bytes, for [`Keyring`](super::Keyring) or
/// [`hash_keys`](crate::RedisCacheBuilder::hash_keys).
///
/// Take bytes that a random number generator made, not a password: `openssl rand -hex 32`. It is never printed, and its
/// memory is overwritten when it is dropped.
///
/// ```
/// # use larder::SealKey;
/// let key = SealKey::from_hex("3f5e0c7b19d2a4886cf1e0b7d3a5924e7c18f6a0b2d4e6987a5b3c1d0e2f4a68")?;
/// assert_eq!(format!("{key:?}"), "SealKey(***)");
/// # Ok::<_, larder::Error>(())
/// ```
pub struct SealKey(Zeroizing<[u8; LENGTH]>);

impl SealKey {
    /// The key of 64 hexadecimal digits.
    ///
    /// # Errors
    ///
    /// If it is anything else. The error does not repeat the text.
    pub fn from_hex(text: &str) -> Result<Self> {
        Self::parse(text).map_err(|reason| Kind::configuration(reason).into())
    }

    /// The same, with the reason alone.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let digits = text.trim().as_bytes();
        let mut bytes = Zeroizing::new([0; LENGTH]);
        let mut valid = digits.len() == 2 * LENGTH;
        for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
            let [high, low] = [pair[0], pair[1]].map(|digit| char::from(digit).to_digit(16));
            valid &= high.is_some() && low.is_some();
            *byte = (high.unwrap_or(0) << 4 | low.unwrap_or(0)) as u8;
        }
        match valid {
            true => Ok(Self(bytes)),
            false => Err(format!(
                "a key is 64 hexadecimal digits (32 bytes), and this text of {} bytes is not; make one with \
                 `openssl rand -hex 32`",
                digits.len()
            )),
        }
    }

    /// A key for one purpose, of which nothing follows about the others.
    pub(super) fn derive(&self, purpose: &str) -> Zeroizing<[u8; LENGTH]> {
        let mut mac =
            <Hmac<Sha256> as KeyInit>::new_from_slice(&self.0[..]).expect("HMAC takes keys of any length");
        mac.update(purpose.as_bytes());
        Zeroizing::new(mac.finalize().into_bytes().into())
    }
}

/// The key of these bytes.
impl From<[u8; LENGTH]> for SealKey {
    fn from(bytes: [u8; LENGTH]) -> Self {
        Self(Zeroizing::new(bytes))
    }
}

impl fmt::Debug for SealKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SealKey(***)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hexadecimal_digits_and_nothing_else() {
        let key = SealKey::from_hex(&format!(" {}\n", "0aF1".repeat(16))).unwrap();
        assert_eq!(key.0[..4], [0x0a, 0xf1, 0x0a, 0xf1]);
        for bad in [String::new(), "0a".repeat(31), "0a".repeat(33), "0g".repeat(32), "é".repeat(32)] {
            let error = SealKey::from_hex(&bad).unwrap_err();
            assert!(error.is_invalid_configuration());
            let text = error.to_string();
            assert!(text.contains("openssl rand -hex 32"), "{text}");
            assert!(bad.is_empty() || !text.contains(&bad), "{text}");
        }
    }

    #[test]
    fn purposes_have_keys_of_their_own() {
        let key = SealKey::from([7; LENGTH]);
        assert_ne!(key.derive("a"), key.derive("b"));
        assert_eq!(key.derive("a"), SealKey::from([7; LENGTH]).derive("a"));
    }
}
