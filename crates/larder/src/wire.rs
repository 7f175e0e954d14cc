//! The bytes of an entry on its way to and from a shared server: a header, then the encoded value.
//!
//! `docs/wire-format.md` describes them byte by byte. What is read was written by others: another
//! release, another program, an attacker. So nothing that a message says of itself is believed
//! before it is checked, and whatever is not exactly what this build would accept is a [`Rejected`]: a
//! miss, counted, and never a wrong value.

pub mod codec;
mod codecs;
mod compression;
mod digest;
mod fidelity;
#[cfg(fuzzing)]
pub mod fuzzing;
mod guard;
mod header;
mod limits;
mod message;
mod mix;
mod names;
mod path;
mod probe;
#[cfg(any(feature = "events", feature = "write-behind"))]
mod queued;
mod reason;
#[cfg(feature = "seal")]
pub(crate) mod sealed;
#[cfg(feature = "inspect")]
mod show;
mod trace;
mod transport;
mod untyped;
#[cfg(feature = "inspect")]
mod untyped_message;
mod walk;
mod whole_numbers;

use std::{
    io::{self, Write},
    panic::{AssertUnwindSafe, catch_unwind},
};

use serde::{Serialize, de::DeserializeOwned};

pub use self::compression::Compression;
#[cfg(feature = "inspect")]
pub(crate) use self::show::json_text;
use self::{codec::AnyCodec, trace::Fingerprint};
pub(crate) use self::{
    codec::BuiltIn,
    codecs::Codecs,
    header::{Envelope, Header, Remaining, Times},
    limits::Limits,
    reason::{Rejected, Unencodable},
    transport::Coding,
};
use crate::{scope, value::comparison::Comparison};

/// How values are written, and what is accepted when they are read.
#[derive(Debug, Clone, Default)]
pub(crate) struct Wire {
    /// What is written, and what is read besides the codecs of larder that this build has.
    pub(crate) codecs: Codecs,
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
    /// What is written.
    pub(crate) fn codec(&self) -> &AnyCodec {
        &self.codecs.writes
    }

    /// What is wrong with what was set, in words for a builder's error.
    pub(crate) fn fault(&self) -> Option<String> {
        const NO_ZSTD: &str = "zstd needs larder's feature `zstd`, which is not enabled";
        let is_available = self.compression.is_available();
        self.codecs.fault().or_else(|| (!is_available).then(|| NO_ZSTD.to_owned()))
    }

    /// How many levels a value that is written may have.
    pub(crate) fn levels(&self) -> usize {
        self.codec().levels(&self.limits)
    }

    /// For values that nest deeper, on a stack of [`Limits::STACK`].
    #[must_use]
    pub(crate) fn deep(&self) -> Self {
        Self { limits: Limits { deepest: Limits::DEEPEST, ..self.limits }, ..self.clone() }
    }

    /// The message of a value, once it is sure that it is read as the value that it was made of. `schema` is the
    /// version that the user gave to the value's type; `comparison` compares two values of it, where that is known.
    ///
    /// # Errors
    ///
    /// If the value cannot be encoded so that it can be read back as it is, or is too large.
    pub(crate) fn encode_compared<V>(
        &self,
        value: &V,
        envelope: &Envelope,
        schema: Option<u32>,
        comparison: Option<&Comparison<V>>,
    ) -> Result<Vec<u8>, Unencodable>
    where
        V: Serialize + DeserializeOwned + 'static,
    {
        // Four traits of the user's type run in here.
        let encoded = catch_unwind(AssertUnwindSafe(|| self.try_encode(value, envelope, schema, comparison)));
        encoded.unwrap_or(Err(Unencodable::Panicked))
    }

    /// The same, where nothing compares two values of the type.
    #[cfg(any(test, fuzzing))]
    pub(crate) fn encode<V>(
        &self,
        value: &V,
        envelope: &Envelope,
        schema: Option<u32>,
    ) -> Result<Vec<u8>, Unencodable>
    where
        V: Serialize + DeserializeOwned + 'static,
    {
        self.encode_compared(value, envelope, schema, None)
    }

