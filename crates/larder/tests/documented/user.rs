//! A crate that uses the documented one: [`user`], [`documented::user`], [`fn@documented::user`] and [`documented::user()`].
#![deny(warnings, rustdoc::all)]

pub use documented::{inner::hidden, user};

/// Beside what comes from elsewhere.
pub fn key() -> String {
    user::key(7)
}
