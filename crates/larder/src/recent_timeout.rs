//! When a caller has last waited for a store in vain.

use std::{
    sync::{
        LazyLock,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

/// From here on moments are counted.
static BEGUN: LazyLock<Instant> = LazyLock::new(Instant::now);

/// A call that only writes is not tried so long after one that timed out: its caller has waited already.
const RECENT: Duration = Duration::from_secs(2);

/// The last call that came to no end within its deadline, unless one after it was answered.
///
/// Failures in a row are counted before callers are refused; until then, one caller who reads, asks for a lease, and writes
/// would wait for three deadlines.
#[derive(Debug, Default)]
pub struct RecentTimeout {
    /// In milliseconds, and one more: zero is none.
    at: AtomicU64,
}

impl RecentTimeout {
    /// A call has failed.
    pub fn note(&self) {
        self.at.store(now() + 1, Relaxed);
    }

    /// A call was answered.
    pub fn clear(&self) {
        // Most of the time there is nothing to clear, and no cache line to take from other threads.
        if self.at.load(Relaxed) != 0 {
            self.at.store(0, Relaxed);
        }
    }

    /// Whether one has failed just now.
    #[must_use]
    pub fn is_recent(&self) -> bool {
        self.is_within(RECENT)
    }

    fn is_within(&self, limit: Duration) -> bool {
        match self.at.load(Relaxed) {
            0 => false,
            at => Duration::from_millis((now() + 1).saturating_sub(at)) <= limit,
        }
    }
}

fn now() -> u64 {
    u64::try_from(BEGUN.elapsed().as_millis()).unwrap_or(u64::MAX - 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_lasts_until_an_answer_or_the_limit() {
        let recent_timeout = RecentTimeout::default();
        let long = Duration::from_secs(3_600);
        assert!(!recent_timeout.is_within(long));
        recent_timeout.note();
        assert!(recent_timeout.is_within(long));
        recent_timeout.clear();
        assert!(!recent_timeout.is_within(long));
        recent_timeout.at.store(1, Relaxed);
        while now() == 0 {}
        assert!(!recent_timeout.is_within(Duration::ZERO));
        assert!(recent_timeout.is_within(long));
    }
}
