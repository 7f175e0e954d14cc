//! Counters and rankings that a process keeps where no server does.

use std::fmt;

use super::counters::LocalCounters;
use crate::{
    clock::Moment,
    error::{Error, Result},
    sync::plain::{Mutex, lock},
    tally::{Expiry, LocalRankings, Tallied, Tally},
};

pub(crate) struct LocalTallies {
    numbers: LocalCounters,
    rankings: Mutex<LocalRankings>,
}

impl LocalTallies {
    /// At most so many numbers.
    pub(super) fn new(numbers: u64) -> Self {
        Self { numbers: LocalCounters::new(numbers), rankings: Mutex::default() }
    }

    /// See [`SharedStorage::tally`](crate::SharedStorage::tally).
    pub(crate) fn tally(&self, tally: Tally<'_>, now: Moment) -> Result<Tallied> {
        match tally {
            Tally::Add { key, by, expiry } => {
                let (ttl, prolongs) = match expiry {
                    Expiry::Never => (None, false),
                    Expiry::AfterFirst(ttl) => (Some(ttl), false),
                    Expiry::AfterLast(ttl) => (Some(ttl), true),
                };
                self.numbers.add_until(key, by, (ttl, prolongs), now).map(|_| Tallied::Added)
            }
            Tally::Sum { keys } => {
                let mut sum = 0_i64;
                for key in keys {
                    let number = self.numbers.add(key, 0, None, now)?;
                    sum = sum.checked_add(number).ok_or_else(|| Error::counter_overflow(key))?;
                }
                Ok(Tallied::Sum(sum))
            }
            Tally::Rank { key, member, by, capacity, ttl } => {
                lock(&self.rankings).add((key, member), by, (capacity, ttl), now);
                Ok(Tallied::Added)
            }
            Tally::Top { key, members, capacity } => {
                Ok(Tallied::Top(lock(&self.rankings).top(key, (members, capacity), now)))
            }
        }
    }
}

impl fmt::Debug for LocalTallies {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LocalTallies").field("numbers", &self.numbers).finish_non_exhaustive()
    }
}
