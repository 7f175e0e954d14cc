//! What one caller asks for, and the states that it goes through.

use std::{
    any::TypeId,
    marker::PhantomData,
    sync::{Arc, atomic::AtomicU64},
    time::Duration,
};

use super::lookup::Missed;
use crate::{
    cache::Cache,
    cache_core::{Core, Lookup},
    deferred,
    entry::{Entry, Freshness},
    key,
    outcome::{NotStored, Observer, Tier},
    policy::Policy,
    scope::{self, ScopeSet},
    singleflight::{Caller, Leader, Waiter, Watch, WorkKey},
    spans::Traced,
    stats::{Counters, Group},
    value::{LocalValue, Transport, Value, ValueType},
};

/// What a caller wants: values of which type, and who waits for them.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Wanted {
    pub(crate) of: ValueType,
    /// The caller's thread is blocked while it waits: see [`work`](Request::work).
    pub(super) blocks: bool,
    /// The name of a type in the function that calls; empty for none.
    function: &'static str,
}

impl Wanted {
    /// A value that other processes may have computed, and may read.
    pub(crate) fn shared<V: Value>(policy: &Policy) -> Self {
        let of = ValueType::of::<V>(policy.schema).kept_in_memory(policy.memory_limit());
        Self { of, blocks: false, function: "" }
    }

    /// A value that stays in this process.
    pub(crate) fn local<V: LocalValue>(policy: &Policy) -> Self {
        Self { of: ValueType::local::<V>(policy.schema), blocks: false, function: "" }
    }

    /// The same for a thread, which is blocked while it waits.
    pub(crate) fn blocking<V: LocalValue>(policy: &Policy) -> Self {
        Self { blocks: true, ..Self::local::<V>(policy) }
    }

    /// Whether the caller's thread is blocked while it waits.
    pub(crate) fn blocks(&self) -> bool {
        self.blocks
    }

    /// The same, by a function: it is counted apart.
    pub(crate) fn by(self, function: &'static str) -> Self {
        Self { function, ..self }
    }

    /// The same, where an error may be kept in place of a value.
    pub(crate) fn or_error(self, transport: Option<&'static Transport>) -> Self {
        Self { of: self.of.or_error(transport), ..self }
    }

    /// The same, in the cache that is asked: it knows what to count it under.
    pub(crate) fn within(self, cache: &(impl Cache + ?Sized)) -> Self {
        let group = cache.core().statistics().group(self.function, cache.prefix());
        Self { of: self.of.counted_in(group), ..self }
    }
}

/// A full key, borrowed or in the allocation that the entry under it will share.
pub(crate) trait AnyKey: AsRef<str> + Into<Arc<str>> {}

impl<K: AsRef<str> + Into<Arc<str>>> AnyKey for K {}

/// Stands for a `V` among what is computed by threads.
struct ByThread<V>(PhantomData<V>);

/// What one caller asks for: the value under a key.
pub(super) struct Request<'a, C: ?Sized, S> {
    pub(super) cache: &'a C,
    pub(super) policy: &'a Policy,
    pub(super) wanted: Wanted,
    pub(super) sharing: S,
    pub(super) key: Arc<str>,
    /// The key's hash in this cache: computed once in a call, by the lookup.
    pub(super) hash: u64,
    /// The scopes of the key and of the policy's tags.
    pub(super) scopes: ScopeSet,
    /// [`Core::stores`] before the lookup.
    pub(super) stores: u64,
    /// Tells others whether this caller is still polled, if it comes to lead.
    pub(super) watch: Arc<Watch>,
    /// The span of the call, if there is one.
    pub(super) span: Traced,
    /// Where the call notes its outcome.
    pub(super) observer: Observer,
}

/// What a request does next.
pub(super) enum Step<V, E> {
    /// Nothing.
    Done(Result<V, E>),
    /// Joins the computation that is under way, or leads a new one.
    Enter,
    /// Prolongs the time of a value that was found, and serves it: in the tier where it was found.
    Prolong(Entry, Freshness, Tier),
    /// Waits for another caller's computation.
    Wait(Waiter),
    /// Waits for a turn to compute alone: the failure that it waited for cannot be given to it.
    Turn,
    /// As the leader: reads what other processes have stored. With what it refreshes, if anything.
    Read(Leader, Refreshed),
    /// As the leader: asks to be the one of all processes that computes.
    Lease(Leader, Refreshed),
    /// Computes: for all who wait, or for this caller alone.
    Compute(Option<Leader>, Refreshed),
}

/// The value that a leader refreshes: it may be served meanwhile.
pub(super) type Refreshed = Option<(Entry, Freshness)>;

