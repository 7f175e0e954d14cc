//! The keys by which sealed entries are opened and hashed names are found: from the environment alone, since command lines
//! are seen by others.

use larder::RedisCacheBuilder;

use crate::failure::Failure;

/// With the keys in `LARDER_SEAL_KEYS` and `LARDER_NAME_KEY`, as `larder::from_env` takes them.
pub(crate) fn of_env(builder: RedisCacheBuilder) -> Result<RedisCacheBuilder, Failure> {
    Ok(builder.seal_from_env()?)
}
