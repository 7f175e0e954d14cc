//! Without the feature `seal`: what is stored is what was encoded, under its own key.

use std::borrow::Cow;

use crate::{
    error::Result,
    wire::{Limits, Rejected, Unencodable},
};

/// Nothing is sealed.
#[derive(Debug, Clone, Default)]
pub(super) struct Sealing(());

/// Keys stand for themselves.
#[derive(Debug, Clone, Default)]
pub(crate) struct NameHashing(());

impl Sealing {
    pub(super) const fn check(&self) -> Result<()> {
        Ok(())
    }

    #[cfg(any(
        feature = "counters",
        feature = "disk",
        feature = "events",
        feature = "inspect",
        feature = "write-behind"
    ))]
    pub(super) const fn is_on(&self) -> bool {
        false
    }

    pub(super) const fn shows_keys(&self) -> bool {
        true
    }

    #[cfg(feature = "inspect")]
    pub(super) fn open(&self, _: &str, _: Option<&[u8]>) -> Result<Vec<u8>, &'static str> {
        Err("sealed")
    }

    pub(super) async fn sealed(&self, _: &str, message: Vec<u8>) -> Result<Vec<u8>, Unencodable> {
        Ok(message)
    }

    pub(super) async fn opened(
        &self,
        _: impl FnOnce() -> String,
        stored: Vec<u8>,
        _: &Limits,
    ) -> Result<Vec<u8>, Rejected> {
        Ok(stored)
    }

    pub(super) const fn names(&self) -> NameHashing {
        NameHashing(())
    }

    pub(super) const fn identity(&self) -> String {
        String::new()
    }
}

impl NameHashing {
    #[cfg(feature = "inspect")]
    pub(super) const fn are_hashed(&self) -> bool {
        false
    }

    pub(super) const fn of<'k>(&self, _: &str, _: &str, key: &'k str) -> Cow<'k, str> {
        Cow::Borrowed(key)
    }
}
