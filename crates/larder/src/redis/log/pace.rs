//! How fast to go: when records come fast, and when nothing works.

use std::time::{Duration, Instant};

/// Waits longer from failure to failure, and not all processes as long.
#[derive(Debug)]
pub(super) struct Backoff {
    next: Duration,
}

impl Backoff {
    const SHORTEST: Duration = Duration::from_millis(20);
    const LONGEST: Duration = Duration::from_secs(1);

    pub(super) fn new() -> Self {
        Self { next: Self::SHORTEST }
    }

    /// It works.
    pub(super) fn reset(&mut self) {
        self.next = Self::SHORTEST;
    }

    /// It does not: waits between half of the time and all of it.
    pub(super) async fn wait(&mut self) {
        let wait = self.next.mul_f64(0.5 + fastrand::f64() / 2.0);
        self.next = (self.next * 2).min(Self::LONGEST);
        tokio::time::sleep(wait).await;
    }
}

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

#[cfg(test)]
mod tests {
    use super::*;

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
