//! What the header of a stored entry says.

use std::time::Duration;

use crate::{
    epoch::Epoch,
    scope::ScopeHash,
    wire::{BuiltIn, Envelope, Header, Limits, Rejected, Wire, codec, json_text},
};

/// The header of an entry as it lies in Redis.
#[derive(Debug, Clone)]
pub struct StoredEntry {
    header: Header,
}

/// When an entry was made, and how long it lives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lifetimes {
    /// By the server's clock, in milliseconds since 1970-01-01T00:00:00Z.
    pub created_ms: u64,
    /// From then on: for how long a hit is nothing but a hit. It is refreshed ahead of its end after that.
    pub prompt: Duration,
    /// From then on: its TTL.
    pub fresh: Duration,
    /// From the end of `fresh`: for how long it is served stale while it is refreshed.
    pub stale_while_revalidate: Duration,
    /// From the end of `fresh`: for how long it is served stale if a computation fails.
    pub stale_if_error: Duration,
}

impl StoredEntry {
    /// Reads the beginning of a message of this `length`. Otherwise the short name of why no reader accepts it: see
    /// `docs/wire-format.md`.
    ///
    /// # Errors
    ///
    /// If no reader of this build accepts it.
    pub fn read(beginning: &[u8], length: u64) -> Result<Self, &'static str> {
        let length = usize::try_from(length).unwrap_or(usize::MAX);
        let header = Header::parse_beginning(beginning, length, &Limits::default());
        let known = |header: &Header| {
            BuiltIn::from_number(header.codec).is_some() || codec::USER_NUMBERS.contains(&header.codec)
        };
        let header = header.and_then(|header| match known(&header) {
            true => Ok(header),
            false => Err(Rejected::Codec(header.codec)),
        });
        header.map(|header| Self { header }).map_err(|rejected| rejected.name())
    }

    pub(in crate::redis) fn envelope(&self) -> &Envelope {
        &self.header.envelope
    }

    /// The writer's position in the log when the computation began.
    #[must_use]
    pub fn epoch(&self) -> Epoch {
        self.header.envelope.epoch
    }

    /// The hashes of the scopes that cover it.
    #[must_use]
    pub fn scopes(&self) -> &[ScopeHash] {
        &self.header.envelope.scopes
    }

    /// The name of its codec, or what is known of a program's.
    #[must_use]
    pub fn codec(&self) -> String {
        let number = self.header.codec;
        match BuiltIn::from_number(number) {
            Some(codec) => codec.name().to_owned(),
            None => format!("codec {number}"),
        }
    }

    /// The name of its compression.
    #[must_use]
    pub fn compression(&self) -> &'static str {
        self.header.compression.name()
    }

    /// The fingerprint of its type.
    #[must_use]
    pub fn shape(&self) -> u64 {
        self.header.shape
    }

    /// Whether it is JSON of a writer that did not know the type, for readers of this schema version, however high it is.
    #[must_use]
    pub fn is_untyped_for(&self, schema: Option<u32>) -> bool {
        Wire::is_untyped_for(&self.header, schema)
    }

    /// Whether it is JSON of a writer that did not know the type. Of schema versions, those below 1,000 are known.
    #[must_use]
    pub fn is_untyped(&self) -> bool {
        Wire::looks_untyped(&self.header)
    }

    /// The length of its value before compression, and as it is stored.
    #[must_use]
    pub fn lengths(&self) -> (u64, u64) {
        (self.header.raw_length() as u64, self.header.stored_length() as u64)
    }

    /// When it was made, and how long it lives.
    #[must_use]
    pub fn lifetimes(&self) -> Lifetimes {
        let times = &self.header.envelope.times;
        Lifetimes {
            created_ms: times.created,
            prompt: times.prompt,
            fresh: times.fresh,
            stale_while_revalidate: times.revalidate,
            stale_if_error: times.on_error,
        }
    }

    /// The value in the whole message as a JSON text; none if its codec does not say what its bytes mean (bincode,
    /// postcard, those of programs).
    /// Of MessagePack, bytes become `{"$bytes": "<hexadecimal>"}`.
    ///
    /// # Errors
    ///
    /// The short name of why no reader accepts the payload.
    pub fn value(&self, message: &[u8]) -> Result<Option<String>, &'static str> {
        json_text(&self.header, message, &Limits::default()).map_err(|rejected| rejected.name())
    }
}
