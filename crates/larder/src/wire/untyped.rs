//! Messages of a writer that does not know the value's type: a text in JSON.
//!
//! In place of the fingerprint there is a number that says so. A reader knows the type, and takes the text for a value
//! of it only if the value says all that the text says, and no more: written as JSON again, it is the same but for the
//! order of members and items, spaces, and how numbers are spelled; and a process could store it.

use std::fmt;

use serde::{
    Deserialize, Deserializer,
    de::{DeserializeOwned, Error, MapAccess, SeqAccess, Visitor},
};

use super::{
    BuiltIn, Header, Limits, Rejected, Unencodable,
    codec::AnyCodec,
    mix::{mix, text},
    whole_numbers,
};

/// `JSON` in ASCII.
const UNTYPED: u64 = 0x4a53_4f4e;

/// What stands for the type in the header, for values of this schema version.
pub(super) const fn shape(schema: Option<u32>) -> u64 {
    let version = match schema {
        None => 0,
        Some(version) => version as u64 + 1,
    };
    mix(UNTYPED, version)
}

/// Whether a message is one that a reader of this schema version can try to read.
pub(super) const fn is_untyped(header: &Header, schema: Option<u32>) -> bool {
    header.codec == BuiltIn::Json.number() && header.shape == shape(schema)
}

/// Reads a value out of its JSON text, if it is what would have been written of it: what `write` makes of it, unless it
/// refuses.
pub(super) fn read<V: DeserializeOwned>(
    payload: &[u8],
    limits: &Limits,
    write: impl FnOnce(&V) -> Result<Vec<u8>, Unencodable>,
) -> Result<V, Rejected> {
    let value: V = decode(payload, limits)?;
    let again = write(&value).map_err(|reason| match reason {
        Unencodable::TooDeep { .. } => Rejected::TooDeep,
        _ => Rejected::Untyped,
    })?;
    let exact = |json| digest(&whole_numbers::as_texts(json), limits);
    let (is, said) = (exact(&again)?, exact(payload)?);
    if is == said { Ok(value) } else { Err(Rejected::Untyped) }
}

/// What every JSON text has in it, as a number: alike for all texts that say the same.
pub(super) fn digest(payload: &[u8], limits: &Limits) -> Result<u64, Rejected> {
    decode::<Digest>(payload, limits).map(|digest| digest.0)
}

fn decode<V: DeserializeOwned>(payload: &[u8], limits: &Limits) -> Result<V, Rejected> {
    let json = AnyCodec::from(BuiltIn::Json);
    let budget = json.budget(payload.len(), limits, None, None);
    json.decode(payload, &budget).map_err(|rejected| match rejected {
        // It is tried again with a larger stack.
        Rejected::TooDeep => Rejected::TooDeep,
        _ => Rejected::Untyped,
    })
}

struct Digest(u64);

/// What a part is, so that none is taken for another.
mod kind {
    pub(super) const NULL: u64 = 1;
    pub(super) const BOOL: u64 = 2;
    pub(super) const WHOLE: u64 = 3;
    pub(super) const NEGATIVE: u64 = 4;
    pub(super) const FLOAT: u64 = 5;
    pub(super) const TEXT: u64 = 6;
    pub(super) const LIST: u64 = 7;
    pub(super) const MAP: u64 = 8;
}

impl<'de> Deserialize<'de> for Digest {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Any).map(Self)
    }
}

struct Any;

impl<'de> Visitor<'de> for Any {
    type Value = u64;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E: Error>(self) -> Result<u64, E> {
        Ok(mix(kind::NULL, 0))
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<u64, E> {
        Ok(mix(kind::BOOL, value.into()))
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<u64, E> {
        Ok(mix(kind::WHOLE, value))
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<u64, E> {
        match u64::try_from(value) {
            Ok(value) => self.visit_u64(value),
            Err(_) => Ok(mix(kind::NEGATIVE, value.unsigned_abs())),
        }
    }

    /// `1500` is `1500.0` to a type that has floats, as far as floats tell whole numbers apart.
    fn visit_f64<E: Error>(self, value: f64) -> Result<u64, E> {
        const EXACT: f64 = (1_u64 << 53) as f64;
        let is_whole =
            value.fract() == 0.0 && value.abs() < EXACT && !(value == 0.0 && value.is_sign_negative());
        match is_whole {
            #[expect(clippy::cast_possible_truncation, reason = "it is whole, and small enough")]
            true => self.visit_i64(value as i64),
            false => Ok(mix(kind::FLOAT, value.to_bits())),
        }
    }

    fn visit_str<E: Error>(self, value: &str) -> Result<u64, E> {
        Ok(mix(kind::TEXT, text(value)))
    }

    /// Sets have no order of their own, and no `Deserialize` puts a list in another one.
    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<u64, A::Error> {
        let (mut sum, mut count) = (0_u64, 0);
        while let Some(Digest(item)) = items.next_element()? {
            sum = sum.wrapping_add(mix(item, kind::LIST));
            count += 1;
        }
        Ok(mix(mix(kind::LIST, count), sum))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<u64, A::Error> {
        let (mut sum, mut count) = (0_u64, 0);
        while let Some((Digest(name), Digest(value))) = members.next_entry()? {
            sum = sum.wrapping_add(mix(mix(name, kind::MAP), value));
            count += 1;
        }
        Ok(mix(mix(kind::MAP, count), sum))
    }
}
