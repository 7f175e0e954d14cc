//! The codecs of larder, by number. All are known by name; those whose feature is off can do nothing else.

use std::{any::TypeId, io::Write};

use serde::{Serialize, de::DeserializeSeed};

use super::{Codec, CodecError, Json, MessagePack};

#[cfg(feature = "bincode")]
const BINCODE: Option<super::Bincode> = Some(super::Bincode);
/// The type stands for one that is not there.
#[cfg(not(feature = "bincode"))]
const BINCODE: Option<MessagePack> = None;

#[cfg(feature = "postcard")]
const POSTCARD: Option<super::Postcard> = Some(super::Postcard);
#[cfg(not(feature = "postcard"))]
const POSTCARD: Option<MessagePack> = None;

/// A codec of larder's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub(crate) enum BuiltIn {
    #[default]
    MessagePack,
    Json,
    Bincode,
    Postcard,
}

impl BuiltIn {
    pub(crate) const ALL: [Self; 4] = [Self::MessagePack, Self::Json, Self::Bincode, Self::Postcard];

    /// Its number on the wire.
    pub(crate) const fn number(self) -> u8 {
        match self {
            Self::MessagePack => 1,
            Self::Json => 2,
            Self::Bincode => 3,
            Self::Postcard => 4,
        }
    }

    /// The codec of larder's that has this type.
    pub(super) fn of_type(codec: TypeId) -> Option<Self> {
        [
            (TypeId::of::<MessagePack>(), Self::MessagePack),
            (TypeId::of::<Json>(), Self::Json),
            // After the others: what is absent has the type of one of them.
            (type_of(&BINCODE), Self::Bincode),
            (type_of(&POSTCARD), Self::Postcard),
        ]
        .into_iter()
        .find_map(|(of, built_in)| (of == codec).then_some(built_in))
    }

    pub(crate) fn from_number(number: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|codec| codec.number() == number)
    }

    /// Its name; where it has one, also that of its feature.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::MessagePack => "MessagePack",
            Self::Json => "JSON",
            Self::Bincode => "bincode",
            Self::Postcard => "postcard",
        }
    }

    /// Whether this build has it.
    pub(crate) const fn is_available(self) -> bool {
        match self {
            Self::MessagePack | Self::Json => true,
            Self::Bincode => BINCODE.is_some(),
            Self::Postcard => POSTCARD.is_some(),
        }
    }

    pub(crate) const fn is_human_readable(self) -> bool {
        matches!(self, Self::Json)
    }

    pub(crate) const fn is_self_describing(self) -> bool {
        matches!(self, Self::MessagePack | Self::Json)
    }

    /// How many lists, maps and structs in each other its reader can follow, if it has a limit of its own.
    pub(super) const fn deepest(self) -> Option<usize> {
        match self {
            Self::MessagePack => Some(1_023),
            Self::Json => Some(127),
            Self::Bincode | Self::Postcard => None,
        }
    }

    pub(in crate::wire) fn encode<V: Serialize>(
        self,
        value: &V,
        writer: &mut impl Write,
    ) -> Result<(), CodecError> {
        match self {
            Self::MessagePack => MessagePack.encode(value, writer),
            Self::Json => Json.encode(value, writer),
            Self::Bincode => available(BINCODE)?.encode(value, writer),
            Self::Postcard => available(POSTCARD)?.encode(value, writer),
        }
    }

    pub(super) fn decode<'de, S>(self, payload: &'de [u8], seed: S) -> Result<S::Value, CodecError>
    where
        S: DeserializeSeed<'de>,
    {
        match self {
            Self::MessagePack => MessagePack.decode(payload, seed),
            Self::Json => Json.decode(payload, seed),
            Self::Bincode => available(BINCODE)?.decode(payload, seed),
            Self::Postcard => available(POSTCARD)?.decode(payload, seed),
        }
    }
}

/// No other build of larder gets here: an absent codec is refused when a cache is built, and when a header is read.
fn available<C: Codec>(codec: Option<C>) -> Result<C, CodecError> {
    codec.ok_or_else(|| CodecError::new("larder's feature of that name is off"))
}

fn type_of<C: 'static>(_: &Option<C>) -> TypeId {
    TypeId::of::<C>()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_as_it_says<C: Codec>(built_in: BuiltIn, codec: Option<C>) {
        let Some(codec) = codec else { return };
        assert_eq!(built_in.number(), codec.number());
        assert_eq!(built_in.name(), codec.name());
        assert_eq!(built_in.is_human_readable(), codec.is_human_readable());
        assert_eq!(built_in.is_self_describing(), codec.is_self_describing());
    }

    #[test]
    fn both_ways_to_a_codec_say_the_same() {
        is_as_it_says(BuiltIn::MessagePack, Some(MessagePack));
        is_as_it_says(BuiltIn::Json, Some(Json));
        is_as_it_says(BuiltIn::Bincode, BINCODE);
        is_as_it_says(BuiltIn::Postcard, POSTCARD);
    }
}
