//! Why a message was refused, or a value could not become one.

use std::{error::Error, fmt};

use crate::{error::Cause, value::comparison::Evidence};

/// Why a message is not accepted. To its reader it is a miss; the reason is for counting.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub(crate) enum Rejected {
    /// It does not begin as a message of larder does.
    Magic,
    /// A format version that this release does not know.
    Version,
    /// It is sealed, and this cache has no keys.
    Sealed,
    /// It is not sealed, and this cache seals.
    #[cfg_attr(
        not(any(feature = "seal", test)),
        expect(dead_code, reason = "only a cache that seals says so")
    )]
    Unsealed,
    /// It is sealed with a key that this cache does not have.
    #[cfg_attr(
        not(any(feature = "seal", test)),
        expect(dead_code, reason = "only a cache that seals says so")
    )]
    UnknownKey,
    /// It was sealed under another name, or is not what was sealed.
    #[cfg_attr(
        not(any(feature = "seal", test)),
        expect(dead_code, reason = "only a cache that seals says so")
    )]
    NotAuthentic,
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
    /// A codec of this number, which this process does not have.
    Codec(u8),
    /// A compression that this build does not have.
    Compression,
    /// It is larger than the limits allow, or claims to be.
    TooLarge,
    /// A value of another type, or of another version of the type.
    Shape,
    /// JSON of a writer that does not know the type, which says something else than a value of the type would.
    Untyped,
    /// The payload cannot be decompressed to the length that the header states.
    Decompress,
    /// The payload nests deeper than the limits allow.
    TooDeep,
    /// The payload is not a value of the type.
    Decode,
    /// The type's `Deserialize` panicked.
    Panicked,
}

impl Rejected {
    /// Every reason there is.
    #[cfg(test)]
    pub(crate) const ALL: [Self; 20] = [
        Self::Magic,
        Self::Version,
        Self::Sealed,
        Self::Unsealed,
        Self::UnknownKey,
        Self::NotAuthentic,
        Self::Truncated,
        Self::Trailing,
        Self::Checksum,
        Self::Header,
        Self::Future,
        Self::Codec(0),
        Self::Compression,
        Self::TooLarge,
        Self::Shape,
        Self::Untyped,
        Self::Decompress,
        Self::TooDeep,
        Self::Decode,
        Self::Panicked,
    ];

    /// Whether the type's own code refused what seemed to be a value of it.
    pub(crate) const fn is_by_type(self) -> bool {
        matches!(self, Self::Trailing | Self::TooDeep | Self::Decode | Self::Panicked)
    }

    /// Whether a cache that seals cannot know who wrote it.
    pub(crate) const fn is_by_seal(self) -> bool {
        matches!(self, Self::Unsealed | Self::UnknownKey | Self::NotAuthentic)
    }

    /// A short name, for a label of a metric.
    #[must_use]
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Magic => "magic",
            Self::Version => "version",
            Self::Sealed => "sealed",
            Self::Unsealed => "unsealed",
            Self::UnknownKey => "unknown_key",
            Self::NotAuthentic => "not_authentic",
            Self::Truncated => "truncated",
            Self::Trailing => "trailing",
            Self::Checksum => "checksum",
            Self::Header => "header",
            Self::Future => "future",
            Self::Codec(_) => "codec",
            Self::Compression => "compression",
            Self::TooLarge => "too_large",
            Self::Shape => "shape",
            Self::Untyped => "untyped",
            Self::Decompress => "decompress",
            Self::TooDeep => "too_deep",
            Self::Decode => "decode",
            Self::Panicked => "panicked",
        }
    }
}

impl fmt::Display for Rejected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Codec(number) => write!(f, "codec {number}"),
            _ => f.write_str(self.name()),
        }
    }
}

impl std::error::Error for Rejected {}

/// The error of a codec's own crate.
pub(super) type Refusal = Box<dyn Error + Send + Sync>;

/// Why a value cannot be written to a shared server. The text says what to do about it, without the words of its cause.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub(crate) enum Unencodable {
    /// The value's `Serialize`, or the codec, refused; or the feature of the codec or compression is off.
    Codec {
        /// Its name.
        codec: &'static str,
        /// What it said.
        source: Cause,
    },
    /// The value's own `Deserialize` refuses what its `Serialize` wrote.
    Unreadable {
        /// The codec's name.
        codec: &'static str,
        /// What it said, if that shows nothing of the value.
        source: Option<Cause>,
    },
    /// The bytes would be read back as another value.
    Changed {
        /// The codec's name.
        codec: &'static str,
        /// The path of the first difference.
        at: Option<String>,
        /// What shows it.
        evidence: Evidence,
    },
    /// A field that only one side knows, in a type that nothing compares.
    OneSided {
        /// The struct's name, or the enum's.
        of: &'static str,
        /// The field's.
        name: &'static str,
        /// Whether `Serialize` writes it; otherwise `Deserialize` asks for it.
        is_written: bool,
    },
    /// The value nests deeper than what reads it can follow.
    TooDeep {
        /// The codec's name.
        codec: &'static str,
        /// The limit that it exceeds.
        limit: usize,
    },
    /// The type's own code panicked.
    Panicked,
    /// Values under this key were refused again and again, so this one was not tried.
    Postponed,
    /// It is larger than the limits allow.
    TooLarge {
        /// The limit that it exceeds.
        limit: usize,
    },
    /// More scopes cover it than a header has room for.
    TooManyScopes {
        /// How many.
        count: usize,
    },
}

