//! The clock that all processes of a machine share.

use rustix::time::{ClockId, clock_gettime};

/// A moment: nanoseconds of CLOCK_MONOTONIC, which is one clock for all processes, and never goes back.
pub type Moment = u64;

/// Nanoseconds of a millisecond.
pub const MILLISECOND: u64 = 1_000_000;

/// Nanoseconds of a second.
pub const SECOND: u64 = 1_000 * MILLISECOND;

/// This moment.
#[must_use]
pub fn now() -> Moment {
    let time = clock_gettime(ClockId::Monotonic);
    let part = |number: i64| u64::try_from(number).expect("the clock counts from the start of the machine");
    part(time.tv_sec) * SECOND + part(time.tv_nsec)
}
