//! A typed value with all that decides whether it may be served.

mod cover;
mod facts;
mod last_owner;
mod lifetime;
mod rare;
mod renewed;
#[cfg_attr(not(feature = "shared"), expect(dead_code, reason = "for stores that share entries"))]
pub(crate) mod sharing;
mod standing;

use std::{any::Any, fmt, mem, sync::Arc, time::Duration};

use self::{
    cover::is_too_wide,
    facts::{Fact, Facts},
    rare::Rare,
};
pub(crate) use self::{
    cover::{DependencySet, ForeignDependencies},
    lifetime::{Freshness, Lifetime},
};
use crate::{
    clock::Moment,
    drop_later,
    epoch::{ReadVersion, Replacement, ValidAt},
    key::kept::KeptKey,
    outcome::{Outcome, Source, Tier},
    policy::Policy,
    scope::{self, ScopeHash, ScopeSet},
    stats::{ComputeCost, Group},
    value::{AnyValue, LocalValue, Transport, ValueType},
};

/// A value in the cache: the object itself, never its bytes, with its key, its lifetime, and the scopes
/// that cover it. Cheap to clone.
#[derive(Clone)]
pub struct Entry(pub(crate) Arc<Stored>);

/// What an [`Entry`] points to. What a hit reads stands first, close together: a lookup of one entry among many waits for
/// memory more than for anything else.
#[repr(C)]
pub(crate) struct Stored {
    /// Seeded by the cache it belongs to: see `Core::hash`.
    pub(crate) hash: u64,
    pub(crate) key: KeptKey,
    valid_at: ValidAt,
    value: Box<AnyValue>,
    /// How long the value took to compute.
    pub(crate) cost: ComputeCost,
    /// Its hits are counted under this.
    pub(crate) group: Group,
    facts: Facts,
    /// Of this, a hit reads the first moment.
    life: Lifetime,
    rare: Option<Box<Rare>>,
    scopes: ScopeSet,
    /// Where its computation began.
    since: ReadVersion,
    /// How the value becomes a message, where it can.
    transport: Option<&'static Transport>,
}

#[cfg(target_pointer_width = "64")]
const _: () = {
    /// What is in front of it where it lies: the counts of its owners.
    const COUNTS: usize = 2 * size_of::<usize>();
    let read = mem::offset_of!(Stored, life) + size_of::<Moment>();
    assert!(
        read <= 72,
        "wherever an allocation begins, at a multiple of 16, a hit reads two cache lines of it"
    );
    assert!(COUNTS + size_of::<Stored>() <= 200, "each entry takes so many bytes, and 8 of the allocator");
};

impl Entry {
    /// An entry stored now, to live for `lifetime` and the windows of `policy`; its value took `cost` to compute. Where
    /// there is a `limit`, memory answers alone for so long.
    pub(crate) fn new<V: LocalValue>(
        (key, hash): (KeptKey, u64),
        (value, of, cost): (V, ValueType, Duration),
        lives: (Moment, Duration),
        terms: (&Policy, Option<Duration>),
        cover: DependencySet,
    ) -> Self {
        Self::boxed((key, hash), (Box::new(value), of, cost), lives, terms, cover)
    }

    /// The same for a value of any type: that which `of` is of.
    pub(crate) fn boxed(
        (key, hash): (KeptKey, u64),
        (value, of, cost): (Box<AnyValue>, ValueType, Duration),
        (now, lifetime): (Moment, Duration),
        (policy, limit): (&Policy, Option<Duration>),
        cover: DependencySet,
    ) -> Self {
        let life = Lifetime::new(now, lifetime, policy).in_memory(now, limit);
        Self(Arc::new(Stored {
            hash,
            key,
            valid_at: ValidAt::new(cover.since),
            since: cover.since,
            life: cover.marked.map_or(life, |at| life.ended(at)),
            scopes: cover.scopes,
            facts: Facts::of([
                (Fact::Marked, cover.marked.is_some()),
                (Fact::Local, of.is_local),
                (Fact::Error, of.is_error),
                (Fact::DependsOnOthers, !cover.foreign_dependencies.is_empty()),
            ]),
            rare: Rare::of(cover.foreign_dependencies, cover.announcement, policy.schema),
            value,
            transport: of.transport,
            group: of.group,
            cost: cost.into(),
        }))
    }

