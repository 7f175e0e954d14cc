//! Writes a text in JSON as the message of a value whose type is not known: see `untyped`.

use super::{
    BuiltIn, Compression, Envelope, Header, Rejected, Unencodable, Wire,
    codec::AnyCodec,
    header,
    untyped::{digest, is_untyped, shape},
};
use crate::scope;

impl Wire {
    /// The message of a JSON text, for readers of this schema version.
    ///
    /// # Errors
    ///
    /// If it is no JSON text, too large, or nests too deep.
    pub(crate) fn untyped_message(
        &self,
        json: &str,
        envelope: &Envelope,
        schema: Option<u32>,
    ) -> Result<Vec<u8>, Unencodable> {
        let codec = AnyCodec::from(BuiltIn::Json);
        if envelope.scopes.len() > scope::MOST {
            return Err(Unencodable::TooManyScopes { count: envelope.scopes.len() });
        }
        if json.len() > self.limits.largest_raw {
            return Err(Unencodable::TooLarge { limit: self.limits.largest_raw });
        }
        digest(json.as_bytes(), &self.limits).map_err(|rejected| match rejected {
            Rejected::TooDeep => {
                Unencodable::TooDeep { codec: codec.name(), limit: codec.levels(&self.limits) }
            }
            _ => Unencodable::by_codec(codec.name(), "it is no JSON text"),
        })?;
        let head = header::length(envelope.scopes.len());
        let mut message = vec![0; head];
        message.extend_from_slice(json.as_bytes());
        let (mut message, compression): (_, Compression) = self.compressed(message, head)?;
        if message.len() > self.limits.largest_stored {
            return Err(Unencodable::TooLarge { limit: self.limits.largest_stored });
        }
        let (front, payload) = message.split_at_mut(head);
        let payload = header::Payload {
            codec: codec.number(),
            compression,
            shape: shape(schema),
            raw: json.len() as u32,
            bytes: payload,
        };
        header::write(front, &payload, envelope);
        Ok(message)
    }

    /// Whether a header is of such a message, for readers of this schema version.
    pub(crate) fn is_untyped_for(header: &Header, schema: Option<u32>) -> bool {
        is_untyped(header, schema)
    }

    /// Whether a header is of such a message, of whatever schema version, as far as that can be known.
    pub(crate) fn looks_untyped(header: &Header) -> bool {
        const VERSIONS: u32 = 1_000;
        is_untyped(header, None) || (0..VERSIONS).any(|version| is_untyped(header, Some(version)))
    }
}
