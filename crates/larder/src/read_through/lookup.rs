//! Looking for entries: in the front cache, in the local store, and from there on, where reads have to wait, in a box.

use std::borrow::Cow;

use crate::{
    cache::Cache,
    cache_core::{Core, Lookup, Unusable},
    deferred, dependencies,
    entry::{Entry, Freshness},
    error::Result,
    error_sharing::Sharing,
    key::{self, text::KeyText},
    memory::tier::MemoryTier,
    outcome::{Observer, Source, Tier},
    spans::Traced,
    stats::Group,
    value::{LocalValue, Value, ValueType},
};

/// A lookup that found no fresh value.
#[derive(Debug, Clone)]
pub(crate) struct Missed {
    /// The key's hash in the cache.
    pub(crate) hash: u64,
    /// What was found instead: a value, or an error that is kept.
    entry: Option<(Entry, Freshness)>,
    /// [`Core::stores`] before the lookup.
    pub(crate) stores: u64,
    /// Where the call notes its outcome.
    pub(crate) observer: Observer,
}

impl Missed {
    /// The value that was found instead.
    pub(super) fn into_value(self) -> Option<(Entry, Freshness)> {
        self.entry.filter(|(entry, _)| !entry.0.is_error())
    }

    /// The same, of a call that notes its outcome.
    pub(crate) fn observed(self, observer: Observer) -> Self {
        Self { observer, ..self }
    }

    /// Without a lookup: whatever was stored so far is news.
    pub(crate) fn without_lookup(core: &Core, key: &str) -> Self {
        Self { hash: core.lookup(key).hash, entry: None, stores: 0, observer: Observer::default() }
    }
}

/// The key with the prefix of the handle it is used with.
pub(crate) fn full_key<'k>(cache: &(impl Cache + ?Sized), key: &'k str) -> Cow<'k, str> {
    match cache.prefix() {
        "" => key.into(),
        prefix => format!("{prefix}{key}").into(),
    }
}

/// The fresh value under a full key, or else what was found there. Never waits.
#[expect(clippy::inline_always, reason = "a call costs a tenth of a hit, and the compiler makes one")]
#[inline(always)]
pub(crate) fn look<V: LocalValue>(cache: &(impl Cache + ?Sized), key: &impl KeyText) -> Result<V, Missed> {
    let core = cache.core();
    let bytes = key.bytes();
    let hash = core.hash(bytes);
    match core.hit(bytes, hash, |at| cache.storage().peek(at)) {
        Ok(value) => Ok(value),
        Err(absent) => look_further(cache, key, hash, absent),
    }
}

/// The same, for what is no plain hit, and `absent` from the core's table if that says as of when.
#[inline(never)]
fn look_further<V: LocalValue>(
    cache: &(impl Cache + ?Sized),
    key: &impl KeyText,
    hash: u64,
    absent: Option<u64>,
) -> Result<V, Missed> {
    match absent {
        Some(stores) if cache.storage().memory().is_some_and(MemoryTier::is_in_table) => {
            Err(Missed { hash, entry: None, stores, observer: Observer::default() })
        }
        _ => look_in_store(cache, Lookup { key: key.text(), hash }, Observer::default()),
    }
}

/// The same as [`look`], of a call that notes its outcome.
pub(crate) fn look_observed<V: LocalValue>(
    cache: &(impl Cache + ?Sized),
    key: &str,
    observer: Observer,
) -> Result<V, Missed> {
    look_in_store(cache, cache.core().lookup(key), observer)
}

fn look_in_store<V: LocalValue>(
    cache: &(impl Cache + ?Sized),
    at: Lookup<'_>,
    observer: Observer,
) -> Result<V, Missed> {
    let core = cache.core();
    // First: whatever is stored after this is not what the lookup finds.
    let stores = core.stores();
    match find_any::<V>(cache, at) {
        Some((entry, Freshness::Fresh)) if !entry.0.is_error() => {
            observer.tell(|| entry.0.outcome(Source::Hit, Some(Tier::Memory), core.now()));
            Ok(serve(core, &entry, Freshness::Fresh, Tier::Memory))
        }
        entry => Err(Missed { hash: at.hash, entry, stores, observer }),
    }
}

/// The usable entry under a key in the local store. Counts why there is none, and reports what is a mistake.
pub(super) fn find<V: LocalValue>(
    cache: &(impl Cache + ?Sized),
    at: Lookup<'_>,
) -> Option<(Entry, Freshness)> {
    find_any::<V>(cache, at).filter(|(entry, _)| !entry.0.is_error())
}

