//! Reads that are neither hits nor misses.

use std::time::Duration;

use super::lookup::{by_hand, find, full_key, is_passed_by, read_one, reads_further, within_ttl};
use crate::{
    cache::Cache,
    dependencies,
    entry::{Entry, Freshness},
    key,
    outcome::Tier,
    value::{Value, ValueType},
};

/// As `get`, but neither a hit nor a miss: for callers that count by other rules, with [`Core::count_served`].
pub(crate) async fn find_uncounted<V: Value>(cache: &(impl Cache + ?Sized), key: &str) -> Option<V> {
    let key = full_key(cache, key);
    key::check(&key).ok()?;
    let core = cache.core();
    let at = core.lookup(&key);
    let found = match within_ttl(find::<V>(cache, at)) {
        None => within_ttl(read_one::<V>(cache, at, by_hand::<V>(cache)).await),
        found => found,
    };
    let Some((entry, _)) = found else {
        dependencies::record_absent(core.epochs(), at.key);
        return None;
    };
    dependencies::record(core.epochs(), &entry.0);
    entry.into_value()
}

/// The same of any age: what is past its `ttl` or was marked stale is found for as long as its policy keeps it. Also tells
/// how long ago it was marked, and where it lay.
pub(crate) async fn find_kept_uncounted<V: Value>(
    cache: &(impl Cache + ?Sized),
    key: &str,
    is_renewed: bool,
) -> Option<(V, Option<Duration>, Tier)> {
    let key = full_key(cache, key);
    key::check(&key).ok()?;
    let core = cache.core();
    let at = core.lookup(&key);
    let found = match find::<V>(cache, at) {
        // What is stale here may have been replaced elsewhere.
        here if within_ttl(here.clone()).is_none() => {
            let further = read_one::<V>(cache, at, by_hand::<V>(cache)).await;
            let tier = further.as_ref().map_or(Tier::Memory, |(entry, _)| entry.origin());
            further.or(here).zip(Some(tier))
        }
        found => found.zip(Some(Tier::Memory)),
    };
    let Some(((entry, _), tier)) = found else {
        dependencies::record_absent(core.epochs(), at.key);
        return None;
    };
    match is_renewed {
        true => dependencies::record_renewed(core.epochs(), &entry.0),
        false => dependencies::record(core.epochs(), &entry.0),
    }
    let marked_at = entry.0.marked_at(core.epochs());
    let since = marked_at.map(|at| core.now().since(at));
    Some((entry.into_value()?, since, tier))
}

/// The same from the local store, at once, and without counting why it is not there. A computation depends on what is
/// found, but not on its absence, which a caller that looks further records.
pub(crate) fn find_in_memory_uncounted<V: Value>(cache: &(impl Cache + ?Sized), key: &str) -> Option<V> {
    let key = full_key(cache, key);
    key::check(&key).ok()?;
    let core = cache.core();
    let usable = |entry: &Entry| !is_passed_by(core, entry) && !entry.0.is_error();
    let entry = cache.storage().peek(core.lookup(&key)).filter(usable)?;
    core.judge_as::<V>(&entry).ok().filter(|freshness| freshness.is_within_ttl())?;
    dependencies::record(core.epochs(), &entry.0);
    entry.into_value()
}

/// The value in the local store that is valid by the one rule, of any age: its age is judged by the caller, and no
/// computation is made from it.
pub(crate) fn find_local<V: Value>(cache: &(impl Cache + ?Sized), key: &str) -> Option<V> {
    let key = full_key(cache, key);
    let core = cache.core();
    let usable = |entry: &Entry| !is_passed_by(core, entry) && entry.0.is_valid(core.epochs());
    let entry = cache.storage().peek(core.lookup(&key)).filter(usable)?;
    entry.into_value()
}

/// The value that the store behind the memory has, whatever lies in memory; nothing where there is none behind it. No
/// computation depends on it.
pub(crate) async fn find_shared_uncounted<V: Value>(cache: &(impl Cache + ?Sized), key: &str) -> Option<V> {
    let key = full_key(cache, key);
    key::check(&key).ok()?;
    cache.storage().memory()?;
    let core = cache.core();
    let (entry, _) = read_one::<V>(cache, core.lookup(&key), by_hand::<V>(cache)).await?;
    if entry.0.marked_at(core.epochs()).is_some() { None } else { entry.into_value() }
}

/// An entry within its `ttl`, for all but its value: from wherever it is.
pub(crate) async fn look_at(cache: &(impl Cache + ?Sized), key: &str) -> Option<Entry> {
    let core = cache.core();
    let at = core.lookup(key);
    let within_ttl =
        |entry: &Entry| !is_passed_by(core, entry) && core.judge(entry).is_ok_and(Freshness::is_within_ttl);
    if let Some(entry) = cache.storage().peek(at).filter(within_ttl) {
        return Some(entry);
    }
    if !reads_further(cache) {
        return None;
    }
    cache.storage().read_one(at, ValueType::none()).await.filter(within_ttl)
}
