//! Reading through the cache: from a lookup that found no fresh value to a value, stored and given to all who asked.
//!
//! Each key goes through these states ([`Step`](request::Step)). A call for one key drives them one after the other
//! ([`single`]), with its computation in its caller or in a task ([`background`]). A [`batch`] drives those of all its
//! keys side by side, so that all keys share one read, one computation and one write. A thread drives those of one key
//! as well, and is blocked while it waits ([`blocking`]). All states judge entries by one
//! function, [`Core::judge`](crate::cache_core::Core::judge).
//!
//! ```text
//! lookup ──┬─ fresh ───────────────────────────────────────────► Done
//!          ├─ old, and its source failed a moment ago ─────────► Done (served as it is)
//!          ├─ to be prolonged because it is asked for ─────────► Done (stored again)
//!          ├─ due for a refresh ─┬─ another caller refreshes ──► Done (served as it is)
//!          │                     └─ leads the refresh ─► lead
//!          └─ nothing, or stale-if-error (kept) ─► Enter
//!
//! Enter ───┬─ leader ─► lead
//!          └─ waiter ─► Wait
//!
//! Wait ────┬─ a value, or a shared failure ────────────────────► Done
//!          ├─ a failure or the `timeout`, with a stale value ──► Done (served stale)
//!          ├─ outdated ─► Enter
//!          ├─ its leader is gone ─► lead
//!          ├─ a failure that cannot be shared ─► Turn
//!          └─ a value that is not shared, or would close a cycle ─► Compute (alone)
//!
//! Turn ────┬─ stored since the lookup ─────────────────────────► Done
//!          └─ it is this one's turn ─► Compute (alone)
//!
//! lead ────┬─ stored since the lookup ─────────────────────────► Done
//!          ├─ there is a store that takes waiting ─► Read
//!          └─ there is none ─► Compute
//!
//! Read ────┬─ fresh ───────────────────────────────────────────► Done
//!          ├─ old, and its source failed a moment ago ─────────► Done (served as it is)
//!          ├─ to be prolonged because it is asked for ─────────► Done (stored again)
//!          ├─ due for a refresh ─┬─ another caller refreshes ──► Done (served as it is)
//!          │                     └─ leads the refresh ─► Lease
//!          └─ anything else ─► Lease
//!
//! Lease ───┬─ another process computed, or refreshes ──────────► Done
//!          ├─ superseded while it waited ─► Enter
//!          └─ it is this one's to compute ─► Compute
//!
//! Compute ── store, complete ──────────────────────────────────► Done
//! ```
//!
//! Two orders carry proofs, and hold for every new state too. The number of stores ([`Core::stores`]) is read *before*
//! the lookup, so that a leader knows whether anything was stored after it: else a key would be computed twice in a row.
//! A computation's read version is taken *after* its leader has waited for others, and *before* it reads anything: else
//! the value would look older than it is, or newer.
//!
//! [`Core::stores`]: crate::cache_core::Core::stores

mod background;
mod batch;
mod beside;
mod blocking;
mod call_deadline;
mod computation;
mod leasing;
mod lookup;
mod made_entry;
mod patience;
mod previous_value;
mod read_again;
mod request;
mod serving;
mod single;
mod steps;
mod storing;
pub(crate) mod stream;
mod touch;
mod uncounted;

pub(crate) use self::{
    background::get_or_compute_background,
    batch::{Asked, Rules, compute_many, task::compute_many_background},
    beside::compute_beside,
    blocking::{get_or_compute_blocking, refresh_blocking},
    lookup::{Missed, full_key, get_here, get_many_missing, get_missing, look, look_observed},
    read_again::store_read_again,
    request::{Wanted, memory_limit},
    single::{get_or_compute, refresh},
    touch::touch,
    uncounted::{
        find_in_memory_uncounted, find_kept_uncounted, find_local, find_shared_uncounted, find_uncounted,
        look_at,
    },
};

#[cfg(all(test, not(larder_loom)))]
mod tests;
