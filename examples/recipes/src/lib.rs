//! Things that services do with a cache, each in a file of its own, with its test: small enough to copy. `cargo test -p recipes`
//! runs them; none needs a server.
//!
//! | file | what it does |
//! | --- | --- |
//! | [`fragments`] | parts of pages, rendered once, and again when what they show changes |
//! | [`sessions`] | who is signed in, in all processes, until they sign out here or everywhere |
//! | [`feature_flags`] | what is switched on for whom, also while the service that says so is away |

pub mod feature_flags;
pub mod fragments;
pub mod sessions;
