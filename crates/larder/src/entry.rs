//! A typed value with all that decides whether it may be served.

mod renewed;
#[cfg_attr(not(feature = "redis"), expect(dead_code, reason = "for stores that share entries"))]
pub(crate) mod sharing;

use std::{
    any::Any,
    fmt,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use crate::{
    clock::{self, Moment},
    epoch::{Announcement, Epochs, ReadVersion, ValidAt},
    outcome::{Outcome, Source, Tier},
    panic_guard,
    policy::Policy,
    scope::{self, ScopeHash, ScopeSet},
    stats::{Group, nanos},
    value::{AnyValue, LocalValue, Transport, ValueType},
};

/// A value in the cache: the object itself, never its bytes, with its key, its lifetime, and the scopes
/// that cover it. Cheap to clone.
#[derive(Clone)]
pub struct Entry(pub(crate) Arc<Stored>);

/// What an [`Entry`] points to.
pub(crate) struct Stored {
    /// Seeded by the cache it belongs to: see `Core::hash`.
    pub(crate) hash: u64,
    pub(crate) key: Arc<str>,
    valid_at: ValidAt,
    /// Where its computation began.
    since: ReadVersion,
    /// What its write to a server has to wait for.
    announcement: Option<Arc<Announcement>>,
    life: Lifetime,
    scopes: ScopeSet,
    foreign_dependencies: Option<Box<[ForeignDependencies]>>,
    schema: Option<u32>,
    /// The value cannot be shared: it is kept in this process alone.
    unshared: AtomicBool,
    /// The value is not to leave this process.
    is_local: bool,
    /// The value is an error, kept in place of one.
    pub(crate) is_error: bool,
    value: Box<AnyValue>,
    /// How the value becomes a message, where it can.
    transport: Option<&'static Transport>,
    /// Its hits are counted under this.
    pub(crate) group: Group,
    /// How long the value took to compute, in nanoseconds; 0 if it was not computed.
    pub(crate) cost: u64,
}

/// Scopes in another cache than the entry's own: of what was read there while computing.
#[derive(Clone)]
pub(crate) struct ForeignDependencies {
    pub(crate) epochs: Arc<Epochs>,
    pub(crate) scopes: ScopeSet,
}

impl ForeignDependencies {
    #[inline(never)]
    fn are_in_touch(all: &[Self]) -> bool {
        all.iter().all(|there| there.epochs.in_touch())
    }
}

/// What covers an entry, and since when.
pub(crate) struct DependencySet {
    pub(crate) since: ReadVersion,
    /// How far the replacement has come that the entry is a part of.
    pub(crate) announcement: Option<Arc<Announcement>>,
    pub(crate) scopes: ScopeSet,
    pub(crate) foreign_dependencies: Vec<ForeignDependencies>,
}

impl DependencySet {
    /// Whether nothing of it was invalidated since; `epochs` are those of the entry's own cache.
    pub(crate) fn unchanged(&self, epochs: &Epochs) -> bool {
        unchanged(epochs, &self.scopes, &self.foreign_dependencies, self.since)
    }

    /// Whether it is more than an entry can carry. What is recorded of it is then not all there was.
    pub(crate) fn is_too_wide(&self) -> bool {
        is_too_wide(&self.scopes, &self.foreign_dependencies)
    }
}

fn is_too_wide(scopes: &ScopeSet, foreign_dependencies: &[ForeignDependencies]) -> bool {
    scopes.len() + foreign_dependencies.iter().map(|there| there.scopes.len()).sum::<usize>() > scope::MOST
}

fn unchanged(
    epochs: &Epochs,
    scopes: &ScopeSet,
    foreign_dependencies: &[ForeignDependencies],
    since: ReadVersion,
) -> bool {
    epochs.unchanged(scopes, since)
        && foreign_dependencies.iter().all(|there| there.epochs.unchanged(&there.scopes, since))
}

/// When the [`Freshness`] of an entry changes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Lifetime {
    pub(crate) stored: Moment,
    /// From here on a hit also refreshes it: not later than `ttl_end`.
    pub(crate) refresh_due: Moment,
    pub(crate) ttl_end: Moment,
    pub(crate) revalidate_end: Moment,
    pub(crate) on_error_end: Moment,
}

