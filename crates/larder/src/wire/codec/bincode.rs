//! bincode 2, with its standard configuration: little endian, integers of variable length.

use std::io::Write;

use bincode::config::{Configuration, Limit, LittleEndian, Varint};
use serde::{Serialize, de::DeserializeSeed};

use super::{Codec, CodecError};

/// bincode 2, for who has it: the crate is no longer maintained. The format cannot hold all that serde describes, and does
/// not notice; that each value is read back before it is shared does. Needs the feature `bincode`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Bincode;

/// More than a Redis value can hold. What really bounds a payload is its slice: it is read by borrowing,
/// which compares a length with what is there before it takes anything.
const MOST: usize = 512 << 20;

const CONFIG: Configuration<LittleEndian, Varint, Limit<MOST>> = bincode::config::standard().with_limit();

impl Codec for Bincode {
    fn number(&self) -> u8 {
        3
    }

    fn name(&self) -> &'static str {
        "bincode"
    }

    fn is_human_readable(&self) -> bool {
        false
    }

    fn encode<V: Serialize + ?Sized>(&self, value: &V, mut writer: impl Write) -> Result<(), CodecError> {
        bincode::serde::encode_into_std_write(value, &mut writer, CONFIG)?;
        Ok(())
    }

    fn decode<'de, S: DeserializeSeed<'de>>(
        &self,
        payload: &'de [u8],
        seed: S,
    ) -> Result<S::Value, CodecError> {
        let (value, read) = bincode::serde::seed_decode_from_slice(seed, payload, CONFIG)?;
        if read == payload.len() { Ok(value) } else { Err(CodecError::trailing()) }
    }
}
