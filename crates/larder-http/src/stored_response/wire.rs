//! The form in which a stored response leaves the process: what is serialized, and the checks of what is received.

use std::fmt;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use serde::{
    Deserialize, Deserializer, Serialize, Serializer,
    de::{self, SeqAccess, Visitor},
};

use super::{StoredParts, StoredResponse};
use crate::{
    freshness::Freshness,
    headers::{self, MAX_HEADERS},
    status_code,
    vary::Vary,
};

/// The names of this type and its fields are part of the format.
#[derive(Serialize, Deserialize)]
struct Portable {
    status: u16,
    headers: Vec<(String, Binary)>,
    body: Binary,
    vary: Vary,
    freshness: Freshness,
    own_etag: bool,
    number: u64,
    tags: Vec<String>,
}

impl Serialize for StoredResponse {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let bytes = |value: &HeaderValue| Binary(Bytes::copy_from_slice(value.as_bytes()));
        Portable {
            status: self.status.as_u16(),
            headers: self.headers.iter().map(|(name, value)| (name.to_string(), bytes(value))).collect(),
            body: Binary(self.body.clone()),
            vary: self.vary.clone(),
            freshness: self.freshness.clone(),
            own_etag: self.generated_etag,
            number: self.id,
            tags: self.tags.clone(),
        }
        .serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for StoredResponse {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let portable = Portable::deserialize(deserializer)?;
        let headers = received_headers(portable.headers).map_err(de::Error::custom)?;
        let status = StatusCode::from_u16(portable.status).map_err(de::Error::custom)?;
        let refusal = match headers::content_length(&headers) {
            _ if !status_code::is_complete(status) => Some("a response with this status is never stored"),
            _ if !portable.vary.is_valid() => Some("`Vary` names what is not a header"),
            Some(length) if length != Ok(portable.body.0.len() as u64) => {
                Some("`Content-Length` is not that of the body")
            }
            _ => None,
        };
        if let Some(refusal) = refusal {
            return Err(de::Error::custom(refusal));
        }
        Ok(Self::new(StoredParts {
            status,
            headers,
            body: portable.body.0,
            vary: portable.vary,
            freshness: portable.freshness,
            generated_etag: portable.own_etag,
            id: portable.number,
            tags: portable.tags,
            took: None,
        }))
    }
}

/// The headers of a response that another process stored. A header that would not have been stored here is an error: it
/// could break a connection, or the responses that follow on it.
fn received_headers(lines: Vec<(String, Binary)>) -> Result<HeaderMap, Box<dyn std::error::Error>> {
    if lines.len() > MAX_HEADERS {
        return Err("more headers than are ever stored".into());
    }
    let mut headers = HeaderMap::new();
    for (name, value) in lines {
        let name = HeaderName::from_bytes(name.as_bytes())?;
        if headers::is_hop_by_hop(&name) {
            return Err(format!("`{name}` is never stored").into());
        }
        headers.try_append(name, HeaderValue::from_maybe_shared(value.0)?)?;
    }
    Ok(headers)
}

/// Bytes, written as such in formats that have them.
struct Binary(Bytes);

impl Serialize for Binary {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bytes(&self.0)
    }
}

impl<'de> Deserialize<'de> for Binary {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_byte_buf(BinaryVisitor)
    }
}

struct BinaryVisitor;

impl<'de> Visitor<'de> for BinaryVisitor {
    type Value = Binary;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("bytes")
    }

    fn visit_bytes<E: de::Error>(self, bytes: &[u8]) -> Result<Binary, E> {
        Ok(Binary(Bytes::copy_from_slice(bytes)))
    }

    fn visit_byte_buf<E: de::Error>(self, bytes: Vec<u8>) -> Result<Binary, E> {
        Ok(Binary(bytes.into()))
    }

    /// JSON writes bytes as a list of numbers.
    fn visit_seq<A: SeqAccess<'de>>(self, mut sequence: A) -> Result<Binary, A::Error> {
        let mut bytes = Vec::new();
        while let Some(byte) = sequence.next_element()? {
            bytes.push(byte);
        }
        Ok(Binary(bytes.into()))
    }
}