impl<'a, C: Cache + ?Sized, S: Copy> Request<'a, C, S> {
    pub(super) fn new(
        cache: &'a C,
        (policy, wanted): (&'a Policy, Wanted),
        (key, hash): (impl Into<Arc<str>>, u64),
        (sharing, stores): (S, u64),
        watch: Arc<Watch>,
        (span, observer): (Traced, Observer),
    ) -> Self {
        let key = key.into();
        let scopes = scope::covering(&key, &policy.tags);
        Self { cache, policy, wanted, sharing, key, hash, scopes, stores, watch, span, observer }
    }

    /// The prologue of a call for one key that a lookup `missed`. None if the key can be that of no entry, and where
    /// nothing is stored because of a transaction: its value is then computed without the cache.
    pub(super) fn open(
        (cache, key): (&'a C, impl AnyKey),
        missed: &Missed,
        terms: (&'a Policy, Wanted),
        sharing: S,
    ) -> Option<Self> {
        let (policy, wanted) = (terms.0, terms.1.within(cache));
        if deferred::is_current() {
            missed.observer.computed(Some(NotStored::InTransaction));
            return None;
        }
        if refuses(cache.core(), key.as_ref(), wanted.of.group) {
            missed.observer.computed(Some(NotStored::KeyRefused));
            return None;
        }
        let watch = Watch::new(policy.takeover_after);
        let core = cache.core();
        let (function, namespace) = core.statistics().names(wanted.of.group);
        let span = Traced::get(core.name(), function, namespace, key.as_ref());
        let (at, told) = ((key, missed.hash), (span, missed.observer.clone()));
        Some(Self::new(cache, (policy, wanted), at, (sharing, missed.stores), watch, told))
    }

    pub(super) fn core(&self) -> &'a Core {
        self.cache.core()
    }

    /// Counts one of what `counter` picks, for the function that calls.
    pub(super) fn count(&self, counter: impl FnOnce(&Counters) -> &AtomicU64) {
        self.core().count_in(self.wanted.of.group, counter);
    }

    /// The key that events tell of.
    pub(super) fn told_key(&self) -> &Arc<str> {
        self.observer.stands_for().unwrap_or(&self.key)
    }

    pub(super) fn at(&self) -> Lookup<'_> {
        Lookup { key: &self.key, hash: self.hash }
    }

    /// What the computation is found by that callers of the same kind share. Threads do not wait for tasks: a task
    /// may need the very thread that would be blocked.
    pub(super) fn work<V: LocalValue>(&self) -> WorkKey {
        let value_type = if self.wanted.blocks { TypeId::of::<ByThread<V>>() } else { TypeId::of::<V>() };
        WorkKey { key: self.key.clone(), hash: self.hash, value_type }
    }

    /// Whether other processes are asked for the value, and given it.
    pub(super) fn is_shared(&self) -> bool {
        !self.wanted.of.is_local
    }

    /// For how long memory answers alone with what is computed, if there is a limit, and a store behind it.
    pub(super) fn memory_limit(&self) -> Option<Duration> {
        memory_limit(self.cache, self.policy, self.wanted.of)
    }

    /// Whether an old value is served without asking its source, which failed a moment ago. If not, this caller asks, and
    /// others are served without waiting for it.
    pub(super) fn is_paused(&self) -> bool {
        let first = self.policy.retry_after;
        !first.is_zero() && !self.core().pauses().asks(self.hash, self.core().now(), first)
    }

    /// A computation failed; `stale` is what was there to serve in its place.
    pub(super) fn note_failure(&self, stale: Option<&Entry>) {
        note_failure((self.core(), self.policy), self.hash, stale);
    }

    pub(super) fn caller<'c>(&'c self, work: &'c WorkKey) -> Caller<'c> {
        Caller { work, scopes: &self.scopes, watch: &self.watch }
    }
}

/// A computation of the key with this hash failed; `stale` is what was there to serve in its place.
pub(super) fn note_failure((core, policy): (&Core, &Policy), hash: u64, stale: Option<&Entry>) {
    let first = policy.retry_after;
    if !first.is_zero() && stale.is_some_and(|entry| core.judge(entry).is_ok()) {
        core.pauses().note(hash, core.now(), first);
    }
}

/// For how long memory answers alone with a value, if there is a limit, and a store behind it that others read.
pub(crate) fn memory_limit(
    cache: &(impl Cache + ?Sized),
    policy: &Policy,
    of: ValueType,
) -> Option<Duration> {
    policy.memory_limit().filter(|_| !of.is_local && cache.storage().shared().is_some())
}

/// Whether a key can be that of no entry.
pub(super) fn refuses(core: &Core, key: &str, group: Group) -> bool {
    let refuses = key::check(key).is_err();
    if refuses {
        core.count_in(group, |counters| &counters.refused_keys);
    }
    refuses
}
