//! Without the feature `seal`: secret keys in the environment are an error, and never silently left aside.

use super::variables::Variables;
use crate::{
    error::{Kind, Result},
    redis::RedisCacheBuilder,
};

/// There are none.
pub(super) struct Sealing;

impl Sealing {
    pub(super) fn of(variables: Variables<'_>) -> Result<Self> {
        for name in ["LARDER_SEAL_KEYS", "LARDER_NAME_KEY"] {
            if variables(name)?.is_some() {
                let text = format!("{name}: it needs larder's feature `seal`, which is not enabled");
                return Err(Kind::configuration(text).into());
            }
        }
        Ok(Self)
    }

    pub(super) fn on(self, redis: RedisCacheBuilder) -> RedisCacheBuilder {
        redis
    }
}
