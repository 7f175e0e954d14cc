//! Hashes by which keys are told apart, where many of them are kept.

use std::hash::BuildHasher;

use foldhash::quality::RandomState;
use xxhash_rust::xxh3::xxh3_128_with_seed;

use super::Rate;

/// 128 bits of a key, with a seed that no other table has: which keys meet cannot be found out from outside. Of a million keys
/// two have the same ones once in 10²⁶ tables.
#[derive(Debug, Clone, Copy)]
pub(crate) struct KeyHash {
    /// Which set the key belongs to.
    pub(super) place: u64,
    /// Which key of that set it is. Not zero.
    pub(super) tag: u64,
}

/// A secret.
#[derive(Debug, Clone, Copy)]
pub(super) struct Seed(u64);

impl Seed {
    pub(super) fn new() -> Self {
        Self(RandomState::default().hash_one(0_u8))
    }

    #[expect(clippy::cast_possible_truncation, reason = "two halves")]
    /// The same key is another one under another rate.
    pub(super) fn hash(self, key: &str, rate: &Rate) -> KeyHash {
        let of_rate = (u64::from(rate.units()) << 32 | u64::from(rate.max_burst()))
            .wrapping_add(rate.interval_nanos().rotate_left(17));
        let hash = xxh3_128_with_seed(key.as_bytes(), self.0 ^ of_rate);
        KeyHash { place: (hash >> 64) as u64, tag: (hash as u64).max(1) }
    }
}
