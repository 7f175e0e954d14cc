//! bincode 2, with its standard configuration: little endian, integers of variable length.

use std::marker::PhantomData;

use bincode::config::{Configuration, Limit, LittleEndian, Varint};
use serde::{
    Serialize,
    de::{DeserializeOwned, DeserializeSeed, Deserializer},
};

use super::{DecodeBudget, Refusal, Rejected, Write};

pub(super) const AVAILABLE: bool = true;

/// More than a Redis value can hold. What really bounds a payload is its slice: it is read by borrowing,
/// which compares a length with what is there before it takes anything.
const MOST: usize = 512 << 20;

const CONFIG: Configuration<LittleEndian, Varint, Limit<MOST>> = bincode::config::standard().with_limit();

pub(super) fn encode<V: Serialize>(value: &V, writer: &mut impl Write) -> Result<(), Refusal> {
    let outcome = bincode::serde::encode_into_std_write(value, writer, CONFIG);
    outcome.map(drop).map_err(Refusal::from)
}

pub(super) fn decode<V: DeserializeOwned>(payload: &[u8], budget: &DecodeBudget) -> Result<V, Rejected> {
    let seed = WithinBudget { budget, value: PhantomData };
    let (value, read) = bincode::serde::seed_decode_from_slice(seed, payload, CONFIG)
        .map_err(|error| budget.refused(error))?;
    if read == payload.len() { Ok(value) } else { Err(Rejected::Trailing) }
}

struct WithinBudget<'w, V> {
    budget: &'w DecodeBudget,
    value: PhantomData<V>,
}

impl<'de, V: DeserializeOwned> DeserializeSeed<'de> for WithinBudget<'_, V> {
    type Value = V;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<V, D::Error> {
        V::deserialize(self.budget.guard(deserializer))
    }
}
