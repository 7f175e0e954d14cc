//! What is sealed on its way to Redis, and opened on its way back; and names in place of keys.

use std::{borrow::Cow, sync::Arc};

use super::{
    Remote,
    config::RedisCacheBuilder,
    entries::{LARGE, apart},
};
use crate::{
    error::{Kind, Result},
    seal::{Keyring, NameKey, SealKey},
    wire::{Rejected, Unencodable, sealed},
};

/// What a cache seals with, if it does.
#[derive(Debug, Clone, Default)]
pub(super) struct Sealing {
    keyring: Option<Keyring>,
    names: Names,
}

/// What stands for keys in Redis: they themselves, unless there is a secret to hash them with.
#[derive(Debug, Clone, Default)]
pub(crate) struct Names(Option<Arc<NameKey>>);

impl Sealing {
    /// What a builder cannot check by its types.
    pub(super) fn check(&self) -> Result<()> {
        if self.keyring.is_none() && self.names.0.is_some() {
            let text = "hash_keys needs `seal` (in the environment, LARDER_NAME_KEY needs LARDER_SEAL_KEYS): what is not \
                        sealed has hashes of its keys in it that anyone can compute";
            return Err(Kind::configuration(text).into());
        }
        Ok(())
    }

    #[cfg(any(feature = "inspect", feature = "write-behind"))]
    pub(super) fn is_on(&self) -> bool {
        self.keyring.is_some()
    }

    /// The message in what lies under a name, or the short name of why it is not opened.
    #[cfg(feature = "inspect")]
    pub(super) fn open(&self, name: &str, stored: Option<&[u8]>) -> Result<Vec<u8>, &'static str> {
        let (Some(keyring), Some(stored)) = (&self.keyring, stored) else { return Err("sealed") };
        sealed::open(keyring, name, stored.to_vec(), &crate::wire::Limits::default())
            .map_err(|rejected| rejected.name())
    }

    pub(super) fn names(&self) -> Names {
        self.names.clone()
    }

    /// What tells caches apart that name their keys in different ways.
    pub(super) fn identity(&self) -> String {
        self.names.0.as_ref().map(|names| names.identity()).unwrap_or_default()
    }
}

impl Names {
    #[cfg(feature = "inspect")]
    pub(super) fn are_hashed(&self) -> bool {
        self.0.is_some()
    }

    /// What stands for a key of this kind.
    pub(super) fn of<'k>(&self, prefix: &str, kind: &str, key: &'k str) -> Cow<'k, str> {
        match &self.0 {
            Some(names) => names.name(prefix, kind, key).into(),
            None => key.into(),
        }
    }
}

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
        self.settings.sealing.keyring = Some(keyring.into());
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
        self.settings.sealing.names = Names(Some(Arc::new(NameKey::new(&key))));
        self
    }
}

impl Remote {
    /// What is stored in place of a message under this name. A large one is made where it holds up no other call.
    pub(super) async fn sealed(&self, name: &str, message: Vec<u8>) -> Result<Vec<u8>, Unencodable> {
        let Some(keyring) = &self.sealing.keyring else { return Ok(message) };
        if message.len() <= LARGE {
            return sealed::seal(keyring, name, &message);
        }
        let (keyring, name) = (keyring.clone(), name.to_owned());
        apart(move || sealed::seal(&keyring, &name, &message)).await
    }

    /// The message in what was found under a key.
    pub(super) async fn opened(&self, key: &str, stored: Vec<u8>) -> Result<Vec<u8>, Rejected> {
        let Some(keyring) = &self.sealing.keyring else { return Ok(stored) };
        let (name, limits) = (self.names.entry(key), self.wire.limits);
        if stored.len() <= LARGE {
            return sealed::open(keyring, &name, stored, &limits);
        }
        let keyring = keyring.clone();
        apart(move || sealed::open(&keyring, &name, stored, &limits)).await
    }
}
