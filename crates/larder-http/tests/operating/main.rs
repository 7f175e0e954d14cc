//! What operators do: they look at a cache, invalidate, and switch it off.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

mod admin;
mod disabled;
mod out_of_touch;
mod readme;
#[path = "../support/mod.rs"]
mod support;
