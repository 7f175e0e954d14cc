//! Where entries live, and what anything that keeps them has to promise.

mod invalidating;
mod lease;

use std::{
    sync::Arc,
    time::{Duration, SystemTime},
};

use async_trait::async_trait;

pub(crate) use self::invalidating::Strength;
pub use self::{
    invalidating::{Invalidating, Invalidation},
    lease::{HeldLease, Lease},
};
#[cfg(feature = "limit")]
use crate::gcra::{Rate, Usage};
#[cfg(feature = "counters")]
use crate::tally::{Tallied, Tally};
use crate::{
    cache_core::{Core, Lookup},
    entry::Entry,
    epoch::Epoch,
    error::Result,
    link::Link,
    lock::LockGuard,
    memory::{builder::MemoryCacheBuilder, tier::MemoryTier},
    policy::Policy,
    scope::{Scope, ScopeHash},
    value::ValueType,
};

/// A cache, as a handle: a [`Core`], a prefix for keys, and the [`Storage`] where entries live. Object-safe.
///
/// The verbs for users are those of [`CacheExt`](crate::CacheExt), which every `Cache` has. To keep entries elsewhere,
/// implement [`Storage`], and this trait beside it.
///
/// ```
/// # use std::sync::Arc;
/// use larder::{Cache, CacheExt, Core, MemoryCache, Storage};
///
/// /// The cache of one tenant: another one's keys have another prefix.
/// #[derive(Clone)]
/// struct OfTenant { all: MemoryCache, prefix: String }
///
/// impl Cache for OfTenant {
///     fn core(&self) -> &Core { self.all.core() }
///     fn storage(&self) -> &dyn Storage { self.all.storage() }
///     fn share(&self) -> Arc<dyn Cache> { Arc::new(self.clone()) }
///     fn prefix(&self) -> &str { &self.prefix }
/// }
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> larder::Result<()> {
/// # let policy = larder::Policy::ttl(std::time::Duration::from_secs(60));
/// let all = MemoryCache::new(1_000);
/// let tenant = OfTenant { all: all.clone(), prefix: "acme:".into() };
/// tenant.insert("user:7", &"Ada".to_owned(), policy).await?; // each verb, on each cache
/// assert!(all.contains("acme:user:7").await?);
/// # Ok(())
/// # }
/// ```
///
/// # Contract
///
/// 1. [`core`](Self::core) is the same [`Core`] for the whole life of the cache, its clones and its namespaces.
///
/// The other clauses are those of [`Storage`].
///
/// `larder::contract::check`, with the feature `test-util`, runs any implementation through both.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a cache",
    label = "not a `Cache`",
    note = "a cache is a `MemoryCache`, a `Namespace`, what `named(\"…\")` or `global()` gives, or a reference, a \
            `Box` or an `Arc` of a cache; of a `LazyLock` of one, write `*CACHE`"
)]
pub trait Cache: Send + Sync {
    /// Shared state: epochs, computations in flight, statistics.
    fn core(&self) -> &Core;

    /// Where the entries live.
    fn storage(&self) -> &dyn Storage;

    /// A handle to the same cache that can be kept: for computations that outlive their callers.
    fn share(&self) -> Arc<dyn Cache>;

    /// What is put in front of every key that is used with this handle: empty but for namespaces.
    fn prefix(&self) -> &str {
        ""
    }

    /// The policy of functions that have no `ttl` of their own: see
    /// [`CacheExt::with_policy`](crate::CacheExt::with_policy). None unless the handle was given one.
    fn default_policy(&self) -> Option<&Policy> {
        None
    }

    /// A handle to the same cache, with the same [`Core`] and the same servers, that keeps its entries in a memory of
    /// its own, bounded as `memory` says: for entries that are not to compete with the others, stored responses of
    /// `larder-http` for one. An invalidation through either covers both. None if the cache has no memory, or cannot be
    /// set so.
    fn with_memory(&self, memory: MemoryCacheBuilder) -> Option<Arc<dyn Cache>> {
        let _ = memory;
        None
    }
}

