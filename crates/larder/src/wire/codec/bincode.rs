//! bincode 2, with its standard configuration: little endian, integers of variable length.

use std::marker::PhantomData;

use bincode::config::{Configuration, Limit, LittleEndian, Varint};
use serde::{
    Serialize,
    de::{DeserializeOwned, DeserializeSeed, Deserializer},
};

use super::{Rejected, Watch, Write};

pub(super) const AVAILABLE: bool = true;

/// More than a Redis value can hold. What really bounds a payload is its slice: it is read by borrowing,
/// which compares a length with what is there before it takes anything.
const MOST: usize = 512 << 20;

const CONFIG: Configuration<LittleEndian, Varint, Limit<MOST>> = bincode::config::standard().with_limit();

pub(super) fn encode<V: Serialize>(value: &V, writer: &mut impl Write) -> Result<(), String> {
    let outcome = bincode::serde::encode_into_std_write(value, writer, CONFIG);
    outcome.map(drop).map_err(|error| error.to_string())
}

pub(super) fn decode<V: DeserializeOwned>(payload: &[u8], watch: &Watch) -> Result<V, Rejected> {
    let seed = Watched { watch, value: PhantomData };
    let (value, read) = bincode::serde::seed_decode_from_slice(seed, payload, CONFIG)
        .map_err(|error| watch.refused(&error))?;
    if read == payload.len() { Ok(value) } else { Err(Rejected::Trailing) }
}

struct Watched<'w, V> {
    watch: &'w Watch,
    value: PhantomData<V>,
}

impl<'de, V: DeserializeOwned> DeserializeSeed<'de> for Watched<'_, V> {
    type Value = V;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<V, D::Error> {
        V::deserialize(self.watch.guard(deserializer))
    }
}
