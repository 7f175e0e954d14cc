//! Where entries live, and what anything that keeps them has to promise.

mod entry_info;
mod invalidating;
mod lease;
mod shared_storage;

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;

pub(crate) use self::invalidating::Strength;
pub use self::{
    entry_info::{EntryInfo, Listing},
    invalidating::{Invalidating, Invalidation},
    lease::{HeldLease, Lease},
    shared_storage::{Leased, SharedStorage},
};
use crate::{
    cache_core::{Core, Lookup},
    entry::Entry,
    error::Result,
    memory::{builder::MemoryCacheBuilder, tier::MemoryTier},
    policy::Policy,
    scope::Scope,
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
        match self.memory_alone() {
            Some(memory) => {
                memory.keep(entries);
                Ok(())
            }
            None => self.write(entries).await,
        }
    }

    /// Its memory, if that is all that it writes to: without waiting.
    pub(crate) fn memory_alone(&self) -> Option<&MemoryTier> {
        self.memory().filter(|_| !self.writes_further())
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
