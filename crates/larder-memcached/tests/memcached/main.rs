//! Caches on real servers of memcached.
#![expect(clippy::unwrap_used, reason = "a test may panic")]
#![expect(clippy::print_stdout, reason = "shown with --nocapture")]

mod collapsing;
mod contract;
mod delivery;
mod history;
mod inserts;
mod latency;
mod leases;
mod losses;
mod nodes;
mod outages;
mod processes;
mod speed;
