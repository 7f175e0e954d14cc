//! In place of bincode where its feature is off.

use super::{DecodeBudget, Refusal, Rejected, Write};

pub(super) const AVAILABLE: bool = false;

pub(super) fn encode<V>(_: &V, _: &mut impl Write) -> Result<(), Refusal> {
    Err("larder's feature `bincode` is off".into())
}

pub(super) fn decode<V>(_: &[u8], _: &DecodeBudget) -> Result<V, Rejected> {
    Err(Rejected::Codec)
}
