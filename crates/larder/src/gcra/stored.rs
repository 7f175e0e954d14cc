//! What a store is asked that keeps the TATs of keys, in microseconds.

use std::time::Duration;

use super::{Rate, Usage};

/// One request for units of a key, in the numbers of a store. In one step, and by the store's clock, that
///
/// 1. takes the key's TAT, or what is nearest to it from now to `capacity` from now; without one, now;
/// 2. moves it by `increment`, unless it would be further than `capacity` from now then;
/// 3. tells how far from now it is, and how much too far it would have been.
#[derive(Debug, Clone)]
pub struct TakeRequest {
    /// What tells the rate from all others, in the name of what is kept.
    pub rate: String,
    /// How far ahead of now the TAT may be, in microseconds.
    pub capacity: u64,
    /// How far it is moved, in microseconds.
    pub increment: u64,
    interval: u64,
    is_too_much: bool,
}

impl TakeRequest {
    /// For so many units of a key with this rate.
    #[must_use]
    pub fn new(rate: &Rate, units: u32) -> Self {
        let interval = rate.interval_nanos().div_ceil(1_000);
        let burst = rate.capacity_nanos() / rate.interval_nanos();
        let increment = interval.saturating_mul(u64::from(units));
        let (capacity, is_too_much) = (interval * burst, u64::from(units) > burst);
        Self { rate: rate.name(), capacity, increment, interval, is_too_much }
    }

    /// What the store has found: how far ahead of now the TAT is after this, and how much too far it would have been, both in
    /// microseconds.
    #[must_use]
    pub fn usage(&self, used: i64, wait: i64) -> Usage {
        let microseconds = |number: i64| Duration::from_micros(number.try_into().unwrap_or(0));
        let wait = if self.is_too_much { Duration::MAX } else { microseconds(wait) };
        Usage::new(Duration::from_micros(self.interval), microseconds(used), wait)
    }
}
