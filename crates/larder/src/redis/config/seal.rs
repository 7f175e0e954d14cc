//! What can be set of a seal.

use super::builder::RedisCacheBuilder;
use crate::seal::{Keyring, SealKey};

impl RedisCacheBuilder {
    /// Seals what is stored in Redis: values, and what belongs to them, are encrypted (XChaCha20-Poly1305) and bound to
    /// their key, so that who can read and write the server can neither read them nor have another one served. What was
    /// changed, moved, or is not sealed is a miss, counted as
    /// [`shared_not_authentic`](crate::CacheStats::shared_not_authentic). All processes that share entries seal with keys that
    /// the others have. [What is protected, and what not](crate::guide::seal).
    ///
    /// Needs the feature `seal`.
    ///
    /// ```no_run
    /// # async fn start(secret: String) -> larder::Result<()> {
    /// use larder::{MemoryCache, RedisCache, SealKey, TieredCache};
    ///
    /// let redis = RedisCache::builder()
    ///     .url("redis://localhost")
    ///     .prefix("shop")
    ///     .seal(SealKey::from_hex(&secret)?)
    ///     .connect()
    ///     .await?;
    /// larder::install(TieredCache::new(MemoryCache::new(10_000), redis))?;
    /// # Ok(())
    /// # }
    /// ```
    #[cfg_attr(docsrs, doc(cfg(feature = "seal")))]
    pub fn seal(mut self, keyring: impl Into<Keyring>) -> Self {
        self.settings.sealing.seal(keyring.into());
        self
    }

    /// Hashes the keys in Redis with a secret (HMAC-SHA256), those of entries, leases, locks, counters and rate limits:
    /// who can read the server sees `shop:e:#` and 32 digits. An error without [`seal`](Self::seal).
    ///
    /// All processes that share entries, locks or counters hash with one secret, which cannot be changed without losing
    /// all of them, as if by another prefix. Hash tags (`{…}`) of a Cluster have no effect any more. [What stays
    /// visible](crate::guide::seal).
    ///
    /// Needs the feature `seal`.
    #[cfg_attr(docsrs, doc(cfg(feature = "seal")))]
    pub fn hash_keys(mut self, key: SealKey) -> Self {
        self.settings.sealing.hash_keys(&key);
        self
    }
}
