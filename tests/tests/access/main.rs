//! Encrypted connections, sockets, and a user with the least rights.

#![expect(clippy::unwrap_used, reason = "what fails in a helper fails the test")]

mod encryption;
mod rights;
#[cfg(unix)]
mod socket;
mod world;
