//! Entries on disk: a process that begins anew finds them, and none that was invalidated in the meantime.
//!
//! A folder with segments: files of records, one after the other, entries and invalidations in the order in which they
//! were written ([`record`]). **An entry on disk is valid if and only if nothing that covers it stands behind it**, for an
//! entry is found valid before it is written, and an invalidation is noted after it can be seen ([`writer`]). At a start the
//! records are read ([`scan`]): where entries lie is kept in memory ([`shelf`]), and what was invalidated, by its place
//! ([`state`]). What this process invalidates itself is judged in local order, as ever.
//!
//! What cannot be read may have been an invalidation: nothing that stands before such a place is served. So much for
//! damage. A power cut may take any of what was written last; whether there was one is told by the boot that each segment
//! was begun in, and what is then not known to be complete is dropped.
//!
//! Entries of caches that share an order with other processes carry its epoch, and are judged by it too, as those on a
//! server are ([`binding`]).
//!
//! Segments and not a database: the ones that could be had for this Rust (redb 2, fjall 2) panic, abort or do not open
//! where bytes of theirs are changed, and wait for the disk to have an invalidation outlive the process. There is nothing to
//! look for but a key, nothing to sort, and what is oldest goes first.

mod appender;
mod batch;
mod binding;
mod folder;
mod late_reads;
mod queue;
mod read;
mod record;
mod scan;
mod settings;
mod shelf;
mod start;
mod state;
mod tier;
mod writer;

pub(crate) use self::{
    binding::SharedJudge,
    settings::{DiskSettings, LEAST_CAPACITY},
    tier::DiskTier,
};
