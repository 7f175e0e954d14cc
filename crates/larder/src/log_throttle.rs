//! Warnings that what comes from outside can cause without end: the first one, and then one a minute at most, with a count.

use std::time::{Duration, Instant};

use crate::sync::plain::{Mutex, lock};

/// How long after a warning the next one comes at the earliest.
const AGAIN: Duration = Duration::from_secs(60);

/// One kind of warning.
#[derive(Debug)]
pub(crate) struct LogThrottle(Mutex<Throttled>);

#[derive(Debug)]
struct Throttled {
    warned: Option<Instant>,
    /// How often it happened since then.
    count: u64,
}

impl LogThrottle {
    pub(crate) const fn new() -> Self {
        Self(Mutex::new(Throttled { warned: None, count: 0 }))
    }

    /// It happened. How often that was since the last warning, if there is to be another one.
    pub(crate) fn due(&self) -> Option<u64> {
        self.due_at(Instant::now())
    }

    fn due_at(&self, now: Instant) -> Option<u64> {
        let mut throttled = lock(&self.0);
        throttled.count += 1;
        if throttled.warned.is_some_and(|warned| now.saturating_duration_since(warned) < AGAIN) {
            return None;
        }
        throttled.warned = Some(now);
        Some(std::mem::take(&mut throttled.count))
    }
}

impl Default for LogThrottle {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(all(test, not(larder_loom)))]
mod tests {
    use super::*;

    #[test]
    fn at_once_and_then_once_a_minute_with_a_count() {
        let (throttle, begin) = (LogThrottle::new(), Instant::now());
        let due = |seconds| throttle.due_at(begin + Duration::from_secs(seconds));
        assert_eq!(due(0), Some(1));
        assert!((1..50).all(|second| due(second).is_none()));
        assert_eq!(due(60), Some(50));
        assert_eq!(due(61), None);
        assert_eq!(due(1_000), Some(2));
    }
}
