//! A crate with documentation, for `macros_documented.rs`: [`user`] and [`inner::hidden`].
#![deny(warnings, missing_docs, rustdoc::all)]

use std::sync::LazyLock;

use larder::{cached, invalidate};

/// A user, as [`rename`] left it; [`user`] itself, [`fn@user`] and [`user()`] are links.
#[cached(ttl = 300, key = "user:<id>", skip(_db))]
pub async fn user(_db: &str, id: u64) -> Result<String, String> {
    Ok(id.to_string())
}

/// Drops what [`user`] keeps.
#[invalidate("user:<id>")]
pub async fn rename(id: u64) -> u64 {
    id
}

/// The key of [`user`] 7, where the companion is named outside of a function.
pub static KEY: LazyLock<String> = LazyLock::new(|| user::key(7));

/// Calls [`user::refresh`](user).
pub async fn refresh() -> Result<String, String> {
    user::invalidate(7).await;
    user::refresh("", 7).await
}

/// A module with [`hidden`](inner::hidden), beside [`user`].
pub mod inner {
    pub use super::user as other;

    /// Without an argument, and generic: [`other`].
    #[larder::cached(ttl = 300)]
    pub async fn hidden<T: Send>() -> u64 {
        0
    }
}
