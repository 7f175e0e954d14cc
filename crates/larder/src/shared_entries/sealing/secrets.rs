//! The secret keys of the feature `seal`: a keyring that seals messages, and a key that hashes names.

use std::sync::Arc;

use super::{KeyHash, MessageSeal, NameHashing, Sealing};
use crate::{
    seal::{Keyring, NameKey, SealKey},
    wire::{Limits, Rejected, Unencodable, sealed},
};

impl Sealing {
    /// Seals with these keys.
    pub fn seal(&mut self, keyring: Keyring) {
        self.seal = Some(Arc::new(keyring));
    }

    /// Hashes names with this key.
    pub fn hash_keys(&mut self, key: &SealKey) {
        self.names = NameHashing(Some(Arc::new(NameKey::new(key))));
    }
}

impl MessageSeal for Keyring {
    fn seal(&self, name: &str, message: &[u8]) -> Result<Vec<u8>, Unencodable> {
        sealed::seal(self, name, message)
    }

    fn open(&self, name: &str, stored: Vec<u8>, limits: &Limits) -> Result<Vec<u8>, Rejected> {
        sealed::open(self, name, stored, limits)
    }
}

impl KeyHash for NameKey {
    fn name(&self, prefix: &str, kind: &str, key: &str) -> String {
        Self::name(self, prefix, kind, key)
    }
}
