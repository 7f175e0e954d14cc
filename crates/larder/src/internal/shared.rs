//! For crates that share entries between processes through a store that larder itself does not know: as `larder-sql`
//! does, by the [contract of the invalidation log](LogStore) and what follows any such log; or as `larder-memcached` does,
//! where there is no log, by [`Generations`] of scopes. Entries are messages for both.
//!
//! A store implements [`LogStore`] and [`LogConnection`], follows its log by [`FollowedLog`], and moves bytes. Which
//! entries are valid, what becomes of invalidations on their way, and when everything is in doubt is decided here, as it
//! is for Redis.

mod generations;

use std::sync::Arc;

pub use self::generations::{Generations, Undelivered, is_kept_for, mark_of, replaced, scopes_of};
#[cfg(feature = "limit")]
pub use crate::gcra::TakeRequest;
pub use crate::{
    abandoned_request::{Abandonable, abandonable},
    backoff::Backoff,
    clock::check_limit,
    failure_count::FailureCount,
    followed_log::{FollowedLog, FollowedLogSettings},
    recent_timeout::RecentTimeout,
    runtime_check::check_runtime,
    shared_entries::{Encoding, Message, NameHashing, Sealing, SharedEntries, StoreOutcome},
    shared_leases::{LeaseAttempt, LeaseHolder, LeaseRequest, LeaseStore, Leases, lease},
    shared_locks::{LockStore, NotTaken, take_lock},
    shared_log::contract::{
        Appended, Appending, LogConnection, LogEnds, LogEntry, LogError, LogObserver, LogRead, LogReply,
        LogServer, LogStore, Placed, Purpose,
    },
    unshared_values::UnsharedValues,
};
use crate::{
    entry::Entry,
    epoch::Epoch,
    error::{Error, Kind},
    memory::MemoryCache,
    scope::{Scope, ScopeHash, Scopes},
    shared_log::record::Content,
};

/// Calls code that is none of larder's, which the caller has not asked for: a subscriber of `tracing`. It goes on if that panics.
pub fn contained(call: impl FnOnce()) {
    let _ = crate::panic_guard::contain(call);
}

/// How many scopes' changes are remembered by default.
pub const DEFAULT_SCOPE_SLOTS: usize = crate::epoch::DEFAULT_SLOTS;

/// Records that invalidate these scopes, of no process in particular: all that read them apply them. None without scopes.
///
/// Bounded, as what the outbox has appended: each has some 8 KiB at most, and more than 65,536 scopes become everything.
#[must_use]
pub fn records_of(scopes: impl Into<Scopes>) -> Vec<Vec<u8>> {
    const MOST_IN_ONE: usize = 1_024;
    const MOST: usize = 65_536;
    let mut scopes: Vec<ScopeHash> = scopes.into().within("").iter().map(Scope::hash).collect();
    if scopes.len() > MOST {
        scopes = vec![ScopeHash::ALL];
    }
    let record = |scopes: &[ScopeHash]| {
        Content::Invalidation { sender: 0, attempt: 0, scopes: scopes.to_vec() }.encode()
    };
    scopes.chunks(MOST_IN_ONE).map(record).collect()
}

/// An epoch as one number, in which a later epoch is a greater one.
#[must_use]
pub fn number_of(epoch: Epoch) -> u64 {
    epoch.number()
}

/// The epoch of such a number.
#[must_use]
pub fn epoch_of(number: u64) -> Epoch {
    Epoch::from_number(number)
}

/// The first epoch of a millisecond since 1970; none if it is beyond what epochs can hold.
#[must_use]
pub fn first_epoch_of(milliseconds: u64) -> Option<Epoch> {
    Epoch::from_id(milliseconds, 0)
}

/// The latest number of a counter's would leave the range of `i64`.
#[must_use]
pub fn counter_overflow(key: &str) -> Error {
    Error::counter_overflow(key)
}

/// A store that cannot be asked.
#[must_use]
pub fn unavailable(reason: impl Into<String>) -> Error {
    Kind::unavailable(reason).into()
}

/// The same, because of this, whose words are not in the reason.
#[must_use]
pub fn unavailable_because(
    reason: impl Into<String>,
    cause: Arc<impl std::error::Error + Send + Sync + 'static>,
) -> Error {
    Kind::Unavailable { reason: reason.into(), cause: Some(cause) }.into()
}

/// Settings that are refused.
#[must_use]
pub fn refused_setting(reason: impl Into<String>) -> Error {
    Kind::configuration(reason).into()
}

/// A store that cannot be connected to; `reason` has no secret in it, nor the words of `cause`.
#[must_use]
pub fn no_connection(
    address: impl Into<String>,
    reason: impl Into<String>,
    cause: impl std::error::Error + Send + Sync + 'static,
) -> Error {
    let (address, reason, cause) = (address.into(), reason.into(), Some(Arc::new(cause) as _));
    Kind::Connect { address, reason, mend: None, cause }.into()
}

/// Keeps entries in a memory that a cache has of its own.
pub fn keep(memory: &MemoryCache, entries: &[Entry]) {
    memory.keep(entries);
}

/// The same with one that was found behind that memory: a weigher that panics is no reason not to serve it.
pub fn keep_found(memory: &MemoryCache, entry: &Entry) {
    memory.keep_found(entry);
}

/// Frees what is kept there of what was just invalidated.
pub fn free(memory: &MemoryCache, scopes: &[Scope]) {
    memory.free(scopes);
}

/// Whether a value of this type can be made of a message.
#[must_use]
pub fn is_portable(of: crate::ValueType) -> bool {
    of.transport.is_some()
}
