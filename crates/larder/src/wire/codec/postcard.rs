//! postcard: integers of variable length, and no names.

use std::io::Write;

use serde::{Serialize, de::DeserializeSeed};

use super::{Codec, CodecError};

/// postcard: the fewest bytes, since it writes neither names nor types. The format cannot hold all that serde describes, and
/// does not always notice; that each value is read back before it is shared does. Needs the feature `postcard`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Postcard;

impl Codec for Postcard {
    fn number(&self) -> u8 {
        4
    }

    fn name(&self) -> &'static str {
        "postcard"
    }

    fn is_human_readable(&self) -> bool {
        false
    }

    fn encode<V: Serialize + ?Sized>(&self, value: &V, writer: impl Write) -> Result<(), CodecError> {
        postcard::to_io(value, writer)?;
        Ok(())
    }

    fn decode<'de, S: DeserializeSeed<'de>>(
        &self,
        payload: &'de [u8],
        seed: S,
    ) -> Result<S::Value, CodecError> {
        let mut deserializer = postcard::Deserializer::from_bytes(payload);
        let value = seed.deserialize(&mut deserializer)?;
        match deserializer.finalize()? {
            [] => Ok(value),
            _ => Err(CodecError::trailing()),
        }
    }
}
