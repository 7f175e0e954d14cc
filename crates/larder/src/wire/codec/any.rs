//! A codec of larder's or of a program.

use std::{any::TypeId, cell::Cell, fmt, io::Write, marker::PhantomData, sync::Arc};

use serde::{
    Serialize, Serializer,
    de::{DeserializeOwned, DeserializeSeed, Deserializer},
};

use super::{
    BuiltIn, Codec, CodecError, Inner, USER_NUMBERS,
    erased::{Erased, ErasedCodec},
};
use crate::wire::{
    guard::DecodeBudget,
    limits::Limits,
    reason::{Rejected, Unencodable},
    trace::{Fingerprint, Trace},
};

/// A codec of larder's or of a program. Those of larder are compiled into the code of each type.
#[derive(Clone)]
pub(crate) enum AnyCodec {
    BuiltIn(BuiltIn),
    User(UserCodec),
}

/// A program's, with what it said of itself when the cache was built.
#[derive(Clone)]
pub(crate) struct UserCodec {
    codec: Arc<dyn ErasedCodec>,
    number: u8,
    name: &'static str,
    is_human_readable: bool,
    is_self_describing: bool,
}

impl AnyCodec {
    pub(crate) fn new<C: Codec>(codec: C) -> Self {
        match BuiltIn::of_type(TypeId::of::<C>()) {
            Some(built_in) => built_in.into(),
            None => Self::User(UserCodec {
                number: codec.number(),
                name: codec.name(),
                is_human_readable: codec.is_human_readable(),
                is_self_describing: codec.is_self_describing(),
                codec: Arc::new(Erased(codec)),
            }),
        }
    }

    pub(crate) fn number(&self) -> u8 {
        match self {
            Self::BuiltIn(codec) => codec.number(),
            Self::User(codec) => codec.number,
        }
    }

    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::BuiltIn(codec) => codec.name(),
            Self::User(codec) => codec.name,
        }
    }

    /// What is wrong with it, in words for a builder's error.
    pub(crate) fn fault(&self) -> Option<String> {
        match self {
            Self::BuiltIn(codec) if codec.is_available() => None,
            Self::BuiltIn(codec) => {
                let name = codec.name();
                Some(format!("{name} needs larder's feature `{name}`, which is not enabled"))
            }
            Self::User(codec) => codec.fault(),
        }
    }

    /// Whether both are the same.
    pub(crate) fn is_same(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::BuiltIn(one), Self::BuiltIn(other)) => one == other,
            (Self::User(one), Self::User(other)) => {
                one.codec.type_id() == other.codec.type_id()
                    && one.name == other.name
                    && one.number == other.number
            }
            _ => false,
        }
    }

    /// What serde calls human readable: many types have a second form for such formats.
    pub(in crate::wire) fn is_human_readable(&self) -> bool {
        match self {
            Self::BuiltIn(codec) => codec.is_human_readable(),
            Self::User(codec) => codec.is_human_readable,
        }
    }

    fn is_self_describing(&self) -> bool {
        match self {
            Self::BuiltIn(codec) => codec.is_self_describing(),
            Self::User(codec) => codec.is_self_describing,
        }
    }

    /// How many lists, maps and structs in each other its reader can follow, if it has a limit of its own that is known.
    pub(in crate::wire) fn deepest(&self) -> Option<usize> {
        match self {
            Self::BuiltIn(codec) => codec.deepest(),
            Self::User(_) => None,
        }
    }

    /// How many levels it may have of those that `limits` allow. Calls through tables take more of the stack.
    pub(in crate::wire) fn levels(&self, limits: &Limits) -> usize {
        match self {
            Self::BuiltIn(_) => limits.deepest,
            Self::User(_) => limits.deepest / 4,
        }
    }

    /// What a payload of so many bytes may cost its reader. See [`Trace::new`].
    pub(in crate::wire) fn budget(
        &self,
        payload: usize,
        limits: &Limits,
        schema: Option<u32>,
        expected: Option<Fingerprint>,
    ) -> DecodeBudget {
        let name = match self {
            Self::BuiltIn(_) => None,
            Self::User(codec) => Some(codec.name),
        };
        let trace = Trace::new(schema, name, expected);
        DecodeBudget::new(payload, self.levels(limits), self.is_self_describing(), trace)
    }

    /// Writes `value`.
    pub(in crate::wire) fn encode<V: Serialize>(
        &self,
        value: &V,
        writer: &mut impl Write,
    ) -> Result<(), Unencodable> {
        let outcome = match self {
            Self::BuiltIn(codec) => codec.encode(value, writer),
            Self::User(codec) => codec.codec.encode(value, writer),
        };
        outcome.map_err(|error| Unencodable::by_codec(self.name(), error.into_refusal()))
    }

    /// Reads a value that is all of `payload`, as far as `budget` allows.
    pub(in crate::wire) fn decode<V: DeserializeOwned>(
        &self,
        payload: &[u8],
        budget: &DecodeBudget,
    ) -> Result<V, Rejected> {
        let decoded = match self {
            Self::BuiltIn(codec) => codec.decode(payload, WithinBudget { budget, value: PhantomData }),
            Self::User(codec) => codec.decode(payload, budget),
        };
        decoded.map_err(|error| {
            let reason = match error.0 {
                Inner::Trailing => Rejected::Trailing,
                Inner::Other(error) => budget.refused(error),
            };
            budget.verdict().unwrap_or(reason)
        })
    }
}

impl UserCodec {
    fn fault(&self) -> Option<String> {
        let Self { name, number, is_human_readable, .. } = self;
        if !USER_NUMBERS.contains(number) {
            return Some(format!(
                "the codec `{name}` has the number {number}, which is reserved for larder's own: 128 to 255 are allowed"
            ));
        }
        if name.is_empty() {
            return Some(format!("the codec with the number {number} has no name"));
        }
        let asked = Asked(Cell::new(None));
        // What it makes of a unit is its own matter.
        let _ = self.codec.encode(&asked, &mut std::io::sink());
        let answered = asked.0.get()?;
        (answered != *is_human_readable).then(|| {
            format!(
                "the codec `{name}` says is_human_readable() == {is_human_readable}, and its serializer says {answered}: \
                 let both say the same"
            )
        })
    }

    fn decode<V: DeserializeOwned>(&self, payload: &[u8], budget: &DecodeBudget) -> Result<V, CodecError> {
        let mut value = None;
        self.codec.decode(payload, budget, &mut |deserializer| {
            value = Some(V::deserialize(deserializer)?);
            Ok(())
        })?;
        value.ok_or_else(|| CodecError::new("the codec read no value"))
    }
}

/// A unit, which notes what the serializer says of itself.
struct Asked(Cell<Option<bool>>);

impl Serialize for Asked {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.set(Some(serializer.is_human_readable()));
        serializer.serialize_unit()
    }
}

struct WithinBudget<'w, V> {
    budget: &'w DecodeBudget,
    value: PhantomData<V>,
}

impl<'de, V: DeserializeOwned> DeserializeSeed<'de> for WithinBudget<'_, V> {
    type Value = V;

    #[inline]
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<V, D::Error> {
        V::deserialize(self.budget.guard(deserializer))
    }
}

impl Default for AnyCodec {
    fn default() -> Self {
        BuiltIn::default().into()
    }
}

impl From<BuiltIn> for AnyCodec {
    fn from(codec: BuiltIn) -> Self {
        Self::BuiltIn(codec)
    }
}

impl fmt::Debug for AnyCodec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.name(), self.number())
    }
}
