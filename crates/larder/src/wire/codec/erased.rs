//! A program's codec, whichever it is: what generic methods cannot be called through, an object can.

use std::{any::TypeId, io::Write};

use serde::de::{DeserializeSeed, Deserializer, Error as _};

use super::{Codec, CodecError};
use crate::wire::guard::DecodeBudget;

/// Reads a value from a deserializer, and keeps it.
pub(super) type Read<'r> =
    dyn FnMut(&mut dyn erased_serde::Deserializer<'_>) -> Result<(), erased_serde::Error> + 'r;

/// A [`Codec`] as an object.
pub(super) trait ErasedCodec: Send + Sync {
    fn type_id(&self) -> TypeId;
    fn encode(&self, value: &dyn erased_serde::Serialize, writer: &mut dyn Write) -> Result<(), CodecError>;
    fn decode(&self, payload: &[u8], budget: &DecodeBudget, read: &mut Read<'_>) -> Result<(), CodecError>;
}

/// So that the methods of both traits do not meet.
pub(super) struct Erased<C>(pub(super) C);

impl<C: Codec> ErasedCodec for Erased<C> {
    fn type_id(&self) -> TypeId {
        TypeId::of::<C>()
    }

    fn encode(&self, value: &dyn erased_serde::Serialize, writer: &mut dyn Write) -> Result<(), CodecError> {
        self.0.encode(value, writer)
    }

    fn decode(&self, payload: &[u8], budget: &DecodeBudget, read: &mut Read<'_>) -> Result<(), CodecError> {
        self.0.decode(payload, ReadSeed { budget, read })
    }
}

struct ReadSeed<'s, 'r> {
    budget: &'s DecodeBudget,
    read: &'s mut Read<'r>,
}

impl<'de> DeserializeSeed<'de> for ReadSeed<'_, '_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        // Guarded below the table, so that this is compiled once for a codec and not once for each type.
        let deserializer = self.budget.guard(deserializer);
        let mut deserializer = <dyn erased_serde::Deserializer<'de>>::erase(deserializer);
        (self.read)(&mut deserializer).map_err(D::Error::custom)
    }
}
