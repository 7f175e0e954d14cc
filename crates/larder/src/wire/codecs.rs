//! The codecs of a cache: the one that it writes with, and those that it reads.

use std::sync::Arc;

use super::{
    codec::{AnyCodec, BuiltIn},
    reason::Rejected,
};

/// What is written with, and what is read besides the codecs of larder that this build has.
#[derive(Debug, Clone, Default)]
pub(crate) struct Codecs {
    pub(crate) writes: AnyCodec,
    /// Programs' codecs. That by which is written need not be among them.
    reads: Arc<[AnyCodec]>,
}

impl Codecs {
    /// Reads one more.
    #[cfg_attr(not(feature = "redis"), expect(dead_code, reason = "other stores read what they write"))]
    pub(crate) fn read(&mut self, codec: AnyCodec) {
        self.reads = self.reads.iter().cloned().chain([codec]).collect();
    }

    /// The codec of this number.
    ///
    /// # Errors
    ///
    /// If entries in it cannot be read here.
    pub(crate) fn of_number(&self, number: u8) -> Result<AnyCodec, Rejected> {
        let built_in = BuiltIn::from_number(number).filter(|codec| codec.is_available());
        let codec = built_in.map(AnyCodec::from);
        codec
            .or_else(|| self.users().find(|codec| codec.number() == number).cloned())
            .ok_or(Rejected::Codec(number))
    }

    /// What a builder cannot check by its types.
    pub(crate) fn fault(&self) -> Option<String> {
        if let Some(fault) = self.all().find_map(AnyCodec::fault) {
            return Some(fault);
        }
        let mut pairs = self
            .all()
            .enumerate()
            .flat_map(|(at, one)| self.all().skip(at + 1).map(move |other| (one, other)));
        let (one, other) =
            pairs.find(|(one, other)| one.number() == other.number() && !one.is_same(other))?;
        let (number, one, other) = (one.number(), one.name(), other.name());
        Some(format!("two codecs have the number {number}, `{one}` and `{other}`: give each one of its own"))
    }

    fn users(&self) -> impl Iterator<Item = &AnyCodec> {
        self.all().filter(|codec| matches!(codec, AnyCodec::User(_)))
    }

    fn all(&self) -> impl Iterator<Item = &AnyCodec> {
        std::iter::once(&self.writes).chain(self.reads.iter())
    }
}

impl From<AnyCodec> for Codecs {
    fn from(writes: AnyCodec) -> Self {
        Self { writes, ..Self::default() }
    }
}

impl From<BuiltIn> for Codecs {
    fn from(writes: BuiltIn) -> Self {
        AnyCodec::from(writes).into()
    }
}
