//! Adaptive lifetimes: how long a value is to live is chosen anew each time it is stored, between two bounds.
//!
//! A value that lives for `T` seconds is computed once in `T + gap`, where `gap` is the mean time until it is asked for
//! again after its end, and is out of date for about `μ·T²/2` seconds of each life, if it changes `μ` times a second. With
//! [`OUT_OF_DATE`] as the price of a second in which a value is out of date, in seconds of computing, the cost of both
//! per second is least at
//!
//! ```text
//! T = √(2 · took / (OUT_OF_DATE · μ)) − gap
//! ```
//!
//! where `took` is how long a computation takes: longer for what computes slowly, changes seldom and is asked for often.
//!
//! Nothing is recorded by a hit. All three come from what is known when a value is stored: how long its computation took,
//! whether its digest is that of the value before, and how long after the end of that one it was asked for. What was
//! dropped before its end (it was invalidated, or made room) says nothing of the last two: changes that are announced
//! cost no lifetime.

use std::{collections::HashMap, time::Duration};

use foldhash::quality::RandomState;

use crate::{
    clock::{LONGEST, Moment},
    policy::Policy,
    sync::plain::{Mutex, lock},
};

/// What a second in which a value is out of date costs, in seconds of computing.
pub(crate) const OUT_OF_DATE: f64 = 0.001;

/// Older observations count for this much less with each new one.
const FADE: f64 = 7.0 / 8.0;

/// A lifetime is no longer than this many times the one before.
const GROWTH: u32 = 4;

const SHARDS: usize = 16;

/// How many keys are remembered in a shard. Beyond that, the one whose value ended first is forgotten.
const MOST: usize = 1_024;

/// What is known of the values of one cache, by the hashes of their keys.
#[derive(Debug, Default)]
pub(crate) struct AdaptiveLifetimes {
    shards: [Mutex<HashMap<u64, Known, RandomState>>; SHARDS],
}

/// A value that was just computed.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Computed {
    pub(crate) now: Moment,
    pub(crate) took: Duration,
    /// None of a value that has none.
    pub(crate) digest: Option<u64>,
}

/// What is known of the values under one key.
#[derive(Debug, Clone, Copy)]
struct Known {
    lifetime: Duration,
    stored: Moment,
    /// From here on it is computed anew when it is asked for: a refresh may come before the end.
    due: Moment,
    end: Moment,
    digest: Option<u64>,
    took: Faded,
    gap: Faded,
    /// The time between two values that were compared, …
    apart: Faded,
    /// … and 1 for each that was another one.
    changed: Faded,
}

/// A mean whose older parts count less.
#[derive(Debug, Clone, Copy, Default)]
struct Faded {
    sum: f64,
    weight: f64,
}

impl Faded {
    fn add(&mut self, value: f64) {
        self.sum = self.sum * FADE + value;
        self.weight = self.weight * FADE + 1.0;
    }

    fn mean(self) -> Option<f64> {
        (self.weight > 0.0).then(|| self.sum / self.weight)
    }
}

impl AdaptiveLifetimes {
    /// How long a value that was just computed is to live, before jitter: what `policy` says where it is not adaptive.
    pub(crate) fn choose(&self, key: u64, computed: Computed, policy: &Policy) -> Duration {
        let Some(longest) = policy.adaptive_to else { return policy.ttl };
        let mut known = lock(self.shard(key));
        if known.len() >= MOST && !known.contains_key(&key) {
            let first = known.iter().min_by_key(|(_, known)| known.end).map(|(&key, _)| key);
            first.and_then(|first| known.remove(&first));
        }
        let known = known.entry(key).or_insert_with(|| Known::new(computed, policy.ttl));
        known.observe(computed);
        let lifetime = known.best().clamp(policy.ttl, longest.max(policy.ttl)).min(LONGEST);
        known.store(computed, lifetime, policy);
        lifetime
    }

    /// Another process computed the value: it ends when that says.
    pub(crate) fn found(&self, key: u64, due: Moment, end: Moment) {
        if let Some(known) = lock(self.shard(key)).get_mut(&key) {
            (known.due, known.end) = (known.due.max(due), known.end.max(end));
        }
    }

    fn shard(&self, key: u64) -> &Mutex<HashMap<u64, Known, RandomState>> {
        &self.shards[(key >> 32) as usize % SHARDS]
    }
}

impl Known {
    fn new(computed: Computed, shortest: Duration) -> Self {
        // As if it had been dropped in the middle of its life: nothing but the computation's time is known.
        let end = computed.now.after(shortest);
        Self {
            lifetime: Duration::ZERO,
            stored: computed.now,
            due: end,
            end,
            digest: None,
            took: Faded::default(),
            gap: Faded::default(),
            apart: Faded::default(),
            changed: Faded::default(),
        }
    }

    fn observe(&mut self, computed: Computed) {
        self.took.add(computed.took.as_secs_f64());
        let asked = computed.now.before(computed.took);
        if asked < self.due {
            return;
        }
        self.gap.add(asked.since(self.end).as_secs_f64());
        if let (Some(before), Some(digest)) = (self.digest, computed.digest) {
            self.apart.add(computed.now.since(self.stored).as_secs_f64());
            self.changed.add(f64::from(u8::from(before != digest)));
        }
    }

    /// The lifetime of the least cost; none if two values have not yet been compared.
    fn best(&self) -> Duration {
        let (Some(took), Some(apart)) = (self.took.mean(), self.apart.mean()) else { return Duration::ZERO };
        // What changed more than once between two values shows as one change. Half a change more than was seen, in
        // one comparison more: neither "never" nor "always" follows from a few.
        let share = (self.changed.sum + 0.5) / (self.changed.weight + 1.0);
        let per_second = -(1.0 - share).ln() / apart.max(f64::MIN_POSITIVE);
        let best = (2.0 * took / (OUT_OF_DATE * per_second)).sqrt() - self.gap.mean().unwrap_or(0.0);
        let most = self.lifetime.saturating_mul(GROWTH);
        Duration::try_from_secs_f64(best.max(0.0)).unwrap_or(most).min(most)
    }

    fn store(&mut self, computed: Computed, lifetime: Duration, policy: &Policy) {
        // Jitter only shortens.
        let least = lifetime.mul_f64((1.0 - policy.jitter) * policy.refresh_ahead.unwrap_or(1.0));
        (self.lifetime, self.stored, self.digest) = (lifetime, computed.now, computed.digest);
        (self.due, self.end) = (computed.now.after(least), computed.now.after(lifetime));
    }
}

#[cfg(all(test, not(larder_loom)))]
mod tests;
