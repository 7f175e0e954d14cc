//! How a queue behaves.

use std::{sync::Arc, time::Duration};

use crate::{
    backoff::jittered,
    cache::Cache,
    error::{Kind, Result},
};

/// What becomes of a write to a queue that is full.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum WhenFull {
    /// It waits for room, for this long at most, and fails then.
    Wait(Duration),
    /// It fails at once.
    Fail,
}

/// Merges two values into one, the older one first.
pub(super) type Merge<T> = Arc<dyn Fn(T, T) -> T + Send + Sync>;

/// What becomes of several writes of one key in a batch.
pub(super) enum Coalesce<T> {
    /// The last one is written.
    Last,
    /// What this makes of them is written.
    Merge(Merge<T>),
    /// All are written.
    Off,
}

/// When what failed is tried again.
#[derive(Debug, Clone, Copy)]
pub(super) struct Retries {
    /// How often one write is tried by itself before it is given up.
    pub(super) attempts: u32,
    pub(super) first: Duration,
    pub(super) longest: Duration,
}

impl Retries {
    /// How long to wait after so many failures: doubled each time, and between half of that and all of it.
    pub(super) fn pause(&self, failures: u32, chance: f64) -> Duration {
        jittered(self.first, failures.saturating_sub(1), self.longest, chance)
    }
}

/// Everything that was set.
pub(super) struct Options<T> {
    pub(super) name: String,
    pub(super) cache: Option<Arc<dyn Cache>>,
    pub(super) max_batch: usize,
    pub(super) max_delay: Duration,
    pub(super) coalesce: Coalesce<T>,
    pub(super) retries: Retries,
    pub(super) deadline: Duration,
    pub(super) max_waiting: u64,
    pub(super) when_full: WhenFull,
    pub(super) takeover_after: Duration,
}

impl<T> Options<T> {
    pub(super) fn new(name: String) -> Self {
        Self {
            name,
            cache: None,
            max_batch: 500,
            max_delay: Duration::from_millis(50),
            coalesce: Coalesce::Last,
            retries: Retries {
                attempts: 8,
                first: Duration::from_millis(100),
                longest: Duration::from_secs(30),
            },
            deadline: Duration::from_secs(30),
            max_waiting: 100_000,
            when_full: WhenFull::Wait(Duration::from_secs(5)),
            takeover_after: Duration::from_secs(10),
        }
    }

    /// How many writes a consumer holds in memory, beside those that a failing write of their key holds up.
    pub(super) fn capacity(&self) -> usize {
        self.max_batch.saturating_mul(4).max(1_000)
    }

    /// What a builder cannot check by its types.
    pub(super) fn check(&self) -> Result<()> {
        const DAY: Duration = Duration::from_secs(86_400);
        let wrong = |text: String| Err(Kind::configuration(text).into());
        if !(1..=128).contains(&self.name.len())
            || self.name.chars().any(|symbol| matches!(symbol, '{' | '}') || symbol.is_control())
        {
            return wrong(format!(
                "the queue's name {:?} is not 1 to 128 bytes without braces and control characters",
                self.name
            ));
        }
        if !(1..=10_000).contains(&self.max_batch) {
            return wrong(format!("max_batch is {}: 1 to 10,000 are allowed", self.max_batch));
        }
        if self.max_waiting == 0 || self.retries.attempts == 0 {
            return wrong("max_waiting and attempts are at least 1".to_owned());
        }
        let times = [
            ("deadline", self.deadline, Duration::from_millis(1)),
            ("max_delay", self.max_delay, Duration::ZERO),
            ("the first pause", self.retries.first, Duration::from_millis(1)),
            ("the longest pause", self.retries.longest, self.retries.first),
            ("takeover_after", self.takeover_after, Duration::from_millis(200)),
        ];
        match times.iter().find(|(_, time, least)| time < least || *time > DAY) {
            Some((name, time, least)) => wrong(format!("{name} is {time:?}: {least:?} to a day are allowed")),
            None => Ok(()),
        }
    }
}
