//! Several processes with one source of truth, and a proof from what they did that no read broke a promise.
//!
//! | module | what it is |
//! | --- | --- |
//! | [`space`] | the keys, and what covers them |
//! | [`source`] | the source of truth: a version for each key |
//! | [`subject`] | the cache under test: the one place that chooses it |
//! | [`value`] | what is cached: a value that tells of its own making |
//! | [`workload`] | what a process does at random |
//! | [`worker`] | a process, from its command line ([`config`]) to its log |
//! | [`log`] | what a process did, and when ([`clock`]) |
//! | [`faults`] | what is done to servers, links and processes meanwhile |
//! | [`run`] | starts it all, lets it be over, and collects the logs |
//! | [`checker`] | looks for a read that broke a promise |
//!
//! A run has four phases ([`source::Phase`]): all workers read and change while the faults happen; the last
//! fault is healed, and changes end; then every process, and one that was not there before, has to read the
//! current version of every key within a bounded time, and without any further invalidation; at the end they
//! write their logs.

pub mod checker;
pub mod clock;
pub mod config;
pub mod faults;
pub mod log;
pub mod memory;
pub mod panics;
pub mod run;
pub mod source;
pub mod space;
pub mod subject;
pub mod value;
pub mod worker;
pub mod workload;
