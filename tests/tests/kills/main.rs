//! Processes are killed under load: what was acknowledged to them is not lost.
//!
//! `LARDER_KILLS=100 cargo test -p larder-tests --test kills` kills so many in each test; without it, eight.

#![expect(clippy::unwrap_used, reason = "what fails in a helper fails the test")]

mod events;
mod writes;

use std::time::Duration;

/// How many processes work at a time.
const WORKERS: usize = 3;
const LONG: Duration = Duration::from_secs(60);
/// A process that is killed counts as an attempt at what it was writing or handling.
const ATTEMPTS: &str = "100000";
const WORKER: &str = env!("CARGO_BIN_EXE_kill_worker");

fn kills() -> usize {
    std::env::var("LARDER_KILLS").map_or(8, |kills| kills.parse().unwrap())
}
