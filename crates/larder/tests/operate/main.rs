//! What a team operates a cache by: warm-up, schedules, events, heartbeats.

#![expect(clippy::unwrap_used, reason = "what fails in a helper fails the test")]

mod events;
mod heartbeat;
mod refresh_every;
#[path = "../support/mod.rs"]
mod support;
mod warm;
