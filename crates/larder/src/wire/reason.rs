//! Why a message was refused, or a value could not become one.

use std::fmt;

/// Why a message is not accepted. To its reader it is a miss; the reason is for counting.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub(crate) enum Rejected {
    /// It does not begin as a message of larder does.
    Magic,
    /// A format version that this release does not know.
    Version,
    /// It ends before its header says it does.
    Truncated,
    /// It goes on after its payload, or its payload after the value.
    Trailing,
    /// Header or payload is not what was written.
    Checksum,
    /// The header contradicts itself.
    Header,
    /// Its epoch is above every one that a log can have reached.
    Future,
    /// A codec that this build does not have.
    Codec,
    /// A compression that this build does not have.
    Compression,
    /// It is larger than the limits allow, or claims to be.
    TooLarge,
    /// A value of another type, or of another version of the type.
    Shape,
    /// The payload cannot be decompressed to the length that the header states.
    Decompress,
    /// The payload nests deeper than the limits allow.
    TooDeep,
    /// The payload is not a value of the type.
    Decode,
}

impl Rejected {
    /// Every reason there is.
    #[cfg(test)]
    pub(crate) const ALL: [Self; 14] = [
        Self::Magic,
        Self::Version,
        Self::Truncated,
        Self::Trailing,
        Self::Checksum,
        Self::Header,
        Self::Future,
        Self::Codec,
        Self::Compression,
        Self::TooLarge,
        Self::Shape,
        Self::Decompress,
        Self::TooDeep,
        Self::Decode,
    ];

    /// A short name, for a label of a metric.
    #[must_use]
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Magic => "magic",
            Self::Version => "version",
            Self::Truncated => "truncated",
            Self::Trailing => "trailing",
            Self::Checksum => "checksum",
            Self::Header => "header",
            Self::Future => "future",
            Self::Codec => "codec",
            Self::Compression => "compression",
            Self::TooLarge => "too_large",
            Self::Shape => "shape",
            Self::Decompress => "decompress",
            Self::TooDeep => "too_deep",
            Self::Decode => "decode",
        }
    }
}

impl fmt::Display for Rejected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl std::error::Error for Rejected {}

/// Why a value cannot be written to a shared server.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub(crate) enum Unencodable {
    /// The value's `Serialize`, or the codec, refused; or the feature of the codec or compression is off.
    #[error("the value cannot be encoded as {codec}: {reason}")]
    Codec {
        /// Its name.
        codec: &'static str,
        /// What it said.
        reason: String,
    },
    /// The bytes would be read back as another value.
    #[error(
        "the value would not survive {codec}: read back, it differs (an `Option` in an `Option`, or a serde \
         attribute that the codec cannot represent)"
    )]
    Unfaithful {
        /// The codec's name.
        codec: &'static str,
    },
    /// It is larger than the limits allow.
    #[error("the encoded value is larger than the {limit} bytes that are allowed")]
    TooLarge {
        /// The limit that it exceeds.
        limit: usize,
    },
    /// More scopes cover it than a header has room for.
    #[error("{count} scopes cover the value, more than fit")]
    TooManyScopes {
        /// How many.
        count: usize,
    },
}
