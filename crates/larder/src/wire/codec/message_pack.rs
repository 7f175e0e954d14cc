//! MessagePack.

use std::io::Write;

use serde::{Deserialize, Serialize, de::DeserializeSeed};

use super::{Codec, CodecError};

/// MessagePack, structs as maps with field names: compact, and able to hold nearly all that serde describes. The default.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct MessagePack;

impl Codec for MessagePack {
    fn number(&self) -> u8 {
        1
    }

    fn name(&self) -> &'static str {
        "MessagePack"
    }

    fn is_human_readable(&self) -> bool {
        false
    }

    fn is_self_describing(&self) -> bool {
        true
    }

    fn encode<V: Serialize + ?Sized>(&self, value: &V, writer: impl Write) -> Result<(), CodecError> {
        value.serialize(&mut rmp_serde::Serializer::new(writer).with_struct_map())?;
        Ok(())
    }

    fn decode<'de, S: DeserializeSeed<'de>>(
        &self,
        payload: &'de [u8],
        seed: S,
    ) -> Result<S::Value, CodecError> {
        let mut deserializer = rmp_serde::Deserializer::from_read_ref(payload);
        let value = seed.deserialize(&mut deserializer)?;
        // There is no way to ask for what is left; a byte is left if one more marker can be read.
        match bool::deserialize(&mut deserializer) {
            Err(rmp_serde::decode::Error::InvalidMarkerRead(_)) => Ok(value),
            _ => Err(CodecError::trailing()),
        }
    }
}
