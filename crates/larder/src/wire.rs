//! The bytes of an entry on its way to and from a shared server: a header, then the encoded value.
//!
//! `docs/wire-format.md` describes them byte by byte. What is read was written by others: another
//! release, another program, somebody hostile. So nothing that a message says of itself is believed
//! before it is checked, and whatever is not exactly what this build would accept is a [`Rejected`]: a
//! miss, counted, and never a wrong value.

mod codec;
mod compression;
mod digest;
#[cfg(fuzzing)]
pub mod fuzzing;
mod guard;
mod header;
mod reason;
mod shape;

use std::io::{self, Write};

use serde::{Serialize, de::DeserializeOwned};

pub use self::{codec::Codec, compression::Compression};
pub(crate) use self::{
    header::{Envelope, Header, Remaining, Times},
    reason::{Rejected, Unencodable},
    shape::Shape,
};
use crate::scope;

/// How large a message may be, whoever wrote it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Limits {
    /// The largest message, header included. A larger value is not written, a larger message not read.
    pub(crate) largest_stored: usize,
    /// The longest payload before compression: what reading one message may allocate for its bytes.
    pub(crate) largest_raw: usize,
    /// How deep a value may nest: a struct in an `Option` in a list is three levels, an enum with fields
    /// two, a number none. The default needs no more than half of a thread's 2 MiB of stack in a build
    /// without optimization, and is what serde_json has for JSON.
    pub(crate) deepest: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { largest_stored: 128 << 20, largest_raw: 256 << 20, deepest: 128 }
    }
}

/// How values are written, and what is accepted when they are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Wire {
    /// For writing. Any codec that this build has is read.
    pub(crate) codec: Codec,
    /// For writing. Any compression that this build has is read.
    pub(crate) compression: Compression,
    /// For both.
    pub(crate) limits: Limits,
}

/// A message that was read.
#[cfg(any(test, fuzzing))]
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Decoded<V> {
    /// The value.
    pub(crate) value: V,
    /// What it is stored under.
    pub(crate) envelope: Envelope,
}

impl Wire {
    /// The message of a value. `schema` is the version that the user gave to the value's type.
    ///
    /// # Errors
    ///
    /// If the value cannot be encoded so that it can be read back as it is, or is too large.
    pub(crate) fn encode<V>(
        &self,
        value: &V,
        envelope: &Envelope,
        schema: Option<u32>,
    ) -> Result<Vec<u8>, Unencodable>
    where
        V: Serialize + DeserializeOwned + 'static,
    {
        if envelope.scopes.len() > scope::MOST {
            return Err(Unencodable::TooManyScopes { count: envelope.scopes.len() });
        }
        let shape = Shape::of::<V>(self.codec);
        let head = header::length(envelope.scopes.len());
        let message = self.payload(value, head)?;
        if !shape.is_kept_by(self.codec) {
            self.read_back(value, &message[head..])?;
        }
        let raw = (message.len() - head) as u32;
        let (mut message, compression) = self.compressed(message, head)?;
        if message.len() > self.limits.largest_stored {
            return Err(Unencodable::TooLarge { limit: self.limits.largest_stored });
        }
        let (front, payload) = message.split_at_mut(head);
        let fingerprint = shape.fingerprint(schema);
        let payload =
            header::Payload { codec: self.codec, compression, shape: fingerprint, raw, bytes: payload };
        header::write(front, &payload, envelope);
        Ok(message)
    }

    /// Reads a whole message: [`Header::parse`] and [`decode_payload`](Self::decode_payload) in one.
    ///
    /// # Errors
    ///
    /// If it is not exactly a message that holds a `V` of this `schema`.
    #[cfg(any(test, fuzzing))]
    pub(crate) fn decode<V>(&self, message: &[u8], schema: Option<u32>) -> Result<Decoded<V>, Rejected>
    where
        V: DeserializeOwned + 'static,
    {
        let header = Header::parse(message, &self.limits)?;
        let value = self.decode_payload(&header, message, schema)?;
        Ok(Decoded { value, envelope: header.envelope })
    }

    /// Reads the value of a message whose header was parsed: what takes time for a large one, and is
    /// best done on another thread than one that serves futures.
    ///
    /// # Errors
    ///
    /// If the payload is not exactly a `V` of this `schema`.
    pub(crate) fn decode_payload<V>(
        &self,
        header: &Header,
        message: &[u8],
        schema: Option<u32>,
    ) -> Result<V, Rejected>
    where
        V: DeserializeOwned + 'static,
    {
        if header.shape != Shape::of::<V>(header.codec).fingerprint(schema) {
            return Err(Rejected::Shape);
        }
        let payload = header.payload(message)?;
        if header.compression == Compression::None {
            return header.codec.decode(payload, self.limits.deepest);
        }
        let raw = header.compression.decompress(payload, header.raw_length())?;
        header.codec.decode(&raw, self.limits.deepest)
    }

    /// The encoded value, behind `head` bytes that are left free.
    fn payload<V: Serialize>(&self, value: &V, head: usize) -> Result<Vec<u8>, Unencodable> {
        let limit = self.limits.largest_raw.min(u32::MAX as usize);
        // Enough for most small values, so that they are written without growing.
        let mut bytes = Vec::with_capacity(head + 256);
        bytes.resize(head, 0);
        let mut writer = Bounded { bytes, end: head.saturating_add(limit), full: false };
        match self.codec.encode(value, &mut writer) {
            Err(_) if writer.full => Err(Unencodable::TooLarge { limit }),
            outcome => outcome.map(|()| writer.bytes),
        }
    }

    /// Makes sure that what was written is what will be read. It is done for each value, not once for
    /// each type: whether a value is misread can depend on a `None` or an empty list in it.
    fn read_back<V>(&self, value: &V, payload: &[u8]) -> Result<(), Unencodable>
    where
        V: Serialize + DeserializeOwned,
    {
        match self.codec.decode::<V>(payload, self.limits.deepest) {
            Ok(back) if digest::same(value, &back, self.codec.is_human_readable()) => Ok(()),
            _ => Err(Unencodable::Unfaithful { codec: self.codec.name() }),
        }
    }

    fn compressed(&self, message: Vec<u8>, head: usize) -> Result<(Vec<u8>, Compression), Unencodable> {
        let mut smaller = vec![0; head];
        match self.compression.compress(&message[head..], &mut smaller)? {
            Compression::None => Ok((message, Compression::None)),
            compression => Ok((smaller, compression)),
        }
    }
}

/// Collects bytes, up to a limit.
struct Bounded {
    bytes: Vec<u8>,
    end: usize,
    full: bool,
}

impl Write for Bounded {
    #[inline]
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.write_all(bytes).map(|()| bytes.len())
    }

    #[inline]
    fn write_all(&mut self, bytes: &[u8]) -> io::Result<()> {
        if bytes.len() > self.end - self.bytes.len() {
            self.full = true;
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        self.bytes.extend_from_slice(bytes);
        Ok(())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests;
