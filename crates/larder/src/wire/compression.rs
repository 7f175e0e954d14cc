//! Making payloads smaller, and back, without believing what a message says of itself.

use super::reason::{Rejected, Unencodable};

#[cfg(feature = "zstd")]
mod zstd;

#[cfg(feature = "zstd")]
const ZSTD: Option<Zstd> = Some(Zstd { compress: zstd::compress, decompress: zstd::decompress });
#[cfg(not(feature = "zstd"))]
const ZSTD: Option<Zstd> = None;

/// Zstandard, in a build that has it.
struct Zstd {
    compress: fn(&[u8], &mut Vec<u8>) -> Option<usize>,
    decompress: fn(&[u8], &mut [u8]) -> Option<usize>,
}

/// How a payload is compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum Compression {
    /// Not at all.
    None,
    /// The LZ4 block format: the fastest.
    #[default]
    Lz4,
    /// A Zstandard frame: smaller, slower. Needs the feature `zstd`.
    Zstd,
}

/// Payloads up to this length are not worth the time.
pub(super) const WORTHWHILE: usize = 1024;

/// No payload may claim to expand to more than this many times its length.
///
/// LZ4 cannot do more. Zstandard can, by far, and what it then claims could be checked only after
/// memory was found for it; a writer takes LZ4 instead for what is that repetitive.
const MOST_EXPANSION: u64 = 255;

impl Compression {
    /// Its number on the wire.
    pub(super) const fn number(self) -> u8 {
        match self {
            Self::None => 0,
            Self::Lz4 => 1,
            Self::Zstd => 2,
        }
    }

    pub(super) fn from_number(number: u8) -> Option<Self> {
        let compression = match number {
            0 => Self::None,
            1 => Self::Lz4,
            2 => Self::Zstd,
            _ => return None,
        };
        compression.is_available().then_some(compression)
    }

    /// Its name.
    #[cfg(any(feature = "inspect", test))]
    #[must_use]
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Lz4 => "LZ4",
            Self::Zstd => "Zstandard",
        }
    }

    /// Whether this build has it.
    #[must_use]
    pub const fn is_available(self) -> bool {
        match self {
            Self::None | Self::Lz4 => true,
            Self::Zstd => ZSTD.is_some(),
        }
    }

    /// Whether a payload of `payload` bytes may be one of `raw` bytes, compressed.
    pub(super) fn allows(self, raw: u32, payload: u32) -> bool {
        match self {
            Self::None => raw == payload,
            _ => u64::from(raw) <= MOST_EXPANSION * u64::from(payload),
        }
    }

    /// Appends `raw` to `message`, compressed, unless that saves nothing. Tells how it was compressed.
    pub(super) fn compress(self, raw: &[u8], message: &mut Vec<u8>) -> Result<Self, Unencodable> {
        if raw.len() <= WORTHWHILE {
            return Ok(Self::None);
        }
        let start = message.len();
        let written = match self {
            Self::None => None,
            Self::Lz4 => lz4(raw, message),
            Self::Zstd => match ZSTD {
                Some(zstd) => (zstd.compress)(raw, message),
                None => {
                    return Err(Unencodable::by_codec("Zstandard", "larder's feature `zstd` is off"));
                }
            },
        };
        let smaller = written.filter(|&length| length < raw.len());
        message.truncate(start + smaller.unwrap_or(0));
        match smaller {
            Some(length) if raw.len() as u64 > MOST_EXPANSION * length as u64 => {
                message.truncate(start);
                Self::Lz4.compress(raw, message)
            }
            Some(_) => Ok(self),
            None => Ok(Self::None),
        }
    }

    /// The `length` bytes that `payload` was made from; `length` was found to be within all limits.
    pub(super) fn decompress(self, payload: &[u8], length: usize) -> Result<Vec<u8>, Rejected> {
        let mut raw = Vec::new();
        raw.try_reserve_exact(length).map_err(|_| Rejected::TooLarge)?;
        raw.resize(length, 0);
        let written = match self {
            Self::None => None,
            Self::Lz4 => lz4_flex::block::decompress_into(payload, &mut raw).ok(),
            Self::Zstd => ZSTD.and_then(|zstd| (zstd.decompress)(payload, &mut raw)),
        };
        (written == Some(length)).then_some(raw).ok_or(Rejected::Decompress)
    }
}

fn lz4(raw: &[u8], message: &mut Vec<u8>) -> Option<usize> {
    let start = message.len();
    message.resize(start + lz4_flex::block::get_maximum_output_size(raw.len()), 0);
    lz4_flex::block::compress_into(raw, &mut message[start..]).ok()
}
