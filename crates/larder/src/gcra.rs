//! GCRA, the generic cell rate algorithm: how fast something may come, kept as one point in time per key.
//!
//! This is the *virtual scheduling* form of ITU-T Recommendation I.371 (annex A), where it polices the cells of ATM, with the
//! names that it has there: the theoretical arrival time (TAT) is when the next unit would come if units came exactly at
//! the rate. A key whose TAT has passed has its whole burst. Each admitted unit moves the TAT by one interval, and what would
//! move it further into the future than a whole burst takes is refused, and moves nothing.
//!
//! So in any stretch of time `w` no more than `burst + w / interval` units are admitted, and a key costs one number.

mod hash;
mod rate;
#[cfg(feature = "shared")]
mod stored;
mod table;
mod tables;

use std::time::Duration;

pub use self::rate::{InvalidRate, Rate};
#[cfg(feature = "shared")]
pub use self::stored::TakeRequest;
pub(crate) use self::{
    hash::KeyHash,
    tables::{KEYS, LocalLimits, RateTables},
};

/// What a decision about a rate limit found, and made of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Usage {
    /// What one unit takes to come back, as it was reckoned with where the decision was made.
    pub interval: Duration,
    /// From now on, how long it takes until the whole burst is there: what was admitted is part of it.
    pub used: Duration,
    /// From now on, when as many units would be admitted as were asked for; zero if they were. [`Duration::MAX`] if they
    /// are more than a burst.
    pub wait: Duration,
}

impl Usage {
    /// For a [`SharedStorage`](crate::SharedStorage) to tell.
    #[must_use]
    pub const fn new(interval: Duration, used: Duration, wait: Duration) -> Self {
        Self { interval, used, wait }
    }
}

/// Asks for `units` of a key with this TAT, all in nanoseconds. Gives what is found, and the key's new TAT if the units
/// are admitted.
fn take(tat: u64, now: u64, rate: &Rate, units: u32) -> (Usage, Option<u64>) {
    let interval = rate.interval_nanos();
    let capacity = rate.capacity_nanos();
    // A TAT further ahead than a burst is one of another rate, or of keys that share it.
    let tat = tat.clamp(now, now.saturating_add(capacity));
    let usage = |used: u64, wait: Duration| {
        Usage::new(Duration::from_nanos(interval), Duration::from_nanos(used), wait)
    };
    let increment = interval.saturating_mul(u64::from(units));
    if increment > capacity {
        return (usage(tat - now, Duration::MAX), None);
    }
    let new = tat.saturating_add(increment);
    match new.saturating_sub(now.saturating_add(capacity)) {
        0 => (usage(new - now, Duration::ZERO), Some(new)),
        wait => (usage(tat - now, Duration::from_nanos(wait)), None),
    }
}

#[cfg(test)]
mod tests;
