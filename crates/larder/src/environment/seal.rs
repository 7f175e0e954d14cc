//! The secret keys in the environment.

use super::variables::Variables;
use crate::{
    error::{Kind, Result},
    redis::RedisCacheBuilder,
    seal::{Keyring, SealKey},
};

/// The same with these keys, if there are any.
pub(super) fn with_keys(mut redis: RedisCacheBuilder, variables: Variables<'_>) -> Result<RedisCacheBuilder> {
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
    if let Some(first) = sealing.next() {
        redis = redis.seal(Keyring::new(first, sealing));
    }
    if let Some(names) = names.pop() {
        redis = redis.hash_keys(names);
    }
    Ok(redis)
}
