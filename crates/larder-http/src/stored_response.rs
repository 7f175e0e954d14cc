//! A stored response.

use std::{
    fmt,
    sync::{Arc, LazyLock},
};

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use serde::{
    Deserialize, Deserializer, Serialize, Serializer,
    de::{self, SeqAccess, Visitor},
};

use crate::{
    conditional::{self, Conditions},
    date::Millis,
    fields,
    freshness::{Freshness, Source},
    status::seconds,
    storable,
    vary::Vary,
};

/// A complete response, and all that decides whether it answers a request. Cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct Page(Arc<Stored>);

/// What a [`Page`] points to.
#[derive(Debug, Clone)]
pub(crate) struct Stored {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
    pub(crate) vary: Vary,
    pub(crate) freshness: Freshness,
    /// Whether the entity tag was made here: the handler does not know it.
    pub(crate) own_etag: bool,
    /// Tells it from all others that were or will be under its key.
    pub(crate) number: u64,
    pub(crate) tags: Vec<String>,
}

impl Page {
    pub(crate) fn new(stored: Stored) -> Self {
        Self(Arc::new(stored))
    }

    /// None: for a computation whose response is not stored, and goes to its own client by another way.
    pub(crate) fn none() -> Self {
        static NONE: LazyLock<Page> = LazyLock::new(|| {
            Page::new(Stored {
                status: StatusCode::NO_CONTENT,
                headers: HeaderMap::new(),
                body: Bytes::new(),
                vary: Vary::default(),
                freshness: Freshness::default(),
                own_etag: false,
                number: 0,
                tags: Vec::new(),
            })
        });
        NONE.clone()
    }

    /// The validators that the handler gave.
    pub(crate) fn conditions(&self) -> Conditions {
        Conditions::of(&self.headers, self.own_etag)
    }

    /// For how long it is fresh, or since when it is not, in seconds.
    pub(crate) fn left(&self, now: Millis) -> i64 {
        seconds(self.freshness.lifetime).saturating_sub(seconds(self.freshness.age(now)))
    }

    /// For how many seconds a cache that comes next may keep it unasked. One whose handler says nothing is kept here
    /// alone: that cache does not know which requests may say who asks.
    pub(crate) fn keepable(&self, now: Millis) -> i64 {
        if self.freshness.source == Source::Response { self.left(now) } else { 0 }
    }

    /// Adds to the headers of a response made from it what was decided here, where its handler said nothing.
    pub(crate) fn say_what_was_decided(&self, headers: &mut HeaderMap) {
        fields::say_what_was_decided(headers, self.freshness.source);
    }

    /// About how much memory it takes, in bytes.
    pub(crate) fn weight(&self) -> usize {
        let headers = self.headers.iter().map(|(name, value)| name.as_str().len() + value.len() + A_HEADER);
        let tags = self.tags.iter().map(|tag| tag.len() + size_of::<String>());
        self.body.len()
            + headers.sum::<usize>()
            + tags.sum::<usize>()
            + self.vary.weight()
            + size_of::<Stored>()
    }
}

impl std::ops::Deref for Page {
    type Target = Stored;

    fn deref(&self) -> &Stored {
        &self.0
    }
}

/// What a header takes beside its text, in bytes.
const A_HEADER: usize = 160;

/// What a stored page takes in a cache beside its key and itself, in bytes.
const AN_ENTRY: usize = 1024;

/// So many lines of headers are stored: more than any server takes, and few enough for more to be added.
pub(crate) const MOST_HEADERS: usize = 1024;

/// How much memory a stored response takes, in bytes: a weigher for `larder`'s `MemoryCache`, whose capacity
/// is a number of bytes then. Anything that is not a response weighs what its key does, and 256 bytes.
///
/// ```
/// let cache = larder::MemoryCache::builder().capacity(64 << 20).weigher(larder_http::weigh).build();
/// ```
#[must_use]
pub fn weigh(key: &str, entry: &larder::Entry) -> u32 {
    let value = entry.value::<Page>().map_or(256, |page| page.weight() + AN_ENTRY);
    u32::try_from(key.len() + value).unwrap_or(u32::MAX)
}

/// The form in which a page leaves the process.
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

impl Serialize for Page {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let bytes = |value: &HeaderValue| Binary(Bytes::copy_from_slice(value.as_bytes()));
        Portable {
            status: self.status.as_u16(),
            headers: self.headers.iter().map(|(name, value)| (name.to_string(), bytes(value))).collect(),
            body: Binary(self.body.clone()),
            vary: self.vary.clone(),
            freshness: self.freshness.clone(),
            own_etag: self.own_etag,
            number: self.number,
            tags: self.tags.clone(),
        }
        .serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Page {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let portable = Portable::deserialize(deserializer)?;
        let headers = received_headers(portable.headers).map_err(de::Error::custom)?;
        let status = StatusCode::from_u16(portable.status).map_err(de::Error::custom)?;
        let refusal = match conditional::content_length(&headers) {
            _ if !storable::can_be_stored(status) => Some("a response with this status is never stored"),
            _ if !portable.vary.is_valid() => Some("`Vary` names what is no header"),
            Some(length) if length != Ok(portable.body.0.len() as u64) => {
                Some("`Content-Length` is not that of the body")
            }
            _ => None,
        };
        if let Some(refusal) = refusal {
            return Err(de::Error::custom(refusal));
        }
        Ok(Self::new(Stored {
            status,
            headers,
            body: portable.body.0,
            vary: portable.vary,
            freshness: portable.freshness,
            own_etag: portable.own_etag,
            number: portable.number,
            tags: portable.tags,
        }))
    }
}

/// The headers of a page that another process stored. What would not have been stored here is an error: it could
/// break a connection, or what is served with it.
fn received_headers(lines: Vec<(String, Binary)>) -> Result<HeaderMap, Box<dyn std::error::Error>> {
    if lines.len() > MOST_HEADERS {
        return Err("more headers than are ever stored".into());
    }
    let mut headers = HeaderMap::new();
    for (name, value) in lines {
        let name = HeaderName::from_bytes(name.as_bytes())?;
        if fields::is_of_the_exchange(&name) {
            return Err(format!("`{name}` is never stored").into());
        }
        headers.try_append(name, HeaderValue::from_maybe_shared(value.0)?)?;
    }
    Ok(headers)
}

/// Bytes that formats with bytes write as such.
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

    /// As JSON has them.
    fn visit_seq<A: SeqAccess<'de>>(self, mut sequence: A) -> Result<Binary, A::Error> {
        let mut bytes = Vec::new();
        while let Some(byte) = sequence.next_element()? {
            bytes.push(byte);
        }
        Ok(Binary(bytes.into()))
    }
}

#[cfg(test)]
mod tests;
