//! Looking at what larder keeps in Redis, without taking part: for `larder-cli`.
//!
//! An [`Inspector`] connects as a cache does, by the same settings, and to all nodes of a Cluster. It follows no log,
//! makes none where there is none, and changes nothing unless it is told to. As the rest of
//! [`internal`](crate::internal), this follows no semantic versioning.

mod failure;
mod inspector;
mod log_access;
mod reply;
mod stored;
mod usage;
mod walk;
mod warm;

pub use self::{
    failure::mend_of,
    inspector::{Inspector, Page, Peek},
    stored::{Lifetimes, StoredEntry},
    walk::Walk,
    warm::{OutsideEntry, OutsideValue},
};
pub use super::{
    connection::Master,
    key_names::Kind,
    log::{Follower, History, LogEvent, LogExtent, Verdict, is_mark, mark_of},
};
pub use crate::heartbeat::beat::{Beat, Counts, FunctionBeat, HotKey, LogBeat};
pub(super) use failure::refused;
