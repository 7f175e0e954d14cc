//! How long an entry may be served, and how.

use std::time::Duration;

use crate::{
    clock::{self, Moment},
    policy::Policy,
};

/// When the [`Freshness`] of an entry changes. What a hit reads stands first.
#[derive(Debug, Clone, Copy)]
#[repr(C)]
pub(crate) struct Lifetime {
    /// Until when memory answers alone: not later than `refresh_due`.
    pub(crate) memory_end: Moment,
    /// From here on a hit also refreshes it: not later than `ttl_end`.
    pub(crate) refresh_due: Moment,
    pub(crate) stored: Moment,
    pub(crate) ttl_end: Moment,
    pub(crate) revalidate_end: Moment,
    pub(crate) on_error_end: Moment,
}

/// What may be done with a valid entry, by its age. Earlier ones allow more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Freshness {
    /// Serve it.
    Fresh,
    /// Ask the store behind memory first, and serve it if that cannot be asked.
    AskFurther,
    /// Serve it, and refresh it.
    RefreshAhead,
    /// Serve it stale, and refresh it.
    StaleWhileRevalidate,
    /// Serve it stale if a new computation fails or is slow.
    StaleIfError,
    /// Nothing.
    Expired,
}

impl Freshness {
    /// Whether it is not stale.
    pub(crate) fn is_within_ttl(self) -> bool {
        self < Self::StaleWhileRevalidate
    }
}

impl Lifetime {
    pub(crate) fn new(stored: Moment, lifetime: Duration, policy: &Policy) -> Self {
        // A fraction of more than that would leave what a `Duration` can hold.
        let lifetime = policy.jittered(lifetime.min(clock::LONGEST));
        let ahead = policy.refresh_ahead.map(|fraction| stored.after(lifetime.mul_f64(fraction)));
        Self::until(stored, (stored, stored.after(lifetime)), ahead, policy)
    }

    /// Of a value that was stored some time ago, and is asked for `now`: to the end of `lifetime`, which counts from
    /// when it was stored, unless it is not asked for long enough.
    pub(crate) fn prolonged(&self, now: Moment, lifetime: Duration, policy: &Policy) -> Self {
        Self::until(self.stored, (now, self.stored.after(lifetime)), None, policy)
    }

    /// To an end that `policy` may bring forward, if the value is not asked for after `used`.
    fn until(stored: Moment, (used, end): (Moment, Moment), ahead: Option<Moment>, policy: &Policy) -> Self {
        let ttl_end = policy.idle.map_or(end, |idle| used.after(idle).min(end));
        // From then on, a hit prolongs it: as seldom as is good for precision.
        let ahead = match policy.idle {
            Some(idle) if ttl_end < end => Some(used.after(idle / 4)),
            _ => ahead,
        };
        let refresh_due = ahead.map_or(ttl_end, |ahead| ahead.min(ttl_end));
        Self {
            stored,
            memory_end: refresh_due,
            refresh_due,
            ttl_end,
            revalidate_end: ttl_end.after(policy.stale_while_revalidate),
            on_error_end: ttl_end.after(policy.stale_if_error),
        }
    }

    /// The same, where memory answers alone for so long from `now` on.
    pub(crate) fn in_memory(self, now: Moment, limit: Option<Duration>) -> Self {
        let memory_end = limit.map_or(self.refresh_due, |limit| self.refresh_due.min(now.after(limit)));
        Self { memory_end, ..self }
    }

    pub(super) fn end(&self) -> Moment {
        self.revalidate_end.max(self.on_error_end)
    }

    /// The same, where `ttl` ends at this moment already, and the stale windows begin.
    pub(crate) fn ended(self, at: Moment) -> Self {
        let ttl_end = self.ttl_end.min(at);
        Self {
            memory_end: self.memory_end.min(ttl_end),
            refresh_due: self.refresh_due.min(ttl_end),
            ttl_end,
            revalidate_end: ttl_end.after(self.revalidate_end.since(self.ttl_end)),
            on_error_end: ttl_end.after(self.on_error_end.since(self.ttl_end)),
            ..self
        }
    }

    pub(crate) fn freshness(&self, now: Moment) -> Freshness {
        match now {
            now if now < self.memory_end => Freshness::Fresh,
            now if now < self.refresh_due => Freshness::AskFurther,
            now if now < self.ttl_end => Freshness::RefreshAhead,
            now if now < self.revalidate_end => Freshness::StaleWhileRevalidate,
            now if now < self.on_error_end => Freshness::StaleIfError,
            _ => Freshness::Expired,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Clock;

    #[test]
    fn the_longest_durations_overflow_nothing() {
        let policy = Policy::builder()
            .ttl(Duration::MAX)
            .jitter(1.0)
            .refresh_ahead(1.0)
            .stale_while_revalidate(Duration::MAX)
            .stale_if_error(Duration::MAX)
            .build()
            .unwrap();
        let now = Clock::default().now();
        let life = Lifetime::new(now, policy.ttl, &policy);
        assert!(life.refresh_due <= life.ttl_end && life.ttl_end < life.end());
    }
}
