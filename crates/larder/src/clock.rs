//! The time by which entries expire: monotonic, coarse (a few milliseconds), and cheap enough to
//! read on every hit.
//!
//! Freshness never depends on it. The one rule is about order, and lives in `epoch.rs`; a clock
//! only decides when an entry's own time to live is over.

#[cfg(any(feature = "shared", feature = "write-behind"))]
pub(crate) mod boot_time;

use std::time::Duration;

use coarsetime::{Duration as Ticks, Instant};

/// A point in time on this process' clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Moment(Instant);

/// As far as the clock's 32 bits of seconds can be trusted to count: 68 years.
pub(crate) const LONGEST: Duration = Duration::from_secs(u32::MAX as u64 / 2);

/// When a limit from now on is over: in thirty years, if it is longer.
pub(crate) fn instant_after(limit: Duration) -> std::time::Instant {
    const FAR: Duration = Duration::from_secs(30 * 365 * 86_400);
    std::time::Instant::now() + limit.min(FAR)
}

/// Checks a limit that was set.
///
/// # Errors
///
/// What is wrong with it: beyond a day it is a mistake, and far beyond it no clock can be added to it.
#[cfg(feature = "shared")]
pub fn check_limit(name: &str, limit: Duration) -> Result<(), String> {
    if limit.is_zero() || limit > Duration::from_secs(86_400) {
        return Err(format!("{name} is {limit:?}: more than nothing and at most a day is allowed"));
    }
    Ok(())
}

impl Moment {
    /// This moment and `duration` more, [`LONGEST`] at most.
    pub(crate) fn after(self, duration: Duration) -> Self {
        Self(self.0.saturating_add(duration.min(LONGEST).into()))
    }

    /// This moment and `duration` less: this moment, if that is before the clock's first one.
    pub(crate) fn before(self, duration: Duration) -> Self {
        Self(self.0.checked_sub(duration.min(LONGEST).into()).unwrap_or(self.0))
    }

    /// The time from `earlier` to this moment; zero if `earlier` is later.
    pub(crate) fn since(self, earlier: Self) -> Duration {
        Ticks::from_ticks(self.0.as_ticks().saturating_sub(earlier.0.as_ticks())).into()
    }
}

/// The time for what is told apart by less than the coarse clock shows: in nanoseconds since this process first asked.
#[cfg(feature = "limit")]
fn nanoseconds() -> u64 {
    static BEGUN: std::sync::LazyLock<std::time::Instant> = std::sync::LazyLock::new(std::time::Instant::now);
    u64::try_from(BEGUN.elapsed().as_nanos()).unwrap_or(u64::MAX)
}

/// Tells the time; tests may turn it forward.
#[derive(Debug, Default)]
pub(crate) struct Clock {
    #[cfg(any(test, feature = "test-util"))]
    ahead: std::sync::atomic::AtomicU64,
}

#[cfg(not(any(test, feature = "test-util")))]
impl Clock {
    /// The time now.
    #[inline]
    #[expect(clippy::unused_self, reason = "a clock that can be turned has state")]
    pub(crate) fn now(&self) -> Moment {
        Moment(Instant::now_without_cache_update())
    }

    /// The time of day.
    #[cfg(feature = "counters")]
    #[expect(clippy::unused_self, reason = "a clock that can be turned has state")]
    pub(crate) fn system_time(&self) -> std::time::SystemTime {
        std::time::SystemTime::now()
    }

    /// The time now in nanoseconds: exact, and dearer.
    #[cfg(feature = "limit")]
    #[expect(clippy::unused_self, reason = "a clock that can be turned has state")]
    pub(crate) fn nanoseconds(&self) -> u64 {
        nanoseconds()
    }
}

#[cfg(any(test, feature = "test-util"))]
impl Clock {
    /// The time now, and all that [`advance`](Self::advance) added.
    pub(crate) fn now(&self) -> Moment {
        let ahead = self.ahead.load(std::sync::atomic::Ordering::Relaxed);
        Moment(Instant::now_without_cache_update().saturating_add(Ticks::from_ticks(ahead)))
    }

    /// The time now in nanoseconds, and all that [`advance`](Self::advance) added: exact, and dearer.
    #[cfg(feature = "limit")]
    pub(crate) fn nanoseconds(&self) -> u64 {
        let ahead = Ticks::from_ticks(self.ahead.load(std::sync::atomic::Ordering::Relaxed));
        nanoseconds().saturating_add(ahead.as_nanos())
    }

    /// The time of day, and all that [`advance`](Self::advance) added.
    #[cfg(feature = "counters")]
    pub(crate) fn system_time(&self) -> std::time::SystemTime {
        let ahead = Ticks::from_ticks(self.ahead.load(std::sync::atomic::Ordering::Relaxed));
        std::time::SystemTime::now() + Duration::from_nanos(ahead.as_nanos())
    }

    /// Turns this clock forward.
    pub(crate) fn advance(&self, by: Duration) {
        let ticks = Ticks::from(by).as_ticks();
        self.ahead.fetch_add(ticks, std::sync::atomic::Ordering::Relaxed);
    }
}
