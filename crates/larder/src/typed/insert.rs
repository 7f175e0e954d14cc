//! Storing a value that is at hand.

use std::{
    mem,
    panic::{AssertUnwindSafe, catch_unwind, resume_unwind},
    time::Duration,
};

use smallvec::SmallVec;

use crate::{
    cache::{Cache, Strength},
    cache_core::Core,
    deferred, dependencies,
    entry::{DependencySet, Entry},
    epoch::ReadVersion,
    error::Result,
    key,
    memory::tier::MemoryTier,
    mutant::{self, Rule},
    policy::Policy,
    read_through::{Wanted, memory_limit},
    scope::{self, Scope, ScopeHash},
    spans::Traced,
    stats::Group,
    table::Dropped,
    value::LocalValue,
};

/// Replaces what is under full keys by values that were read after `since`: in one step, so that none of
/// them is taken for a change that another one came before. Of values for one key, the last one stays. Says whether they
/// stand: nothing else that covers them was changed since.
pub(crate) async fn insert<V: LocalValue>(
    cache: &(impl Cache + ?Sized),
    since: ReadVersion,
    values: &[(&str, &V)],
    (policy, wanted): (&Policy, Wanted),
) -> Result<bool> {
    values.iter().try_for_each(|(key, _)| key::check(key))?;
    if deferred::is_current() {
        let scopes: Vec<_> = values.iter().map(|(key, _)| Scope::key(*key)).collect();
        deferred::collect(cache, &scopes, Strength::Hard);
        let invalidating = cache.storage().apply(&scopes);
        // It is applied, and on its way. A thread does not wait for it: the timer of that may be its own to drive.
        if !wanted.blocks() {
            invalidating.await;
        }
        return Ok(true);
    }
    let wanted = wanted.within(cache);
    let group = wanted.of.group;
    let core = cache.core();
    let mut keys = SmallVec::<[_; 1]>::with_capacity(values.len());
    values.iter().for_each(|(key, _)| keys.push(ScopeHash::key(key)));
    let memory = cache.storage().memory().filter(|memory| memory.is_of(core));
    let entry_of = |&(key, value): &(&str, &V)| {
        let at = (key.into(), core.lookup(key).hash);
        let lifetime = policy.lifetime(wanted.of.is_none(value));
        let of_value = (V::clone(value), wanted.of, Duration::ZERO);
        let lives = (core.now(), lifetime);
        let terms = (policy, memory_limit(cache, policy, wanted.of));
        let entry = Entry::new(at, of_value, lives, terms, cover(core, since, key, policy));
        let weight = memory.and_then(|memory| memory.weigh(&entry));
        let is_wanted = !lifetime.is_zero() && core.is_enabled();
        New { entry, weight, is_wanted, stands: false, displaced: Dropped::default() }
    };
    let mut new = SmallVec::<[New; 1]>::with_capacity(values.len());
    // All code of users runs in there. If it panics, what is there is invalidated all the same.
    let make = AssertUnwindSafe(|| values.iter().for_each(|value| new.push(entry_of(value))));
    if let Err(panic) = catch_unwind(make) {
        core.replace(&keys, drop);
        resume_unwind(panic);
    }
    if let Some(memory) = memory {
        new.iter().filter(|new| new.is_wanted).for_each(|new| memory.make_room(&new.entry, new.weight));
    }
    let stand = replace(core, memory, &keys, (&mut new, group));
    new.iter().for_each(|kept| core.pauses().clear(kept.entry.0.hash));

    let (function, namespace) = core.statistics().names(group);
    let span = Traced::store(core.name(), function, namespace, new.len());
    let storage = cache.storage();
    let entries = || new.iter().map(|kept| kept.entry.clone()).collect::<Vec<_>>();
    let written = match memory {
        None => span.clone().wrap(storage.write(&entries())).await,
        Some(_) if storage.writes_further() => span.clone().wrap(storage.write_further(&entries())).await,
        Some(_) => Ok(()),
    };
    span.record("outcome", if written.is_ok() { "stored" } else { "not shared" });
    new.iter().for_each(|kept| core.note_written(&kept.entry, group));
    written.map(|()| stand)
}

/// An entry that is to take the place of what is under its key.
struct New {
    entry: Entry,
    /// If there is a weigher.
    weight: Option<u32>,
    /// Whether it is to be kept, if it stands.
    is_wanted: bool,
    /// Whether nothing else that covers it was changed since it was read.
    stands: bool,
    /// What memory let go of for it.
    displaced: Dropped,
}

/// Applies the change of these keys, and puts the new entries that stand in memory in the same step. Leaves those that are
/// kept, and says whether all stand.
fn replace(
    core: &Core,
    memory: Option<&MemoryTier>,
    keys: &[ScopeHash],
    (all, group): (&mut SmallVec<[New; 1]>, Group),
) -> bool {
    core.replace(keys, |replacement| {
        for new in all.iter_mut() {
            new.stands = new.entry.0.stands(core.epochs()) || mutant::is(Rule::InsertWithoutCheck);
            if !new.stands || !new.is_wanted {
                continue;
            }
            new.entry.take_place(&replacement);
            if let Some(memory) = memory {
                new.displaced = memory.place(&new.entry, new.weight);
                core.note_stored();
            }
        }
    });
    let stand = all.iter().all(|new| new.stands);
    all.retain(|New { entry, weight, is_wanted, stands, displaced }| {
        if !*stands {
            match entry.0.is_too_wide() {
                true => core.refuse_too_wide(entry.key(), group),
                false => core.count_in(group, |counters| &counters.stores_outdated),
            }
        }
        let is_kept = *stands && *is_wanted;
        if let (true, Some(memory)) = (is_kept, memory) {
            memory.settle(mem::take(displaced), *weight);
        }
        is_kept
    });
    stand
}

/// What covers a value for a key that was read after `since`. Inside a computation, what that read from
/// caches earlier is as old as its beginning.
fn cover(core: &Core, since: ReadVersion, key: &str, policy: &Policy) -> DependencySet {
    let own = scope::covering(key, &policy.tags);
    match dependencies::current() {
        Some(frame) => {
            let cover = frame.cover(own, core.epochs());
            DependencySet { since: since.earlier(cover.since), ..cover }
        }
        None => DependencySet::new(since, own),
    }
}
