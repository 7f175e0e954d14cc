//! Storing a value that was read from its source again: that it was read is no change of it.

use std::time::Duration;

use super::{
    lookup::full_key,
    request::{Wanted, memory_limit},
    storing::write,
};
use crate::{
    cache::Cache,
    deferred, dependencies,
    entry::Entry,
    key,
    policy::Policy,
    scope::{self, ScopeHash},
    value::Value,
};

/// Puts the value in the place of what is under its key, if nothing that covers it was changed since the current
/// computation, which read it, began. If it `is_news`, that is a change of the key, in one step with it; otherwise nothing
/// is changed. Returns whether it is stored.
pub(crate) async fn store_read_again<V: Value>(
    cache: &(impl Cache + ?Sized),
    key: &str,
    value: &V,
    (policy, is_news): (&Policy, bool),
) -> bool {
    let (key, core) = (full_key(cache, key), cache.core());
    let lifetime = policy.lifetime(false);
    if key::check(&key).is_err() || lifetime.is_zero() || !core.is_enabled() || deferred::is_current() {
        return false;
    }
    let Some(frame) = dependencies::current() else { return false };
    let wanted = Wanted::shared::<V>(policy).within(cache);
    let group = wanted.of.group;
    let at = ((&*key).into(), core.lookup(&key).hash);
    let of_value = (value.clone(), wanted.of, Duration::ZERO);
    let lives = (core.now(), lifetime);
    let cover = frame.cover(scope::covering(&key, &policy.tags), core.epochs());
    let terms = (policy, memory_limit(cache, policy, wanted.of));
    let mut entry = Entry::new(at, of_value, lives, terms, cover);
    if entry.0.is_too_wide() {
        core.refuse_too_wide(entry.key(), group);
        return false;
    }
    let storage = cache.storage();
    if is_news {
        let memory = storage.memory().filter(|memory| memory.is_of(core));
        let weight = memory.and_then(|memory| memory.weigh(&entry));
        memory.iter().for_each(|memory| memory.make_room(&entry, weight));
        let stands = |entry: &Entry| entry.0.stands(core.epochs());
        let place = |entry: &mut Entry, replacement| {
            entry.take_place(&replacement);
            let displaced = memory.map(|memory| memory.place(entry, weight));
            core.note_stored();
            displaced
        };
        let Some(displaced) = core.replace_if(&[ScopeHash::key(&key)], &mut entry, stands, place) else {
            return false;
        };
        if let (Some(memory), Some(displaced)) = (memory, displaced) {
            memory.settle(displaced, weight);
        }
    } else if !entry.0.stands(core.epochs()) {
        return false;
    }
    write(cache, std::slice::from_ref(&entry)).await;
    frame.note_stored_beside();
    true
}
