//! When a server is not asked at all: after it has failed too often in a row.
//!
//! The breaker knows no sockets and no clock. Callers tell it what came of their commands, and the task
//! that repairs the connection tells it what came of its attempts; that task alone tries an open breaker.

use std::{
    fmt,
    sync::atomic::{AtomicBool, AtomicU8, AtomicU32, Ordering::Relaxed},
    time::Duration,
};

use crate::backoff::jittered;

/// Failures in a row after which callers are refused without being tried.
pub(crate) const FAILURES: u32 = 5;

/// The first pause between two attempts to connect.
const FIRST: Duration = Duration::from_millis(20);

/// The longest: an outage ends for us at most so long after it has ended.
const LONGEST: Duration = Duration::from_secs(1);

/// What a breaker does with callers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum BreakerState {
    /// Callers are let through.
    Closed,
    /// Callers are refused.
    Open,
    /// Callers are refused, and an attempt to connect is under way.
    HalfOpen,
}

impl fmt::Display for BreakerState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Closed => "closed",
            Self::Open => "open",
            Self::HalfOpen => "half-open",
        })
    }
}

/// Refuses callers of a server that has failed too often in a row.
#[derive(Debug)]
pub(crate) struct Breaker {
    state: AtomicU8,
    /// Failures since the last success, or since it was closed.
    failures: AtomicU32,
    /// Failures of any kind since a caller's last success: how long to pause before the next attempt. A
    /// server that lets us connect and then answers nothing is not asked in a tight loop.
    backoff_steps: AtomicU32,
    /// Whether a success has anything to reset: one load on the way of every command.
    dirty: AtomicBool,
}

const CLOSED: u8 = 0;
const OPEN: u8 = 1;
const HALF_OPEN: u8 = 2;

impl Breaker {
    pub(crate) fn new() -> Self {
        Self {
            state: AtomicU8::new(CLOSED),
            failures: AtomicU32::new(0),
            backoff_steps: AtomicU32::new(0),
            dirty: AtomicBool::new(false),
        }
    }

    pub(crate) fn state(&self) -> BreakerState {
        match self.state.load(Relaxed) {
            CLOSED => BreakerState::Closed,
            OPEN => BreakerState::Open,
            _ => BreakerState::HalfOpen,
        }
    }

    /// Whether a caller may try.
    pub(crate) fn admits(&self) -> bool {
        self.state.load(Relaxed) == CLOSED
    }

    /// A command was answered.
    pub(crate) fn succeeded(&self) {
        if self.dirty.load(Relaxed) {
            self.dirty.store(false, Relaxed);
            self.failures.store(0, Relaxed);
            self.backoff_steps.store(0, Relaxed);
        }
    }

    /// A command, an attempt to connect, or a connection has failed. True if that opened the breaker.
    pub(crate) fn failed(&self) -> bool {
        self.back_off();
        let failures = self.failures.fetch_add(1, Relaxed).saturating_add(1);
        failures >= FAILURES && self.state.compare_exchange(CLOSED, OPEN, Relaxed, Relaxed).is_ok()
    }

    /// Something went wrong that makes the next pause longer, but does not refuse callers.
    pub(crate) fn back_off(&self) {
        // Far from an overflow: an attempt takes its time.
        self.backoff_steps.fetch_add(1, Relaxed);
        self.dirty.store(true, Relaxed);
    }

    /// An attempt to connect begins.
    pub(crate) fn probing(&self) {
        let _ = self.state.compare_exchange(OPEN, HALF_OPEN, Relaxed, Relaxed);
    }

    /// An attempt to connect came to nothing.
    pub(crate) fn probed_in_vain(&self) {
        let _ = self.state.compare_exchange(HALF_OPEN, OPEN, Relaxed, Relaxed);
    }

    /// The server is there again.
    pub(crate) fn close(&self) {
        self.failures.store(0, Relaxed);
        self.state.store(CLOSED, Relaxed);
    }

    /// The pause before the next attempt, of which `chance` (0 to 1) makes up to half: processes that lost
    /// the same server do not come back in step.
    pub(crate) fn pause(&self, chance: f64) -> Duration {
        match self.backoff_steps.load(Relaxed) {
            // What was lost once is fetched back at once.
            0 | 1 => Duration::ZERO,
            backoff_steps => jittered(FIRST, backoff_steps - 2, LONGEST, chance),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn opened() -> Breaker {
        let breaker = Breaker::new();
        for _ in 1..FAILURES {
            assert!(!breaker.failed());
            assert!(breaker.admits());
        }
        assert!(breaker.failed());
        breaker
    }

    #[test]
    fn opens_after_failures_in_a_row() {
        let breaker = opened();
        assert!(!breaker.admits());
        assert_eq!(breaker.state(), BreakerState::Open);
    }

    #[test]
    fn only_one_failure_opens_it() {
        assert!(!opened().failed());
    }

    #[test]
    fn a_success_in_between_starts_the_count_again() {
        let breaker = Breaker::new();
        for _ in 0..3 {
            for _ in 1..FAILURES {
                assert!(!breaker.failed());
            }
            breaker.succeeded();
        }
        assert!(breaker.admits());
    }

    #[test]
    fn callers_are_refused_during_an_attempt() {
        let breaker = opened();
        breaker.probing();
        assert_eq!(breaker.state(), BreakerState::HalfOpen);
        assert!(!breaker.admits());
        breaker.probed_in_vain();
        assert_eq!(breaker.state(), BreakerState::Open);
    }

    #[test]
    fn a_late_success_does_not_close_it() {
        let breaker = opened();
        breaker.succeeded();
        assert!(!breaker.admits());
    }

    #[test]
    fn closes_when_the_server_is_there_again() {
        let breaker = opened();
        breaker.probing();
        breaker.close();
        assert!(breaker.admits());
        assert!(!breaker.failed(), "it counts from the start");
    }

    #[test]
    fn an_attempt_with_a_closed_breaker_does_not_open_it() {
        let breaker = Breaker::new();
        breaker.probing();
        assert!(breaker.admits());
        breaker.probed_in_vain();
        assert!(breaker.admits());
    }

    #[test]
    fn backing_off_does_not_open_it() {
        let breaker = Breaker::new();
        for _ in 0..100 {
            breaker.back_off();
        }
        assert!(breaker.admits());
    }

    #[test]
    fn pauses_grow_until_a_caller_succeeds() {
        let breaker = Breaker::new();
        breaker.failed();
        assert_eq!(breaker.pause(1.0), Duration::ZERO);
        let mut last = Duration::ZERO;
        for _ in 0..40 {
            breaker.failed();
            let pause = breaker.pause(1.0);
            assert!(pause > last || pause == LONGEST);
            last = pause;
        }
        assert_eq!(last, LONGEST);
        breaker.close();
        assert_eq!(breaker.pause(1.0), LONGEST, "to be connected proves nothing yet");
        breaker.succeeded();
        assert_eq!(breaker.pause(1.0), Duration::ZERO);
    }
}
