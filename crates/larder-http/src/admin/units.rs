//! Durations, in milliseconds.

use std::time::Duration;

/// Of times that are exact to no more than that.
pub(super) fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// Of what may take far less than one.
pub(super) fn precise_millis(duration: Duration) -> f64 {
    (duration.as_secs_f64() * 1e6).round() / 1e3
}
