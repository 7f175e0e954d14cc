//! What larder's sister crates, `larder-http`, `larder-cli`, `larder-sql` and `larder-memcached`, may use beside the public API.
//!
//! The functions here are for crates that serve cached values by rules of their own, as an HTTP cache does: they look at
//! entries that they may not serve, and count hits themselves; or that show what is kept in memory. The module `inspect`
//! (feature `inspect`) is for programs that look at what lies in Redis and take no part in caching. The module `shared`
//! (feature `shared`) is for stores that several processes share. Everything else they do through the public API.
//!
//! These functions follow no semantic versioning: they can change in any release. A sister crate depends on exactly one
//! version of `larder`, as `larder-http` does (`=0.1.0`). Other crates should use [`CacheExt`](crate::CacheExt).

use std::{error::Error, time::Duration};

use crate::{
    cache::Cache,
    cache_core::Core,
    cache_events::CacheEvent,
    dependencies,
    entry::Entry,
    error::SharedError,
    key::Key,
    outcome::Tier,
    policy::Policy,
    read_through,
    scope::{ScopeHash, ScopeSet},
    stats::{Group, nanos},
    value::Value,
};

#[cfg(feature = "shared")]
#[cfg_attr(docsrs, doc(cfg(feature = "shared")))]
pub mod shared;

#[cfg(feature = "inspect")]
#[cfg_attr(docsrs, doc(cfg(feature = "inspect")))]
pub use crate::redis::inspect;
pub use crate::{
    dependencies::unrecorded,
    listing::{MemoryEntry, MemoryState, explain_in_memory, page_in_memory},
    scope::{own_scopes, unnamed_scope},
};

/// Reads the value under a key, wherever it is stored, without counting a hit or a miss. Stale values are returned too.
///
/// A running computation depends on what it reads in this way, unless it does so in [`unrecorded`].
pub async fn find_uncounted<V: Value>(cache: &dyn Cache, key: &str) -> Option<V> {
    read_through::find_uncounted(cache, key).await
}

/// What [`find_kept_uncounted`] found.
#[derive(Debug, Clone)]
pub struct Kept<V> {
    /// The value.
    pub value: V,
    /// How long ago it was marked stale, if it was.
    pub marked: Option<Duration>,
    /// Where it lay.
    pub tier: Tier,
}

/// As [`find_uncounted`], of any age: what is past its `ttl` or was marked stale is found for as long as its policy's
/// `stale_if_error`, or [`keep_stale`], keeps it. The caller judges its age.
///
/// A computation that reads what was marked stale makes what is as stale.
pub async fn find_kept_uncounted<V: Value>(cache: &dyn Cache, key: &str) -> Option<Kept<V>> {
    let (value, marked, tier) = read_through::find_kept_uncounted(cache, key, false).await?;
    Some(Kept { value, marked, tier })
}

/// The same for a computation that has found out that the value is current: what invalidates it, or marks it from now on,
/// does the same to the computation's own value, which is not stale for being made from it.
pub async fn find_renewed_uncounted<V: Value>(cache: &dyn Cache, key: &str) -> Option<V> {
    Some(read_through::find_kept_uncounted(cache, key, true).await?.0)
}

/// Reads the value that other processes share under a key, whatever lies in this one's memory: of any age, but not one that
/// was marked stale. None for a cache without memory, or with nothing behind it. No computation depends on it.
pub async fn find_shared_uncounted<V: Value>(cache: &dyn Cache, key: &str) -> Option<V> {
    read_through::find_shared_uncounted(cache, key).await
}

/// Stores a value that the running computation has read from its source again, in place of what is under a key. That it
/// was read again is no change: other than [`insert`](crate::CacheExt::insert), this invalidates nothing, unless the value
/// is `news` and stands. Then what was made from the old value is invalidated, and the value put in its place, in one
/// step. One that does not stand, because something that covers it was changed since the computation began, is not
/// stored; neither is one in a transaction ([`deferred`](crate::deferred())). Returns whether it is stored.
pub async fn store_read_again<V: Value>(
    cache: &dyn Cache,
    key: &str,
    value: &V,
    (policy, is_news): (&Policy, bool),
) -> bool {
    read_through::store_read_again(cache, key, value, (policy, is_news)).await
}

