//! The order of writes.

use std::{fmt, str::FromStr};

use crate::error::{Error, Kind};

/// Where a write stands in its queue: of two writes to one queue, the later one has the greater ID, whatever process
/// made them. On Redis it is the ID in the stream.
///
/// A sink that keeps the [`number`](Self::number) beside what it writes, and leaves alone what has a greater one, makes
/// "at least once" into "exactly once" for writes that replace, and is safe from a process that was stopped while it
/// wrote and goes on when another one has taken its place.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct WriteId {
    milliseconds: u64,
    sequence: u64,
}

impl WriteId {
    const SEQUENCE_BITS: u32 = 22;

    pub(super) const fn new(milliseconds: u64, sequence: u64) -> Self {
        Self { milliseconds, sequence }
    }

    /// The ID in one number, in the same order: 42 bits of milliseconds since 1970, then 22 of sequence. It fits into an
    /// `i64` until the year 2039. A sequence above four million in one millisecond counts as the last that fits.
    #[must_use]
    pub fn number(self) -> u64 {
        let most = (1 << Self::SEQUENCE_BITS) - 1;
        (self.milliseconds << Self::SEQUENCE_BITS) | self.sequence.min(most)
    }

    /// The next one, made at this time or later.
    pub(super) fn after(self, now_ms: u64) -> Self {
        match now_ms > self.milliseconds {
            true => Self::new(now_ms, 0),
            false => match self.sequence.checked_add(1) {
                Some(sequence) => Self::new(self.milliseconds, sequence),
                None => Self::new(self.milliseconds.saturating_add(1), 0),
            },
        }
    }
}

impl fmt::Display for WriteId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.milliseconds, self.sequence)
    }
}

impl FromStr for WriteId {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let parsed = text.split_once('-').and_then(|(milliseconds, sequence)| {
            Some(Self::new(milliseconds.parse().ok()?, sequence.parse().ok()?))
        });
        let text = || format!("{text:?} is no ID of a write: one is two numbers with a `-` between them");
        parsed.ok_or_else(|| Kind::configuration(text()).into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_texts_keep_the_order() {
        let mut last = WriteId::default();
        for now in [5, 5, 4, 9, 9, 1_700_000_000_000] {
            let next = last.after(now);
            assert!(next > last && next.number() > last.number(), "{last} {next}");
            assert_eq!(next.to_string().parse::<WriteId>().expect("it was just written"), next);
            last = next;
        }
        for wrong in ["", "1", "1-", "-1", "a-b", "1-2-3"] {
            assert!(wrong.parse::<WriteId>().is_err(), "{wrong}");
        }
    }
}
