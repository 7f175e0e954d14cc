//! Storing a value that is at hand.

use std::time::Duration;

use crate::{
    cache::{Cache, Strength},
    cache_core::Core,
    deferred, dependencies,
    entry::{DependencySet, Entry},
    epoch::ReadVersion,
    error::Result,
    key,
    mutant::{self, Rule},
    policy::Policy,
    read_through::Wanted,
    scope::{self, Scope, ScopeHash},
    spans::Traced,
    value::LocalValue,
};

/// Replaces what is under full keys by values that were read after `since`: in one step, so that none of
/// them is taken for a change that another one came before. Of values for one key, the last one stays.
pub(crate) async fn insert<V: LocalValue>(
    cache: &(impl Cache + ?Sized),
    since: ReadVersion,
    values: &[(&str, &V)],
    (policy, wanted): (&Policy, Wanted),
) -> Result<()> {
    values.iter().try_for_each(|(key, _)| key::check(key))?;
    if deferred::is_current() {
        let scopes: Vec<_> = values.iter().map(|(key, _)| Scope::key(*key)).collect();
        deferred::collect(cache, &scopes, Strength::Hard);
        cache.storage().apply(&scopes).await;
        return Ok(());
    }
    let wanted = wanted.within(cache);
    let group = wanted.of.group;
    let core = cache.core();
    let covers: Vec<_> = values.iter().map(|(key, _)| cover(core, since, key, policy)).collect();
    let keys: Vec<_> = values.iter().map(|(key, _)| ScopeHash::key(key)).collect();
    let stands = |cover: &DependencySet| {
        !cover.is_too_wide() && (cover.is_current(core.epochs()) || mutant::is(Rule::InsertWithoutCheck))
    };
    let replaced = core.replace(&keys, || covers.iter().map(stands).collect::<Vec<_>>());

    let mut entries = Vec::with_capacity(values.len());
    for ((&(key, value), cover), stands) in values.iter().zip(covers).zip(replaced.judged) {
        let lifetime = policy.lifetime(wanted.of.is_none(value));
        if !stands && cover.is_too_wide() {
            core.refuse_too_wide(key, group);
        } else if !stands {
            core.count_in(group, |counters| &counters.stores_outdated);
        } else if !lifetime.is_zero() && core.is_enabled() {
            let at = (key.into(), core.lookup(key).hash);
            core.pauses().clear(at.1);
            let lives = (core.now(), lifetime);
            entries.push(Entry::new(
                at,
                (V::clone(value), wanted.of, Duration::ZERO),
                lives,
                policy,
                DependencySet { since: replaced.since, announcement: replaced.announcement.clone(), ..cover },
            ));
        }
    }
    let (function, namespace) = core.statistics().names(group);
    let span = Traced::store(core.name(), function, namespace, entries.len());
    let written = span.clone().wrap(cache.storage().write(&entries)).await;
    span.record("outcome", if written.is_ok() { "stored" } else { "not shared" });
    for _ in entries.iter().filter(|entry| !entry.0.is_unshared()) {
        core.count_in(group, |counters| &counters.stores);
    }
    written
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