/// As [`CacheExt::get_or_compute`](crate::CacheExt::get_or_compute) with the key `own`, where what is computed is stored under
/// `key` by the computation itself ([`store_read_again`]): events tell of that one.
///
/// # Errors
///
/// Those of `compute`.
pub async fn compute_beside<V, E, Fut>(
    cache: &dyn Cache,
    (key, own): (&str, &str),
    policy: &Policy,
    compute: impl FnOnce() -> Fut + Send,
) -> Result<V, E>
where
    V: Value,
    E: Send + 'static,
    Fut: Future<Output = Result<V, E>> + Send,
{
    read_through::compute_beside(cache, (key, own), policy, compute).await
}

/// Keeps the value of the running computation for so long past its `ttl`, and after it is marked stale, for
/// [`find_kept_uncounted`].
pub fn keep_stale(limit: Duration) {
    crate::context().kept_stale(limit);
}

/// As [`find_uncounted`], but only in this process' memory, at once. None if it may be somewhere else.
///
/// A running computation depends on what it reads in this way, but not on what it does not find.
pub fn find_in_memory_uncounted<V: Value>(cache: &dyn Cache, key: &str) -> Option<V> {
    read_through::find_in_memory_uncounted(cache, key)
}

/// As [`find_uncounted`], but only in this process' memory, and no computation depends on it.
pub fn find_local_uncounted<V: Value>(cache: &dyn Cache, key: &str) -> Option<V> {
    read_through::find_local(cache, key)
}

/// Counts hits on what was found uncounted, where misses by the same handle of a cache are counted, and tells of them those
/// who watch the cache.
#[derive(Debug, Clone)]
pub struct HitCounter {
    core: Core,
    group: Group,
    prefix: Box<str>,
}

impl HitCounter {
    /// For a cache, or a namespace of it.
    #[must_use]
    pub fn new(cache: &dyn Cache) -> Self {
        let core = cache.core();
        let group = core.statistics().group("", cache.prefix());
        Self { core: core.clone(), group, prefix: cache.prefix().into() }
    }

    /// Counts a hit on a value that took so long to compute; if that is not known, as long as is usual here. Of a stale one,
    /// which is computed anew beside it, no time counts as saved. `place` gives the key and where the value lay: it is asked
    /// for if the cache is watched.
    pub fn count(&self, is_fresh: bool, took: Option<Duration>, place: impl FnOnce() -> (String, Tier)) {
        self.tell(is_fresh, place);
        if !is_fresh {
            return self.core.count_in(self.group, |counters| &counters.stale_hits);
        }
        let stats = self.core.statistics();
        let cost = took.map_or_else(|| stats.usual_cost(self.group), nanos);
        stats.hit(self.group, cost);
    }
    /// Tells of a hit that is counted as something else.
    pub fn tell(&self, is_fresh: bool, place: impl FnOnce() -> (String, Tier)) {
        self.core.tell(|core| {
            let (key, tier) = place();
            let key = [&self.prefix, &*key].concat().into();
            CacheEvent::Hit { key, function: core.function(self.group), tier, stale: !is_fresh }
        });
    }
}

/// Makes the running computation depend on these tags, as if it had read an entry that has them. Without a computation it
/// does nothing.
pub fn record_tags(cache: &dyn Cache, tags: &[String]) {
    dependencies::record_scopes(cache.core().epochs(), || {
        let mut scopes = ScopeSet::default();
        scopes.extend(tags.iter().map(|tag| ScopeHash::tag(tag)));
        scopes
    });
}

/// A placeholder's value as the macros write it into keys and tags.
#[must_use]
pub fn escaped(text: &str) -> String {
    let mut key = Key::default();
    key.escaped(text);
    key.into_string()
}

/// The number of scopes that cover an entry: its own, and those of all that it was made from.
#[must_use]
pub fn scope_count(entry: &Entry) -> usize {
    let foreign = entry.0.foreign_dependencies().iter().map(|there| there.scopes.len());
    entry.0.scopes().len() + foreign.sum::<usize>()
}

/// The texts of an error and of its sources, of which the first 32 are kept: for one that cannot be sent to another thread.
pub fn texts_of(error: &(dyn Error + 'static)) -> SharedError {
    SharedError::render(error)
}