/// Where entries live: in memory, on a server, or wherever an implementation puts them. Object-safe.
///
/// All keys here are full keys: what a namespace puts in front is in them.
///
/// # Contract
///
/// Clause 1 is that of [`Cache`].
///
/// 2. The storage may lose any entry at any time, and may return one that was replaced or invalidated: the
///    caller judges each entry by the one rule. It must never return an entry under another key, nor one
///    with a changed value, stamp or scopes.
/// 3. [`apply`](Self::apply) calls [`Core::invalidate`] before it returns, not when its future is polled, and
///    dropping the future undoes nothing. So does [`mark_stale`](Self::mark_stale) with [`Core::mark_stale`].
/// 4. No method fails or hangs because a server does: what cannot be read is a miss, what cannot be
///    written is dropped.
/// 5. The storage is bounded. What it drops it tells with [`Core::forget`], before or soon after.
/// 6. Dropping a future of this trait leaves every entry as it was, or as the call would have made it.
/// 7. An entry that [`is_local`](Entry::is_local) is kept in this process alone, if at all, and neither [`write`](Self::write)
///    nor [`peek`](Self::peek) needs a runtime for it: both are called on threads that have none.
#[async_trait]
pub trait Storage: Send + Sync {
    /// The entry under this key, if it can be had without waiting.
    ///
    /// Called for one in 64 of the hits that a front cache ([`CoreBuilder::front_cache_slots`]) answered too, so that
    /// the storage's idea of what is used stays true.
    ///
    /// [`CoreBuilder::front_cache_slots`]: crate::CoreBuilder::front_cache_slots
    fn peek(&self, at: Lookup<'_>) -> Option<Entry>;

    /// Shows the entries that are kept in this process' memory, one after the other: those too that can no longer be
    /// served, in no order, and under no lock. What comes, goes or is moved meanwhile may be shown once, twice or not at
    /// all. Shows none unless it is implemented.
    fn visit(&self, show: &mut dyn FnMut(&Entry)) {
        let _ = show;
    }

    /// Whether [`read`](Self::read) may find what [`peek`](Self::peek) did not.
    fn reads_further(&self) -> bool {
        false
    }

    /// The entries under these keys, in the order of the keys, from wherever it takes waiting to get them.
    /// Where their values have to be made from bytes, they are made as `of` tells.
    async fn read(&self, keys: &[Lookup<'_>], of: ValueType) -> Vec<Option<Entry>> {
        let _ = of;
        vec![None; keys.len()]
    }

    /// The same for one key.
    async fn read_one(&self, at: Lookup<'_>, of: ValueType) -> Option<Entry> {
        self.read(&[at], of).await.pop().flatten()
    }

    /// Keeps these entries, each in place of what was under its key.
    ///
    /// # Errors
    ///
    /// If the value of an entry cannot be encoded: that is the caller's mistake. All others are kept, and this
    /// one too where it needs no encoding.
    async fn write(&self, entries: &[Entry]) -> Result<()>;

    /// The memory that [`write`](Self::write) keeps entries in, if that is a [`MemoryCache`](crate::MemoryCache) with the same [`Core`].
    ///
    /// An insert puts its values there in the very step that drops what was under their keys, so that no call in between
    /// finds neither, and [`write_further`](Self::write_further) does the rest. Where there is none, `write` does all of
    /// it, after that step.
    fn memory(&self) -> Option<&MemoryTier> {
        None
    }

    /// The same as [`write`](Self::write), for entries that are in [`memory`](Self::memory) already.
    ///
    /// # Errors
    ///
    /// As there.
    async fn write_further(&self, entries: &[Entry]) -> Result<()> {
        self.write(entries).await
    }

    /// Whether [`write_further`](Self::write_further) has anything to do. Where it has not, what is stored in
    /// [`memory`](Self::memory) is stored without a future in a box.
    fn writes_further(&self) -> bool {
        true
    }

    /// Invalidates: applies it here and now, and tells others.
    fn apply(&self, scopes: &[Scope]) -> Invalidating;

    /// Marks as stale, softly: what is covered is not dropped, and not fresh from here on. Applies it here and now, with
    /// [`Core::mark_stale`], and tells others. Unless it is implemented, invalidates, which is more.
    fn mark_stale(&self, scopes: &[Scope]) -> Invalidating {
        self.apply(scopes)
    }

    /// Makes what was stored and invalidated so far safe from a power cut, where it outlives the process; for `limit` at most.
    /// False if it is not.
    async fn persist(&self, limit: Duration) -> bool {
        let _ = limit;
        true
    }

    /// What can be done because several processes share the entries; none if they do not.
    fn shared(&self) -> Option<&dyn SharedStorage> {
        None
    }

    /// How much it keeps in this process: for those who watch it.
    fn kept(&self) -> Kept {
        Kept::default()
    }
}

impl dyn Storage + '_ {
    /// The same as [`write`](Self::write), at once if that is all done in memory.
    pub(crate) async fn keep(&self, entries: &[Entry]) -> Result<()> {
        match self.memory() {
            Some(memory) if !self.writes_further() => {
                memory.keep(entries);
                Ok(())
            }
            _ => self.write(entries).await,
        }
    }
}

/// What a cache keeps in this process, as counted at one moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Kept {
    /// About how many entries, those included that are no longer valid but not yet replaced.
    pub entries: u64,
    /// About the sum of their weights: bytes, where the weigher counts bytes; the number of entries where there is no
    /// weigher.
    pub weight: u64,
}

impl Kept {
    /// For a [`Storage`] to tell.
    #[must_use]
    pub const fn new(entries: u64, weight: u64) -> Self {
        Self { entries, weight }
    }
}

/// What a [`Storage`] can do that several processes share through a server.
///
/// No method fails or hangs because the server does; counters, locks and limits are the exception, and say so.
#[async_trait]
pub trait SharedStorage: Send + Sync {
    /// How this process stands with the servers.
    fn link(&self) -> Link;