/// The same; an error that is kept will do.
fn find_any<V: LocalValue>(cache: &(impl Cache + ?Sized), at: Lookup<'_>) -> Option<(Entry, Freshness)> {
    let core = cache.core();
    let entry = cache.storage().peek(at).filter(|entry| !is_passed_by(core, entry))?;
    if entry.0.is_error() {
        return core.judge(&entry).ok().map(|freshness| (entry, freshness));
    }
    match core.judge_as::<V>(&entry) {
        Ok(freshness) => return Some((entry, freshness)),
        Err(Unusable::OtherType) => {
            core.refuse_other_type(at.key, std::any::type_name::<V>(), entry.0.group);
        }
        Err(Unusable::Expired) => {}
        Err(Unusable::Invalidated) => core.count_in(entry.0.group, |counters| &counters.invalidated_reads),
    }
    None
}

/// The error that a lookup found in place of a value, for a caller who can take it. It is a hit.
pub(super) fn find_kept<E>(
    cache: &(impl Cache + ?Sized),
    missed: &Missed,
    sharing: impl Sharing<E>,
) -> Option<E> {
    let (entry, Freshness::Fresh) = missed.entry.as_ref()? else { return None };
    if !entry.0.is_error() {
        return None;
    }
    let core = cache.core();
    let error = sharing.kept(entry)?;
    missed.observer.tell(|| entry.0.outcome(Source::Hit, Some(Tier::Memory), core.now()));
    core.count_in(entry.0.group, |counters| &counters.hits);
    core.tell_hit(&entry.0, Tier::Memory, false);
    dependencies::record(core.epochs(), &entry.0);
    Some(error)
}

/// Whether the caller is to have no use of an entry, valid or not: the cache is disabled, or a transaction that the call is
/// a part of has invalidated it.
pub(super) fn is_passed_by(core: &Core, entry: &Entry) -> bool {
    !core.is_enabled() || deferred::covers(core, entry)
}

/// Whether there may be more than what is found locally.
pub(super) fn reads_further(cache: &(impl Cache + ?Sized)) -> bool {
    cache.core().is_enabled() && cache.storage().reads_further()
}

