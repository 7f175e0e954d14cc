//! Looking for values: nearby first, and from there on in a box.

use std::{
    borrow::Cow,
    future::Future,
    sync::atomic::{AtomicBool, Ordering},
};

use crate::{
    cache::Cache,
    cache_core::{Core, Lookup},
    compute::{self, Found, find, give_away, serve},
    dependencies,
    entry::{Entry, Freshness},
    error::Result,
    error_sharing::Sharing,
    key, panic_guard,
    policy::Policy,
    value::{Value, ValueType},
};

/// The key with the prefix of the handle it is used with.
pub(super) fn full_key<'k>(cache: &(impl Cache + ?Sized), key: &'k str) -> Cow<'k, str> {
    match cache.prefix() {
        "" => key.into(),
        prefix => format!("{prefix}{key}").into(),
    }
}

/// The value under a key, from a look or from everything else there is, in a box of its own.
pub(super) async fn look_or_compute<V, E, C, S, Fut>(
    cache: &C,
    key: &str,
    policy: &Policy,
    sharing: S,
    compute: impl FnOnce() -> Fut + Send,
) -> Result<V, E>
where
    V: Value,
    E: Send + 'static,
    C: Cache + ?Sized,
    S: Sharing<E>,
    Fut: Future<Output = Result<V, E>> + Send,
{
    let key = full_key(cache, key);
    match look(cache, &key) {
        Ok(value) => Ok(value),
        Err(found) => {
            warn_if_spawning(policy);
            Box::pin(compute::get_or_compute((cache, &*key), found, policy, sharing, compute)).await
        }
    }
}

/// Says once that a computation which borrows from its caller is no task.
pub(super) fn warn_if_spawning(policy: &Policy) {
    // No `Once`: a subscriber that panics would poison it.
    static SAID: AtomicBool = AtomicBool::new(false);
    if policy.spawn && !SAID.swap(true, Ordering::Relaxed) {
        panic_guard::report!(
            warn,
            "a policy with `spawn` is used where computations may borrow from their callers, and so end with \
             them: use `get_or_compute_background`"
        );
    }
}

/// The fresh value under a full key, or else what was found there. Takes no more than a look.
#[inline]
pub(crate) fn look<V: Value>(cache: &(impl Cache + ?Sized), key: &str) -> Result<V, Found> {
    let core = cache.core();
    let at = core.lookup(key);
    match core.hit(at, || cache.peek(at)) {
        Some(value) => Ok(value),
        None => look_further(cache, at),
    }
}

/// The same, for what is not in the front cache.
#[inline(never)]
fn look_further<V: Value>(cache: &(impl Cache + ?Sized), at: Lookup<'_>) -> Result<V, Found> {
    let core = cache.core();
    let stores = core.stores();
    match find::<V>(cache, at) {
        Some((entry, Freshness::Fresh)) => Ok(serve(core, &entry, Freshness::Fresh)),
        entry => Err(Found { entry, stores }),
    }
}

/// The fresh value under a full key, of which a look found no prompt one.
pub(super) async fn get_missing<V: Value>(
    cache: &(impl Cache + ?Sized),
    key: &str,
    found: Found,
) -> Result<Option<V>> {
    key::check(key)?;
    let at = cache.core().lookup(key);
    let found = look_everywhere::<V>(cache, at, found.entry).await;
    Ok(serve_found(cache.core(), at, found))
}

/// The fresh entry under a key, of which `found` was found nearby: from wherever it is.
async fn look_everywhere<V: Value>(
    cache: &(impl Cache + ?Sized),
    at: Lookup<'_>,
    found: Option<(Entry, Freshness)>,
) -> Option<(Entry, Freshness)> {
    match fresh(found) {
        None => fresh(compute::read_one::<V>(cache, at, None).await),
        found => found,
    }
}

/// As `get`, for several keys of which a look found no fresh values, in their order.
pub(super) async fn get_many_missing<V: Value>(
    cache: &(impl Cache + ?Sized),
    missing: Vec<(&str, Found)>,
) -> Result<Vec<Option<V>>> {
    missing.iter().try_for_each(|(key, _)| key::check(key))?;
    let core = cache.core();
    let (keys, mut found): (Vec<_>, Vec<_>) =
        missing.into_iter().map(|(key, found)| (core.lookup(key), fresh(found.entry))).unzip();
    let sought: Vec<_> = (0..keys.len()).filter(|&index| found[index].is_none()).collect();
    let lookups: Vec<_> = sought.iter().map(|&index| keys[index]).collect();
    for (index, read) in sought.into_iter().zip(compute::read::<V>(cache, &lookups, None).await) {
        found[index] = fresh(read);
    }
    Ok(found.into_iter().zip(keys).map(|(found, at)| serve_found(core, at, found)).collect())
}

fn fresh(found: Option<(Entry, Freshness)>) -> Option<(Entry, Freshness)> {
    found.filter(|(_, freshness)| *freshness < Freshness::StaleWhileRevalidate)
}

/// Gives a caller what was found, or nothing; counted, and recorded as read, either way.
fn serve_found<V: Value>(core: &Core, at: Lookup<'_>, found: Option<(Entry, Freshness)>) -> Option<V> {
    if found.is_none() {
        core.count(|counters| &counters.misses);
        dependencies::record_absent(core.epochs(), at.key);
    }
    found.map(|(entry, freshness)| give_away(core, entry, freshness))
}

/// As `get`, but neither a hit nor a miss: for who counts by other rules, with [`Core::count_served`].
pub(crate) async fn find_uncounted<V: Value>(cache: &(impl Cache + ?Sized), key: &str) -> Option<V> {
    let key = full_key(cache, key);
    key::check(&key).ok()?;
    let core = cache.core();
    let at = core.lookup(&key);
    let Some((entry, _)) = look_everywhere::<V>(cache, at, find::<V>(cache, at)).await else {
        dependencies::record_absent(core.epochs(), at.key);
        return None;
    };
    dependencies::record(core.epochs(), &entry.0);
    entry.into_value()
}

/// As `find_uncounted`, of what is nearby; nobody's computation is made from it.
pub(crate) fn find_local<V: Value>(cache: &(impl Cache + ?Sized), key: &str) -> Option<V> {
    let key = full_key(cache, key);
    let at = cache.core().lookup(&key);
    let entry = cache.peek(at).filter(|entry| entry.0.is_valid(cache.core().epochs()))?;
    entry.into_value()
}

/// An entry for all but its value: from wherever it is.
pub(super) async fn look_at(cache: &(impl Cache + ?Sized), key: &str) -> Option<Entry> {
    let core = cache.core();
    let at = core.lookup(key);
    let fresh = |entry: &Entry| {
        entry.0.freshness(core.now()) < Freshness::StaleWhileRevalidate && entry.0.is_valid(core.epochs())
    };
    if let Some(entry) = cache.peek(at).filter(fresh) {
        return Some(entry);
    }
    if !cache.is_shared() {
        return None;
    }
    cache.read_one(at, ValueType::none()).await.filter(fresh)
}
