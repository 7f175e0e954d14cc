//! In place of Zstandard where its feature is off.

use super::Unencodable;

pub(super) const AVAILABLE: bool = false;

pub(super) fn compress(_: &[u8], _: &mut Vec<u8>) -> Result<Option<usize>, Unencodable> {
    Err(Unencodable::by_codec("Zstandard", "larder's feature `zstd` is off"))
}

pub(super) fn decompress(_: &[u8], _: &mut [u8]) -> Option<usize> {
    None
}