/// The usable entries under these keys, from the store that takes waiting.
pub(super) async fn read<V: LocalValue>(
    cache: &(impl Cache + ?Sized),
    keys: &[Lookup<'_>],
    of: ValueType,
) -> Vec<Option<(Entry, Freshness)>> {
    if !reads_further(cache) || keys.is_empty() {
        return vec![None; keys.len()];
    }
    let entries = cache.storage().read(keys, of).await;
    entries.into_iter().map(|entry| usable::<V>(cache.core(), entry?)).collect()
}

/// The same for one key; an error that is kept will do if `of` says so.
pub(super) async fn read_one<V: LocalValue>(
    cache: &(impl Cache + ?Sized),
    at: Lookup<'_>,
    of: ValueType,
) -> Option<(Entry, Freshness)> {
    if !reads_further(cache) {
        return None;
    }
    let (core, entry) = (cache.core(), cache.storage().read_one(at, of).await?);
    match entry.0.is_error() && of.error_transport.is_some() && !is_passed_by(core, &entry) {
        true => core.judge(&entry).ok().map(|freshness| (entry, freshness)),
        false => usable::<V>(core, entry),
    }
}

fn usable<V: LocalValue>(core: &Core, entry: Entry) -> Option<(Entry, Freshness)> {
    let freshness = core.judge_as::<V>(&entry).ok()?;
    (!is_passed_by(core, &entry)).then_some((entry, freshness))
}

/// Gives the value of an entry that lay in this tier to a caller: counted, and recorded as read.
pub(super) fn serve<V: LocalValue>(core: &Core, entry: &Entry, freshness: Freshness, tier: Tier) -> V {
    count_hit(core, entry, freshness, tier);
    receive(core, entry)
}

/// The same, where the entry is needed no longer: if it has no other owner, its value need not be cloned.
fn give_away<V: LocalValue>(core: &Core, entry: Entry, freshness: Freshness, tier: Tier) -> V {
    count_hit(core, &entry, freshness, tier);
    dependencies::record(core.epochs(), &entry.0);
    entry.into_value().expect("the type was looked at")
}

/// Counts a hit on what lay in this tier.
pub(super) fn count_hit(core: &Core, entry: &Entry, freshness: Freshness, tier: Tier) {
    core.tell_hit(&entry.0, tier, !freshness.is_within_ttl());
    match freshness {
        Freshness::Fresh => core.store_hit(entry),
        Freshness::AskFurther | Freshness::RefreshAhead => {
            core.count_in(entry.0.group, |counters| &counters.hits)
        }
        _ => core.count_in(entry.0.group, |counters| &counters.stale_hits),
    }
}

/// Gives a caller the value of an entry that was found or made to hold a `V`.
pub(super) fn receive<V: LocalValue>(core: &Core, entry: &Entry) -> V {
    dependencies::record(core.epochs(), &entry.0);
    entry.value::<V>().expect("the type was looked at, or is a part of what singleflight joins").clone()
}

/// `get`, for a full key that a lookup missed.
pub(crate) async fn get_missing<V: Value>(
    cache: &(impl Cache + ?Sized),
    key: &str,
    missed: Missed,
) -> Result<Option<V>> {
    key::check(key)?;
    let at = Lookup { key, hash: missed.hash };
    let (core, of) = (cache.core(), by_hand::<V>(cache));
    let (mut found, older) = here(missed.into_value());
    let mut tier = Tier::Memory;
    // What waits for nothing is no span.
    if found.is_none() && reads_further(cache) {
        let (_, namespace) = core.statistics().names(of.group);
        let span = Traced::get(core.name(), "", namespace, key);
        found = within_ttl(span.clone().wrap(read_one::<V>(cache, at, of)).await);
        if let Some((entry, _)) = &found {
            core.count_in(of.group, |counters| &counters.hits_shared);
            span.answered("hit", entry.origin());
            tier = entry.origin();
        } else {
            span.record("outcome", "miss");
        }
    }
    Ok(serve_found(core, at, found.or(older), (of.group, tier)))
}

/// The same for what is kept in this process alone. Never waits.
pub(crate) fn get_here<V: LocalValue>(
    cache: &(impl Cache + ?Sized),
    key: &str,
    missed: Missed,
) -> Result<Option<V>> {
    key::check(key)?;
    let at = Lookup { key, hash: missed.hash };
    let group = cache.core().statistics().group("", cache.prefix());
    Ok(serve_found(cache.core(), at, within_ttl(missed.into_value()), (group, Tier::Memory)))
}

/// The type of a value that is read by hand.
pub(super) fn by_hand<V: Value>(cache: &(impl Cache + ?Sized)) -> ValueType {
    ValueType::of::<V>(None).counted_in(cache.core().statistics().group("", cache.prefix()))
}

/// As `get`, for several keys that lookups missed, in their order.
pub(crate) async fn get_many_missing<V: Value>(
    cache: &(impl Cache + ?Sized),
    missed: Vec<(&str, Missed)>,
) -> Result<Vec<Option<V>>> {
    missed.iter().try_for_each(|(key, _)| key::check(key))?;
    let (keys, found): (Vec<_>, Vec<_>) = missed
        .into_iter()
        .map(|(key, missed)| (Lookup { key, hash: missed.hash }, here(missed.into_value())))
        .unzip();
    let (mut found, older): (Vec<_>, Vec<_>) = found.into_iter().unzip();
    let sought: Vec<_> = (0..keys.len()).filter(|&index| found[index].is_none()).collect();
    let lookups: Vec<_> = sought.iter().map(|&index| keys[index]).collect();
    let (core, of) = (cache.core(), by_hand::<V>(cache));
    let (_, namespace) = core.statistics().names(of.group);
    let span = match reads_further(cache) {
        true => Traced::get_many(core.name(), "", namespace, lookups.len()),
        false => Traced::default(),
    };
    let mut tiers = vec![Tier::Memory; keys.len()];
    for (index, read) in sought.into_iter().zip(span.wrap(read::<V>(cache, &lookups, of)).await) {
        found[index] = within_ttl(read);
        if let Some((entry, _)) = &found[index] {
            tiers[index] = entry.origin();
            core.count_in(of.group, |counters| &counters.hits_shared);
        }
    }
    let found = found.into_iter().zip(older).map(|(found, older)| found.or(older));
    let found = found.zip(keys).zip(tiers);
    Ok(found.map(|((found, at), tier)| serve_found(core, at, found, (of.group, tier))).collect())
}

pub(super) fn within_ttl(found: Option<(Entry, Freshness)>) -> Option<(Entry, Freshness)> {
    found.filter(|(_, freshness)| freshness.is_within_ttl())
}

/// What was found, if anything.
type Found = Option<(Entry, Freshness)>;

/// What memory answers with alone, and else what it answers with if nothing is found behind it.
pub(super) fn here(found: Found) -> (Found, Found) {
    match within_ttl(found) {
        Some(found @ (_, Freshness::AskFurther)) => (None, Some(found)),
        found => (found, None),
    }
}

/// Gives a caller what was found, or nothing; counted, and recorded as read, either way.
fn serve_found<V: LocalValue>(
    core: &Core,
    at: Lookup<'_>,
    found: Option<(Entry, Freshness)>,
    (group, tier): (Group, Tier),
) -> Option<V> {
    if found.is_none() {
        core.count_in(group, |counters| &counters.misses);
        core.tell_miss(at.key, group);
        dependencies::record_absent(core.epochs(), at.key);
    }
    found.map(|(entry, freshness)| give_away(core, entry, freshness, tier))
}
