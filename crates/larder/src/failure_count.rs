//! When a store is not asked at all: after it has failed too often in a row.

use std::sync::atomic::{AtomicBool, AtomicU32, Ordering::Relaxed};

/// Refuses callers after so many failures in a row, until something succeeds: what refuses them has it probed.
#[derive(Debug)]
pub struct FailureCount {
    limit: u32,
    failures: AtomicU32,
    refuses: AtomicBool,
}

impl FailureCount {
    /// None so far, and so many in a row until callers are refused.
    #[must_use]
    pub fn new(limit: u32) -> Self {
        Self { limit, failures: AtomicU32::new(0), refuses: AtomicBool::new(false) }
    }

    /// Whether a caller may try.
    #[must_use]
    pub fn admits(&self) -> bool {
        !self.refuses.load(Relaxed)
    }

    /// The store answered. True if callers were refused until now.
    pub fn succeeded(&self) -> bool {
        if self.failures.load(Relaxed) != 0 {
            self.failures.store(0, Relaxed);
        }
        self.refuses.load(Relaxed) && self.refuses.swap(false, Relaxed)
    }

    /// It did not, or said that it cannot. True if callers are refused from now on: then the store is to be probed.
    pub fn failed(&self) -> bool {
        self.failures.fetch_add(1, Relaxed) + 1 >= self.limit && !self.refuses.swap(true, Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn callers_are_refused_after_failures_in_a_row_until_one_succeeds() {
        let count = FailureCount::new(3);
        for _ in 0..3 {
            assert!(!(1..3).any(|_| count.failed()) && count.admits());
            assert!(!count.succeeded());
        }
        assert_eq!((0..20).filter(|_| count.failed()).count(), 1);
        assert!(!count.admits() && count.succeeded() && count.admits());
    }
}
