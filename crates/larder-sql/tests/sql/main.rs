//! Caches on real databases: a file of SQLite, and a server of PostgreSQL that the tests start themselves.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

mod connections;
mod contract;
mod delivery;
mod fullness;
mod history;
#[cfg(feature = "limit")]
mod limits;
mod losses;
mod outages;
mod places;
mod processes;
#[cfg(feature = "seal")]
mod sealed;
mod speed;
mod together;
mod transactions;
