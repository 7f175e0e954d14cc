//! What counters and rankings ask of a store, and how a process keeps them by itself.

mod ranks;
mod top;

use std::{
    collections::HashMap,
    sync::Arc,
    time::{Duration, SystemTime},
};

use self::ranks::Ranks;
pub use self::top::Top;
use crate::clock::Moment;

/// When a counter ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum Expiry {
    /// Not at all.
    #[default]
    Never,
    /// So long after the first increment. Later ones do not prolong it.
    AfterFirst(Duration),
    /// So long after the last increment: each one prolongs it.
    AfterLast(Duration),
}

/// What a store is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Tally<'t> {
    /// Adds to a number. It is no entry, and in a key space of its own.
    Add {
        /// The number's full key.
        key: &'t str,
        /// How much.
        by: i64,
        /// When it ends.
        expiry: Expiry,
    },
    /// The sum of numbers. One that is not there is 0.
    Sum {
        /// Their full keys.
        keys: &'t [String],
    },
    /// Adds to a member of a ranking of at most `capacity` members: one that finds no room takes the place of the lowest,
    /// and begins with what that had.
    Rank {
        /// The ranking's full key.
        key: &'t str,
        /// The member.
        member: &'t str,
        /// How much.
        by: u64,
        /// How many members it has.
        capacity: usize,
        /// When it ends, after the first of these that made it.
        ttl: Option<Duration>,
    },
    /// The highest members of a ranking.
    Top {
        /// The ranking's full key.
        key: &'t str,
        /// How many of them.
        members: usize,
        /// How many members it has.
        capacity: usize,
    },
}

/// What comes of a [`Tally`].
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Tallied {
    /// It was added.
    Added,
    /// The sum.
    Sum(i64),
    /// The highest members.
    Top(Top),
}

/// Rankings that a process keeps at once. Of one more, the one goes that was used longest ago.
const RANKINGS: usize = 1_000;

/// The rankings that a process keeps where no server does.
#[derive(Default)]
pub(crate) struct LocalRankings {
    by_key: HashMap<Arc<str>, Ranking>,
    uses: u64,
}

struct Ranking {
    ranks: Ranks,
    end: Option<Moment>,
    last_use: u64,
}

impl LocalRankings {
    /// Adds to a member of a ranking, which ends after `ttl` if this makes it.
    pub(crate) fn add(
        &mut self,
        (key, member): (&str, &str),
        by: u64,
        (capacity, ttl): (usize, Option<Duration>),
        now: Moment,
    ) {
        self.of(key, ttl, now).add(member, by, capacity);
    }

    /// The highest members of a ranking.
    pub(crate) fn top(&self, key: &str, (members, capacity): (usize, usize), now: Moment) -> Top {
        let ranking = self.by_key.get(key).filter(|ranking| !ranking.is_over(now));
        ranking.map(|ranking| ranking.ranks.top(members, capacity)).unwrap_or_default()
    }

    fn of(&mut self, key: &str, ttl: Option<Duration>, now: Moment) -> &mut Ranks {
        self.uses += 1;
        let last_use = self.uses;
        if self.by_key.get(key).is_none_or(|ranking| ranking.is_over(now)) {
            self.make_room(now);
            let end = ttl.map(|ttl| now.after(ttl));
            self.by_key.insert(key.into(), Ranking { ranks: Ranks::default(), end, last_use });
        }
        let ranking = self.by_key.get_mut(key).expect("it was just put there");
        ranking.last_use = last_use;
        &mut ranking.ranks
    }

    fn make_room(&mut self, now: Moment) {
        if self.by_key.len() < RANKINGS {
            return;
        }
        self.by_key.retain(|_, ranking| !ranking.is_over(now));
        if self.by_key.len() >= RANKINGS {
            let oldest = self.by_key.iter().min_by_key(|(_, ranking)| ranking.last_use);
            if let Some(oldest) = oldest.map(|(key, _)| key.clone()) {
                self.by_key.remove(&oldest);
            }
        }
    }
}

impl Ranking {
    fn is_over(&self, now: Moment) -> bool {
        self.end.is_some_and(|end| now >= end)
    }
}

/// The number of the window of this length that a time is in, counted from 1970: all processes agree on it.
pub(crate) fn window_at(time: SystemTime, length: Duration) -> u64 {
    let since = time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis() / length.as_millis().max(1)).unwrap_or(u64::MAX)
}
