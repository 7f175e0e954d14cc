//! When a node is not asked at all: after it has failed too often in a row.

use std::sync::atomic::{AtomicBool, AtomicU32, Ordering::Relaxed};

/// Failures in a row after which a node is left alone.
const FAILURES: u32 = 3;

/// How a node is doing.
#[derive(Debug, Default)]
pub(crate) struct Health {
    failures: AtomicU32,
    is_down: AtomicBool,
}

impl Health {
    pub(crate) fn is_up(&self) -> bool {
        !self.is_down.load(Relaxed)
    }

    /// It answered. True if it was left alone until now.
    pub(crate) fn succeeded(&self) -> bool {
        if self.failures.load(Relaxed) != 0 {
            self.failures.store(0, Relaxed);
        }
        self.is_down.load(Relaxed) && self.is_down.swap(false, Relaxed)
    }

    /// It did not. True if it is left alone from now on: then the caller has it probed.
    pub(crate) fn failed(&self) -> bool {
        self.failures.fetch_add(1, Relaxed) + 1 >= FAILURES && !self.is_down.swap(true, Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_node_is_left_alone_after_failures_in_a_row_until_it_answers() {
        let health = Health::default();
        for _ in 0..3 {
            assert!(!(1..FAILURES).any(|_| health.failed()) && health.is_up());
            assert!(!health.succeeded());
        }
        assert_eq!((0..20).filter(|_| health.failed()).count(), 1);
        assert!(!health.is_up() && health.succeeded() && health.is_up());
    }
}
