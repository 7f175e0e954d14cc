//! What is kept in this process' memory.

use std::{sync::Arc, time::Duration};

use crate::{
    cache::Cache,
    scope::{ScopeSet, Scopes},
};

/// An entry in this process' memory, as it was when it was listed by
/// [`entries_in_memory`](crate::CacheExt::entries_in_memory).
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct EntryInfo {
    /// The full key, namespaces included.
    pub key: Arc<str>,
    /// How long ago it was stored, in whichever process.
    pub age: Duration,
    /// How long it is still fresh: zero if its `ttl` is over, and it may be served stale at most.
    pub remaining_ttl: Duration,
    /// Whether it may be served, fresh or stale. If not, it was invalidated, or its time is over, and its memory is about
    /// to be free.
    pub is_servable: bool,
    /// Whether it is kept in this process alone: because it is `local`, or because it cannot be shared.
    pub is_unshared: bool,
}

/// What these scopes cover of what is in memory, by key.
pub(crate) fn entries_in_memory(cache: &(impl Cache + ?Sized), scopes: Scopes) -> Vec<EntryInfo> {
    let scopes: ScopeSet = scopes.0.into_iter().map(|scope| scope.within(cache.prefix()).hash()).collect();
    let core = cache.core();
    let mut listed = Vec::new();
    cache.storage().visit(&mut |entry| {
        let stored = &entry.0;
        if !scopes.iter().any(|scope| stored.is_covered_by(*scope)) {
            return;
        }
        let now = core.now();
        listed.push(EntryInfo {
            key: stored.key.clone(),
            age: stored.age(now),
            remaining_ttl: stored.remaining(now),
            is_servable: core.judge(entry).is_ok(),
            is_unshared: entry.is_local() || stored.is_unshared(),
        });
    });
    listed.sort_unstable_by(|one, other| one.key.cmp(&other.key));
    // One that was moved meanwhile was seen twice.
    listed.dedup_by(|one, other| one.key == other.key);
    listed
}
