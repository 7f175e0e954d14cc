//! Pages in Redis, with and without a memory in front of it: two nodes that share nothing but a server.

#![expect(clippy::unwrap_used, reason = "a test may panic")]
#![expect(clippy::print_stdout, reason = "figures for those who look at them")]

mod bodies;
mod clocks;
mod invalidation;
#[cfg(feature = "limit")]
mod limits;
mod nodes;
mod outage;
mod pages;
mod races;
mod sharing;
#[path = "../support/mod.rs"]
mod support;
mod wire_format;
