//! What is kept in this process' memory.

use std::{collections::BTreeMap, time::Duration};

use crate::{
    cache::{Cache, EntryInfo},
    cache_core::{Core, Unusable},
    entry::{Entry, Freshness},
    outcome::Tier,
    read_through::full_key,
    scope::{Scope, ScopeHash, ScopeSet, Scopes},
};

/// What these scopes cover of what is in memory, by key.
pub(crate) fn entries_in_memory(cache: &(impl Cache + ?Sized), scopes: Scopes) -> Vec<EntryInfo> {
    let scopes: ScopeSet = scopes.within(cache.prefix()).iter().map(Scope::hash).collect();
    in_memory(cache, |entry| scopes.iter().any(|scope| entry.0.is_covered_by(*scope)))
}

/// The entries in memory whose full keys begin with a text, or are this one, by key.
pub(crate) fn with_keys(cache: &(impl Cache + ?Sized), text: &str, is_beginning: bool) -> Vec<EntryInfo> {
    in_memory(cache, |entry| match is_beginning {
        true => entry.0.key.starts_with(text),
        false => *entry.0.key == *text,
    })
}

fn in_memory(cache: &(impl Cache + ?Sized), is_wanted: impl Fn(&Entry) -> bool) -> Vec<EntryInfo> {
    let core = cache.core();
    let mut listed = Vec::new();
    cache.storage().visit(&mut |entry| {
        if !is_wanted(entry) {
            return;
        }
        let (stored, now) = (&entry.0, core.now());
        listed.push(EntryInfo {
            key: stored.key.to_shared(),
            tier: Tier::Memory,
            size: None,
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

/// An entry in this process' memory, and how it stands: for programs that show it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct MemoryEntry {
    /// The key, without what the handle puts before it.
    pub key: String,
    /// How long ago it was stored, in whichever process.
    pub age: Duration,
    /// How long it is still fresh.
    pub remaining_ttl: Duration,
    /// Whether it may be served.
    pub state: MemoryState,
    /// Whether it is kept in this process alone.
    pub is_unshared: bool,
}

/// How an entry in memory stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum MemoryState {
    /// Served.
    Valid,
    /// Its `ttl` has ended; served within its stale windows.
    Stale,
    /// These have ended too.
    Expired,
    /// Something that covers it was invalidated since its computation began.
    Invalidated,
    /// Not served until the process is in touch with the invalidation log again: see `DisconnectPolicy::Bypass`.
    OutOfTouch,
}

impl MemoryEntry {
    fn new(core: &Core, entry: &Entry, prefix: &str) -> Self {
        let stored = &entry.0;
        let now = core.now();
        // Asked before the entry is judged, as ever.
        let in_touch = core.epochs().in_touch();
        let state = match core.judge(entry) {
            Ok(freshness) if freshness.is_within_ttl() => MemoryState::Valid,
            Ok(Freshness::Expired) | Err(Unusable::Expired) => MemoryState::Expired,
            Ok(_) => MemoryState::Stale,
            Err(_) if in_touch => MemoryState::Invalidated,
            Err(_) => MemoryState::OutOfTouch,
        };
        // What was marked stale has a `ttl` that it does not live to see the end of.
        let ends = if state == MemoryState::Stale { Duration::ZERO } else { stored.remaining(now) };
        Self {
            key: stored.key.strip_prefix(prefix).unwrap_or(&stored.key).to_owned(),
            age: stored.age(now),
            remaining_ttl: ends,
            state,
            is_unshared: entry.is_local() || stored.is_unshared(),
        }
    }
}

/// The entries in this process' memory whose keys begin with `begin`, by key: the first `most` of those that come after
/// `after`.
///
/// It looks at every entry in memory, under no lock, and keeps no more than it returns.
pub fn page_in_memory(cache: &dyn Cache, begin: &str, after: Option<&str>, most: usize) -> Vec<MemoryEntry> {
    let (core, prefix) = (cache.core(), cache.prefix());
    let begin = format!("{prefix}{begin}");
    let after = after.map(|after| format!("{prefix}{after}"));
    let mut first = BTreeMap::new();
    cache.storage().visit(&mut |entry| {
        let key = &entry.0.key;
        let is_after = after.as_deref().is_none_or(|after| **key > *after);
        if !key.starts_with(&begin) || !is_after {
            return;
        }
        let is_full = first.len() >= most;
        if is_full && first.last_key_value().is_none_or(|(last, _)| key >= last) {
            return;
        }
        // One that was moved meanwhile is seen twice, and kept once.
        first.insert(key.clone(), entry.clone());
        if first.len() > most {
            first.pop_last();
        }
    });
    first.values().map(|entry| MemoryEntry::new(core, entry, prefix)).collect()
}

/// The entry under a key in this process' memory, whether it may be served or not, and its scopes: each with whether it was
/// invalidated since the entry was last found valid. Counts as no read.
pub fn explain_in_memory(cache: &dyn Cache, key: &str) -> Option<(MemoryEntry, Vec<(ScopeHash, bool)>)> {
    let (core, key) = (cache.core(), full_key(cache, key));
    let entry = cache.storage().peek(core.lookup(&key))?;
    let explained = MemoryEntry::new(core, &entry, cache.prefix());
    Some((explained, entry.0.changed_scopes(core.epochs()).collect()))
}
