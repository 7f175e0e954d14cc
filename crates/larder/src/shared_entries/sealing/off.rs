//! Without the feature `seal`: what is stored is what was encoded, under its own key.

use std::borrow::Cow;

use crate::{
    error::Result,
    wire::{Limits, Rejected, Unencodable},
};

/// Nothing is sealed.
#[derive(Debug, Clone, Default)]
pub struct Sealing(());

/// Keys stand for themselves.
#[derive(Debug, Clone, Default)]
pub struct NameHashing(());

impl Sealing {
    /// What a builder cannot check by its types.
    ///
    /// # Errors
    ///
    /// None: with the feature, if names are to be hashed, and values not to be sealed.
    pub const fn check(&self) -> Result<()> {
        Ok(())
    }

    /// Whether values are sealed.
    #[must_use]
    pub const fn is_on(&self) -> bool {
        false
    }

    /// Whether keys stand for themselves in the store.
    #[must_use]
    pub const fn shows_keys(&self) -> bool {
        true
    }

    #[cfg(feature = "inspect")]
    pub(crate) fn open(&self, _: &str, _: Option<&[u8]>) -> Result<Vec<u8>, &'static str> {
        Err("sealed")
    }

    pub(crate) async fn sealed(
        &self,
        _: impl FnOnce() -> String,
        message: Vec<u8>,
    ) -> Result<Vec<u8>, Unencodable> {
        Ok(message)
    }

    pub(crate) const fn is_opened_at_once(&self, _: &[u8]) -> bool {
        true
    }

    pub(crate) fn opened(
        &self,
        _: impl FnOnce() -> String,
        stored: Vec<u8>,
        _: &Limits,
    ) -> Result<Vec<u8>, Rejected> {
        Ok(stored)
    }

    pub(crate) async fn opened_apart(
        &self,
        _: String,
        stored: Vec<u8>,
        _: &Limits,
    ) -> Result<Vec<u8>, Rejected> {
        Ok(stored)
    }

    /// What stands for keys.
    #[must_use]
    pub const fn names(&self) -> NameHashing {
        NameHashing(())
    }

    #[cfg(feature = "redis")]
    pub(crate) const fn identity(&self) -> String {
        String::new()
    }
}

impl NameHashing {
    #[cfg(feature = "inspect")]
    pub(crate) const fn are_hashed(&self) -> bool {
        false
    }

    /// What stands for a key of this kind, under this prefix: itself.
    #[must_use]
    pub const fn of<'k>(&self, _: &str, _: &str, key: &'k str) -> Cow<'k, str> {
        Cow::Borrowed(key)
    }
}