    /// Makes it a part of a replacement, before any other call can find it.
    pub(crate) fn take_place(&mut self, replacement: &Replacement) {
        let stored = Arc::get_mut(&mut self.0).expect("it was made by this call, and given to no other one");
        stored.valid_at.set(replacement.since);
        stored.since = match replacement.by_read {
            true => replacement.since.proved_by(stored.since),
            false => replacement.since,
        };
        // Most often there is none, and was none.
        if replacement.announcement.is_some() || stored.rare.is_some() {
            stored.rare.get_or_insert_default().announcement = replacement.announcement.clone();
        }
    }

    /// The full key, namespaces included.
    #[must_use]
    pub fn key(&self) -> &str {
        &self.0.key
    }

    /// What it was read from, if not memory.
    pub(crate) fn origin(&self) -> Tier {
        if self.0.facts.has(Fact::FromDisk) { Tier::Disk } else { Tier::Shared }
    }

    /// Whether the value is not to leave this process: it was stored by [`Local`](crate::Local),
    /// [`Blocking`](crate::Blocking), a function with the option `local`, or one that is not async.
    #[must_use]
    pub fn is_local(&self) -> bool {
        self.0.is_local()
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

    /// Whether it lies under the key with this text, which has this hash in its cache.
    #[inline]
    pub(crate) fn is_under(&self, key: &[u8], hash: u64) -> bool {
        self.hash == hash && self.key.is(key)
    }

    /// Whether another entry may take its place under the same key: not one that began before it did. That one is older
    /// than a change that this one is a part of, or is about to be found so.
    #[inline]
    pub(crate) fn gives_way_to(&self, other: &Self) -> bool {
        !self.since.is_after(other.since)
    }

    /// Whether its `ttl` and its stale windows are over.
    pub(crate) fn is_expired(&self, now: Moment) -> bool {
        now >= self.life.end()
    }

    /// Whether a hit at `now` is nothing but a hit.
    #[inline]
    pub(crate) fn is_fresh(&self, now: Moment) -> bool {
        now < self.life.memory_end
    }

    pub(crate) fn freshness(&self, now: Moment) -> Freshness {
        match self.life.freshness(now) {
            // There is none of it but this one.
            Freshness::AskFurther if self.is_unshared() || !self.foreign_dependencies().is_empty() => {
                Freshness::Fresh
            }
            freshness => freshness,
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
        // One that is marked has a `ttl` that it does not live to see the end of.
        let ttl = if source == Source::Stale { Duration::ZERO } else { self.remaining(now) };
        Outcome { source, tier, age: self.age(now), ttl, why_not_stored: None }
    }

    /// Whether an invalidation of this scope covers it.
    pub(crate) fn is_covered_by(&self, scope: ScopeHash) -> bool {
        scope == ScopeHash::ALL || scope::contains(&self.scopes, scope)
    }

    /// How long it is still fresh.
    pub(crate) fn remaining(&self, now: Moment) -> Duration {
        self.life.ttl_end.since(now)
    }

    /// See [`Entry::is_local`].
    pub(crate) fn is_local(&self) -> bool {
        self.facts.has(Fact::Local)
    }

    /// Whether the value is an error, kept in place of one.
    pub(crate) fn is_error(&self) -> bool {
        self.facts.has(Fact::Error)
    }

    /// Whether a cache that shares values was asked to store the entry, and keeps it in this process alone.
    pub(crate) fn is_unshared(&self) -> bool {
        self.facts.has(Fact::Unshared)
    }

    /// See [`DependencySet::is_too_wide`].
    pub(crate) fn is_too_wide(&self) -> bool {
        is_too_wide(&self.scopes, self.foreign_dependencies())
    }

    pub(crate) fn scopes(&self) -> &ScopeSet {
        &self.scopes
    }

    pub(crate) fn foreign_dependencies(&self) -> &[ForeignDependencies] {
        self.rare.as_deref().map_or(&[], |rare| &rare.foreign_dependencies)
    }
}

impl Stored {
    /// Leaves something that costs nothing.
    fn take_value(&mut self) -> Box<AnyValue> {
        mem::replace(&mut self.value, Box::new(()))
    }
}

impl Drop for Stored {
    /// The last owner of an entry is seldom the one that made the value: a `Drop` that panics is contained.
    fn drop(&mut self) {
        let value: &dyn Any = &*self.value;
        // Most often it was taken.
        if !value.is::<()>() {
            let value = self.take_value();
            drop_later::drop_value(&self.key, value);
        }
    }
}

impl fmt::Debug for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Entry").field("key", &self.0.key).field("life", &self.0.life).finish_non_exhaustive()
    }
}
