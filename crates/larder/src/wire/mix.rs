//! The hash that traces and digests are made of: the same on every platform, in every process and release.
//!
//! XXH3 hashes texts; what combines hashes and numbers is one multiplication to 128 bits, folded. It is part of
//! the wire format: see `docs/wire-format.md`.

use xxhash_rust::xxh3::xxh3_64;

const LEFT: u64 = 0x9e37_79b9_7f4a_7c15;
const RIGHT: u64 = 0xc2b2_ae3d_27d4_eb4f;

/// The hash of two numbers, in this order.
#[inline]
pub(super) const fn mix(left: u64, right: u64) -> u64 {
    let product = ((left ^ LEFT) as u128) * ((right ^ RIGHT) as u128);
    (product as u64) ^ ((product >> 64) as u64)
}

/// The hash of a text.
#[inline]
pub(super) fn text(text: &str) -> u64 {
    xxh3_64(text.as_bytes())
}

/// The hash of several names, in their order.
pub(super) fn names(names: &[&str]) -> u64 {
    names.iter().fold(names.len() as u64, |hash, name| mix(hash, text(name)))
}
