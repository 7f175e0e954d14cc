//! What one caller asks for, and the states that it goes through.

use std::{any::TypeId, sync::Arc};

use super::lookup::Missed;
use crate::{
    cache::Cache,
    cache_core::{Core, Lookup},
    entry::{Entry, Freshness},
    key,
    policy::Policy,
    scope::{self, ScopeSet},
    singleflight::{Caller, Leader, Waiter, Watch, WorkKey},
    value::Value,
};

/// What one caller asks for: the value under a key.
pub(super) struct Request<'a, C: ?Sized, S> {
    pub(super) cache: &'a C,
    pub(super) policy: &'a Policy,
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
}

/// What a request does next.
pub(super) enum Step<V, E> {
    /// Nothing.
    Done(Result<V, E>),
    /// Joins the computation that is under way, or leads a new one.
    Enter,
    /// Waits for another caller's computation.
    Wait(Waiter),
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
        (cache, policy): (&'a C, &'a Policy),
        (key, hash): (impl Into<Arc<str>>, u64),
        (sharing, stores): (S, u64),
        watch: Arc<Watch>,
    ) -> Self {
        let key = key.into();
        let scopes = scope::covering(&key, &policy.tags);
        Self { cache, policy, sharing, key, hash, scopes, stores, watch }
    }

    /// The prologue of a call for one key that a lookup `missed`. None if the key can be that of no entry: its value is
    /// then computed without the cache.
    pub(super) fn open(
        (cache, key): (&'a C, &str),
        missed: &Missed,
        policy: &'a Policy,
        sharing: S,
    ) -> Option<Self> {
        if refuses(cache.core(), key) {
            return None;
        }
        let watch = Watch::new(policy.takeover_after);
        Some(Self::new((cache, policy), (key, missed.hash), (sharing, missed.stores), watch))
    }

    pub(super) fn core(&self) -> &'a Core {
        self.cache.core()
    }

    pub(super) fn at(&self) -> Lookup<'_> {
        Lookup { key: &self.key, hash: self.hash }
    }

    pub(super) fn work<V: Value>(&self) -> WorkKey {
        WorkKey { key: self.key.clone(), value_type: TypeId::of::<V>() }
    }

    pub(super) fn caller<'c>(&'c self, work: &'c WorkKey) -> Caller<'c> {
        Caller { work, hash: self.hash, scopes: &self.scopes, watch: &self.watch }
    }
}

/// Whether a key can be that of no entry.
pub(super) fn refuses(core: &Core, key: &str) -> bool {
    let refuses = key::check(key).is_err();
    if refuses {
        core.count(|counters| &counters.refused_keys);
    }
    refuses
}
