//! The secret keys in the environment.

use super::variables::{Variables, variable};
use crate::{
    error::{Kind, Result},
    redis::RedisCacheBuilder,
    seal::{Keyring, SealKey},
};

impl RedisCacheBuilder {
    /// Takes the keys in `LARDER_SEAL_KEYS` and `LARDER_NAME_KEY`, if there are any, as [`from_env`](crate::from_env) does.
    ///
    /// # Errors
    ///
    /// If one of them is no key. The error names the variable, and does not repeat it.
    #[cfg_attr(docsrs, doc(cfg(feature = "seal")))]
    pub fn seal_from_env(self) -> Result<Self> {
        Ok(Sealing::of(&variable)?.on(self))
    }
}

/// What they are for.
pub(super) struct Sealing {
    keyring: Option<Keyring>,
    names: Option<SealKey>,
}

impl Sealing {
    pub(super) fn of(variables: Variables<'_>) -> Result<Self> {
        let keys = |name| {
            let Some(value) = variables(name)? else { return Ok(Vec::new()) };
            // Most likely a secret that did not arrive: not a reason to go on without.
            if value.trim().is_empty() {
                let text = format!("{name} is set, and empty: give it a key, or unset it to go on without");
                return Err(Kind::configuration(text).into());
            }
            let keys = value.split(',').enumerate().map(|(at, key)| {
                // The value is a secret, and stands in no error.
                SealKey::parse(key)
                    .map_err(|reason| Kind::configuration(format!("{name}: key {}: {reason}", at + 1)).into())
            });
            keys.collect::<Result<Vec<_>>>()
        };
        let mut sealing = keys("LARDER_SEAL_KEYS")?.into_iter();
        let mut names = keys("LARDER_NAME_KEY")?;
        if names.len() > 1 {
            let text = "LARDER_NAME_KEY: it is one key, and there are more; another one makes other names, and finds nothing";
            return Err(Kind::configuration(text).into());
        }
        Ok(Self { keyring: sealing.next().map(|first| Keyring::new(first, sealing)), names: names.pop() })
    }

    /// A cache that has them.
    pub(super) fn on(self, mut redis: RedisCacheBuilder) -> RedisCacheBuilder {
        if let Some(keyring) = self.keyring {
            redis = redis.seal(keyring);
        }
        if let Some(names) = self.names {
            redis = redis.hash_keys(names);
        }
        redis
    }
}