impl fmt::Display for Unencodable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Codec { codec, .. } => write!(f, "it cannot be encoded as {codec}"),
            Self::Unreadable { codec, .. } => write!(
                f,
                "its `Deserialize` refuses what its `Serialize` wrote as {codec}; mend what only one of the two has: \
                 give a field that is skipped (`skip_serializing`, `skip_serializing_if`) a `default`, and write \
                 `rename`, `with`, `from` and `into` for both; or choose another codec, if {codec} has no form for the \
                 value (JSON has none for a float that is NaN or infinite)"
            ),
            Self::Changed { codec, at, evidence } => {
                f.write_str(&changed(codec, at.as_deref(), *evidence))
            }
            Self::OneSided { of, name, is_written } => f.write_str(&one_sided(of, name, *is_written)),
            Self::TooDeep { codec, limit } => write!(
                f,
                "it nests deeper than the {limit} levels that can be read of {codec}; keep it flatter (nodes in a \
                 list, with indices in place of boxes), or choose a codec that reads more: JSON 127 lists and maps, \
                 MessagePack 1,023"
            ),
            Self::Panicked => f.write_str(
                "its `Serialize`, `Deserialize`, `Clone`, `PartialEq` or `Debug` panicked; the panic's message says where",
            ),
            Self::Postponed => f.write_str(
                "the last values under this key could not be shared, so this one was not tried: see the warning",
            ),
            Self::TooLarge { limit } => {
                write!(f, "encoded, it is larger than the {limit} bytes that are allowed")
            }
            Self::TooManyScopes { count } => write!(
                f,
                "{count} scopes cover the value, and 4,096 fit: use one tag for many of them, and `detached`"
            ),
        }
    }
}

impl Error for Unencodable {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.cause().map(|cause| &**cause as _)
    }
}

impl Unencodable {
    /// The codec refused, with this error or in these words.
    pub(super) fn by_codec(codec: &'static str, source: impl Into<Refusal>) -> Self {
        Self::Codec { codec, source: source.into().into() }
    }

    /// With what the type said, if that shows nothing of the value.
    pub(super) fn unreadable(codec: &'static str, said: Option<Cause>) -> Self {
        let shown = ["missing field `", "unknown field `", "unknown variant `", "duplicate field `"];
        let is_shown = |said: &Cause| {
            let text = said.to_string();
            shown.iter().any(|begin| text.starts_with(begin))
        };
        Self::Unreadable { codec, source: said.filter(is_shown) }
    }

    /// What it came from, if that is known.
    pub(crate) fn cause(&self) -> Option<&Cause> {
        match self {
            Self::Codec { source, .. } => Some(source),
            Self::Unreadable { source, .. } => source.as_ref(),
            _ => None,
        }
    }

    /// A short name, for a label.
    pub(crate) const fn name(&self) -> &'static str {
        match self {
            Self::Codec { .. } => "codec",
            Self::Unreadable { .. } => "unreadable",
            Self::Changed { .. } => "changed",
            Self::OneSided { .. } => "one_sided",
            Self::TooDeep { .. } => "too_deep",
            Self::Panicked => "panicked",
            Self::Postponed => "postponed",
            Self::TooLarge { .. } => "too_large",
            Self::TooManyScopes { .. } => "too_many_scopes",
        }
    }
}

fn changed(codec: &str, at: Option<&str>, evidence: Evidence) -> String {
    let place = at.map(|at| format!(" at `{at}`")).unwrap_or_default();
    match evidence {
        Evidence::Serialized => format!(
            "read back from {codec}, it is another value{place}; look there for a serde attribute of one side only \
             (`skip_…`, `rename`, `with`, `default`), an `Option` in an `Option`, variants without tags that read \
             each other, or a float that JSON has no form for; or choose another codec"
        ),
        Evidence::Compared => format!(
            "read back from {codec}, it is another value, though both serialize alike: something in it is not \
             serialized at all (`#[serde(skip)]`, `skip_serializing`, or a type that rounds or leaves out a part); \
             serialize it, or leave it out of the type's `PartialEq` (or `Debug`)"
        ),
        Evidence::Shown => format!(
            "read back from {codec}, it is equal, but its `Debug` shows another value: something that its `PartialEq` \
             ignores is not serialized (`#[serde(skip)]`, the offset of a time, zeros at the end of a decimal number, \
             the mark of a sensitive header); serialize it, or leave it out of the type's `Debug`"
        ),
    }
}

fn one_sided(of: &str, name: &str, is_written: bool) -> String {
    match is_written {
        true => format!(
            "`Serialize` writes the field `{name}` of `{of}`, and `Deserialize` never asks for it \
             (`skip_deserializing`, or a `rename` of one side); write the attribute for both sides, or return the \
             type from a `#[cached]` function and derive `PartialEq` for it, so that values are compared"
        ),
        false => format!(
            "`Deserialize` asks for the field `{name}` of `{of}`, and `Serialize` never writes it \
             (`skip_serializing`, or a `rename` of one side); write the attribute for both sides, or return the \
             type from a `#[cached]` function and derive `PartialEq` for it, so that values are compared"
        ),
    }
}
