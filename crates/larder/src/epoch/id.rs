//! Epochs: the IDs of the records in the log that processes share.

use std::{fmt, num::NonZeroU64};

use crate::error::Kind;

/// The position of an invalidation in the log that processes share; [`ZERO`](Self::ZERO) where there is
/// no log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Epoch(pub(in crate::epoch) u64);

/// An order that processes share, among all that this one follows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct LogId(pub(in crate::epoch) NonZeroU64);

impl Epoch {
    /// Before every invalidation of every log.
    pub const ZERO: Self = Self(0);

    /// No change has it: it stands for an ID that an epoch cannot hold, and for one that is not known yet.
    pub(crate) const MAX: Self = Self(u64::MAX);

    const SEQUENCE_BITS: u32 = 22;

    /// The epoch of a record with the ID `milliseconds`-`sequence`; none if it is beyond what 42 and 22 bits
    /// can hold: no server gives such IDs by itself for a hundred years.
    pub(crate) fn from_id(milliseconds: u64, sequence: u64) -> Option<Self> {
        let fits =
            milliseconds >> (u64::BITS - Self::SEQUENCE_BITS) == 0 && sequence >> Self::SEQUENCE_BITS == 0;
        fits.then_some(Self(milliseconds << Self::SEQUENCE_BITS | sequence))
    }

    /// The milliseconds of the record's ID.
    pub(crate) const fn milliseconds(self) -> u64 {
        self.0 >> Self::SEQUENCE_BITS
    }

    /// The sequence number of the record's ID, among those of its millisecond.
    pub(crate) const fn sequence(self) -> u64 {
        self.0 & ((1 << Self::SEQUENCE_BITS) - 1)
    }
}

/// Written as a Redis stream ID: milliseconds, `-`, sequence.
impl fmt::Display for Epoch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.milliseconds(), self.sequence())
    }
}

/// Reads what [`Display`](fmt::Display) writes: to carry an epoch from one node to another.
impl std::str::FromStr for Epoch {
    type Err = crate::Error;

    fn from_str(text: &str) -> crate::Result<Self> {
        let parsed = text.split_once('-').and_then(|(milliseconds, sequence)| {
            Self::from_id(milliseconds.parse().ok()?, sequence.parse().ok()?)
        });
        parsed.ok_or_else(|| Kind::Epoch(text.chars().take(64).collect()).into())
    }
}

/// What is done with the IDs of a log.
#[cfg_attr(not(feature = "shared"), expect(dead_code, reason = "without a server there is no log"))]
impl Epoch {
    /// From what [`number`](Self::number) gave.
    pub(crate) const fn from_number(number: u64) -> Self {
        Self(number)
    }

    /// Milliseconds and sequence in one number, in which a later epoch is a greater one.
    pub(crate) const fn number(self) -> u64 {
        self.0
    }

    /// Where epochs end, in milliseconds: ten years before they would leave their bits, in 2099. No clock gives such
    /// an ID in this century, and above it there would be no room to make a log anew.
    const END: u64 = (1 << (u64::BITS - Self::SEQUENCE_BITS)) - 10 * 365 * 86_400_000;

    /// Whether no server gives such an ID by itself.
    pub(crate) const fn is_beyond_the_end(self) -> bool {
        self.milliseconds() >= Self::END
    }

    /// The last one that is not more than `margin` milliseconds above this one, or above this time.
    pub(crate) fn within(highest: Self, milliseconds: u64, margin: u64) -> Self {
        let latest = highest.milliseconds().max(milliseconds).saturating_add(margin).min(Self::END - 1);
        Self(latest << Self::SEQUENCE_BITS | ((1 << Self::SEQUENCE_BITS) - 1))
    }

    /// The one above it.
    pub(crate) fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }

    /// Far above `highest` and above this time, both by `margin` milliseconds: where a log is made anew.
    pub(crate) fn after(highest: Self, milliseconds: u64, margin: u64) -> Option<Self> {
        Self::from_id(highest.milliseconds().max(milliseconds).saturating_add(margin), 0)
    }

    /// Where a process marks that it begins to append to a log whose last record it takes to be `last`: in a
    /// millisecond above that record's and above the time, such that of two marks the later one is above the earlier
    /// one, though it may be made by a process, and on a server, that know nothing of the earlier one.
    ///
    /// For that, a mark leaves the same remainder as the time in units of 64 ms, when both are divided by 8,192; or up to
    /// sixteen more, if there are marks of the same unit already. It is 8 seconds above the record at most. It takes
    /// servers whose clocks differ by more than passed between two marks, or bad luck, for a later one to be below a
    /// lost one: the remainders begin again every nine minutes.
    pub(crate) fn mark(last: Self, milliseconds: u64) -> Option<Self> {
        const UNIT: u64 = 64;
        const CYCLE: u64 = 8_192;
        const SAME_UNIT: u64 = 16;
        let above = last.milliseconds().max(milliseconds) + 1;
        let further = (milliseconds / UNIT).wrapping_sub(above) % CYCLE;
        let further = if further >= CYCLE - SAME_UNIT { 0 } else { further };
        Self::from_id(above + further, 0)
    }

    /// The first one of the next millisecond, if the sequence is about to leave its 22 bits.
    pub(crate) fn next_millisecond_near_end(self) -> Option<Self> {
        const NEAR: u64 = 1_000;
        (self.sequence() + NEAR >= 1 << Self::SEQUENCE_BITS)
            .then(|| Self::from_id(self.milliseconds() + 1, 0))
            .flatten()
    }
}
