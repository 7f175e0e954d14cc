//! What one cache keeps of rate limits in this process: tables for each rate.

use std::sync::{
    Arc, OnceLock,
    atomic::{AtomicU64, Ordering::Relaxed},
};

use arc_swap::ArcSwap;

use super::{KeyHash, Rate, Usage, table::Table};

/// How many rates have tables of their own. Those beyond share theirs.
const MOST: usize = 64;

/// How many keys of a rate are told apart, unless that is set.
pub(crate) const KEYS: usize = 65_536;

/// The tables of all rates. Few: they are looked for one after the other.
#[derive(Debug, Default)]
pub(crate) struct LocalLimits {
    rates: ArcSwap<Vec<(Rate, Arc<RateTables>)>>,
    others: OnceLock<Arc<RateTables>>,
    /// When it was last warned that a server could not be asked, in nanoseconds and one more: zero is never.
    warned: AtomicU64,
}

/// What is kept of one rate.
#[derive(Debug)]
pub(crate) struct RateTables {
    keys: usize,
    /// The TATs of keys, where no server has them.
    tats: OnceLock<Table>,
    /// Before when a server is not asked again, because it would refuse.
    not_before: OnceLock<Table>,
    /// How fast it is asked for keys that it has just refused.
    asked: OnceLock<Table>,
}

impl LocalLimits {
    /// Those of a rate. They are for as many keys as the first caller says.
    pub(crate) fn of(&self, rate: &Rate, keys: usize) -> Arc<RateTables> {
        let find = |rates: &Vec<(Rate, Arc<RateTables>)>| {
            let found = rates.iter().find(|(of, _)| of == rate)?;
            Some(found.1.clone())
        };
        if let Some(found) = find(&self.rates.load()) {
            return found;
        }
        let made = Arc::new(RateTables::new(keys));
        self.rates.rcu(|rates| {
            let mut rates = Vec::clone(rates);
            if find(&rates).is_none() && rates.len() < MOST {
                rates.push((*rate, made.clone()));
            }
            rates
        });
        let others = || Arc::new(RateTables::new(KEYS));
        find(&self.rates.load()).unwrap_or_else(|| self.others.get_or_init(others).clone())
    }

    /// Whether it is to be warned, at this time in nanoseconds, that a server cannot be asked: once a minute.
    pub(crate) fn warns(&self, now: u64) -> bool {
        const AGAIN: u64 = 60_000_000_000;
        let last = self.warned.load(Relaxed);
        let is_due = last == 0 || now.saturating_sub(last) >= AGAIN;
        is_due && self.warned.compare_exchange(last, now + 1, Relaxed, Relaxed).is_ok()
    }
}

impl RateTables {
    fn new(keys: usize) -> Self {
        Self { keys, tats: OnceLock::new(), not_before: OnceLock::new(), asked: OnceLock::new() }
    }

    /// Asks for units of a key, at this time in nanoseconds.
    pub(crate) fn take(&self, key: &str, now: u64, rate: &Rate, units: u32) -> Usage {
        let tats = self.tats.get_or_init(|| Table::new(self.keys));
        tats.take(tats.hash(key, rate), now, rate, units)
    }

    /// Whether a server would refuse one unit of a key at this time, as far as it is known: then for how much longer.
    ///
    /// It said so itself ([`refuse_until`](Self::refuse_until)); or it did a moment ago, and this process asks it twice as
    /// fast as units come back. That is as much as it can have: many callers at once, whose answers take longer than a unit,
    /// would all ask for the same one.
    pub(crate) fn refuses(&self, key: KeyHash, now: u64, rate: &Rate) -> Option<u64> {
        const MOMENT: u64 = 1_000_000_000;
        let until = self.not_before().time(key)?;
        if until > now {
            return Some(until - now);
        }
        if until.saturating_add(MOMENT) <= now {
            return None;
        }
        let asked = self.asked.get_or_init(|| Table::forgetful(self.keys));
        let usage = asked.take(key, now, &rate.twice_as_fast(), 1);
        u64::try_from(usage.wait.as_nanos()).ok().filter(|wait| *wait > 0)
    }

    /// A server would refuse one unit of this key until then.
    pub(crate) fn refuse_until(&self, key: KeyHash, until: u64, now: u64) {
        self.not_before().keep(key, until, now);
    }

    /// Where is kept what a server said of a key.
    pub(crate) fn remembered(&self, key: &str, rate: &Rate) -> KeyHash {
        self.not_before().hash(key, rate)
    }

    fn not_before(&self) -> &Table {
        self.not_before.get_or_init(|| Table::forgetful(self.keys))
    }
}
