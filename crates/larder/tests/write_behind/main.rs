//! Write-behind: what is acknowledged reaches the database, in order, and the cache shows it.

#![expect(clippy::unwrap_used, reason = "what fails in a helper fails the test")]

mod batching;
mod cached;
mod database;
#[cfg(feature = "redis")]
mod failover;
mod failures;
mod life;
#[cfg(feature = "redis")]
mod outages;
#[cfg(feature = "redis")]
mod processes;
#[cfg(feature = "redis")]
mod speed;
#[cfg(feature = "redis")]
mod topologies;