    /// The time on the servers, as far as it is known: what several processes date is dated by it, so that none of
    /// their clocks matters. None if there was no contact so far.
    fn server_time(&self) -> Option<SystemTime>;

    /// Asks to be the only one of all processes to compute the value of a key. If another one computes it, waits for
    /// that and finds its value, for as long as `patience` says; without one, it does not wait.
    ///
    /// `cover` is what is known to cover the value before it is computed: another process' computation that
    /// began before a change of it is not waited for.
    async fn lease(
        &self,
        at: Lookup<'_>,
        of: ValueType,
        cover: &[ScopeHash],
        patience: Option<Duration>,
    ) -> Leased;

    /// For how long a caller waits at most for what other processes compute, from its arrival on, whatever it waited for
    /// before. Zero where there are no leases, and unless it is implemented.
    fn lease_lifetime(&self) -> Duration {
        Duration::ZERO
    }

    /// Whether the servers can be asked now, as far as is known without asking: what is not found while they cannot may be
    /// there. True unless it is implemented.
    fn is_within_reach(&self) -> bool {
        true
    }

    /// See [`CacheExt::try_lock`](crate::CacheExt::try_lock).
    ///
    /// # Errors
    ///
    /// If the server cannot be asked.
    async fn take_lock(&self, name: &str, ttl: Duration) -> Result<Option<LockGuard>>;

    /// See [`CacheExt::increment`](crate::CacheExt::increment).
    ///
    /// # Errors
    ///
    /// If the server cannot be asked, or the sum would leave the range of `i64` (the counter keeps its value).
    async fn count(&self, key: &str, by: i64, ttl: Option<Duration>) -> Result<i64>;

    /// Asks for so many units of a key of a rate limit, and takes them if they are admitted, all at one moment of the
    /// server's: see [`limit`](crate::limit). None takes nothing: each process is then limited for itself, which is what
    /// happens unless this is implemented.
    ///
    /// # Errors
    ///
    /// If the server cannot be asked. Whether the units were taken is then not known.
    #[cfg(feature = "limit")]
    #[cfg_attr(docsrs, doc(cfg(feature = "limit")))]
    async fn take(&self, key: &str, rate: Rate, units: u32) -> Result<Option<Usage>> {
        let _ = (key, rate, units);
        Ok(None)
    }

    /// Counts and ranks: see [`counters`](crate::counters). None if this store does not, which is what happens unless this
    /// is implemented: each process then counts for itself.
    ///
    /// # Errors
    ///
    /// If the server cannot be asked, or a sum would leave the range of `i64`.
    #[cfg(feature = "counters")]
    #[cfg_attr(docsrs, doc(cfg(feature = "counters")))]
    async fn tally(&self, tally: Tally<'_>) -> Result<Option<Tallied>> {
        let _ = tally;
        Ok(None)
    }

    /// Publishes a text about this process, for [`heartbeat`](crate::heartbeat()): in place of the one that it published before,
    /// which began with `owner` as all of them do, and for `ttl`. False if this is not implemented.
    ///
    /// # Errors
    ///
    /// If the server cannot be asked.
    async fn publish(&self, owner: &str, text: &str, ttl: Duration) -> Result<bool> {
        let _ = (owner, text, ttl);
        Ok(false)
    }

    /// Whether those who look at the server may see keys there: then they may be in what is published.
    fn shows_keys(&self) -> bool {
        false
    }

    /// See [`CacheExt::wait_for`](crate::CacheExt::wait_for).
    async fn wait_for(&self, epoch: Epoch) -> bool;

    /// See [`CacheExt::flush`](crate::CacheExt::flush).
    async fn flush(&self, limit: Duration) -> bool;
}

macro_rules! pointers {
    ($($pointer:ty),+) => {$(
        impl<C: Cache + ?Sized> Cache for $pointer {
            #[inline]
            fn core(&self) -> &Core {
                (**self).core()
            }

            #[inline]
            fn storage(&self) -> &dyn Storage {
                (**self).storage()
            }

            fn share(&self) -> Arc<dyn Cache> {
                (**self).share()
            }

            #[inline]
            fn prefix(&self) -> &str {
                (**self).prefix()
            }

            fn default_policy(&self) -> Option<&Policy> {
                (**self).default_policy()
            }

            fn with_memory(&self, memory: MemoryCacheBuilder) -> Option<Arc<dyn Cache>> {
                (**self).with_memory(memory)
            }
        }
    )+};
}

pointers!(&C, Box<C>, Arc<C>);

/// What came of asking for a [`lease`](SharedStorage::lease).
#[derive(Debug)]
pub enum Leased {
    /// The caller computes, and others wait for it.
    Held(Lease),
    /// Another process has computed in the meantime.
    Found(Entry),
    /// Another process computes.
    Elsewhere,
    /// There is no lease to have: the caller computes, and so may others.
    Free,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_trait_is_object_safe() {
        fn assert_cache<C: Cache + ?Sized>() {}
        assert_cache::<dyn Cache>();
        assert_cache::<Arc<dyn Cache>>();
        assert_cache::<&Box<dyn Cache>>();
    }
}
