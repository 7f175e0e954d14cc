//! When the database is not asked at all: after it has failed too often in a row.

use std::{
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicBool, AtomicU32, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

/// Failures in a row after which callers are refused without being tried.
const FAILURES: u32 = 5;

/// A call that only writes is not tried so long after one that timed out: its caller has waited already.
const RECENT: Duration = Duration::from_secs(2);

/// Refuses callers of a database that has failed too often in a row. A task probes it then, and lets callers through again
/// when it answers.
#[derive(Debug, Default)]
pub(crate) struct Breaker {
    failures: AtomicU32,
    is_open: AtomicBool,
    timed_out: Mutex<Option<Instant>>,
}

impl Breaker {
    /// Whether a caller may try.
    pub(crate) fn admits(&self) -> bool {
        !self.is_open.load(Relaxed)
    }

    /// The database answered.
    pub(crate) fn succeeded(&self) {
        if self.failures.load(Relaxed) != 0 {
            self.failures.store(0, Relaxed);
            *self.timed_out() = None;
        }
        self.is_open.store(false, Relaxed);
    }

    /// It did not, or said that it cannot. True if that opened the breaker: the caller has it probed.
    pub(crate) fn failed(&self, timed_out: bool) -> bool {
        if timed_out {
            *self.timed_out() = Some(Instant::now());
        }
        self.failures.fetch_add(1, Relaxed) + 1 >= FAILURES && !self.is_open.swap(true, Relaxed)
    }

    /// Whether a call has waited in vain just now.
    pub(crate) fn has_just_timed_out(&self) -> bool {
        self.failures.load(Relaxed) != 0 && self.timed_out().is_some_and(|then| then.elapsed() < RECENT)
    }

    fn timed_out(&self) -> std::sync::MutexGuard<'_, Option<Instant>> {
        self.timed_out.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_opens_after_some_failures_in_a_row_and_once() {
        let breaker = Breaker::default();
        for _ in 0..3 {
            assert!(!(1..FAILURES).any(|_| breaker.failed(false)) && breaker.admits());
            breaker.succeeded();
        }
        let opened = (0..20).filter(|_| breaker.failed(true)).count();
        assert!(opened == 1 && !breaker.admits() && breaker.has_just_timed_out());
        breaker.succeeded();
        assert!(breaker.admits() && !breaker.has_just_timed_out());
    }
}
