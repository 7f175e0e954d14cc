//! Proxies and firewalls that close connections on which nothing was said for a while.
//!
//! They say nothing of it, so it is inferred: connections that were ended from the other side, one after the other,
//! after about the same time without a word. From then on something is said often enough.

use std::{
    collections::VecDeque,
    sync::{
        Mutex,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

use crate::{panic_guard::report, sync::plain::lock};

/// So many connections must have ended alike.
const ENDS: usize = 4;

/// By how much their times may differ.
const ALIKE: f64 = 1.25;

/// What ends sooner has other reasons.
const SHORTEST: Duration = Duration::from_millis(100);

/// Connections that end together have one reason, and count as one.
const TOGETHER: Duration = Duration::from_millis(20);

/// How often something is said in the time after which a connection would be closed.
const PARTS: u32 = 3;

/// After which time without a word connections are closed, as far as is known.
#[derive(Debug, Default)]
pub(super) struct IdleTimeout {
    /// In milliseconds. Zero: they are not.
    limit: AtomicU64,
    /// When the last ones ended, and after which time without a word.
    ends: Mutex<VecDeque<(Instant, Duration)>>,
}

impl IdleTimeout {
    /// How often something must be said on a connection, if at all.
    pub(super) fn keep_alive(&self) -> Option<Duration> {
        match self.limit.load(Relaxed) {
            0 => None,
            limit => Some(Duration::from_millis(limit) / PARTS),
        }
    }

    /// A connection was ended from the other side, after so long without a word.
    pub(super) fn ended(&self, now: Instant, silence: Duration) {
        if let Some(limit) = self.learn(now, silence) {
            report!(
                warn,
                seconds = limit.as_secs_f64(),
                mend = "set the idle timeout of what stands between (a proxy, a firewall, the server's own `timeout`) \
                        to more than 10 s",
                "connections to redis are closed when they are idle for that long: larder says something on them \
                 often enough from now on"
            );
        }
    }

    /// Returns the limit if that is news.
    fn learn(&self, now: Instant, silence: Duration) -> Option<Duration> {
        if silence < SHORTEST {
            return None;
        }
        let mut ends = lock(&self.ends);
        if ends.back().is_some_and(|(last, _)| now.duration_since(*last) < TOGETHER) {
            return None;
        }
        ends.push_back((now, silence));
        if ends.len() > ENDS {
            ends.pop_front();
        }
        let silences = || ends.iter().map(|(_, silence)| *silence);
        let (least, most) = (silences().min()?, silences().max()?);
        if ends.len() < ENDS || most > least.mul_f64(ALIKE) {
            return None;
        }
        ends.clear();
        let known = self.limit.load(Relaxed);
        let limit = u64::try_from(least.as_millis()).unwrap_or(u64::MAX);
        if known != 0 && limit >= known {
            return None;
        }
        self.limit.store(limit, Relaxed);
        // Said once; what it is lowered to later is no news.
        (known == 0).then_some(least)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limit_of(silences: &[u64]) -> Option<Duration> {
        let idle = IdleTimeout::default();
        let mut now = Instant::now();
        let mut limit = None;
        for silence in silences {
            now += Duration::from_millis(*silence);
            limit = limit.or(idle.learn(now, Duration::from_millis(*silence)));
        }
        assert_eq!(idle.keep_alive(), limit.map(|limit| limit / PARTS));
        limit
    }

    #[test]
    fn ends_after_the_same_silence_are_a_limit() {
        assert_eq!(limit_of(&[1_000, 1_010, 1_030, 1_002]), Some(Duration::from_secs(1)));
        assert_eq!(
            limit_of(&[5, 1_000, 1_010, 400, 1_020, 1_002, 1_001, 1_000]),
            Some(Duration::from_secs(1))
        );
    }

    #[test]
    fn a_subscriber_may_panic() {
        let (idle, mut now) = (IdleTimeout::default(), Instant::now());
        let told = crate::panic_guard::tests::with_hostile_subscriber(|| {
            for _ in 0..ENDS {
                now += Duration::from_secs(1);
                idle.ended(now, Duration::from_secs(1));
            }
        });
        assert_eq!((told, idle.keep_alive()), (1, Some(Duration::from_secs(1) / PARTS)));
    }

    #[test]
    fn other_ends_are_none() {
        assert_eq!(limit_of(&[1_000, 1_000, 1_000]), None);
        assert_eq!(limit_of(&[1_000, 300, 2_000, 700, 1_000, 4_000, 100]), None);
        assert_eq!(limit_of(&[20, 20, 20, 20, 20, 20]), None, "too soon to be idle");
    }

    #[test]
    fn what_ends_together_counts_once() {
        let (idle, now) = (IdleTimeout::default(), Instant::now());
        for _ in 0..10 {
            assert_eq!(idle.learn(now, Duration::from_secs(1)), None);
        }
    }
}
