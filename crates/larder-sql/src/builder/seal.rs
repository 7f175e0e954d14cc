//! What can be set of a seal.

use larder::{Keyring, SealKey};

use super::SqlCacheBuilder;

impl SqlCacheBuilder {
    /// Seals what is stored in the database: values, and what belongs to them, are encrypted (XChaCha20-Poly1305) and bound to
    /// their key, so that who can read and write the tables can neither read them nor have another one served. What was changed,
    /// moved, or is not sealed is a miss, counted as [`shared_not_authentic`](larder::CacheStats::shared_not_authentic). All
    /// processes that share entries seal with keys that the others have.
    ///
    /// Needs the feature `seal`. What is promised, and what not, is what `larder::guide::seal` says of Redis.
    #[cfg_attr(docsrs, doc(cfg(feature = "seal")))]
    pub fn seal(mut self, keyring: impl Into<Keyring>) -> Self {
        self.sealing.seal(keyring.into());
        self
    }

    /// Hashes the keys in the database with a secret (HMAC-SHA256), those of entries, leases, locks and counters: who can
    /// read the tables sees `#` and 32 digits. An error without [`seal`](Self::seal).
    ///
    /// All processes that share entries, locks or counters hash with one secret, which cannot be changed without losing all of
    /// them, as if by another prefix.
    ///
    /// Needs the feature `seal`.
    #[cfg_attr(docsrs, doc(cfg(feature = "seal")))]
    pub fn hash_keys(mut self, key: SealKey) -> Self {
        self.sealing.hash_keys(&key);
        self
    }
}
