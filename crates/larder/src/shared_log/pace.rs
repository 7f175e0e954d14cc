//! How fast to go when records come fast.

use std::time::{Duration, Instant};

/// How long a reader pauses between reads. Each blocked reader costs the server some 15 to 35 µs a record: many
/// records are cheaper in fewer reads.
#[derive(Debug)]
pub(super) struct Pace {
    since: Instant,
    records: u32,
    pause: Duration,
}

impl Pace {
    const WINDOW: Duration = Duration::from_millis(100);
    /// Records a second from which on it pauses.
    const QUIET: f64 = 1_000.0;
    /// Records a second from which on it pauses longest.
    const BUSY: f64 = 4_000.0;
    const LONGEST: Duration = Duration::from_millis(20);

    pub(super) fn new() -> Self {
        Self { since: Instant::now(), records: 0, pause: Duration::ZERO }
    }

    /// These many records were read. Returns how long to pause.
    pub(super) fn after(&mut self, records: usize, now: Instant) -> Duration {
        self.records = self.records.saturating_add(u32::try_from(records).unwrap_or(u32::MAX));
        let elapsed = now.duration_since(self.since);
        if elapsed >= Self::WINDOW {
            let rate = f64::from(self.records) / elapsed.as_secs_f64();
            let busy = ((rate - Self::QUIET) / (Self::BUSY - Self::QUIET)).clamp(0.0, 1.0);
            self.pause = Self::LONGEST.mul_f64(busy);
            (self.since, self.records) = (now, 0);
        }
        self.pause
    }
}

/// How much to ask for at once: less after a failure, more after a success, so that a slow link or a small buffer of
/// the server's slows things down and never ends them.
#[derive(Debug)]
pub(super) struct Volume {
    size: usize,
    /// Where it failed lately: it grows to here quickly, and beyond slowly.
    ceiling: usize,
    /// Successes at the ceiling, in a row.
    calm: u32,
    least: usize,
    most: usize,
    /// How many times over a reply may take what it usually may, as a power of two.
    patience: u32,
}

impl Volume {
    const CALM: u32 = 16;
    const MOST_PATIENT: u32 = 4;

    pub(super) fn new(least: usize, first: usize, most: usize) -> Self {
        Self { size: first, ceiling: most, calm: 0, least, most, patience: 0 }
    }

    /// How much to ask for.
    pub(super) fn size(&self) -> usize {
        self.size
    }

    /// How long a reply may take that usually may take `limit`. The smallest piece may be too large for that.
    pub(super) fn patience(&self, limit: Duration) -> Duration {
        limit * (1 << self.patience)
    }

    /// It did not come.
    pub(super) fn failed(&mut self) {
        self.patience = (self.patience + 1).min(Self::MOST_PATIENT);
        self.ceiling = (self.size / 2).max(self.least);
        self.size = (self.size / 4).max(self.least);
        self.calm = 0;
    }

    /// It came, after `elapsed` of what `limit` usually is; `full` if there may have been more.
    pub(super) fn succeeded(&mut self, full: bool, elapsed: Duration, limit: Duration) {
        if elapsed < self.patience(limit) / 4 {
            self.patience = self.patience.saturating_sub(1);
        }
        if !full {
            return;
        }
        if self.size >= self.ceiling {
            self.calm += 1;
            if self.calm < Self::CALM {
                return;
            }
            self.calm = 0;
            self.ceiling = (self.ceiling * 2).min(self.most);
        }
        self.size = (self.size * 2).min(self.ceiling);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMIT: Duration = Duration::from_millis(100);

    fn fast(volume: &mut Volume) {
        volume.succeeded(true, Duration::ZERO, LIMIT);
    }

    #[test]
    fn it_asks_for_more_after_a_success_and_for_less_after_a_failure() {
        let mut volume = Volume::new(1, 64, 1_000);
        (0..10).for_each(|_| fast(&mut volume));
        assert_eq!(volume.size(), 1_000);
        volume.failed();
        assert_eq!(volume.size(), 250);
        (0..3).for_each(|_| fast(&mut volume));
        assert_eq!(volume.size(), 500, "it stops where it failed");
        (0..20).for_each(|_| fast(&mut volume));
        assert_eq!(volume.size(), 1_000, "and tries again after a while");
        (0..20).for_each(|_| volume.failed());
        assert_eq!(volume.size(), 1, "something is always asked for");
        volume.succeeded(false, Duration::ZERO, LIMIT);
        assert_eq!(volume.size(), 1, "there was no more");
        (0..1_000).for_each(|_| fast(&mut volume));
        assert_eq!(volume.size(), 1_000);
    }

    #[test]
    fn it_waits_longer_after_a_failure_for_as_long_as_that_is_needed() {
        let mut volume = Volume::new(1, 1, 10);
        assert_eq!(volume.patience(LIMIT), LIMIT);
        (0..3).for_each(|_| volume.failed());
        assert_eq!(volume.patience(LIMIT), LIMIT * 8);
        volume.succeeded(true, LIMIT * 3, LIMIT);
        assert_eq!(volume.patience(LIMIT), LIMIT * 8);
        (0..3).for_each(|_| fast(&mut volume));
        assert_eq!(volume.patience(LIMIT), LIMIT);
        (0..30).for_each(|_| volume.failed());
        assert_eq!(volume.patience(LIMIT), LIMIT * 16);
    }

    #[test]
    fn it_pauses_while_records_come_fast() {
        let mut pace = Pace::new();
        let mut now = pace.since;
        let mut second = |records: usize| {
            let pauses = (0..100).map(|_| {
                now += Duration::from_millis(10);
                pace.after(records / 100, now)
            });
            pauses.last().unwrap_or_default()
        };
        assert_eq!(second(900), Duration::ZERO);
        assert!((Duration::from_millis(5)..Duration::from_millis(15)).contains(&second(2_500)));
        assert_eq!(second(10_000), Pace::LONGEST);
        assert_eq!(second(500), Duration::ZERO);
    }

    #[test]
    fn it_goes_on_at_once_after_a_quiet_time() {
        let mut pace = Pace::new();
        let busy = pace.since + Duration::from_millis(150);
        assert_eq!(pace.after(1_000, busy), Pace::LONGEST);
        assert_eq!(pace.after(1, busy + Duration::from_secs(1)), Duration::ZERO);
    }
}
