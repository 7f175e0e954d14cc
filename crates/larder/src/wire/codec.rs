//! Values to bytes and back.

use std::io::Write;

use serde::{Deserialize, Serialize, de::DeserializeOwned};

use super::{
    guard::DecodeBudget,
    reason::{Refusal, Rejected, Unencodable},
};

#[cfg(feature = "bincode")]
mod bincode;
#[cfg(not(feature = "bincode"))]
#[path = "codec/no_bincode.rs"]
mod bincode;

/// How values are encoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum Codec {
    /// MessagePack, structs as maps with field names: compact, and able to hold nearly all that serde
    /// describes.
    #[default]
    MessagePack,
    /// JSON: for programs in other languages, and for people.
    Json,
    /// bincode 2: the fastest to read. Needs the feature `bincode`. The format cannot hold all that serde
    /// describes, and does not notice; that each value is read back before it is shared does.
    Bincode,
}

impl Codec {
    /// Its number on the wire.
    pub(super) const fn number(self) -> u8 {
        match self {
            Self::MessagePack => 1,
            Self::Json => 2,
            Self::Bincode => 3,
        }
    }

    pub(super) fn from_number(number: u8) -> Option<Self> {
        let codec = match number {
            1 => Self::MessagePack,
            2 => Self::Json,
            3 => Self::Bincode,
            _ => return None,
        };
        codec.is_available().then_some(codec)
    }

    /// Whether this build has it.
    #[must_use]
    pub const fn is_available(self) -> bool {
        match self {
            Self::MessagePack | Self::Json => true,
            Self::Bincode => bincode::AVAILABLE,
        }
    }

    /// Its name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::MessagePack => "MessagePack",
            Self::Json => "JSON",
            Self::Bincode => "bincode",
        }
    }

    /// What serde calls human readable: many types have a second form for such formats.
    pub(super) const fn is_human_readable(self) -> bool {
        matches!(self, Self::Json)
    }

    /// How many lists, maps and structs in each other its reader can follow, if it has a limit of its own.
    pub(super) const fn deepest(self) -> Option<usize> {
        match self {
            Self::MessagePack => Some(1_023),
            Self::Json => Some(127),
            Self::Bincode => None,
        }
    }

    /// Writes `value`.
    pub(super) fn encode<V: Serialize>(self, value: &V, writer: &mut impl Write) -> Result<(), Unencodable> {
        let outcome: Result<(), Refusal> = match self {
            Self::MessagePack => {
                let mut serializer = rmp_serde::Serializer::new(writer).with_struct_map();
                value.serialize(&mut serializer).map_err(Box::from)
            }
            Self::Json => serde_json::to_writer(writer, value).map_err(Box::from),
            Self::Bincode => bincode::encode(value, writer),
        };
        outcome.map_err(|error| Unencodable::by_codec(self.name(), error))
    }

    /// Reads a value that is all of `payload`, as far as `budget` allows.
    pub(super) fn decode<V: DeserializeOwned>(
        self,
        payload: &[u8],
        budget: &DecodeBudget,
    ) -> Result<V, Rejected> {
        let decoded = match self {
            Self::MessagePack => message_pack(payload, budget),
            Self::Json => json(payload, budget),
            Self::Bincode => bincode::decode(payload, budget),
        };
        decoded.map_err(|reason| budget.verdict().unwrap_or(reason))
    }
}

fn message_pack<V: DeserializeOwned>(payload: &[u8], budget: &DecodeBudget) -> Result<V, Rejected> {
    let mut deserializer = rmp_serde::Deserializer::from_read_ref(payload);
    let value = V::deserialize(budget.guard(&mut deserializer)).map_err(|error| budget.refused(error))?;
    // There is no way to ask for what is left; a byte is left if one more marker can be read.
    match bool::deserialize(&mut deserializer) {
        Err(rmp_serde::decode::Error::InvalidMarkerRead(_)) => Ok(value),
        _ => Err(Rejected::Trailing),
    }
}

fn json<V: DeserializeOwned>(payload: &[u8], budget: &DecodeBudget) -> Result<V, Rejected> {
    let mut deserializer = serde_json::Deserializer::from_slice(payload);
    let value: V = V::deserialize(budget.guard(&mut deserializer)).map_err(|error| budget.refused(error))?;
    deserializer.end().map_err(|_| Rejected::Trailing)?;
    Ok(value)
}
