//! Digests of request properties that are part of a key, or are kept in place of the values themselves.

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

/// The first 160 bits of a SHA-256 digest: a second input with the same digest cannot be found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
// The name is part of the format in which responses are shared.
#[serde(rename = "Hash")]
pub(crate) struct Digest([u8; 20]);

impl Digest {
    /// Stands for no input at all.
    pub(crate) const NONE: Self = Self([0; 20]);

    pub(crate) fn of(parts: &[&[u8]]) -> Self {
        let mut hasher = PartsHasher::default();
        parts.iter().for_each(|part| hasher.part(part));
        hasher.finish()
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        &self.0
    }

    /// That of which this is [`hex`](Self::hex); of an empty text, [`NONE`](Self::NONE).
    pub(crate) fn from_hex(hex: &str) -> Option<Self> {
        if hex.is_empty() {
            return Some(Self::NONE);
        }
        let mut digest = [0; 20];
        let pairs = hex.as_bytes().chunks_exact(2);
        if hex.len() != 2 * digest.len() {
            return None;
        }
        for (byte, pair) in digest.iter_mut().zip(pairs) {
            *byte = u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()?;
        }
        Some(Self(digest))
    }

    pub(crate) fn hex(&self) -> String {
        let digit = |value: u8| char::from(b"0123456789abcdef"[usize::from(value & 15)]);
        self.0.iter().flat_map(|&byte| [digit(byte >> 4), digit(byte)]).collect()
    }
}

/// Digests a sequence of parts. Each part is preceded by its length, so that no value can look like two.
#[derive(Default)]
pub(crate) struct PartsHasher(Sha256);

impl PartsHasher {
    pub(crate) fn part(&mut self, bytes: &[u8]) {
        self.0.update((bytes.len() as u64).to_le_bytes());
        self.0.update(bytes);
    }

    /// A byte without a length before it.
    pub(crate) fn flag(&mut self, is_set: bool) {
        self.0.update([u8::from(is_set)]);
    }

    pub(crate) fn finish(self) -> Digest {
        let mut digest = [0; 20];
        digest.copy_from_slice(&self.0.finalize()[..20]);
        Digest(digest)
    }
}