    fn try_encode<V>(
        &self,
        value: &V,
        envelope: &Envelope,
        schema: Option<u32>,
        comparison: Option<&Comparison<V>>,
    ) -> Result<Vec<u8>, Unencodable>
    where
        V: Serialize + DeserializeOwned + 'static,
    {
        if envelope.scopes.len() > scope::MOST {
            return Err(Unencodable::TooManyScopes { count: envelope.scopes.len() });
        }
        let head = header::length(envelope.scopes.len());
        let original = self.walk_original(value, comparison.is_none())?;
        let message = self.payload(value, head).map_err(|reason| original.explained(self.codec(), reason))?;
        let fingerprint = self.read_back(value, &message[head..], &original, schema, comparison)?;
        let raw = (message.len() - head) as u32;
        let (mut message, compression) = self.compressed(message, head)?;
        if message.len() > self.limits.largest_stored {
            return Err(Unencodable::TooLarge { limit: self.limits.largest_stored });
        }
        let (front, payload) = message.split_at_mut(head);
        let fingerprint = fingerprint.number();
        let payload = header::Payload {
            codec: self.codec().number(),
            compression,
            shape: fingerprint,
            raw,
            bytes: payload,
        };
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
        V: DeserializeOwned + Serialize + 'static,
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
        V: DeserializeOwned + Serialize + 'static,
    {
        let payload = header.payload(message)?;
        let read = |payload: &[u8]| self.read(header, payload, schema);
        // A `Deserialize` of the user's runs in here.
        let value = catch_unwind(AssertUnwindSafe(|| match header.compression {
            Compression::None => read(payload),
            compression => read(&compression.decompress(payload, header.raw_length())?),
        }));
        value.unwrap_or(Err(Rejected::Panicked))
    }

    /// Reads a payload: a value of the same type as its writer's asks for the same things in it.
    fn read<V>(&self, header: &Header, payload: &[u8], schema: Option<u32>) -> Result<V, Rejected>
    where
        V: DeserializeOwned + Serialize + 'static,
    {
        if untyped::is_untyped(header, schema) {
            let json = Self { codecs: BuiltIn::Json.into(), limits: self.limits, ..Self::default() };
            return untyped::read(payload, &self.limits, |value| json.checked_payload(value));
        }
        let codec = self.codecs.of_number(header.codec)?;
        let expected = Fingerprint::from_number(header.shape);
        let budget = codec.budget(payload.len(), &self.limits, schema, Some(expected));
        let value: V = codec.decode(payload, &budget)?;
        let digest = match budget.trace.is_buffered() {
            true => Some(self.fingerprint_digest(&codec, &value).map_err(|_| Rejected::Shape)?),
            false => None,
        };
        match budget.trace.fingerprint(digest) == expected {
            true => Ok(value),
            false => Err(Rejected::Shape),
        }
    }

    /// The encoded value, once it is sure that it is read back as it is, by all but a comparison: one of values that were
    /// read shows nothing, since what no text says is the same in all of them.
    fn checked_payload<V>(&self, value: &V) -> Result<Vec<u8>, Unencodable>
    where
        V: Serialize + DeserializeOwned + 'static,
    {
        let original = self.walk_original(value, true)?;
        let payload = self.payload(value, 0)?;
        self.read_back(value, &payload, &original, None, None)?;
        Ok(payload)
    }

    /// The encoded value, behind `head` bytes that are left free.
    fn payload<V: Serialize>(&self, value: &V, head: usize) -> Result<Vec<u8>, Unencodable> {
        let limit = self.limits.largest_raw.min(u32::MAX as usize);
        // Enough for most small values, so that they are written without growing.
        let mut bytes = Vec::with_capacity(head + 256);
        bytes.resize(head, 0);
        let mut writer = Bounded { bytes, end: head.saturating_add(limit), full: false };
        match self.codec().encode(value, &mut writer) {
            Err(_) if writer.full => Err(Unencodable::TooLarge { limit }),
            outcome => outcome.map(|()| writer.bytes),
        }
    }

    /// The fingerprint of a `V` in this payload, as far as it can be read.
    #[cfg(any(test, fuzzing))]
    fn fingerprint<V>(&self, codec: &AnyCodec, payload: &[u8], schema: Option<u32>) -> u64
    where
        V: Serialize + DeserializeOwned + 'static,
    {
        let budget = codec.budget(payload.len(), &self.limits, schema, None);
        let value = codec.decode::<V>(payload, &budget).ok();
        let buffered = value.filter(|_| budget.trace.is_buffered());
        let digest = buffered.and_then(|value| self.fingerprint_digest(codec, &value).ok());
        budget.trace.fingerprint(digest).number()
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
