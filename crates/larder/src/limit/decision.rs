//! What a limiter decides.

use std::time::Duration;

use crate::gcra::{Rate, Usage};

/// What became of a request, and how its key stands.
///
/// All durations count from when the decision was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Decision {
    rate: Rate,
    allowed: bool,
    usage: Usage,
    by: DecidedBy,
}

/// Where a decision was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum DecidedBy {
    /// In this process, with what it keeps of the key.
    Process,
    /// On the server, for all processes.
    Server,
    /// In this process, because the server had said that it would refuse for some more time.
    Remembered,
    /// Nowhere: the server could not be asked, and [`FailureMode`](super::FailureMode) says what to do.
    Failure,
}

impl Decision {
    pub(super) fn new(rate: Rate, usage: Usage, by: DecidedBy) -> Self {
        Self { rate, allowed: usage.wait.is_zero(), usage, by }
    }

    /// Without knowing how the key stands.
    pub(super) fn failed(rate: Rate, allowed: bool) -> Self {
        /// A server that is back is found out within this time.
        const RETRY: Duration = Duration::from_secs(1);
        let wait = if allowed { Duration::ZERO } else { RETRY };
        let usage = Usage::new(rate.interval(), Duration::ZERO, wait);
        Self { rate, allowed, usage, by: DecidedBy::Failure }
    }

    /// Whether the request is admitted.
    #[must_use]
    pub const fn is_allowed(&self) -> bool {
        self.allowed
    }

    /// The rate.
    #[must_use]
    pub const fn rate(&self) -> Rate {
        self.rate
    }

    /// How many units are admitted at once after a pause: the burst.
    #[must_use]
    #[expect(clippy::cast_possible_truncation, reason = "no more than the burst")]
    pub fn limit(&self) -> u32 {
        (self.rate.capacity_nanos() / self.rate.interval_nanos()) as u32
    }

    /// How many units would be admitted at once now. Zero if nothing is known of the key ([`DecidedBy::Failure`]).
    #[must_use]
    pub fn remaining(&self) -> u32 {
        if self.by == DecidedBy::Failure {
            return 0;
        }
        let free = self.capacity().saturating_sub(self.usage.used).as_nanos();
        u32::try_from(free / self.usage.interval.as_nanos().max(1)).unwrap_or(u32::MAX)
    }

    /// When the same request would be admitted, if no other one comes before it; none if it is admitted.
    /// [`Duration::MAX`] for more units than a burst has, which are never admitted.
    #[must_use]
    pub fn retry_after(&self) -> Option<Duration> {
        (!self.allowed).then_some(self.usage.wait)
    }

    /// When one unit more than [`remaining`](Self::remaining) is there; zero if the whole burst is.
    #[must_use]
    pub fn more_after(&self) -> Duration {
        if self.by == DecidedBy::Failure {
            return self.usage.wait;
        }
        let next = self.usage.interval.saturating_mul(self.remaining().saturating_add(1));
        (self.usage.used + next).saturating_sub(self.capacity()).min(self.usage.used)
    }

    /// When the whole burst is there again; zero if nothing is known of the key.
    #[must_use]
    pub const fn reset(&self) -> Duration {
        self.usage.used
    }

    /// Where it was made.
    #[must_use]
    pub const fn decided_by(&self) -> DecidedBy {
        self.by
    }

    fn capacity(&self) -> Duration {
        self.usage.interval.saturating_mul(self.limit())
    }
}
