//! JSON.

use std::io::Write;

use serde::{Serialize, de::DeserializeSeed};

use super::{Codec, CodecError};

/// JSON: for programs in other languages, and for people.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Json;

impl Codec for Json {
    fn number(&self) -> u8 {
        2
    }

    fn name(&self) -> &'static str {
        "JSON"
    }

    fn is_human_readable(&self) -> bool {
        true
    }

    fn is_self_describing(&self) -> bool {
        true
    }

    fn encode<V: Serialize + ?Sized>(&self, value: &V, writer: impl Write) -> Result<(), CodecError> {
        Ok(serde_json::to_writer(writer, value)?)
    }

    fn decode<'de, S: DeserializeSeed<'de>>(
        &self,
        payload: &'de [u8],
        seed: S,
    ) -> Result<S::Value, CodecError> {
        let mut deserializer = serde_json::Deserializer::from_slice(payload);
        let value = seed.deserialize(&mut deserializer)?;
        deserializer.end().map_err(|_| CodecError::trailing())?;
        Ok(value)
    }
}
