//! What is sealed on its way to a shared store, and opened on its way back; and names in place of keys.

#[cfg(feature = "seal")]
mod secrets;

use std::{borrow::Cow, fmt, sync::Arc};

use super::offload::{LARGE, offload};
use crate::{
    error::{Kind, Result},
    wire::{Limits, Rejected, Unencodable},
};

/// Encrypts whole messages, and decrypts them. Without the feature `seal`, nothing does.
trait MessageSeal: fmt::Debug + Send + Sync {
    /// What is stored in place of a message under this name.
    fn seal(&self, name: &str, message: &[u8]) -> Result<Vec<u8>, Unencodable>;

    /// The message in what was found under this name.
    fn open(&self, name: &str, stored: Vec<u8>, limits: &Limits) -> Result<Vec<u8>, Rejected>;
}

/// Makes names that show nothing of the keys in their place. Without the feature `seal`, nothing does.
trait KeyHash: fmt::Debug + Send + Sync {
    /// The name of a key of this kind, under this prefix.
    fn name(&self, prefix: &str, kind: &str, key: &str) -> String;
}

/// What a cache seals with, if it does.
#[derive(Debug, Clone, Default)]
pub struct Sealing {
    seal: Option<Arc<dyn MessageSeal>>,
    names: NameHashing,
}

/// What stands for keys in a store: they themselves, unless there is a secret to hash them with.
#[derive(Debug, Clone, Default)]
pub struct NameHashing(Option<Arc<dyn KeyHash>>);

impl Sealing {
    /// What a builder cannot check by its types.
    ///
    /// # Errors
    ///
    /// If names are to be hashed, and values not to be sealed.
    pub fn check(&self) -> Result<()> {
        if self.seal.is_none() && self.names.0.is_some() {
            let text = "hash_keys needs `seal` (in the environment, LARDER_NAME_KEY needs LARDER_SEAL_KEYS): what is not \
                        sealed has hashes of its keys in it that can be computed without a secret";
            return Err(Kind::configuration(text).into());
        }
        Ok(())
    }

    /// Whether values are sealed.
    #[must_use]
    pub fn is_on(&self) -> bool {
        self.seal.is_some()
    }

    /// Whether keys stand for themselves in the store, and nothing is to be kept from those who look there.
    #[must_use]
    pub fn shows_keys(&self) -> bool {
        self.seal.is_none() && self.names.0.is_none()
    }

    /// The message in what lies under a name, or the short name of why it is not opened.
    #[cfg(feature = "inspect")]
    pub(crate) fn open(&self, name: &str, stored: Option<&[u8]>) -> Result<Vec<u8>, &'static str> {
        let (Some(seal), Some(stored)) = (&self.seal, stored) else { return Err("sealed") };
        seal.open(name, stored.to_vec(), &Limits::default()).map_err(|rejected| rejected.name())
    }

    /// What is stored in place of a message under this name. A large one is made where it holds up no other call.
    pub(crate) async fn sealed(
        &self,
        name: impl FnOnce() -> String,
        message: Vec<u8>,
    ) -> Result<Vec<u8>, Unencodable> {
        let Some(seal) = &self.seal else { return Ok(message) };
        if message.len() <= LARGE {
            return seal.seal(&name(), &message);
        }
        let (seal, name) = (seal.clone(), name());
        offload(move || seal.seal(&name, &message)).await
    }

    /// Whether to open this takes no time to speak of.
    pub(crate) fn is_opened_at_once(&self, stored: &[u8]) -> bool {
        self.seal.is_none() || stored.len() <= LARGE
    }

    /// The message in what was found under a name.
    pub(crate) fn opened(
        &self,
        name: impl FnOnce() -> String,
        stored: Vec<u8>,
        limits: &Limits,
    ) -> Result<Vec<u8>, Rejected> {
        match &self.seal {
            Some(seal) => seal.open(&name(), stored, limits),
            None => Ok(stored),
        }
    }

    /// The same, where it holds up no other call.
    pub(crate) async fn opened_apart(
        &self,
        name: String,
        stored: Vec<u8>,
        limits: &Limits,
    ) -> Result<Vec<u8>, Rejected> {
        let (sealing, limits) = (self.clone(), *limits);
        offload(move || sealing.opened(|| name, stored, &limits)).await
    }

    /// What stands for keys.
    #[must_use]
    pub fn names(&self) -> NameHashing {
        self.names.clone()
    }

    /// What tells caches apart that name their keys in different ways: it shows nothing of a secret.
    #[cfg(feature = "redis")]
    pub(crate) fn identity(&self) -> String {
        self.names.0.as_ref().map(|names| names.name("", "", "")).unwrap_or_default()
    }
}

impl NameHashing {
    #[cfg(feature = "inspect")]
    pub(crate) fn are_hashed(&self) -> bool {
        self.0.is_some()
    }

    /// What stands for a key of this kind, under this prefix.
    #[must_use]
    pub fn of<'k>(&self, prefix: &str, kind: &str, key: &'k str) -> Cow<'k, str> {
        match &self.0 {
            Some(names) => names.name(prefix, kind, key).into(),
            None => key.into(),
        }
    }
}
