//! How values become bytes and back: the codecs of larder, and those that programs bring.
//!
//! ```no_run
//! use larder::{RedisCache, codec};
//!
//! # async fn connect() -> larder::Result<()> {
//! let cache = RedisCache::builder().url("redis://localhost").codec(codec::Json).connect().await?;
//! # Ok(())
//! # }
//! ```
//!
//! [`MessagePack`] is the default. [`Json`] is for programs in other languages and for people, `Postcard` (feature
//! `postcard`) for the fewest bytes, and `Bincode` (feature `bincode`) is there for who has it. A program's own
//! implements [`Codec`].
//!
//! The codec is what a cache *writes* with. It reads the entries of every codec of larder that its build has, and those
//! of programs that were named to it by [`also_reads`](crate::RedisCacheBuilder::also_reads): so processes change over to
//! another codec one by one. An entry in a codec that a process does not know is a miss, counted as
//! [`shared_other_codec`](crate::CacheStats::shared_other_codec), and a WARN names the number.

use std::{error::Error, fmt, io::Write, ops::RangeInclusive};

use serde::{Serialize, de::DeserializeSeed};

pub(crate) use self::{any::AnyCodec, built_in::BuiltIn};
use super::reason::Refusal;

mod any;
#[cfg(feature = "bincode")]
mod bincode;
mod built_in;
mod erased;
mod json;
mod message_pack;
#[cfg(feature = "postcard")]
mod postcard;

#[cfg(feature = "bincode")]
#[cfg_attr(docsrs, doc(cfg(feature = "bincode")))]
pub use self::bincode::Bincode;
#[cfg(feature = "postcard")]
#[cfg_attr(docsrs, doc(cfg(feature = "postcard")))]
pub use self::postcard::Postcard;
pub use self::{json::Json, message_pack::MessagePack};

/// The numbers of codecs that programs bring: 128 to 255. All others are larder's, and are never given to another codec.
pub const USER_NUMBERS: RangeInclusive<u8> = 128..=255;

/// A way to write values as bytes, and to read them back.
///
/// Implement it to share entries in a format of your own: see [`RedisCacheBuilder::codec`](crate::RedisCacheBuilder::codec).
/// Both methods are serde's: hand the value to a serializer, and a deserializer to the seed.
///
/// larder trusts a codec no further than a type: each message is read back and compared before it is shared, its
/// checksums and the fingerprint of its type are checked before its value is, and a codec that fails or panics makes a
/// value that stays in its process, or a miss. The fingerprint covers the codec's [`name`](Self::name) as well: two
/// programs with two codecs of one number never read each other's bytes.
///
/// # What it costs
///
/// A codec of larder's is compiled into the code of each type. A program's codec is called through tables, once for
/// each part of a value; and values that nest deeper than 32 levels are written and read on a thread with a stack of its own.
///
/// # Example
///
/// JSON with a mark in front. Any format with a serializer and a deserializer for serde is written in the same way.
///
/// ```
/// use std::io::Write;
///
/// use larder::{RedisCache, codec::{Codec, CodecError}};
/// use serde::{Serialize, de::DeserializeSeed};
///
/// struct Marked;
///
/// impl Codec for Marked {
///     fn number(&self) -> u8 {
///         128
///     }
///
///     fn name(&self) -> &'static str {
///         "marked JSON"
///     }
///
///     fn is_human_readable(&self) -> bool {
///         true
///     }
///
///     fn is_self_describing(&self) -> bool {
///         true
///     }
///
///     fn encode<V: Serialize + ?Sized>(&self, value: &V, mut writer: impl Write) -> Result<(), CodecError> {
///         writer.write_all(b"#")?;
///         Ok(serde_json::to_writer(writer, value)?)
///     }
///
///     fn decode<'de, S: DeserializeSeed<'de>>(&self, payload: &'de [u8], seed: S) -> Result<S::Value, CodecError> {
///         let payload = payload.strip_prefix(b"#").ok_or_else(|| CodecError::new("no mark"))?;
///         let mut deserializer = serde_json::Deserializer::from_slice(payload);
///         let value = seed.deserialize(&mut deserializer)?;
///         deserializer.end()?;
///         Ok(value)
///     }
/// }
///
/// let builder = RedisCache::builder().url("redis://localhost").codec(Marked);
/// # drop(builder);
/// ```
pub trait Codec: Send + Sync + 'static {
    /// Its number in the headers of entries: one of [`USER_NUMBERS`], the same in every process and release. Another one,
    /// and one that two codecs of a cache have, is an error when the cache is built.
    fn number(&self) -> u8;

    /// Its name, for errors, warnings and the fingerprints of types. A new name for a new format makes all its old entries
    /// misses.
    fn name(&self) -> &'static str;

    /// What its serializers and deserializers answer to serde's `is_human_readable`: many types have a second form for
    /// such formats. Another answer than the serializer's is an error when the cache is built. Serde's own default is
    /// `true`, so a format that was written without a thought of it answers that.
    fn is_human_readable(&self) -> bool;

    /// Whether its bytes say what they are, so that its deserializer can answer `deserialize_any`. If not (the default),
    /// a value that needs that (`flatten`, `untagged`, internal tags, `serde_json::Value`) is not shared: it stays in
    /// its process, whatever the codec would make of it.
    fn is_self_describing(&self) -> bool {
        false
    }

    /// Writes a value.
    ///
    /// # Errors
    ///
    /// If the format has no form for the value, or the writer is full: the value stays in its process.
    fn encode<V: Serialize + ?Sized>(&self, value: &V, writer: impl Write) -> Result<(), CodecError>;

    /// Reads what [`encode`](Self::encode) wrote, and nothing else: the payload is compared with its checksum before, but
    /// may come from another release or from an attacker. What the payload claims of lengths is not to be believed
    /// before it is compared with what is there.
    ///
    /// # Errors
    ///
    /// If the payload is not one value from its first byte to its last: the entry is a miss.
    fn decode<'de, S: DeserializeSeed<'de>>(
        &self,
        payload: &'de [u8],
        seed: S,
    ) -> Result<S::Value, CodecError>;
}

/// Why a [`Codec`] did not write or read a value. Any error becomes one by `?`.
pub struct CodecError(pub(super) Inner);

pub(super) enum Inner {
    /// Bytes are left over behind the value.
    Trailing,
    /// What the format's own code said.
    Other(Refusal),
}

impl CodecError {
    /// An error, or a text that says why.
    #[must_use]
    pub fn new(reason: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self(Inner::Other(reason.into()))
    }

    /// Bytes are left over behind the value: counted by the reader as `trailing`.
    #[must_use]
    pub const fn trailing() -> Self {
        Self(Inner::Trailing)
    }

    pub(super) fn into_refusal(self) -> Refusal {
        match self.0 {
            Inner::Trailing => "bytes are left over behind the value".into(),
            Inner::Other(refusal) => refusal,
        }
    }
}

impl fmt::Debug for CodecError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Inner::Trailing => f.write_str("Trailing"),
            Inner::Other(refusal) => refusal.fmt(f),
        }
    }
}

impl<E: Error + Send + Sync + 'static> From<E> for CodecError {
    fn from(error: E) -> Self {
        Self::new(error)
    }
}
