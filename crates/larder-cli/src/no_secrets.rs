//! Without the feature `seal`, keys in the environment are of no use, and that is said.

use larder::RedisCacheBuilder;

use crate::failure::Failure;

pub(crate) fn of_env(builder: RedisCacheBuilder) -> Result<RedisCacheBuilder, Failure> {
    for name in ["LARDER_SEAL_KEYS", "LARDER_NAME_KEY"] {
        if std::env::var_os(name).is_some() {
            return Err(Failure::usage(format!("{name}: build larder-cli with the feature `seal`")));
        }
    }
    Ok(builder)
}
