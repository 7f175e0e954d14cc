//! Names in Redis that say nothing of the keys that they stand for.

use std::fmt;

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use super::key::SealKey;

/// What a hashed name begins with, where a key would stand.
const MARK: char = '#';

/// How many bytes of the MAC a name has: finding two keys with one name takes 2⁶⁴ of them.
const LENGTH: usize = 16;

/// Makes names of keys: HMAC-SHA256.
#[derive(Clone)]
pub(crate) struct NameKey(Hmac<Sha256>);

impl NameKey {
    pub(crate) fn new(key: &SealKey) -> Self {
        let key = key.derive("larder: names of keys");
        Self(Hmac::new_from_slice(&key[..]).expect("HMAC takes keys of any length"))
    }

    /// What stands for a key: a mark and 32 hexadecimal digits. Another one for each prefix and kind.
    pub(crate) fn name(&self, prefix: &str, kind: &str, key: &str) -> String {
        let mut mac = self.0.clone();
        // No prefix and no kind has a control character in it.
        for part in [prefix, "\0", kind, "\0", key] {
            mac.update(part.as_bytes());
        }
        let mut name = String::with_capacity(1 + 2 * LENGTH);
        name.push(MARK);
        for byte in &mac.finalize().into_bytes()[..LENGTH] {
            for nibble in [byte >> 4, byte & 15] {
                name.push(char::from_digit(nibble.into(), 16).expect("a nibble is a hexadecimal digit"));
            }
        }
        name
    }
}

impl fmt::Debug for NameKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("NameKey(***)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is stored in Redis under these names has to be found by every release.
    #[test]
    fn names_stay_what_they_are() {
        let names = NameKey::new(&SealKey::from([7; 32]));
        let name = names.name("shop", "e", "user:7");
        assert_eq!(name, "#994c8fb9a0342f2d1316ac804611b579");
        let others = [("shop", "e", "user:8"), ("shop", "l", "user:7"), ("shops", "e", "user:7")];
        assert!(others.iter().all(|(prefix, kind, key)| names.name(prefix, kind, key) != name));
        assert_ne!(NameKey::new(&SealKey::from([8; 32])).name("shop", "e", "user:7"), name);
    }
}
