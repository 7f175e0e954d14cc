//! Pauses after failures: a source that failed is left alone for a while, as long as there is an old value to serve.
//!
//! A pause begins when a computation fails in whose place an old value can be served. When it ends, one caller asks the
//! source again, and has the next pause to itself: the others are served the old value, however long that one takes, or
//! should it never end. With each failure in a row the pause doubles.

use std::{
    collections::HashMap,
    sync::atomic::{AtomicUsize, Ordering},
    time::Duration,
};

use foldhash::quality::RandomState;

use crate::{
    clock::Moment,
    sync::plain::{Mutex, lock},
};

/// The longest pause is this many times the first one, …
const MOST_TIMES: u32 = 32;

/// … and no longer than this, unless the first one is.
const LONGEST: Duration = Duration::from_secs(60);

/// How many failures in a row lengthen a pause.
const STEPS: u32 = MOST_TIMES.ilog2();

const SHARDS: usize = 16;

/// How many keys are remembered in a shard. Beyond that, the pause that ends first is forgotten.
const MOST: usize = 1_024;

/// The pauses of one cache, by the hashes of their keys.
#[derive(Debug, Default)]
pub(crate) struct RetryPauses {
    shards: [Mutex<HashMap<u64, Pause, RandomState>>; SHARDS],
    /// How many there are, so that where nothing fails nothing is locked.
    count: AtomicUsize,
}

#[derive(Debug, Clone, Copy)]
struct Pause {
    end: Moment,
    /// How many there were in a row.
    failures: u32,
    /// A caller asks the source, and has this pause to itself.
    is_tried: bool,
}

/// The pause after so many failures in a row.
fn length(first: Duration, failures: u32) -> Duration {
    let longest = LONGEST.max(first);
    first.saturating_mul(1 << failures.saturating_sub(1).min(STEPS)).min(longest)
}

impl RetryPauses {
    /// Whether the source of a key is to be asked, although there is an old value to serve. After a pause it is by one
    /// caller alone.
    pub(crate) fn asks(&self, key: u64, now: Moment, first: Duration) -> bool {
        if self.count.load(Ordering::Acquire) == 0 {
            return true;
        }
        let mut pauses = lock(self.shard(key));
        let Some(pause) = pauses.get_mut(&key) else { return true };
        let asks = now >= pause.end;
        if asks {
            pause.end = now.after(length(first, pause.failures));
            pause.is_tried = true;
        }
        asks
    }

    /// The source of a key failed. Of computations that fail side by side, the first one counts.
    pub(crate) fn note(&self, key: u64, now: Moment, first: Duration) {
        let mut pauses = lock(self.shard(key));
        if pauses.len() >= MOST && !pauses.contains_key(&key) {
            self.make_room(&mut pauses, now);
        }
        let before = pauses.len();
        let pause = pauses.entry(key).or_insert(Pause { end: now, failures: 0, is_tried: false });
        if now < pause.end && !pause.is_tried {
            return;
        }
        // What failed so long ago says nothing of today.
        if now.since(pause.end) > LONGEST {
            pause.failures = 0;
        }
        pause.failures = pause.failures.saturating_add(1);
        pause.end = now.after(length(first, pause.failures));
        pause.is_tried = false;
        self.count.fetch_add(pauses.len() - before, Ordering::Release);
    }

    /// There is a new value.
    pub(crate) fn clear(&self, key: u64) {
        if self.count.load(Ordering::Acquire) > 0 && lock(self.shard(key)).remove(&key).is_some() {
            self.count.fetch_sub(1, Ordering::Release);
        }
    }

    fn make_room(&self, pauses: &mut HashMap<u64, Pause, RandomState>, now: Moment) {
        let before = pauses.len();
        pauses.retain(|_, pause| now < pause.end);
        if pauses.len() == before
            && let Some((&first, _)) = pauses.iter().min_by_key(|(_, pause)| pause.end)
        {
            pauses.remove(&first);
        }
        self.count.fetch_sub(before - pauses.len(), Ordering::Release);
    }

    fn shard(&self, key: u64) -> &Mutex<HashMap<u64, Pause, RandomState>> {
        &self.shards[(key >> 32) as usize % SHARDS]
    }
}

#[cfg(all(test, not(larder_loom)))]
mod tests {
    use super::*;
    use crate::clock::Clock;

    const FIRST: Duration = Duration::from_secs(1);

    fn secs(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn each_failure_in_a_row_doubles_the_pause_up_to_a_bound() {
        let lengths: Vec<_> = (1..=8).map(|failures| length(FIRST, failures).as_secs()).collect();
        assert_eq!(lengths, [1, 2, 4, 8, 16, 32, 32, 32]);
        assert_eq!(length(secs(5), 9), LONGEST);
        assert_eq!(length(secs(300), 9), secs(300), "one that is longer stays as it is");
        assert_eq!(length(Duration::MAX, u32::MAX), Duration::MAX);
    }

    #[test]
    fn after_a_pause_one_caller_asks_and_has_the_next_one_to_itself() {
        let (pauses, now) = (RetryPauses::default(), Clock::default().now());
        assert!(pauses.asks(1, now, FIRST));
        pauses.note(1, now, FIRST);
        pauses.note(1, now, FIRST);
        assert!(!pauses.asks(1, now.after(secs(0)), FIRST) && pauses.asks(2, now, FIRST));
        let end = now.after(secs(1));
        assert_eq!([0, 0, 1].map(|later| pauses.asks(1, end.after(secs(later)), FIRST)), [true, false, true]);
        let later = now.after(secs(2));
        pauses.note(1, later, FIRST);
        assert!(!pauses.asks(1, later.after(secs(1)), FIRST), "the second pause is longer");
        assert!(pauses.asks(1, later.after(secs(2)), FIRST));
        pauses.clear(1);
        assert!(pauses.asks(1, later, FIRST));
        assert_eq!(pauses.count.into_inner(), 0);
    }

    #[test]
    fn failures_long_ago_do_not_count() {
        let (pauses, now) = (RetryPauses::default(), Clock::default().now());
        pauses.note(1, now, FIRST);
        let later = now.after(secs(3_600));
        pauses.note(1, later, FIRST);
        assert!(pauses.asks(1, later.after(FIRST), FIRST));
    }

    #[test]
    fn they_are_bounded() {
        let (pauses, now) = (RetryPauses::default(), Clock::default().now());
        for key in 0..100_000_u64 {
            pauses.note(key.wrapping_mul(0x9e37_79b9_7f4a_7c15), now, FIRST);
        }
        assert_eq!(pauses.count.load(Ordering::Relaxed), SHARDS * MOST);
        let kept: usize = pauses.shards.iter().map(|shard| lock(shard).len()).sum();
        assert_eq!(kept, SHARDS * MOST);
    }
}
