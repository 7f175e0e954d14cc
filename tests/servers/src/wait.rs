//! Waiting for what must come about.

use std::thread;
use std::time::{Duration, Instant};

/// How long anything here may take. Far more than it does: a machine may be busy with other things.
pub const DEADLINE: Duration = Duration::from_secs(60);

const BETWEEN_PROBES: Duration = Duration::from_millis(5);

/// Calls `probe` until it has a result.
///
/// # Panics
///
/// After [`DEADLINE`], naming `what` was waited for.
#[track_caller]
pub fn until<T>(what: &str, probe: impl FnMut() -> Option<T>) -> T {
    match within(DEADLINE, probe) {
        Some(result) => result,
        None => panic!("{what}: not within {DEADLINE:?}"),
    }
}

/// Calls `probe` until it has a result, or until the limit has passed.
pub(super) fn within<T>(limit: Duration, mut probe: impl FnMut() -> Option<T>) -> Option<T> {
    let begun = Instant::now();
    loop {
        if let Some(result) = probe() {
            return Some(result);
        }
        if begun.elapsed() > limit {
            return None;
        }
        thread::sleep(BETWEEN_PROBES);
    }
}
