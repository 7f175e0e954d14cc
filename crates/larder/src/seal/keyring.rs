//! Which key seals, and which ones open.

use std::{fmt, sync::Arc};

use arc_swap::ArcSwap;
use chacha20poly1305::{AeadInOut, KeyInit, Tag, XChaCha20Poly1305, XNonce, aead::Generate};

use super::key::SealKey;

/// The lengths of a key's ID, of a nonce and of a tag, in bytes.
pub(crate) const ID: usize = 12;
pub(crate) const NONCE: usize = 24;
pub(crate) const TAG: usize = 16;

/// What seals values, and opens them: one key to write with, and any number that are only read with.
///
/// A clone is the same keyring, so that [`replace`](Self::replace) changes the keys of the caches that have it: that is
/// how a program takes keys from a service that keeps them, and how they are changed while it runs.
///
/// To change the key without losing entries: let all processes read with the new one (`Keyring::new(old, [new])`), then
/// let them write with it (`Keyring::new(new, [old])`), and drop the old one when the longest lifetime of an entry is
/// over. In another order nothing is wrong: entries by a key that a process does not have are misses.
///
/// ```
/// # use larder::{Keyring, SealKey};
/// # fn secret(_: &str) -> [u8; 32] { [7; 32] }
/// let keyring = Keyring::new(SealKey::from(secret("2026-07")), [SealKey::from(secret("2026-01"))]);
/// let cache = larder::RedisCache::builder().prefix("shop").seal(keyring.clone());
///
/// // Later, in whatever task learns of new keys:
/// keyring.replace(SealKey::from(secret("2027-01")), [SealKey::from(secret("2026-07"))]);
/// ```
#[derive(Clone)]
pub struct Keyring(Arc<ArcSwap<Keys>>);

impl Keyring {
    /// A keyring that seals with one key, and opens what was sealed with that one or the others.
    pub fn new(writes: SealKey, reads: impl IntoIterator<Item = SealKey>) -> Self {
        Self(Arc::new(ArcSwap::from_pointee(Keys::new(&writes, reads))))
    }

    /// Other keys in place of all that there are, for everything that is sealed or opened from now on.
    pub fn replace(&self, writes: SealKey, reads: impl IntoIterator<Item = SealKey>) {
        self.0.store(Arc::new(Keys::new(&writes, reads)));
    }

    /// The keys as they are now.
    pub(crate) fn keys(&self) -> Arc<Keys> {
        self.0.load_full()
    }
}

impl From<SealKey> for Keyring {
    fn from(key: SealKey) -> Self {
        Self::new(key, [])
    }
}

impl fmt::Debug for Keyring {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Keyring").field(&format_args!("{} keys", self.keys().0.len())).finish()
    }
}

/// The keys of a keyring: the first one seals.
pub(crate) struct Keys(Vec<Cipher>);

/// One of them.
pub(crate) struct Cipher {
    id: [u8; ID],
    aead: XChaCha20Poly1305,
}

impl Keys {
    fn new(writes: &SealKey, reads: impl IntoIterator<Item = SealKey>) -> Self {
        let reads = reads.into_iter().map(|key| Cipher::new(&key));
        Self(std::iter::once(Cipher::new(writes)).chain(reads).collect())
    }

    /// That which seals.
    pub(crate) fn writing(&self) -> &Cipher {
        &self.0[0]
    }

    /// That which has this ID.
    pub(crate) fn of_id(&self, id: &[u8]) -> Option<&Cipher> {
        self.0.iter().find(|cipher| cipher.id == id)
    }
}

impl Cipher {
    fn new(key: &SealKey) -> Self {
        let mut id = [0; ID];
        id.copy_from_slice(&key.derive("larder: the ID of a seal key")[..ID]);
        let aead = XChaCha20Poly1305::new((&*key.derive("larder: XChaCha20-Poly1305 of entries")).into());
        Self { id, aead }
    }

    /// What an entry says of the key that it was sealed with: nothing follows from it about the key.
    pub(crate) fn id(&self) -> &[u8; ID] {
        &self.id
    }

    /// A nonce that no other message has: of 192 random bits of the operating system. None if it gives none.
    pub(crate) fn nonce() -> Option<[u8; NONCE]> {
        XNonce::try_generate().ok().map(Into::into)
    }

    /// Encrypts in place. None if it is longer than the cipher allows: 256 GiB.
    pub(crate) fn encrypt(
        &self,
        nonce: &[u8; NONCE],
        associated: &[u8],
        text: &mut [u8],
    ) -> Option<[u8; TAG]> {
        let tag = self.aead.encrypt_inout_detached(nonce.into(), associated, text.into());
        tag.ok().map(Into::into)
    }

    /// Decrypts in place, once it is known to be authentic. False if it is not: nothing is decrypted then.
    pub(crate) fn decrypt(
        &self,
        nonce: &[u8; NONCE],
        associated: &[u8],
        text: &mut [u8],
        tag: &[u8; TAG],
    ) -> bool {
        let tag = Tag::from(*tag);
        self.aead.decrypt_inout_detached(nonce.into(), associated, text.into(), &tag).is_ok()
    }
}