/// What may be done with a valid entry, by its age. Earlier ones allow more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Freshness {
    /// Serve it.
    Fresh,
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
        Self {
            stored,
            refresh_due: ahead.map_or(ttl_end, |ahead| ahead.min(ttl_end)),
            ttl_end,
            revalidate_end: ttl_end.after(policy.stale_while_revalidate),
            on_error_end: ttl_end.after(policy.stale_if_error),
        }
    }

    fn end(&self) -> Moment {
        self.revalidate_end.max(self.on_error_end)
    }
}

impl Entry {
    /// An entry stored now, to live for `lifetime` and the windows of `policy`; its value took `cost` to compute.
    pub(crate) fn new<V: LocalValue>(
        (key, hash): (Arc<str>, u64),
        (value, of, cost): (V, ValueType, Duration),
        lives: (Moment, Duration),
        policy: &Policy,
        cover: DependencySet,
    ) -> Self {
        Self::boxed((key, hash), (Box::new(value), of, cost), lives, policy, cover)
    }

    /// The same for a value of any type: that which `of` is of.
    pub(crate) fn boxed(
        (key, hash): (Arc<str>, u64),
        (value, of, cost): (Box<AnyValue>, ValueType, Duration),
        (now, lifetime): (Moment, Duration),
        policy: &Policy,
        cover: DependencySet,
    ) -> Self {
        let foreign_dependencies =
            (!cover.foreign_dependencies.is_empty()).then(|| cover.foreign_dependencies.into_boxed_slice());
        Self(Arc::new(Stored {
            hash,
            key,
            valid_at: ValidAt::new(cover.since),
            since: cover.since,
            announcement: cover.announcement,
            life: Lifetime::new(now, lifetime, policy),
            scopes: cover.scopes,
            foreign_dependencies,
            schema: policy.schema,
            unshared: AtomicBool::new(false),
            is_local: of.is_local,
            is_error: of.is_error,
            value,
            transport: of.transport,
            group: of.group,
            cost: nanos(cost),
        }))
    }

    /// The full key, namespaces included.
    #[must_use]
    pub fn key(&self) -> &str {
        &self.0.key
    }

    /// Whether the value is not to leave this process: it was stored by [`Local`](crate::Local),
    /// [`Blocking`](crate::Blocking), a function with the option `local`, or one that is not async.
    #[must_use]
    pub fn is_local(&self) -> bool {
        self.0.is_local
    }

    /// The value, if it is a `V`.
    #[must_use]
    pub fn value<V: 'static>(&self) -> Option<&V> {
        self.0.value()
    }

    /// The value, if it is a `V`: the object itself where the entry has no other owner, or else a clone of it.
    pub(crate) fn into_value<V: Clone + 'static>(self) -> Option<V> {
        match Arc::try_unwrap(self.0) {
            Ok(mut stored) => {
                let value: Box<dyn Any> = stored.take_value();
                value.downcast().ok().map(|value| *value)
            }
            Err(shared) => shared.value().cloned(),
        }
    }

    /// How long a store has to keep this entry, counted from when it was made: its `ttl` and the longer
    /// one of its stale windows.
    #[must_use]
    pub fn retention(&self) -> Duration {
        self.0.life.end().since(self.0.life.stored)
    }
}

