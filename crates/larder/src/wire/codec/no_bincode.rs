//! In place of bincode where its feature is off.

use super::{Rejected, Watch, Write};

pub(super) const AVAILABLE: bool = false;

pub(super) fn encode<V>(_: &V, _: &mut impl Write) -> Result<(), String> {
    Err("larder's feature `bincode` is off".to_owned())
}

pub(super) fn decode<V>(_: &[u8], _: &Watch) -> Result<V, Rejected> {
    Err(Rejected::Codec)
}
