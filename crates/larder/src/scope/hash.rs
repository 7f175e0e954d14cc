//! What stands for a scope: in memory, in the log and in entries.

use xxhash_rust::xxh3::xxh3_64_with_seed;

/// How many bits of a mark tell its scope from others.
const MIXED: u32 = 39;

/// The stable 64-bit hash of a [`Scope`](super::Scope): the same in every process, on every platform, in every release.
///
/// The low 63 bits are those of XXH3-64 over the UTF-8 text, with the ASCII code of `k` (key), `p`
/// (prefix, text with its final `:`) or `t` (tag) as the seed. The top bit is 0 for keys and 1 for wider
/// scopes. Everything has the hash `u64::MAX`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ScopeHash(pub(super) u64);

impl ScopeHash {
    /// The hash of [`Scope::all`](super::Scope::all).
    pub const ALL: Self = Self(u64::MAX);

    pub(super) const WIDE: u64 = 1 << 63;

    /// What the 24 bits below the top one are in the hash of every mark.
    const MARK: u64 = 0x50_f7_6d << MIXED;

    pub(crate) fn key(key: &str) -> Self {
        Self(xxh3_64_with_seed(key.as_bytes(), b'k'.into()) & !Self::WIDE)
    }

    pub(super) fn prefix(prefix_with_colon: &str) -> Self {
        Self(xxh3_64_with_seed(prefix_with_colon.as_bytes(), b'p'.into()) | Self::WIDE)
    }

    pub(crate) fn tag(tag: &str) -> Self {
        Self(xxh3_64_with_seed(tag.as_bytes(), b't'.into()) | Self::WIDE)
    }

    /// From what [`get`](Self::get) gave.
    pub(crate) const fn from_number(number: u64) -> Self {
        Self(number)
    }

    /// The number itself.
    #[must_use]
    pub const fn get(self) -> u64 {
        self.0
    }

    /// The scope that changes when what this one covers is marked stale. As wide as this one.
    ///
    /// Who does not know of marks takes it for a scope that covers nothing: in the log, in the outbox and among slots it is
    /// one like any other. Its low 39 bits are mixed from all of this scope's.
    #[must_use]
    pub(crate) const fn mark(self) -> Self {
        let folded = self.0 ^ self.0 >> 32;
        let mixed = folded.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> (u64::BITS - MIXED);
        Self(self.0 & Self::WIDE | Self::MARK | mixed)
    }

    /// Whether it is a mark; or, once in 2^24, another scope that looks like one, which does no harm.
    #[inline]
    #[must_use]
    pub(crate) const fn is_mark(self) -> bool {
        (self.0 ^ Self::MARK) << 1 >> (MIXED + 1) == 0
    }

    /// Whether it stands for more than one key.
    #[inline]
    #[must_use]
    pub const fn is_wide(self) -> bool {
        self.0 & Self::WIDE != 0
    }
}
