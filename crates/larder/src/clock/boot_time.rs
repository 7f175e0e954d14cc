//! The time by which what other processes count on ends: leases, locks, contact with the log.

/// A point in time on a clock that runs while this process is stopped, and while the machine sleeps.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Instant(u64);

impl Instant {
    #[cfg(all(unix, feature = "shared"))]
    pub(crate) fn now() -> Self {
        use rustix::time::{ClockId, clock_gettime};

        // Linux' monotonic clock stands still while the machine sleeps, that of others does not.
        #[cfg(target_os = "linux")]
        const CLOCK: ClockId = ClockId::Boottime;
        #[cfg(not(target_os = "linux"))]
        const CLOCK: ClockId = ClockId::Monotonic;

        let time = clock_gettime(CLOCK);
        // Never negative, and good for five hundred years.
        Self(time.tv_sec as u64 * 1_000_000_000 + time.tv_nsec as u64)
    }

    /// Without `shared` no other process counts on it.
    #[cfg(not(all(unix, feature = "shared")))]
    pub(crate) fn now() -> Self {
        static START: std::sync::OnceLock<std::time::Instant> = std::sync::OnceLock::new();
        // One more, so that no point is zero.
        Self(START.get_or_init(std::time::Instant::now).elapsed().as_nanos() as u64 + 1)
    }

    /// In nanoseconds, since some point of the machine's.
    #[cfg(feature = "shared")]
    pub(crate) const fn number(self) -> u64 {
        self.0
    }

    #[cfg(feature = "shared")]
    pub(crate) const fn milliseconds(self) -> i64 {
        (self.0 / 1_000_000) as i64
    }

    /// This point and so much more.
    #[cfg(feature = "write-behind")]
    pub(crate) fn after(self, time: std::time::Duration) -> Self {
        Self(self.0.saturating_add(u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)))
    }

    /// From `earlier` to this point; zero if `earlier` is later.
    #[cfg(any(feature = "shared", feature = "write-behind"))]
    pub(crate) const fn since(self, earlier: Self) -> std::time::Duration {
        std::time::Duration::from_nanos(self.0.saturating_sub(earlier.0))
    }
}