impl Stored {
    #[inline]
    pub(crate) fn value<V: 'static>(&self) -> Option<&V> {
        let value: &dyn Any = &*self.value;
        value.downcast_ref()
    }

    /// Whether the one rule allows to serve it.
    #[expect(clippy::inline_always, reason = "a call costs a tenth of a hit, and the compiler makes one")]
    #[inline(always)]
    pub(crate) fn is_valid(&self, epochs: &Epochs) -> bool {
        epochs.in_touch()
            && self.foreign_dependencies.as_deref().is_none_or(ForeignDependencies::are_in_touch)
            && self.valid_at.holds(epochs, |since| self.unchanged(epochs, since))
    }

    /// Whether it can no longer be served, now or at any later time. Out of touch with a log it may be again.
    pub(crate) fn is_over(&self, now: Moment, epochs: &Epochs) -> bool {
        self.is_expired(now) || !self.valid_at.holds(epochs, |since| self.unchanged(epochs, since))
    }

    /// Whether its `ttl` and its stale windows are over.
    pub(crate) fn is_expired(&self, now: Moment) -> bool {
        now >= self.life.end()
    }

    /// Whether nothing that covers the entry was invalidated: in local order since it was last found valid, or in
    /// the order of the log, if it has an epoch and all that it was made from is in the tables of that log.
    fn unchanged(&self, epochs: &Epochs, stamp: ReadVersion) -> bool {
        unchanged(epochs, &self.scopes, self.foreign_dependencies(), stamp)
            || self.foreign_dependencies.is_none()
                && epochs.valid_in_log_order(&self.scopes, stamp, self.since)
    }

    /// Whether a hit at `now` is nothing but a hit.
    #[inline]
    pub(crate) fn is_fresh(&self, now: Moment) -> bool {
        now < self.life.refresh_due
    }

    pub(crate) fn freshness(&self, now: Moment) -> Freshness {
        let life = &self.life;
        match now {
            now if now < life.refresh_due => Freshness::Fresh,
            now if now < life.ttl_end => Freshness::RefreshAhead,
            now if now < life.revalidate_end => Freshness::StaleWhileRevalidate,
            now if now < life.on_error_end => Freshness::StaleIfError,
            _ => Freshness::Expired,
        }
    }

    pub(crate) fn life(&self) -> &Lifetime {
        &self.life
    }

    /// How long ago it was stored, in whichever process.
    pub(crate) fn age(&self, now: Moment) -> Duration {
        now.since(self.life.stored)
    }

    /// What becomes of a call that is given it.
    pub(crate) fn outcome(&self, source: Source, tier: Option<Tier>, now: Moment) -> Outcome {
        Outcome { source, tier, age: self.age(now), ttl: self.remaining(now), why_not_stored: None }
    }

    /// Whether an invalidation of this scope covers it.
    pub(crate) fn is_covered_by(&self, scope: ScopeHash) -> bool {
        scope == ScopeHash::ALL || scope::contains(&self.scopes, scope)
    }

    /// How long it is still fresh.
    pub(crate) fn remaining(&self, now: Moment) -> Duration {
        self.life.ttl_end.since(now)
    }

    /// Whether a cache that shares values was asked to store the entry, and keeps it in this process alone.
    pub(crate) fn is_unshared(&self) -> bool {
        self.unshared.load(Ordering::Relaxed)
    }

    /// See [`DependencySet::is_too_wide`].
    pub(crate) fn is_too_wide(&self) -> bool {
        is_too_wide(&self.scopes, self.foreign_dependencies())
    }

    pub(crate) fn scopes(&self) -> &ScopeSet {
        &self.scopes
    }

    pub(crate) fn foreign_dependencies(&self) -> &[ForeignDependencies] {
        self.foreign_dependencies.as_deref().unwrap_or_default()
    }
}

impl Stored {
    /// Leaves something that costs nothing.
    fn take_value(&mut self) -> Box<AnyValue> {
        std::mem::replace(&mut self.value, Box::new(()))
    }
}

impl Drop for Stored {
    /// The last owner of an entry is seldom the one that made the value: a `Drop` that panics is contained.
    fn drop(&mut self) {
        let value = self.take_value();
        if panic_guard::contain(|| drop(value)).is_none() {
            panic_guard::report!(warn, key = &*self.key, "the `Drop` of a cached value panicked");
        }
    }
}

impl fmt::Debug for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Entry").field("key", &self.0.key).field("life", &self.0.life).finish_non_exhaustive()
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
