//! How values are encoded, as it is set of a cache before there are entries.

use super::SharedEntries;
use crate::{
    error::{Kind, Result},
    wire::{
        Compression,
        codec::{AnyCodec, Codec},
    },
};

/// A codec and a compression for what is written; their defaults are those of larder.
#[derive(Debug, Clone, Default)]
pub struct Encoding {
    codec: AnyCodec,
    compression: Compression,
}

impl Encoding {
    /// With this codec.
    #[must_use]
    pub fn codec(self, codec: impl Codec) -> Self {
        Self { codec: AnyCodec::new(codec), ..self }
    }

    /// With this compression.
    #[must_use]
    pub fn compression(self, compression: Compression) -> Self {
        Self { compression, ..self }
    }
}

impl SharedEntries {
    /// With a codec for what is written, and compression.
    ///
    /// # Errors
    ///
    /// If there is no such codec, or this build has no such compression.
    pub fn written_with(mut self, encoding: Encoding) -> Result<Self> {
        let Encoding { codec, compression } = encoding;
        self.wire.codecs.writes = codec;
        self.wire.compression = compression;
        match self.wire.fault() {
            Some(fault) => Err(Kind::configuration(fault).into()),
            None => Ok(self),
        }
    }
}
